//! Names, links and directories.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, RenameFlags};
use rustix::io::Errno;

use super::{examples, on_a_mount, refusal};

#[test]
fn examples_of_names() {
    on_a_mount(examples![
        names_are_bytes,
        long_names_and_targets_are_refused,
        names_are_not_normalised,
        rename_replaces_in_one_step,
        rename_can_refuse_or_exchange,
        a_directory_is_not_moved_into_itself,
        hard_links_are_names_of_one_file,
        a_listing_in_pieces_skips_nothing,
        a_listing_goes_on_after_a_remembered_place,
        an_unlinked_file_lives_until_it_is_closed,
        a_removed_folder_can_be_looked_at,
        a_set_group_id_folder_passes_its_group_on,
        the_reserved_name_is_out_of_reach,
    ]);
}

fn names_are_bytes(dir: &Path) {
    let name: Vec<u8> = (1..=255).filter(|byte| *byte != b'/').collect();
    File::create(dir.join(OsStr::from_bytes(&name))).unwrap();
    let found = fs::read_dir(dir).unwrap().next().unwrap().unwrap();
    assert_eq!(found.file_name().as_bytes(), name);
    File::create(dir.join(OsStr::from_bytes(&[0xff; 255]))).unwrap();
}

fn long_names_and_targets_are_refused(dir: &Path) {
    let long = dir.join(OsStr::from_bytes(&[b'n'; 256]));
    assert_eq!(
        refusal(rustix::fs::mkdir(&long, Mode::RWXU)),
        Errno::NAMETOOLONG
    );
    let far = OsStr::from_bytes(&[b't'; 4095]);
    symlink(far, dir.join("far")).unwrap();
    assert_eq!(fs::read_link(dir.join("far")).unwrap().as_os_str(), far);
    let further = OsStr::from_bytes(&[b't'; 4096]);
    let refused = rustix::fs::symlink(further, dir.join("further"));
    assert_eq!(refusal(refused), Errno::NAMETOOLONG);
}

fn names_are_not_normalised(dir: &Path) {
    for name in ["a", "A", "\u{e9}", "e\u{301}"] {
        fs::write(dir.join(name), name).unwrap();
    }
    assert_eq!(fs::read_dir(dir).unwrap().count(), 4);
    assert_eq!(fs::read_to_string(dir.join("A")).unwrap(), "A");
}

fn rename_replaces_in_one_step(dir: &Path) {
    fs::write(dir.join("old"), "old").unwrap();
    let mut open = File::open(dir.join("old")).unwrap();
    fs::write(dir.join("new"), "new").unwrap();
    fs::rename(dir.join("new"), dir.join("old")).unwrap();
    assert_eq!(fs::read_to_string(dir.join("old")).unwrap(), "new");
    let mut kept = String::new();
    open.read_to_string(&mut kept).unwrap();
    assert_eq!(kept, "old", "who had it open keeps it");
    fs::create_dir(dir.join("empty")).unwrap();
    fs::create_dir_all(dir.join("full/below")).unwrap();
    fs::rename(dir.join("full"), dir.join("empty")).unwrap();
    fs::create_dir(dir.join("other")).unwrap();
    let onto_full = rustix::fs::rename(dir.join("other"), dir.join("empty"));
    assert_eq!(refusal(onto_full), Errno::NOTEMPTY);
}

fn rename_can_refuse_or_exchange(dir: &Path) {
    let rename = |from: &str, to: &str, flags| {
        rustix::fs::renameat_with(CWD, dir.join(from), CWD, dir.join(to), flags)
    };
    fs::write(dir.join("file"), "").unwrap();
    fs::create_dir(dir.join("folder")).unwrap();
    let refused = rename("file", "folder", RenameFlags::NOREPLACE);
    assert_eq!(refusal(refused), Errno::EXIST);
    rename("file", "folder", RenameFlags::EXCHANGE).unwrap();
    assert!(dir.join("file").is_dir() && dir.join("folder").is_file());
    let whiteout = rename("folder", "away", RenameFlags::WHITEOUT);
    assert_eq!(refusal(whiteout), Errno::INVAL);
}

fn a_directory_is_not_moved_into_itself(dir: &Path) {
    fs::create_dir_all(dir.join("a/b")).unwrap();
    let refused = rustix::fs::rename(dir.join("a"), dir.join("a/b/c"));
    assert_eq!(refusal(refused), Errno::INVAL);
}

fn hard_links_are_names_of_one_file(dir: &Path) {
    fs::write(dir.join("one"), "text").unwrap();
    fs::hard_link(dir.join("one"), dir.join("two")).unwrap();
    let (one, two) = (
        fs::metadata(dir.join("one")).unwrap(),
        fs::metadata(dir.join("two")).unwrap(),
    );
    assert_eq!((one.ino(), one.nlink()), (two.ino(), 2));
    fs::remove_file(dir.join("one")).unwrap();
    assert_eq!(fs::read_to_string(dir.join("two")).unwrap(), "text");
    assert_eq!(fs::metadata(dir.join("two")).unwrap().nlink(), 1);
    fs::create_dir(dir.join("folder")).unwrap();
    let refused = rustix::fs::linkat(
        CWD,
        dir.join("folder"),
        CWD,
        dir.join("link"),
        AtFlags::empty(),
    );
    assert_eq!(refusal(refused), Errno::PERM);
}

