//! The recovery phrase among several people.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use podfs::crypto::phrase_share::combine;
use podfs::format::text::read_share;

use crate::network::{fails, json, says};
use crate::support::pod::Pod;

/// Splits the phrase of a pod into a new folder; gives the files.
#[track_caller]
fn split(pod: &Pod, quorum: &str, name: &str) -> Vec<PathBuf> {
    let (phrase, folder) = (pod.path("phrase"), pod.path(name));
    fs::create_dir(&folder).unwrap();
    let (phrase, folder) = (phrase.to_str().unwrap(), folder.to_str().unwrap());
    let args = [
        "keys",
        "split",
        quorum,
        "--phrase-file",
        phrase,
        "--out",
        folder,
        "--json",
    ];
    let said = json(pod, &args);
    let files = said["files"].as_array().unwrap();
    files
        .iter()
        .map(|file| file.as_str().unwrap().into())
        .collect()
}

/// Arguments that combine these shares into a new file.
fn combining<'a>(shares: &'a [&'a Path], out: &'a Path) -> Vec<&'a str> {
    let shares = shares.iter().map(|share| share.to_str().unwrap());
    let mut args = vec!["keys", "combine"];
    args.extend(shares);
    args.extend(["--phrase-file", out.to_str().unwrap()]);
    args
}

#[test]
fn two_of_three_shares_give_the_phrase_and_one_does_not() {
    let pod = Pod::new();
    let shares = split(&pod, "2-of-3", "shares");
    let phrase = fs::read_to_string(pod.path("phrase")).unwrap();
    for (nth, pair) in [[0, 1], [0, 2], [2, 1]].iter().enumerate() {
        let out = pod.path(&format!("phrase {nth}"));
        let pair = pair.map(|at: usize| shares[at].as_path());
        says(&pod, &combining(&pair, &out));
        assert_eq!(fs::read_to_string(&out).unwrap(), phrase);
        assert_eq!(
            fs::metadata(&out).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    for share in &shares {
        assert_eq!(
            fs::metadata(share).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    // What comes back is the pod's: it opens it.
    let new = pod.path("new passphrase");
    fs::write(&new, "another one").unwrap();
    let (found, new) = (pod.path("phrase 0"), new);
    let (found, new) = (found.to_str().unwrap(), new.to_str().unwrap());
    says(
        &pod,
        &[
            "passwd",
            "--phrase-file",
            found,
            "--new-passphrase-file",
            new,
        ],
    );

    let out = pod.path("nothing");
    let alone = [shares[0].as_path()];
    let said = fails(&pod, 14, &combining(&alone, &out));
    assert!(
        said.contains("2 different shares are needed, these are 1"),
        "{said}"
    );
    let twice = [shares[1].as_path(), &shares[1]];
    fails(&pod, 14, &combining(&twice, &out));
    assert!(!out.exists());
}

#[test]
fn shares_that_do_not_belong_together_are_told() {
    let (pod, other) = (Pod::new(), Pod::of_somebody_else());
    let ours = split(&pod, "2-of-3", "shares");
    let (again, theirs) = (
        split(&pod, "2-of-3", "again"),
        split(&other, "2-of-3", "shares"),
    );
    let out = pod.path("nothing");
    let refused = |shares: &[&Path], what: &str| {
        let said = fails(&pod, 14, &combining(shares, &out));
        assert!(said.contains(what) && !out.exists(), "{said}");
    };
    refused(&[&ours[0], &theirs[1]], "do not belong together");
    refused(&[&ours[0], &again[1]], "of different splits");
    let misspelt = pod.path("misspelt");
    let text = fs::read_to_string(&ours[0]).unwrap();
    let letter = if text.as_bytes()[40] == b'q' {
        "p"
    } else {
        "q"
    };
    fs::write(&misspelt, format!("{}{letter}{}", &text[..40], &text[41..])).unwrap();
    refused(
        &[&misspelt, &ours[1]],
        "is no share of a phrase, or it is misspelt",
    );
    fs::write(&misspelt, vec![b'a'; 1 << 20]).unwrap();
    refused(&[&misspelt, &ours[1]], "is no share of a phrase");
    fails(&pod, 9, &combining(&[Path::new("/nowhere")], &out));

    // A phrase that is another pod's is not split by mistake; nor are shares overwritten.
    let (phrase, folder) = (other.path("phrase"), pod.path("shares"));
    let (phrase, folder) = (phrase.to_str().unwrap(), folder.to_str().unwrap());
    let args = |quorum, phrase| {
        [
            "keys",
            "split",
            quorum,
            "--phrase-file",
            phrase,
            "--out",
            folder,
        ]
    };
    fails(&pod, 14, &args("2-of-3", phrase));
    let own = pod.path("phrase");
    let said = fails(&pod, 2, &args("2-of-3", own.to_str().unwrap()));
    assert!(said.contains("exists already"), "{said}");
    let said = fails(&pod, 2, &args("1-of-3", own.to_str().unwrap()));
    assert!(said.contains("such as 2-of-3"), "{said}");
    fails(
        &pod,
        9,
        &["keys", "split", "2-of-3", "--phrase-file", phrase],
    );
}

#[test]
fn shares_of_long_ago_are_read() {
    let frozen = ["first", "third"].map(|name| {
        let text = fs::read_to_string(format!("tests/golden/v1/share-{name}.txt")).unwrap();
        read_share(&text).unwrap()
    });
    let phrase = combine(&frozen).ok().unwrap();
    assert_eq!(*phrase.text(), format!("{}art", "abandon ".repeat(23)));
}
