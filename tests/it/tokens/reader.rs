//! What reads tokens on a machine, and `podfs` in front of it.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use tempfile::TempDir;

use crate::support::mount::Mount;
use crate::support::pod::Pod;
use crate::support::pod::read_files;
use crate::support::pod::write_files;

pub const PIN: &str = "a-pin-of-the-tests";

/// What is plugged into a machine.
pub struct Reader {
    pub home: TempDir,
    module: &'static str,
    /// What the module takes from the environment.
    pub settings: Vec<(&'static str, OsString)>,
}

impl Reader {
    /// One that this module reads, with an empty folder for its tokens.
    pub fn of(module: &'static str) -> Self {
        let reader = Self {
            home: tempfile::tempdir().unwrap(),
            module,
            settings: Vec::new(),
        };
        fs::create_dir(reader.tokens()).unwrap();
        fs::write(reader.pin(), PIN).unwrap();
        fs::write(reader.home.path().join("wrong"), "another-pin").unwrap();
        reader
    }

    pub fn tokens(&self) -> PathBuf {
        self.home.path().join("tokens")
    }

    pub fn pin(&self) -> PathBuf {
        self.home.path().join("pin")
    }

    /// Plugs into another one what is in this one.
    pub fn copy_to(&self, other: &Self) {
        let mut files = Vec::new();
        read_files(&self.tokens(), Path::new(""), &mut files);
        write_files(&other.tokens(), &files);
    }

    /// Puts a command in front of this reader.
    pub fn on<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.settings.iter().map(|(name, value)| (name, value)))
    }

    /// `podfs ARGS` with the module and the PIN.
    pub fn podfs(&self, pod: &Pod, args: &[&str]) -> Command {
        let mut command = pod.command(args);
        command
            .args(["--module", self.module, "--pin-file"])
            .arg(self.pin());
        self.on(&mut command);
        command
    }

    /// `podfs keys token add` with the passphrase of the pod.
    pub fn add(&self, pod: &Pod, flags: &[&str]) -> Output {
        let mut command = self.podfs(pod, &["keys", "token", "add", "--json"]);
        let command = command
            .args(flags)
            .arg("--passphrase-file")
            .arg(pod.path("passphrase"));
        command.output().unwrap()
    }

    /// `podfs mount` at `mnt` with these flags, the module, and this PIN.
    pub fn mount<'pod>(
        &self,
        pod: &'pod Pod,
        flags: &[&str],
        pin: &str,
    ) -> Result<Mount<'pod>, Output> {
        let dir = pod.path("mnt");
        fs::create_dir_all(&dir).unwrap();
        let mut command = pod.command(&["mount"]);
        command.arg(dir).args(flags).args(["--module", self.module]);
        command.arg("--pin-file").arg(self.home.path().join(pin));
        pod.mount_by(self.on(&mut command))
    }
}
