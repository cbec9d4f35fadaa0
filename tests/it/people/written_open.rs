//! Files that others may change, while programs have them open.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::carried::mounted;
use crate::people::appended::{assert_clean, names};
use crate::people::shared::until;
use crate::people::written::{reads, settled, writable};
use crate::people::*;
use crate::support::applicable;

fn open(path: &Path) -> File {
    let both = OpenOptions::new().read(true).write(true).open(path);
    both.unwrap()
}

/// What is written through it is read through it.
#[track_caller]
fn goes_on(file: &mut File, text: &str) {
    file.set_len(0).unwrap();
    file.rewind().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    let mut read = String::new();
    file.read_to_string(&mut read).unwrap();
    assert_eq!(read, text);
}

#[test]
fn what_is_removed_or_replaced_while_it_is_open_does_not_come_back() {
    let name = "what_is_removed_or_replaced_while_it_is_open_does_not_come_back";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    fs::create_dir(first.path("lab")).unwrap();
    for name in ["kept", "removed", "replaced", "taken"] {
        fs::write(first.path("lab").join(name), "before").unwrap();
    }
    let (lab, seen, _) = writable((&anna, &first), (&ben, &second), "lab");
    until(&ben, "not all comes", || names(&seen).len() == 4);
    let [mut kept, mut removed, mut replaced, mut taken] =
        ["kept", "removed", "replaced", "taken"].map(|name| open(&seen.join(name)));
    let number = kept.metadata().unwrap().ino();
    goes_on(&mut kept, "changed");
    assert_eq!(kept.metadata().unwrap().ino(), number);
    assert_eq!(fs::metadata(seen.join("kept")).unwrap().ino(), number);
    fs::remove_file(seen.join("removed")).unwrap();
    fs::remove_file(seen.join("taken")).unwrap();
    fs::write(seen.join("taken"), "new").unwrap();
    fs::write(seen.join("new"), "newer").unwrap();
    fs::rename(seen.join("new"), seen.join("replaced")).unwrap();
    let nameless = [&mut removed, &mut replaced, &mut taken];
    for file in nameless {
        assert_eq!(file.metadata().unwrap().nlink(), 0);
        goes_on(file, "nobody sees it");
    }
    let all = ["kept", "replaced", "taken"];
    for dir in [&seen, &lab] {
        if dir == &lab {
            drop(kept);
            settled(&anna, &ben);
            // They are open still, and Anna has what Ben did.
            goes_on(&mut removed, "nobody sees it yet");
            goes_on(&mut taken, "nobody sees it either");
            kept = open(&seen.join("kept"));
        }
        assert_eq!(names(dir), all);
        for (name, text) in [("kept", "changed"), ("replaced", "newer"), ("taken", "new")] {
            reads(&dir.join(name), text);
        }
    }
    assert_eq!(names(&seen), all);
    drop((kept, removed, replaced, taken));
    drop((first, second));
    assert_clean([&ben, &anna]);
}
