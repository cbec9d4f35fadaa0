//! A pod that a TPM opens. Its chip is `swtpm`, a program that acts as one; what speaks PKCS #11 to it is the module of the
//! makers of `tpm2-tools`. Each test has its own.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use super::PIN;
use super::Reader;
use super::done;
use super::kept;
use super::listed;
use super::mount_refused;
use super::refused;
use crate::support::applicable;
use crate::support::pod::Pod;
use crate::support::pod::read_files;
use crate::support::pod::write_files;
use crate::support::run;
use crate::support::wait_until;

const MODULE: &str = "/usr/lib/x86_64-linux-gnu/libtpm2_pkcs11.so.1";
const TCTI: &str = "/usr/lib/x86_64-linux-gnu/libtss2-tcti-swtpm.so.0";
const NEEDS: &[&str] = &["/dev/fuse", "swtpm", "pkcs11-tool", "setpriv", MODULE, TCTI];

/// A chip, and the folder in which its module keeps what the chip has wrapped.
struct Tpm {
    reader: Reader,
    chip: Child,
}

impl Tpm {
    /// A new chip, and nothing in the folder.
    fn empty() -> Self {
        let mut reader = Reader::of(MODULE);
        let home = reader.home.path().to_owned();
        fs::create_dir(home.join("chip")).unwrap();
        // The module looks for the second one by this name.
        let (socket, control) = (home.join("socket"), home.join("socket.ctrl"));
        let path = |before: &str, path: PathBuf| format!("{before}{}", path.display());
        // It ends with this test, however that ends.
        let mut chip = Command::new("setpriv");
        chip.args(["--pdeathsig", "KILL", "swtpm", "socket", "--tpm2"])
            .args(["--tpmstate", &path("dir=", home.join("chip"))])
            .args(["--server", &path("type=unixio,path=", socket.clone())])
            .args(["--ctrl", &path("type=unixio,path=", control.clone())])
            .args(["--flags", "not-need-init,startup-clear"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let chip = chip.spawn().unwrap();
        reader.settings = vec![
            ("TPM2_PKCS11_STORE", reader.tokens().into()),
            (
                "TPM2_PKCS11_TCTI",
                path("swtpm:path=", socket.clone()).into(),
            ),
        ];
        let tpm = Self { reader, chip };
        assert!(wait_until(Duration::from_secs(30), || {
            socket.exists() && control.exists()
        }));
        tpm
    }

    /// A chip with one token.
    fn with(label: &str) -> Self {
        let tpm = Self::empty();
        let tool = |args: &[&str]| {
            let mut command = Command::new("pkcs11-tool");
            command.args(["--module", MODULE, "--so-pin", "87654321"]);
            run(tpm.reader.on(command.args(args)));
        };
        tool(&["--init-token", "--slot-index", "0", "--label", label]);
        tool(&["--init-pin", "--token-label", label, "--pin", PIN]);
        tpm
    }

    /// Another chip, with a copy of the folder.
    fn twin(&self) -> Self {
        let twin = Self::empty();
        self.reader.copy_to(&twin.reader);
        twin
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        self.chip.kill().unwrap();
        self.chip.wait().unwrap();
    }
}

#[test]
fn a_pod_opens_with_a_tpm_and_with_no_other() {
    if !applicable("a_pod_opens_with_a_tpm_and_with_no_other", NEEDS) {
        return;
    }
    let (pod, tpm) = (kept(), Tpm::with("of mine"));
    let create = ["--token", "of mine", "--create"];
    // Its module makes no AES keys.
    let aes = tpm.reader.add(&pod, &create);
    refused(&aes, 64, &["cannot do what is asked", "with --rsa"]);
    let rsa = [create.as_slice(), &["--rsa", "--id", "0a"]].concat();
    let only = [rsa.as_slice(), &["--only", "--yes"]].concat();
    done(&tpm.reader.add(&pod, &only));
    assert_eq!(listed(&pod)["tokens"][0]["label"], "of mine");
    for flags in [["--token"].as_slice(), &["--token=of mine"], &[]] {
        let mount = tpm.reader.mount(&pod, flags, "pin").unwrap();
        assert_eq!(fs::read(mount.path("file")).unwrap(), b"kept");
        mount.unmount();
    }
    mount_refused(pod.try_mount(&[]), 12, &["no passphrase opens the pod"]);
    let refuses = |tpm: &Tpm, pin: &str, code: i32, words: &[&str]| {
        mount_refused(tpm.reader.mount(&pod, &["--token"], pin), code, words);
    };
    refuses(&tpm, "wrong", 63, &["wrong PIN for the token \"of mine\""]);
    refuses(&Tpm::empty(), "pin", 64, &["is not there; no token is"]);
    let others = Tpm::with("of others");
    refuses(&others, "pin", 64, &["there is \"of others\""]);
    // All TPMs have the same serial number; this one has the same label too.
    let other = Tpm::with("of mine");
    refuses(&other, "pin", 64, &["has no RSA key of the id 0a"]);
    done(&other.reader.add(&Pod::of_somebody_else(), &rsa));
    refuses(&other, "pin", 12, &["does not open the pod"]);
}

#[test]
fn what_a_tpm_wrapped_is_useless_without_its_chip() {
    if !applicable("what_a_tpm_wrapped_is_useless_without_its_chip", NEEDS) {
        return;
    }
    let (pod, tpm) = (kept(), Tpm::with("of mine"));
    let only = ["--token", "of mine", "--create", "--rsa", "--only", "--yes"];
    done(&tpm.reader.add(&pod, &only));
    // All files of the machine, and the PIN.
    let (thief, twin) = (pod.elsewhere(), tpm.twin());
    let mut files = Vec::new();
    read_files(&pod.state(), Path::new(""), &mut files);
    write_files(&thief.state(), &files);
    mount_refused(thief.try_mount(&[]), 12, &["no passphrase opens"]);
    mount_refused(twin.reader.mount(&thief, &[], "pin"), 64, &["Login gives"]);
    let mount = tpm.reader.mount(&thief, &[], "pin").unwrap();
    assert_eq!(fs::read(mount.path("file")).unwrap(), b"kept");
    mount.unmount();
}
