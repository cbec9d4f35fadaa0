//! A pod that a token opens. The token is `SoftHSM`, a program that acts as one, with a folder of its own in each test, or
//! one of [`tpm`].

mod reader;
mod tpm;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use aes::Aes256;
use aes::cipher::BlockCipherEncrypt;
use aes::cipher::KeyInit;
use podfs::crypto::Secret;
use podfs::format::keyfile::Challenge;
use podfs::format::keyfile::Opener;
use podfs::format::keyfile::unlock_with;
use podfs::format::keyfile::ways;
use serde_json::Value;

use reader::PIN;
pub use reader::Reader;

use crate::support::applicable;
use crate::support::both;
use crate::support::mount::Mount;
use crate::support::pod::Pod;
use crate::support::pod::read_files;
use crate::support::pod::write_files;
use crate::support::run;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub const NEEDS: &[&str] = &["/dev/fuse", "softhsm2-util", MODULE];

impl Reader {
    /// Nothing is plugged in.
    fn empty() -> Self {
        let mut reader = Self::of(MODULE);
        let settings = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            reader.tokens().display()
        );
        let file = reader.home.path().join("softhsm2.conf");
        fs::write(&file, settings).unwrap();
        reader.settings.push(("SOFTHSM2_CONF", file.into()));
        reader
    }

    /// One token, fresh from its maker.
    pub fn with(label: &str) -> Self {
        let reader = Self::empty();
        reader.plug_in(label);
        reader
    }

    /// One more.
    fn plug_in(&self, label: &str) {
        let mut command = Command::new("softhsm2-util");
        command.args(["--init-token", "--free", "--so-pin", "87654321"]);
        run(self.on(&mut command).args(["--pin", PIN, "--label", label]));
    }

    /// A reader with the same token, as if its chip had been copied before it held a key.
    fn twin(&self) -> Self {
        let twin = Self::empty();
        self.copy_to(&twin);
        twin
    }

    /// Bytes of what is kept on the tokens: it grows with each key.
    fn objects(&self) -> usize {
        let mut files = Vec::new();
        read_files(&self.tokens(), Path::new(""), &mut files);
        let is_object = |path: &PathBuf| path.extension().is_some_and(|end| end == "object");
        files.iter().filter(|(path, _)| is_object(path)).count()
    }
}

