//! A pod in an environment of its own, driven through the real program.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use podfs::crypto::passphrase::CostBounds;
use podfs::daemon::keyfile::system_entropy;
use podfs::format::keyfile::NewPassphrase;
use podfs::format::keyfile::Opener;
use podfs::format::keyfile::change_passphrase;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::both;
use crate::support::mount::Mount;
use crate::support::run;

/// One pod and the XDG folders around it; all of it goes with the value.
pub struct Pod {
    home: TempDir,
    data: PathBuf,
}

/// Files of a state folder, by their path in it; a folder's path ends with a slash.
pub type Files = Vec<(PathBuf, Vec<u8>)>;

const PASSPHRASE: &str = "correct horse battery staple";

impl Pod {
    /// A new pod. Finding out what a guess shall cost takes seconds: it is done once, and every test gets a copy.
    pub fn new() -> Self {
        static TEMPLATE: OnceLock<(Files, Vec<u8>)> = OnceLock::new();
        let (files, phrase) = TEMPLATE.get_or_init(|| {
            let pod = Self::bare(None);
            pod.init();
            let mut files = Vec::new();
            read_files(&pod.state(), Path::new(""), &mut files);
            (files, fs::read(pod.path("phrase")).unwrap())
        });
        let pod = Self::bare(None);
        write_files(&pod.state(), files);
        fs::write(pod.path("phrase"), phrase).unwrap();
        pod
    }

    /// A new pod whose state lives below `disk`, as durable as `init` leaves it.
    pub fn on(disk: &Path) -> Self {
        let pod = Self::bare(Some(disk.join("data")));
        pod.init();
        pod
    }

    /// The pod of another person: every [`Pod::new`] has the same phrase.
    pub fn of_somebody_else() -> Self {
        let pod = Self::bare(None);
        pod.init();
        pod
    }

    fn bare(data: Option<PathBuf>) -> Self {
        let home = tempfile::Builder::new()
            .prefix("podfs-it-")
            .tempdir()
            .unwrap();
        // Other users must be able to walk to a mountpoint below.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data = data.unwrap_or_else(|| home.path().join("data"));
        let pod = Self { home, data };
        fs::create_dir_all(pod.path("run")).unwrap();
        fs::write(pod.path("passphrase"), PASSPHRASE).unwrap();
        fs::set_permissions(pod.path("passphrase"), fs::Permissions::from_mode(0o600)).unwrap();
        pod
    }

    /// `podfs init`, then the least that a guess may cost: tests mount thousands of times.
    fn init(&self) {
        let mut init = self.command(&["init", "--passphrase-file"]);
        run(init
            .arg(self.path("passphrase"))
            .arg("--phrase-file")
            .arg(self.path("phrase")));
        self.cheapen();
    }

    /// A machine of the same person that never saw the pod: there are a phrase and a passphrase, and nothing else.
    pub fn elsewhere(&self) -> Self {
        let pod = Self::bare(None);
        fs::copy(self.path("phrase"), pod.path("phrase")).unwrap();
        pod
    }

    /// From now on a guess costs the least that it may.
    pub fn cheapen(&self) {
        let place = self.state().join("podfs.key");
        let new = NewPassphrase {
            passphrase: PASSPHRASE.as_bytes(),
            cost: CostBounds::RELEASED.floor,
        };
        let opener = Opener::Passphrase(PASSPHRASE.as_bytes());
        let bytes = change_passphrase(
            &fs::read(&place).unwrap(),
            opener,
            &new,
            &mut system_entropy,
        )
        .unwrap();
        podfs::daemon::keyfile::store(&place, &bytes).unwrap();
    }

    /// A place in the private home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The folder of the sealed state.
    pub fn state(&self) -> PathBuf {
        self.data.join("podfs/main")
    }

    /// The daemon's log.
    pub fn log(&self) -> PathBuf {
        self.path("state/podfs/main.log")
    }

    /// The socket's folder.
    pub fn sockets(&self) -> PathBuf {
        self.path("run/podfs")
    }

