//! What the tests from outside share: a pod of its own for each test, its mount, seeded chance, disks in a file.

pub mod disk;
pub mod listing;
pub mod load;
pub mod mount;
pub mod operation;
pub mod pod;
pub mod random;
pub mod sample;
pub mod tree;

use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::time::Duration;
use std::time::Instant;

/// `ci` rounds, or `deep` ones when the deep check runs.
pub fn rounds(ci: u64, deep: u64) -> u64 {
    let asked = std::env::var("PODFS_ROUNDS")
        .ok()
        .and_then(|value| value.parse().ok());
    asked.unwrap_or(if std::env::var_os("PODFS_DEEP").is_some() {
        deep
    } else {
        ci
    })
}

/// Where `scripts/test` puts the programs it builds.
pub fn tool(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("tools")
        .join("bin")
        .join(name)
}

/// Whether everything that the test declares is there. When not, the test is reported as not applicable; it fails
/// outright unless `scripts/test` collects such reports, so that it never counts as passed.
#[must_use]
pub fn applicable(test: &str, requirements: &[&str]) -> bool {
    let missing: Vec<_> = requirements
        .iter()
        .filter(|name| !is_there(name))
        .copied()
        .collect();
    if missing.is_empty() {
        return true;
    }
    let missing = missing.join(", ");
    let Some(list) = std::env::var_os("PODFS_NOT_APPLICABLE") else {
        panic!(
            "{test} is not applicable here: {missing} missing; scripts/test installs what tests need"
        );
    };
    let mut list = OpenOptions::new()
        .append(true)
        .create(true)
        .open(list)
        .unwrap();
    writeln!(list, "{test}: {missing} missing").unwrap();
    false
}

/// A path, `root`, a variable of the environment behind `$`, or the name of a program.
fn is_there(requirement: &str) -> bool {
    if let Some(variable) = requirement.strip_prefix('$') {
        return std::env::var_os(variable).is_some();
    }
    if requirement == "root" {
        return rustix::process::geteuid().is_root();
    }
    if requirement.starts_with('/') {
        return Path::new(requirement).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(requirement).exists())
}

/// Runs a command that must succeed; gives its standard output.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        both(&output)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard output, then standard error.
pub fn both(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

/// What the files below a folder take on the disk, in bytes.
pub fn bytes_below(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    // A file that is gone meanwhile takes nothing.
    let stats = entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    let sizes = stats.map(|(path, stat)| {
        if stat.is_dir() {
            bytes_below(&path)
        } else {
            stat.blocks() * 512
        }
    });
    sizes.sum()
}

/// Looks every few milliseconds until `done`, at most `limit`; tells whether it came true.
pub fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