#[track_caller]
fn done(output: &Output) -> Value {
    assert!(output.status.success(), "{}", both(output));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[track_caller]
fn refused(output: &Output, code: i32, words: &[&str]) {
    let said = both(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[track_caller]
fn mount_refused(mounted: Result<Mount<'_>, Output>, code: i32, words: &[&str]) {
    match mounted {
        Err(output) => {
            refused(&output, code, words);
            assert!(both(&output).contains("  next: "), "{}", both(&output));
        }
        Ok(_) => panic!("mounted"),
    }
}

fn listed(pod: &Pod) -> Value {
    let list = pod.command(&["keys", "token", "list", "--json"]).output();
    done(&list.unwrap())
}

/// A pod with a file in it that says `kept`.
fn kept() -> Pod {
    let pod = Pod::new();
    let mount = pod.mount();
    fs::write(mount.path("file"), "kept").unwrap();
    mount.unmount();
    pod
}

/// Such a pod, and a token that alone opens it.
fn closed() -> (Pod, Reader) {
    let pod = kept();
    let reader = Reader::with("of mine");
    let added = done(&reader.add(&pod, &["--create", "--only", "--yes"]));
    assert_eq!(added["label"], "of mine", "{added}");
    (pod, reader)
}

#[test]
fn a_pod_that_only_its_token_opens() {
    if !applicable("a_pod_that_only_its_token_opens", NEEDS) {
        return;
    }
    let (pod, reader) = closed();
    let list = listed(&pod);
    assert_eq!(list["passphrase"], false, "{list}");
    assert_eq!(list["tokens"][0]["label"], "of mine", "{list}");
    for flags in [["--token"].as_slice(), &["--token=of mine"], &[]] {
        let mount = reader.mount(&pod, flags, "pin").unwrap();
        assert_eq!(fs::read(mount.path("file")).unwrap(), b"kept");
        let daemon = format!("/proc/{}", mount.pid().as_raw_nonzero());
        for place in ["cmdline", "environ"] {
            let text = fs::read(format!("{daemon}/{place}")).unwrap();
            let found = text.windows(PIN.len()).any(|part| part == PIN.as_bytes());
            assert!(!found, "the PIN stands in {place}");
        }
        mount.unmount();
    }
    let log = fs::read_to_string(pod.log()).unwrap();
    assert!(!log.contains(PIN));
    mount_refused(
        reader.mount(&pod, &["--token"], "wrong"),
        63,
        &["wrong PIN for the token \"of mine\""],
    );
    mount_refused(
        Reader::empty().mount(&pod, &["--token"], "pin"),
        64,
        &["the token \"of mine\"", "is not there"],
    );
    mount_refused(
        Reader::with("of others").mount(&pod, &["--token"], "pin"),
        64,
        &["is not there", "there is \"of others\""],
    );
    mount_refused(
        pod.try_mount(&[]),
        12,
        &["no passphrase opens the pod \"main\", its token does"],
    );
}

#[test]
fn a_copied_state_folder_is_useless_and_the_phrase_is_not() {
    if !applicable(
        "a_copied_state_folder_is_useless_and_the_phrase_is_not",
        NEEDS,
    ) {
        return;
    }
    let (pod, reader) = closed();
    let thief = pod.elsewhere();
    let mut files = Vec::new();
    read_files(&pod.state(), Path::new(""), &mut files);
    write_files(&thief.state(), &files);
    mount_refused(thief.try_mount(&[]), 12, &["no passphrase opens"]);
    let none = Reader::empty();
    mount_refused(none.mount(&thief, &[], "pin"), 64, &["is not there"]);
    let check = |flags: &[&str], reader: &Reader| {
        let mut command = reader.podfs(&thief, &["check"]);
        command.args(flags).output().unwrap()
    };
    refused(&check(&["--token"], &none), 64, &["is not there"]);
    assert!(check(&["--token"], &reader).status.success());
    // The phrase makes a passphrase again; the token goes on opening the pod.
    fs::write(thief.path("second"), "second").unwrap();
    let mut passwd = thief.command(&["passwd", "--phrase-file"]);
    passwd
        .arg(thief.path("phrase"))
        .arg("--new-passphrase-file");
    run(passwd.arg(thief.path("second")));
    fs::copy(thief.path("second"), thief.path("passphrase")).unwrap();
    thief.mount().unmount();
    let mount = reader.mount(&thief, &["--token"], "pin").unwrap();
    assert_eq!(fs::read(mount.path("file")).unwrap(), b"kept");
    mount.unmount();
}

/// AES-256-CBC of the two blocks, the initial vector zero, as `FORMAT.md` has it.
fn answer_of(key: [u8; 32], challenge: &[u8; 32]) -> Secret<32> {
    let cipher = Aes256::new(&key.into());
    let mut answer = Vec::new();
    let mut chained = [0_u8; 16];
    for block in challenge.chunks(16) {
        let mixed: [u8; 16] = std::array::from_fn(|at| chained[at] ^ block[at]);
        let mut mixed = mixed.into();
        cipher.encrypt_block(&mut mixed);
        chained = mixed.into();
        answer.extend_from_slice(&chained);
    }
    Secret::from_slice(&answer).unwrap()
}

/// Who has the key of the token needs no token: what it answers is what the format says.
#[test]
fn a_token_answers_what_the_format_says() {
    if !applicable("a_token_answers_what_the_format_says", NEEDS) {
        return;
    }
    let (pod, reader) = (Pod::new(), Reader::with("of mine"));
    fs::write(pod.path("key"), [0x42; 32]).unwrap();
    let mut import = Command::new("softhsm2-util");
    import.arg("--import").arg(pod.path("key"));
    import.args(["--aes", "--token", "of mine", "--pin", PIN]);
    run(reader
        .on(&mut import)
        .args(["--id", "42", "--label", "known"]));
    done(&reader.add(&pod, &["--id", "42"]));
    let bytes = fs::read(pod.state().join("podfs.key")).unwrap();
    let known = ways(&bytes).unwrap();
    let [key] = known.tokens.as_slice() else {
        panic!("{known:?}");
    };
    let Challenge::Aes(challenge) = &key.challenge else {
        panic!("{key:?}");
    };
    let opens = |with| {
        let answer = &answer_of(with, challenge);
        unlock_with(&bytes, Opener::Token { key, answer }).is_ok()
    };
    assert!(opens([0x42; 32]) && !opens([0x43; 32]));
}

#[test]
fn a_token_beside_the_passphrase_and_without_it_again() {
    if !applicable("a_token_beside_the_passphrase_and_without_it_again", NEEDS) {
        return;
    }
    let (pod, reader) = (Pod::new(), Reader::with("of mine"));
    let by_token = |flags: &[&str]| reader.mount(&pod, flags, "pin");
    mount_refused(by_token(&["--token"]), 64, &["no token opens the pod"]);
    let added = done(&reader.add(&pod, &["--create", "--id", "0a:0b"]));
    assert_eq!(added["key"], "0a0b");
    pod.mount().unmount();
    by_token(&["-o", "token"]).unwrap().unmount();
    // The key that is there serves once more; a new one of its id is refused.
    done(&reader.add(&pod, &["--id", "0a0b"]));
    by_token(&["--token"]).unwrap().unmount();
    assert_eq!(listed(&pod)["tokens"].as_array().unwrap().len(), 1);
    refused(
        &reader.add(&pod, &["--create", "--id", "0a0b"]),
        2,
        &["has a key of this id already"],
    );
    refused(&reader.add(&pod, &["--id", "0c"]), 64, &["no AES key"]);
    mount_refused(
        by_token(&["--token=of others"]),
        64,
        &["no token \"of others\" opens"],
    );
    let remove = |flags: &[&str]| {
        let mut command = pod.command(&["keys", "token", "remove", "of mine", "--json"]);
        command.args(flags).output().unwrap()
    };
    let passphrase = pod.path("passphrase");
    let passphrase = ["--passphrase-file", passphrase.to_str().unwrap()];
    done(&remove(&passphrase));
    mount_refused(by_token(&["--token"]), 64, &["no token opens the pod"]);
    refused(&remove(&passphrase), 64, &["no token \"of mine\" opens"]);
    // Never so that nothing but the phrase is left.
    done(&reader.add(&pod, &["--id", "0a0b", "--only", "--yes"]));
    let phrase = pod.path("phrase");
    let phrase = ["--phrase-file", phrase.to_str().unwrap()];
    refused(&remove(&phrase), 24, &["only the recovery phrase"]);
    by_token(&[]).unwrap().unmount();
}

#[test]
fn what_is_no_token_for_a_pod_is_refused_and_leaves_nothing() {
    if !applicable(
        "what_is_no_token_for_a_pod_is_refused_and_leaves_nothing",
        NEEDS,
    ) {
        return;
    }
    let (pod, reader) = (Pod::new(), Reader::with("of mine"));
    let twin = reader.twin();
    done(&reader.add(&pod, &["--create", "--id", "0a", "--only", "--yes"]));
    // The same token as far as it tells, with a key of the same id: only the key itself shows that it is another.
    let other = Pod::of_somebody_else();
    done(&twin.add(&other, &["--create", "--id", "0a"]));
    mount_refused(
        twin.mount(&pod, &["--token"], "pin"),
        12,
        &["another key than the pod was closed with"],
    );
    let keys = reader.objects();
    // SoftHSM has RSA-OAEP with SHA-1 alone: what was made of the key before that shows is taken away again.
    refused(
        &reader.add(&other, &["--create", "--rsa"]),
        64,
        &["cannot do what is asked of it", "RSA-OAEP"],
    );
    assert_eq!(reader.objects(), keys, "a key was made and not used");
    fs::write(other.path("passphrase"), "wrong").unwrap();
    refused(
        &reader.add(&other, &["--create"]),
        12,
        &["wrong passphrase"],
    );
    assert_eq!(reader.objects(), keys, "a key was made and not used");
    let with_module = |module: &Path| {
        let mut command = other.command(&["mount", "--token", "--pin-file", "/dev/null"]);
        fs::create_dir_all(other.path("mnt")).unwrap();
        let command = command.arg(other.path("mnt")).arg("--module").arg(module);
        reader.on(command).output().unwrap()
    };
    let inside = other.state().join("module.so");
    fs::copy(MODULE, &inside).unwrap();
    refused(&with_module(&inside), 64, &["lies in the state folder"]);
    refused(
        &with_module(&other.path("passphrase")),
        22,
        &["the PIN is empty"],
    );
    let mut unnamed = other.command(&["mount", "--token"]);
    let unnamed = unnamed.arg(other.path("mnt")).output().unwrap();
    refused(&unnamed, 2, &["give --module PATH"]);
    // Two tokens that open the pod: the PIN is shown to neither before one is named.
    reader.plug_in("spare");
    let spare = ["--token", "spare", "--create"];
    let mut add = reader.podfs(&pod, &["keys", "token", "add"]);
    let add = add.args(spare).arg("--phrase-file").arg(pod.path("phrase"));
    run(add);
    mount_refused(
        reader.mount(&pod, &["--token"], "pin"),
        64,
        &["several tokens that open the pod are there"],
    );
    let mount = reader.mount(&pod, &["--token=spare"], "pin").unwrap();
    mount.unmount();
}