fn a_listing_in_pieces_skips_nothing(dir: &Path) {
    let names: BTreeSet<String> = (0..500).map(|n| format!("file {n}")).collect();
    for name in &names {
        File::create(dir.join(name)).unwrap();
    }
    let folder = File::open(dir).unwrap();
    // A small buffer makes many system calls.
    let mut buffer = Vec::with_capacity(512);
    let mut listing = RawDir::new(folder.as_fd(), buffer.spare_capacity_mut());
    let mut seen = Vec::new();
    while let Some(entry) = listing.next() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let other = dir.join(format!("other {}", seen.len()));
        if seen.len() % 2 == 0 {
            File::create(&other).unwrap();
        } else {
            fs::remove_file(dir.join(format!("other {}", seen.len() - 1))).unwrap();
        }
        seen.push(name);
    }
    let files: Vec<_> = seen
        .iter()
        .filter(|name| name.starts_with("file"))
        .collect();
    assert_eq!(files.len(), names.len(), "each once");
    assert!(files.iter().all(|name| names.contains(*name)));
}

fn a_listing_goes_on_after_a_remembered_place(dir: &Path) {
    for n in 0..100 {
        File::create(dir.join(n.to_string())).unwrap();
    }
    let all = |folder: &File| -> Vec<(Vec<u8>, u64)> {
        let mut buffer = Vec::with_capacity(4096);
        let mut listing = RawDir::new(folder.as_fd(), buffer.spare_capacity_mut());
        let mut seen = Vec::new();
        while let Some(entry) = listing.next() {
            let entry = entry.unwrap();
            seen.push((
                entry.file_name().to_bytes().to_vec(),
                entry.next_entry_cookie(),
            ));
        }
        seen
    };
    let mut folder = File::open(dir).unwrap();
    let whole = all(&folder);
    let (middle, cookie) = &whole[50];
    fs::remove_file(dir.join(OsStr::from_bytes(middle))).unwrap();
    folder.seek(SeekFrom::Start(*cookie)).unwrap();
    let rest: Vec<_> = all(&folder).into_iter().map(|(name, _)| name).collect();
    let wanted: Vec<_> = whole[51..].iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(rest, wanted);
}

fn an_unlinked_file_lives_until_it_is_closed(dir: &Path) {
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(dir.join("gone"))
        .unwrap();
    fs::remove_file(dir.join("gone")).unwrap();
    file.write_all(b"still here").unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "still here");
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
}

fn a_removed_folder_can_be_looked_at(dir: &Path) {
    let path = dir.join("folder");
    fs::create_dir(&path).unwrap();
    let handle = rustix::fs::open(&path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    fs::remove_dir(&path).unwrap();
    assert_eq!(rustix::fs::fstat(&handle).unwrap().st_nlink, 0);
    let late = rustix::fs::mkdirat(&handle, "late", Mode::RWXU);
    assert_eq!(refusal(late), Errno::NOENT);
}

fn a_set_group_id_folder_passes_its_group_on(dir: &Path) {
    let shared = dir.join("shared");
    fs::create_dir(&shared).unwrap();
    std::os::unix::fs::chown(&shared, None, Some(4711)).unwrap();
    rustix::fs::chmod(&shared, Mode::from_raw_mode(0o2775)).unwrap();
    fs::create_dir(shared.join("below")).unwrap();
    fs::write(shared.join("file"), "").unwrap();
    let (below, file) = (
        fs::metadata(shared.join("below")).unwrap(),
        fs::metadata(shared.join("file")).unwrap(),
    );
    assert_eq!((below.gid(), file.gid()), (4711, 4711));
    assert_eq!((below.mode() & 0o2000, file.mode() & 0o2000), (0o2000, 0));
}

fn the_reserved_name_is_out_of_reach(dir: &Path) {
    let (top, file) = (dir.parent().unwrap(), dir.join("file"));
    File::create(&file).unwrap();
    let reserved = top.join(".pod");
    let before = fs::read_dir(top).unwrap().count();
    let told = fs::metadata(&reserved).unwrap();
    assert_eq!((told.is_dir(), told.mode() & 0o777), (true, 0o500));
    let made = [
        rustix::fs::mkdir(&reserved, Mode::RWXU),
        rustix::fs::link(&file, &reserved),
        rustix::fs::symlink("file", &reserved),
        rustix::fs::rename(&file, &reserved),
    ];
    let there = [Errno::EXIST, Errno::EXIST, Errno::EXIST, Errno::ISDIR];
    assert_eq!(made.map(refusal), there);
    assert_eq!(refusal(rustix::fs::rmdir(&reserved)), Errno::PERM);
    let moved = rustix::fs::rename(&reserved, top.join("moved"));
    assert_eq!(refusal(moved), Errno::PERM);
    assert_eq!(fs::read_dir(top).unwrap().count(), before);
    fs::create_dir(dir.join(".pod")).unwrap();
    File::create(dir.join(".pod/file")).unwrap();
    assert!(dir.join(".pod/file").exists());
}
