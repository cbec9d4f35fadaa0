//! All names come back for few requests: no file is touched for them.

use std::fs;

use crate::carried::{REQUIREMENTS, carried, confirmed, mounted, recovered};
use crate::node::Route;
use crate::support::random::Random;
use crate::support::{applicable, rounds};

const FOLDER: u64 = 1000;
/// One file in so many has something in it.
const FULL: u64 = 100;
/// Requests for 100 names, and those that find the newest head among feeds of which most are empty.
const REQUESTS: u64 = 7;
const FIND: u64 = 2000;

#[test]
fn names_come_back_for_few_requests() {
    if !applicable("names_come_back_for_few_requests", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("names");
    let (pod, node) = carried();
    let mount = mounted(&pod, &[]);
    let folders = rounds(10, 1000);
    for folder in 0..folders {
        let dir = mount.path(&format!("{} {folder}", 2000 + folder % 30));
        fs::create_dir(&dir).unwrap();
        for nth in 0..FOLDER {
            let name = format!("IMG_{:08}_{nth}.jpg", random.below(100_000_000));
            let bytes = if nth % FULL == 0 { &name[..] } else { "" };
            fs::write(dir.join(&name), bytes).unwrap();
        }
    }
    let report = confirmed(&pod);
    println!("{} chunks sent", report["chunks_paid"]);
    mount.unmount();
    node.reset_counts();
    let pod = recovered(pod, &node);
    let requests = node.counts().requests(Route::GetChunk);
    let names = folders * FOLDER;
    println!("{requests} requests for {names} names");
    assert!(requests <= names / 100 * REQUESTS + FIND, "{requests}");
    let mount = mounted(&pod, &[]);
    let mut found = 0;
    for folder in fs::read_dir(mount.dir()).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap();
            let size = file.metadata().unwrap().len();
            assert!(size == 0 || size == file.file_name().len() as u64);
            found += 1;
        }
    }
    assert_eq!(found, names);
}
