//! A mounted pod that checks, when it goes, that nothing was logged in anger and nothing stays behind.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::Signal;

use crate::support::both;
use crate::support::pod::Pod;
use crate::support::pod::mountpoints;
use crate::support::run;
use crate::support::wait_until;

/// How long a daemon may take to end.
const END_MAX: Duration = Duration::from_secs(10);

/// A mount; dropped, it is unmounted by the program and examined.
pub struct Mount<'pod> {
    pod: &'pod Pod,
    dir: PathBuf,
    pid: Pid,
    took: Duration,
    logged: u64,
    descriptors: BTreeMap<String, usize>,
    warnings_expected: Cell<bool>,
    connections_expected: Cell<bool>,
    ended: bool,
}

impl<'pod> Mount<'pod> {
    /// Takes over a mount that answers. `logged` is where its part of the log begins.
    #[track_caller]
    pub fn answering(pod: &'pod Pod, dir: PathBuf, took: Duration, logged: u64) -> Self {
        let status = pod.status();
        let pid = status["pid"]
            .as_i64()
            .unwrap_or_else(|| panic!("status --json has no pid: {status}"));
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        assert_eq!(
            status["mountpoint"].as_str().map(Path::new),
            Some(dir.as_path()),
            "{status}"
        );
        let descriptors = descriptors(pid, pod);
        Self {
            pod,
            dir,
            pid,
            took,
            logged,
            descriptors,
            warnings_expected: Cell::new(false),
            connections_expected: Cell::new(false),
            ended: false,
        }
    }

    /// The mounted folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A place in the mounted folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The daemon.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// How long the command to mount took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// This test provokes warnings.
    pub fn expect_warnings(&self) {
        self.warnings_expected.set(true);
    }

    /// The pod has nodes, and connections to them are kept for a while.
    pub fn expect_connections(&self) {
        self.connections_expected.set(true);
    }

    /// SIGKILL, and waits until nothing of the process runs any more. The dead mount stays, as after a real crash.
    pub fn kill(mut self) {
        self.ended = true;
        rustix::process::kill_process(self.pid, Signal::KILL).unwrap();
        assert!(
            wait_until(END_MAX, || is_gone(self.pid)),
            "the daemon outlives SIGKILL"
        );
    }

    /// The daemon was ended by the test in a way of its own.
    pub fn ended_by_itself(mut self) {
        assert!(is_gone(self.pid), "the daemon is still there");
        self.ended = true;
    }

    /// Unmounts and examines, as dropping does.
    pub fn unmount(self) {
        drop(self);
    }

    fn leave(&mut self) {
        self.ended = true;
        let no_more = |now: &BTreeMap<String, usize>| {
            now.iter().all(|(kind, count)| {
                let kept = kind == "socket" && self.connections_expected.get();
                kept || self
                    .descriptors
                    .get(kind)
                    .is_some_and(|before| count <= before)
            })
        };
        let kept = wait_until(Duration::from_secs(3), || {
            no_more(&descriptors(self.pid, self.pod))
        });
        let now = descriptors(self.pid, self.pod);
        let output = self
            .pod
            .command(&["unmount"])
            .arg(&self.dir)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "podfs unmount: {}\n{}",
            output.status,
            both(&output)
        );
        assert!(
            wait_until(END_MAX, || is_gone(self.pid)),
            "the daemon outlives the unmount"
        );
        assert!(
            !mountpoints().any(|point| point == self.dir),
            "still mounted"
        );
        let sockets: Vec<_> = fs::read_dir(self.pod.sockets())
            .into_iter()
            .flatten()
            .collect();
        assert!(sockets.is_empty(), "left behind: {sockets:?}");
        let below: Vec<_> = fs::read_dir(&self.dir).unwrap().collect();
        assert!(below.is_empty(), "files below the mountpoint: {below:?}");
        assert!(
            kept,
            "descriptors at mount {:?}, before unmount {now:?}",
            self.descriptors
        );
        let warnings = self.pod.warnings(self.logged);
        let quiet = warnings.is_empty() || self.warnings_expected.get();
        assert!(quiet, "the daemon warned:\n{}", warnings.join("\n"));
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if !std::thread::panicking() {
            self.leave();
            return;
        }
        println!(
            "the daemon's log:\n{}",
            fs::read_to_string(self.pod.log()).unwrap_or_default()
        );
        rustix::process::kill_process(self.pid, Signal::KILL).ok();
        wait_until(END_MAX, || is_gone(self.pid));
    }
}

/// Whether a process ended, every thread of it: until then its locks are held. One that nobody waits for counts as
/// ended.
pub fn is_gone(pid: Pid) -> bool {
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    let stat = fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    let threads = fs::read_dir(format!("{process}/task"))
        .into_iter()
        .flatten()
        .count();
    state.is_none_or(|state| matches!(state, 'Z' | 'X')) && threads <= 1
}

/// What a daemon has open and how often. Segments of the log come and go and are left out.
fn descriptors(pid: Pid, pod: &Pod) -> BTreeMap<String, usize> {
    let log = pod.state().join("log");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()))
        .into_iter()
        .flatten()
        .flatten()
    {
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        if target.starts_with(&log) {
            continue;
        }
        let name = target.to_string_lossy().into_owned();
        let kind = name
            .split_once(":[")
            .map_or(name.as_str(), |(kind, _)| kind)
            .to_owned();
        *found.entry(kind).or_default() += 1;
    }
    found
}

/// Everything below `dir` as one text: equal texts, equal trees.
pub fn listing(dir: &Path) -> String {
    run(std::process::Command::new("tests/apps/listing.py").arg(dir))
}
