//! Nothing that a person saved can be found in what podfs leaves on the disk, in its log, or in a core dump.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::fs::XattrFlags;
use rustix::process::Signal;

use crate::support::applicable;
use crate::support::mount::Mount;
use crate::support::mount::is_gone;
use crate::support::pod::Pod;
use crate::support::random::Random;
use crate::support::wait_until;

/// Eight of each kind.
const CANARIES: usize = 64;

/// Every spelling of every canary, by its first eight bytes.
pub struct Patterns(HashMap<[u8; 8], Vec<(String, Vec<u8>)>>);

impl Patterns {
    pub fn new() -> Self {
        Self(HashMap::new())
    }

    pub fn add(&mut self, what: &str, spelling: Vec<u8>) {
        let head = *spelling
            .first_chunk()
            .expect("a canary of eight bytes or more");
        self.0
            .entry(head)
            .or_default()
            .push((what.to_owned(), spelling));
    }

    pub fn add_all_spellings(&mut self, what: &str, canary: &str) {
        let hex = canary.bytes().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        self.add(&format!("{what}, raw"), canary.into());
        self.add(&format!("{what}, hex"), hex.to_uppercase().into());
        self.add(&format!("{what}, hex"), hex.into());
        for shift in 0..3 {
            self.add(
                &format!("{what}, base64"),
                base64_inside(canary.as_bytes(), shift),
            );
        }
    }

    /// What of it stands in `bytes`.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let mut found = Vec::new();
        for at in 0..bytes.len().saturating_sub(7) {
            let tail = &bytes[at..];
            let Some(candidates) = self.0.get(tail.first_chunk().expect("eight bytes left")) else {
                continue;
            };
            found.extend(
                candidates
                    .iter()
                    .filter(|(_, text)| tail.starts_with(text))
                    .map(|(what, _)| what.as_str()),
            );
        }
        found
    }
}

/// The part of the base64 text that does not depend on the neighbours, when `shift` bytes stand before.
fn base64_inside(bytes: &[u8], shift: usize) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let padded = [vec![0; shift], bytes.to_vec()].concat();
    let text: Vec<u8> = padded
        .chunks_exact(3)
        .flat_map(|three| {
            let word = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            [18, 12, 6, 0].map(|bits| alphabet[(word >> bits) as usize & 63])
        })
        .collect();
    text[(shift * 8).div_ceil(6)..].to_vec()
}

/// Letters that no file contains by accident.
pub fn canary(random: &mut Random) -> String {
    (0..24)
        .map(|_| {
            char::from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[random.index(52)])
        })
        .collect()
}

/// Puts one canary into the pod, in the way its number asks for.
fn plant(mount: &Mount<'_>, number: usize, canary: &str) -> &'static str {
    let path = |name: &str| mount.path(&format!("{name}{number}"));
    let (value, flags) = (canary.as_bytes(), XattrFlags::empty());
    match number % 8 {
        0 => {
            fs::write(mount.path(canary), "x").unwrap();
            "name of a file"
        }
        1 => {
            fs::create_dir_all(mount.path(canary).join(canary)).unwrap();
            "name of a folder"
        }
        2 => {
            fs::write(path("short"), canary).unwrap();
            "short contents"
        }
        3 => {
            fs::write(path("long"), canary.repeat(20_000)).unwrap();
            "long contents"
        }
        4 => {
            symlink(canary, path("link")).unwrap();
            "target of a symlink"
        }
        5 => {
            fs::write(path("named"), "").unwrap();
            rustix::fs::setxattr(path("named"), format!("user.{canary}"), b"v", flags).unwrap();
            "name of an xattr"
        }
        6 => {
            fs::write(path("valued"), "").unwrap();
            rustix::fs::setxattr(path("valued"), "user.v", value, flags).unwrap();
            "value of an xattr"
        }
        _ => {
            fs::write(mount.path(canary), canary).unwrap();
            fs::rename(mount.path(canary), path("renamed")).unwrap();
            fs::remove_file(path("renamed")).unwrap();
            assert!(fs::read(mount.path(canary)).is_err());
            assert!(fs::read_dir(mount.path(canary).join(canary)).is_err());
            "name and contents that were deleted"
        }
    }
}

fn scan(patterns: &Patterns, path: &Path, faults: &mut Vec<String>) -> u64 {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        return entries
            .map(|entry| scan(patterns, &entry.unwrap().path(), faults))
            .sum();
    }
    let name = path.as_os_str().as_encoded_bytes();
    let bytes = if path.is_file() {
        fs::read(path).unwrap()
    } else {
        Vec::new()
    };
    for text in [name, &bytes] {
        faults.extend(
            patterns
                .found_in(text)
                .iter()
                .map(|what| format!("{}: {what}", path.display())),
        );
    }
    bytes.len() as u64
}

