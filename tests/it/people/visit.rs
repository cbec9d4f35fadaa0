//! The visit: what `scripts/demo-visit` tells is what happens.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{applicable, both};

/// What it tells, word for word.
const STORY: &str = "tests/golden/visit.txt";

/// A program that was built beside the tests.
fn built(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().and_then(Path::parent).unwrap().join(name);
    assert!(built.exists(), "{}", built.display());
    built
}

#[test]
fn the_visit_happens_as_it_is_told() {
    let viewer = ["/dev/fuse", "root", "/usr/bin/gdk-pixbuf-thumbnailer"];
    if !applicable("the_visit_happens_as_it_is_told", &viewer) {
        return;
    }
    let output = Command::new("scripts/demo-visit")
        .env("PODFS", env!("CARGO_BIN_EXE_podfs"))
        .env("BEE_NODE", built("examples/bee-node"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", both(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    if std::env::var_os("PODFS_WRITE_GOLDEN").is_some() {
        fs::write(STORY, &told).unwrap();
    }
    assert_eq!(told, fs::read_to_string(STORY).unwrap());
}
