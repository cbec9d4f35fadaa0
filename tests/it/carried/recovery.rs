//! A machine is lost; from the phrase and a node everything comes back.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::carried::trees::{SPARSE_SPOTS, assert_equal, look, make_zoo, real_files};
use crate::carried::{REQUIREMENTS, carried, confirmed, mounted, recovered};
use crate::support::applicable;
use crate::support::pod::Pod;
use crate::support::random::Random;
use crate::support::rounds;

/// Real files and one of everything.
pub fn fill(dir: &Path, bytes: u64, random: &mut Random) {
    let files = real_files(usize::try_from(rounds(300, 3000)).unwrap(), bytes);
    let real: u64 = files.iter().map(|it| fs::metadata(it).unwrap().len()).sum();
    println!("{} real files of {real} bytes", files.len());
    let rest = random.bytes(usize::try_from(bytes.saturating_sub(real)).unwrap());
    fs::write(dir.join("rest"), rest).unwrap();
    for file in &files {
        let copy = dir.join("real").join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, &copy).unwrap();
    }
    make_zoo(dir, random);
}

/// What was recovered looks as `before`, at the first sight and after a mount.
#[track_caller]
pub fn is_back(pod: &Pod, before: &str) {
    let mount = mounted(pod, &[]);
    // To the node of 51 pages, before anything of it was read.
    let room = fs::metadata(mount.path("sparse")).unwrap().blocks() * 512;
    let most = SPARSE_SPOTS * 2 * 51 * 4096;
    assert!(room <= most, "a sparse file takes {room} bytes");
    assert_equal(before, &look(mount.dir()));
    mount.unmount();
    let mount = mounted(pod, &[]);
    assert_equal(before, &look(mount.dir()));
}

#[test]
fn everything_comes_back_from_the_phrase() {
    if !applicable("everything_comes_back_from_the_phrase", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("recovery");
    let (pod, node) = carried();
    let mount = mounted(&pod, &[]);
    fill(mount.dir(), rounds(12, 300) << 20, &mut random);
    let before = look(mount.dir());
    let report = confirmed(&pod);
    println!("{} chunks sent", report["chunks_paid"]);
    assert_eq!(report["nodes"][0]["mode"], "light", "{report}");
    mount.unmount();
    is_back(&recovered(pod, &node), &before);
}