/// Where the kernel would have written a core of a process that ran in `cwd`.
fn cores(cwd: &Path, pod: &Pod) -> Vec<PathBuf> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let place = Path::new(pattern.trim())
        .parent()
        .unwrap_or(Path::new(""))
        .to_owned();
    let mut found = Vec::new();
    for folder in [
        cwd,
        &pod.path(""),
        &pod.state(),
        Path::new("/"),
        Path::new("/tmp"),
        &cwd.join(place),
    ] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("core") && entry.path().is_file() {
                found.push(entry.path());
            }
        }
    }
    found
}

/// Ends the daemon as a fault of its own would; gives the cores that the kernel wrote of it.
fn force_core(pod: &Pod, mount: Mount<'_>) -> Vec<PathBuf> {
    let pid = mount.pid();
    let cwd = fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).unwrap();
    let before = cores(&cwd, pod);
    rustix::process::kill_process(pid, Signal::ABORT).unwrap();
    assert!(
        wait_until(Duration::from_secs(10), || is_gone(pid)),
        "the daemon outlives SIGABRT"
    );
    mount.ended_by_itself();
    cores(&cwd, pod)
        .into_iter()
        .filter(|core| !before.contains(core))
        .collect()
}

#[test]
fn nothing_saved_can_be_found_on_the_disk() {
    if !applicable(
        "nothing_saved_can_be_found_on_the_disk",
        &["/dev/fuse", "prlimit"],
    ) {
        return;
    }
    let mut random = Random::new("canaries");
    let pod = Pod::new();
    let mut command = Command::new("prlimit");
    let mount = pod.mount_command("mnt", &[]);
    command
        .args(["--core=unlimited", "--"])
        .arg(mount.get_program())
        .args(mount.get_args());
    pod.surround(&mut command);
    let mount = pod.mount_by(command.env("RUST_LOG", "trace")).unwrap();
    mount.expect_warnings();

    let mut patterns = Patterns::new();
    for number in 0..CANARIES {
        let canary = canary(&mut random);
        let what = plant(&mount, number, &canary);
        patterns.add_all_spellings(what, &canary);
    }
    for secret in ["passphrase", "phrase"] {
        patterns.add(
            secret,
            fs::read_to_string(pod.path(secret)).unwrap().trim().into(),
        );
    }
    fs::File::open(mount.dir()).unwrap().sync_all().unwrap();
    let cores = force_core(&pod, mount);

    // Once as the crash left it, once more after a clean stop.
    let mut faults = Vec::new();
    for core in &cores {
        scan(&patterns, core, &mut faults);
        fs::remove_file(core).unwrap();
    }
    assert!(cores.is_empty(), "the daemon left a core: {cores:?}");
    let mut scan_all = || -> u64 {
        let places = [
            pod.state(),
            pod.path("run"),
            pod.path("config"),
            pod.path("state"),
        ];
        places
            .iter()
            .filter(|path| path.exists())
            .map(|path| scan(&patterns, path, &mut faults))
            .sum()
    };
    let crashed = scan_all();
    pod.mount().unmount();
    let stopped = scan_all();
    assert!(faults.is_empty(), "found:\n{}", faults.join("\n"));
    assert!(
        crashed > 1_000_000 && stopped > 1_000_000,
        "only {crashed} and {stopped} bytes were there to scan"
    );
    println!(
        "canaries: {CANARIES} in {} spellings, none in {crashed} and {stopped} bytes",
        patterns.0.len()
    );
}

/// The scan itself: it finds each spelling.
#[test]
fn the_scan_finds_every_spelling() {
    let mut patterns = Patterns::new();
    patterns.add_all_spellings("it", "abcdefghijklmnopqrstuvwx");
    for text in [
        "..abcdefghijklmnopqrstuvwx..",
        "6162636465666768696a6b6c6d6e6f707172737475767778",
        "6162636465666768696A6B6C6D6E6F707172737475767778",
        "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4",
        "IWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eA==",
        "ISFhYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3g=",
    ] {
        assert_eq!(patterns.found_in(text.as_bytes()).len(), 1, "{text}");
    }
    assert!(patterns.found_in(b"abcdefghijklmnopqrstuvw").is_empty());
}
