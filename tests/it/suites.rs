//! Test suites of others: pjdfstest for what POSIX says, fsx for what a file holds.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use crate::support::applicable;
use crate::support::both;
use crate::support::pod::Pod;
use crate::support::random::Random;
use crate::support::rounds;
use crate::support::tool;

/// Tests in pjdfstest 0.2.2, and how many of them must run.
const PJDFSTEST_TOTAL: u64 = 398;
const PJDFSTEST_EXECUTED_MIN: u64 = 380;

#[test]
fn pjdfstest_finds_no_fault() {
    let program = tool("pjdfstest");
    if !applicable(
        "pjdfstest_finds_no_fault",
        &["root", "/dev/fuse", program.to_str().unwrap()],
    ) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount_with(&["-o", "allow_other,default_permissions,suid,dev"]);
    // A new pod is its owner's alone; the suite acts as others as well.
    std::fs::set_permissions(mount.dir(), Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(program)
        .args(["--configuration-file", "tests/pjdfstest.toml", "--path"])
        .arg(mount.dir())
        .args(["--secondary-fs", "/dev/shm"])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = both(&output);
    let summary = text
        .lines()
        .rfind(|line| line.starts_with("Summary: "))
        .unwrap_or_else(|| panic!("{text}"));
    println!("pjdfstest: {summary}");
    let faults = paragraphs(&text, "FAILED");
    assert!(
        output.status.success() && count(summary, "failed") == 0,
        "{summary}\n{}",
        faults.join("\n")
    );
    assert_eq!(
        count(summary, "expected"),
        0,
        "no failure is expected: {summary}"
    );
    assert_eq!(count(summary, "total"), PJDFSTEST_TOTAL, "{summary}");
    assert!(
        count(summary, "passed") >= PJDFSTEST_EXECUTED_MIN,
        "{summary}"
    );
    for skipped in paragraphs(&text, "skipped") {
        println!("{skipped}");
        let reasons = [
            "requires",
            "not allowed",
            "No secondary",
            "limit is unknown",
        ];
        let named = reasons.iter().any(|reason| skipped.contains(reason));
        assert!(named, "skipped without a missing requirement: {skipped}");
    }
}

/// The number in front of `word` in "Summary: 0 failed, 15 skipped, …".
fn count(summary: &str, word: &str) -> u64 {
    let words: Vec<_> = summary
        .split([' ', ','])
        .filter(|part| !part.is_empty())
        .collect();
    let at = words
        .iter()
        .position(|part| *part == word)
        .unwrap_or_else(|| panic!("no {word} in {summary}"));
    words[at - 1].parse().unwrap()
}

/// The lines that end with `verdict`, each with the indented lines below it.
fn paragraphs(text: &str, verdict: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.ends_with(verdict) {
            found.push(line.to_owned());
            inside = true;
        } else if inside && line.starts_with([' ', '\t']) {
            found.last_mut().unwrap().push_str(line);
        } else {
            inside = false;
        }
    }
    found
}

/// One configuration of fsx, for `rounds` operations.
fn fsx(name: &str, flags: &[&str]) {
    let program = tool("fsx");
    if !applicable(name, &["/dev/fuse", program.to_str().unwrap()]) {
        return;
    }
    let seed = Random::new(name).below(1 << 31).to_string();
    let operations = rounds(100_000, 2_500_000).to_string();
    let pod = Pod::new();
    let mount = pod.mount_with(flags);
    let artifacts = pod.path("artifacts");
    std::fs::create_dir(&artifacts).unwrap();
    let output = Command::new(program)
        .args(["-q", "-S", &seed, "-N", &operations, "-f"])
        .arg(format!("tests/fsx/{name}.toml"))
        .arg("-P")
        .arg(&artifacts)
        .arg(mount.path("x"))
        .output()
        .unwrap();
    let text = both(&output);
    let tail: Vec<_> = text.lines().rev().take(120).collect();
    let tail: Vec<_> = tail.into_iter().rev().collect();
    assert!(
        output.status.success(),
        "fsx -S {seed}: {}\n{}",
        output.status,
        tail.join("\n")
    );
    println!("fsx {name}: {operations} operations, seed {seed}, no miscompare");
}

#[test]
fn fsx_small_pieces() {
    fsx("small", &[]);
}

#[test]
fn fsx_large_pieces() {
    fsx("large", &[]);
}

#[test]
fn fsx_whole_pages() {
    fsx("pages", &[]);
}

#[test]
fn fsx_holes_and_copies() {
    fsx("holes", &[]);
}

#[test]
#[ignore = "deep: ten million operations, the mount taken away every ten thousand; scripts/check-deep runs it"]
fn fsx_survives_remounts() {
    let program = tool("fsx");
    if !applicable(
        "fsx_survives_remounts",
        &["/dev/fuse", program.to_str().unwrap()],
    ) {
        return;
    }
    let mut random = Random::new("fsx_survives_remounts");
    let pod = Pod::new();
    for round in 0..rounds(20, 1000) {
        let mount = pod.mount();
        assert!(mount.took() < Duration::from_secs(5));
        let seed = random.below(1 << 31).to_string();
        let output = Command::new(&program)
            .args([
                "-q",
                "-S",
                &seed,
                "-N",
                "10000",
                "-f",
                "tests/fsx/holes.toml",
                "-P",
            ])
            .arg(pod.path(""))
            .arg(mount.path("x"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "round {round}, fsx -S {seed}: {}",
            both(&output)
        );
    }
}
