//! Who reads what somebody shares has no key of theirs but the one that was handed over: not on the disk, and not in
//! the memory of the daemon.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};

use podfs::crypto::keys::{BoxSecret, RootKey};
use podfs::types::ROOT;

use crate::canaries::Patterns;
use crate::hex;
use crate::people::shared::{accept, confirmed, share, until};
use crate::people::unlinkable::root_of;
use crate::people::*;
use crate::support::applicable;
use crate::support::mount::Mount;
use crate::support::pod::Pod;

/// Bytes that are looked through at once; a key that stands over an edge is found in the next piece.
const PIECE: usize = 1 << 20;
const KEY: usize = 32;

/// The secret of the one box of a pod.
pub(super) fn box_of(root: &RootKey) -> BoxSecret {
    root.pod(&root.pod_id(0), 0).box_secret(0, 0)
}

/// Everything of a pod that opens or signs more than one grant, by name; and what begins the scopes of these files.
fn secrets(pod: &Pod, files: &[(u64, &str)]) -> Vec<(String, Vec<u8>)> {
    let root = root_of(pod);
    let own = box_of(&root);
    let heads = own.head_keys();
    let named = [
        ("root", root.secret()),
        ("pod", root.pod(&root.pod_id(0), 0).secret()),
        ("box", own.secret()),
        ("conv", own.conv().secret()),
        ("scope key", own.scope_key().secret()),
        ("head key", heads.aead.secret()),
        ("head nonce key", heads.nonce.secret()),
        ("head commitment key", heads.commit.secret()),
        ("head signer", own.feed_signer(0).secret()),
        ("x25519", root.kem_x25519(0).secret()),
        ("x-wing", root.kem_xwing(0).secret()),
        ("identity", root.identity(0).secret()),
    ]
    .map(|(name, secret)| (name.to_owned(), secret.expose().to_vec()));
    let scopes = files.iter().map(|(directory, name)| {
        let scope = own.scope_key().scope_id(*directory, name.as_bytes());
        let key = own.conv_file(&scope).secret().expose().to_vec();
        (format!("key of {name}"), key)
    });
    named.into_iter().chain(scopes).collect()
}

/// Which of these keys stand in the memory of a daemon.
fn in_memory(mount: &Mount<'_>, keys: &[(String, Vec<u8>)]) -> BTreeSet<String> {
    let mut patterns = Patterns::new();
    for (name, key) in keys {
        patterns.add(name, key.clone());
    }
    let process = format!("/proc/{}", mount.pid().as_raw_nonzero());
    let memory = fs::File::open(format!("{process}/mem")).unwrap();
    let mut found = BTreeSet::new();
    let mut looked = 0;
    for line in fs::read_to_string(format!("{process}/maps"))
        .unwrap()
        .lines()
    {
        let mut fields = line.split(' ');
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut piece = vec![0; PIECE + KEY];
        let mut at = from;
        while at < to {
            let len = usize::try_from(to - at).unwrap().min(piece.len());
            // What was given back since the list was made, or is a device, is passed over.
            if memory.read_exact_at(&mut piece[..len], at).is_ok() {
                let keys = patterns.found_in(&piece[..len]).into_iter();
                found.extend(keys.map(str::to_owned));
                looked += len;
            }
            at += PIECE as u64;
        }
    }
    assert!(looked > 1 << 20, "{looked} bytes of memory");
    found
}

#[test]
fn who_reads_has_no_key_but_the_one_that_was_handed_over() {
    let name = "who_reads_has_no_key_but_the_one_that_was_handed_over";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = first.dir().join("lab");
    fs::create_dir(&lab).unwrap();
    let contents = |of: u8| vec![of; 50_000];
    fs::write(lab.join("scan.bin"), contents(1)).unwrap();
    fs::write(first.dir().join("diary.bin"), contents(2)).unwrap();
    let grant = share(&anna, &lab, &["--rights", "append"]);
    confirmed(&anna);
    accept(&ben, &grant);
    let seen = second.dir().join("Shared with me/Anna/lab");
    until(&ben, "nothing is shown", || seen.join("scan.bin").exists());
    assert_eq!(fs::read(seen.join("scan.bin")).unwrap(), contents(1));
    until(&ben, "nothing can be added", || {
        fs::write(seen.join("report.txt"), "well").is_ok()
    });
    confirmed(&ben);
    until(&ben, "nothing is taken over", || {
        lab.join("report.txt").exists()
    });

    let files = [
        (fs::metadata(&lab).unwrap().ino(), "scan.bin"),
        (ROOT.0, "diary.bin"),
        (ROOT.0, "lab"),
    ];
    let hers = secrets(&anna, &files);
    let id = hex::decode(text(&grant, "id")).try_into().unwrap();
    let of_grant = box_of(&root_of(&anna)).grant(&id);
    let signer = of_grant.feed_signer();
    let mut keys = hers.clone();
    keys.push(("grant".into(), of_grant.secret().expose().to_vec()));
    keys.push(("grant signer".into(), signer.secret().expose().to_vec()));
    keys.push(("cap".into(), of_grant.cap_key().secret().expose().to_vec()));
    // She has hers, so the look finds keys.
    let in_hers = in_memory(&first, &keys);
    for key in ["box", "head key", "x-wing"] {
        assert!(in_hers.contains(key), "{key} is not found: {in_hers:?}");
    }
    // What only the phrase gives is not even in hers.
    for key in ["root", "identity"] {
        assert!(!in_hers.contains(key), "the daemon of the giver has {key}");
    }
    let in_his = in_memory(&second, &keys);
    let strange: Vec<_> = in_his.iter().filter(|key| *key != "cap").collect();
    assert!(strange.is_empty(), "he has {strange:?} of hers");
    // He has his own.
    assert!(in_memory(&second, &secrets(&ben, &[])).contains("box"));
}
