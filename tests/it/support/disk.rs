//! A small disk of its own: ext4 in a file behind a loop device, whose power can be cut.

use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use rustix::mount::UnmountFlags;
use tempfile::TempDir;

use crate::support::run;
use crate::support::wait_until;

/// What `Disk` needs to be there.
pub const REQUIREMENTS: &[&str] = &["root", "/dev/loop-control", "/sbin/mkfs.ext4", "python3"];

/// The disk; unmounted when it goes.
pub struct Disk {
    home: TempDir,
}

impl Disk {
    /// An empty ext4 of so many MiB, mounted.
    pub fn new(mib: u64) -> Self {
        let home = tempfile::Builder::new()
            .prefix("podfs-disk-")
            .tempdir()
            .unwrap();
        let disk = Self { home };
        let image = std::fs::File::create(disk.image()).unwrap();
        image.set_len(mib << 20).unwrap();
        std::fs::create_dir(disk.dir()).unwrap();
        run(Command::new("/sbin/mkfs.ext4")
            .args(["-q", "-F", "-m", "0"])
            .arg(disk.image()));
        disk.mount("rw");
        disk
    }

    /// Where it is mounted.
    pub fn dir(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    fn image(&self) -> PathBuf {
        self.home.path().join("image")
    }

    /// Mounts it with `options`.
    pub fn mount(&self, options: &str) {
        let options = format!("loop,{options}");
        run(Command::new("mount")
            .args(["-t", "ext4", "-o", &options])
            .arg(self.image())
            .arg(self.dir()));
    }

    /// Unmounts it; waits while somebody ends who held it.
    pub fn unmount(&self) {
        let dir = self.dir();
        let limit = std::time::Duration::from_secs(10);
        let mut last = Ok(());
        let done = wait_until(limit, || {
            last = rustix::mount::unmount(&dir, UnmountFlags::empty());
            last.is_ok()
        });
        assert!(done, "cannot unmount {}: {last:?}", dir.display());
    }

    /// Makes ready to cut the power: nothing that the kernel has not yet given to the device gets there then.
    pub fn breaker(&self) -> Breaker {
        let mut command = Command::new("tests/apps/cut_power.py");
        let pipes = command
            .arg(self.dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Breaker(child)
    }
}

/// A power switch with a hand on it.
pub struct Breaker(Child);

impl Breaker {
    /// Cuts the power now.
    pub fn cut(mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        assert!(self.0.wait().unwrap().success(), "the power was not cut");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        rustix::mount::unmount(self.dir(), UnmountFlags::DETACH).ok();
    }
}
