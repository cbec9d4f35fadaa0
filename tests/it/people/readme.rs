//! What README tells about sharing, word for word.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::carried::mounted;
use crate::people::shared::{confirmed, until};
use crate::people::*;
use crate::support::{applicable, run};

/// Lines that the section may have.
const LINES_MAX: usize = 20;

/// The commands of one block of the section.
fn block(number: usize) -> Vec<String> {
    let readme = fs::read_to_string("README.md").unwrap();
    let section = readme.split("\n## Share a folder\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    assert!(section.lines().count() <= LINES_MAX);
    let block = section.split("```sh\n").nth(number + 1).unwrap();
    let block = block.split("```").next().unwrap();
    block.lines().map(str::to_owned).collect()
}

/// Types a line where `podfs` is the one that was built, and `~/Pod` is where the pod is mounted.
#[track_caller]
fn typed(pod: &Pod, line: &str) -> String {
    let mut shell = Command::new("bash");
    pod.surround(&mut shell);
    let path = std::env::var("PATH").unwrap();
    let bin = pod.path("bin");
    shell.env("PATH", format!("{}:{path}", bin.display()));
    run(shell.args(["-euo", "pipefail", "-c", line]))
}

fn at_home(pod: &Pod, mount: &Path) {
    fs::create_dir(pod.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_podfs"), pod.path("bin/podfs")).unwrap();
    symlink(mount, pod.path("Pod")).unwrap();
}

#[test]
fn what_readme_tells_about_sharing_works() {
    if !applicable("what_readme_tells_about_sharing_works", REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (hers, his) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    at_home(&anna, hers.dir());
    at_home(&ben, his.dir());
    fs::create_dir(his.dir().join("Photos")).unwrap();
    fs::write(his.dir().join("Photos/beach.jpg"), "sand").unwrap();
    let (of_ben, of_anna) = (block(0), block(1));
    let [shares, sees, ends] = of_ben.as_slice() else {
        panic!("{of_ben:?}")
    };
    let [looks, accepts, lists] = of_anna.as_slice() else {
        panic!("{of_anna:?}")
    };
    typed(&ben, shares);
    let access = typed(&ben, sees);
    assert!(access.contains("with Anna: read"), "{access}");
    confirmed(&ben);
    until(&anna, "the grant does not come", || {
        typed(&anna, looks);
        typed(&anna, "podfs shares").contains("Photos")
    });
    typed(&anna, accepts);
    let photos = hers.dir().join("Shared with me/Ben/Photos");
    until(&anna, "nothing is shown", || {
        photos.join("beach.jpg").exists()
    });
    assert_eq!(typed(&anna, lists), "beach.jpg\n");
    typed(&ben, ends);
    confirmed(&ben);
    until(&anna, "what is revoked is still shown", || !photos.exists());
}
