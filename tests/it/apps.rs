//! Programs that people use, on a real mount: each runs as a script of `tests/apps`, and what it leaves must be the
//! same after unmount and mount.

use std::path::Path;
use std::process::Command;

use crate::support::applicable;
use crate::support::both;
use crate::support::mount::listing;
use crate::support::pod::Pod;

/// Runs `script DIR SCRATCH` inside a mount.
fn application(script: &str, requirements: &[&str]) {
    let mut all = vec!["/dev/fuse", "python3"];
    all.extend(requirements);
    if !applicable(script, &all) {
        return;
    }
    let pod = Pod::new();
    let scratch = pod.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let mount = pod.mount();
    let output = Command::new(Path::new("tests/apps").join(script))
        .arg(mount.dir())
        .arg(&scratch)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    println!("{script}:\n{}", both(&output));
    assert!(output.status.success(), "{script}: {}", output.status);
    let before = listing(mount.dir());
    mount.unmount();
    let again = pod.mount();
    assert!(
        before == listing(again.dir()),
        "{script}: the tree changed over unmount and mount"
    );
    again.unmount();
}

#[test]
fn sqlite() {
    application("sqlite.py", &[]);
}

#[test]
fn git() {
    application("git.sh", &["git"]);
}

#[test]
fn cargo() {
    application("cargo.sh", &["cargo"]);
}

#[test]
fn rsync() {
    application("rsync.sh", &["root", "rsync"]);
}

#[test]
fn tar_and_cp() {
    application("tar.sh", &["tar"]);
}

#[test]
fn vim() {
    let vim = if Path::new("/usr/bin/vim").exists() {
        "vim"
    } else {
        "vim.tiny"
    };
    application("vim.sh", &[vim]);
}

#[test]
fn ffmpeg() {
    application("ffmpeg.sh", &["ffmpeg"]);
}

#[test]
fn trash() {
    application("trash.sh", &["gio", "dbus-run-session"]);
}

#[test]
fn mapped_memory() {
    application("mapped.py", &[]);
}

#[test]
fn locks() {
    application("locks.py", &[]);
}

#[test]
fn inotify() {
    application("inotify.sh", &["inotifywait"]);
}

#[test]
#[ignore = "deep: LibreOffice is a large installation; scripts/check-deep installs and runs it"]
fn libreoffice() {
    application("libreoffice.sh", &["soffice"]);
}