    /// `podfs ARGS` in the pod's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podfs"));
        command.args(args);
        self.surround(&mut command);
        command
    }

    /// Puts any command into the pod's environment.
    pub fn surround(&self, command: &mut Command) {
        command
            .env("HOME", self.home.path())
            .env("XDG_DATA_HOME", &self.data)
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("RUST_BACKTRACE", "1")
            .env_remove("RUST_LOG")
            .stdin(std::process::Stdio::null());
    }

    /// Mounts it; the folder answers when this returns.
    #[track_caller]
    pub fn mount(&self) -> Mount<'_> {
        self.mount_with(&[])
    }

    /// Mounts it with further flags.
    #[track_caller]
    pub fn mount_with(&self, flags: &[&str]) -> Mount<'_> {
        self.try_mount(flags)
            .unwrap_or_else(|output| panic!("podfs mount: {}\n{}", output.status, both(&output)))
    }

    /// Mounts it, or gives what the program said.
    pub fn try_mount(&self, flags: &[&str]) -> Result<Mount<'_>, Output> {
        self.mount_by(&mut self.mount_command("mnt", flags))
    }

    /// Mounts it at `mnt` with a command of the test's own making.
    pub fn mount_by(&self, command: &mut Command) -> Result<Mount<'_>, Output> {
        let started = Instant::now();
        let logged = fs::metadata(self.log()).map_or(0, |log| log.len());
        let output = command.output().unwrap();
        if !output.status.success() {
            return Err(output);
        }
        Ok(Mount::answering(
            self,
            self.path("mnt"),
            started.elapsed(),
            logged,
        ))
    }

    /// `podfs mount` at `folder` in the private home, not yet started.
    pub fn mount_command(&self, folder: &str, flags: &[&str]) -> Command {
        let dir = self.path(folder);
        // A stale mount of ours is there but does not answer: exactly what the program must cope with.
        if fs::symlink_metadata(&dir)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        {
            fs::create_dir(&dir).unwrap();
        }
        let mut command = self.command(&["mount"]);
        command
            .arg(dir)
            .arg("--passphrase-file")
            .arg(self.path("passphrase"))
            .args(flags);
        command
    }

    /// `podfs status --json`.
    #[track_caller]
    pub fn status(&self) -> Value {
        let output = self.command(&["status", "--json"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("status --json: {error}\n{}", both(&output)))
    }

    /// The lines of the log from byte `from` that are warnings or errors.
    pub fn warnings(&self, from: u64) -> Vec<String> {
        let bytes = fs::read(self.log()).unwrap_or_default();
        let from = usize::try_from(from).unwrap().min(bytes.len());
        let text = String::from_utf8_lossy(&bytes[from..]);
        let loud = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        text.lines().filter(loud).map(str::to_owned).collect()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("PODFS_KEEP").is_some() {
            println!("kept: {}", self.home.path().display());
            self.home.disable_cleanup(true);
        }
        // What a failed test left mounted must not outlive it.
        let below = self.home.path().to_owned();
        for point in mountpoints().filter(|point| point.starts_with(&below)) {
            let flags = rustix::mount::UnmountFlags::DETACH;
            rustix::mount::unmount(&point, flags).ok();
        }
        // The bare mountpoint of root carries the immutable flag.
        Command::new("chattr")
            .args(["-R", "-i"])
            .arg(&below)
            .output()
            .ok();
    }
}

/// Adds the files below `root`, those in `below` only.
pub fn read_files(root: &Path, below: &Path, files: &mut Files) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let path = below.join(entry.unwrap().file_name());
        if root.join(&path).is_dir() {
            files.push((path.join(""), Vec::new()));
            read_files(root, &path, files);
        } else if root.join(&path).is_file() {
            files.push((path.clone(), fs::read(root.join(&path)).unwrap()));
        }
    }
}

/// Makes the folder `root` hold these files; pages of zeros become holes.
pub fn write_files(root: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = root.join(path);
        let folder = if path.as_os_str().as_bytes().ends_with(b"/") {
            &path
        } else {
            path.parent().unwrap()
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .unwrap();
        if folder == path {
            continue;
        }
        let file = fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        for (number, page) in bytes.chunks(4096).enumerate() {
            if page.iter().any(|byte| *byte != 0) {
                file.write_all_at(page, number as u64 * 4096).unwrap();
            }
        }
    }
}

/// Every mountpoint of this mount namespace.
pub fn mountpoints() -> impl Iterator<Item = PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points: Vec<_> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(PathBuf::from)
        .collect();
    points.into_iter()
}

/// The longest a start may take, a crash before it or not.
pub const START_MAX: Duration = Duration::from_secs(5);
