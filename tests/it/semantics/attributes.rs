//! Attributes, extended attributes and the size of the file system.

use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use super::{examples, on_a_mount, refusal};

#[test]
fn examples_of_attributes() {
    on_a_mount(examples![
        times_have_nanoseconds_and_go_back_before_1970,
        reading_does_not_change_the_access_time,
        every_change_moves_the_change_time,
        a_new_owner_takes_set_user_id_away,
        a_new_owner_leaves_a_folder_its_bits,
        user_attributes_are_kept,
        a_small_buffer_is_told_so,
        attributes_have_limits,
        attributes_of_podfs_cannot_be_set,
        the_state_is_not_listed,
        the_file_system_has_a_size,
    ]);
}

fn times_have_nanoseconds_and_go_back_before_1970(dir: &Path) {
    let path = dir.join("old");
    File::create(&path).unwrap();
    for (seconds, nanoseconds) in [(-2, 500_000_000), (-1, 1), (-86_400, 0), (1, 999_999_999)] {
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty()).unwrap();
        let seen = fs::metadata(&path).unwrap();
        assert_eq!((seen.mtime(), seen.mtime_nsec()), (seconds, nanoseconds));
        assert_eq!((seen.atime(), seen.atime_nsec()), (seconds, nanoseconds));
    }
}

fn reading_does_not_change_the_access_time(dir: &Path) {
    let path = dir.join("file");
    fs::write(&path, "text").unwrap();
    let before = fs::metadata(&path).unwrap();
    let mut text = String::new();
    File::open(&path)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (before.atime(), before.atime_nsec()),
        (after.atime(), after.atime_nsec())
    );
}

fn every_change_moves_the_change_time(dir: &Path) {
    let path = dir.join("file");
    let mut last = (0, 0);
    let mut moved = |what: &str| {
        let seen = fs::metadata(&path).unwrap();
        let now = (seen.ctime(), seen.ctime_nsec());
        assert!(now > last, "{what}");
        last = now;
    };
    fs::write(&path, "text").unwrap();
    moved("create");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    moved("chmod");
    fs::hard_link(&path, dir.join("link")).unwrap();
    moved("link");
    fs::remove_file(dir.join("link")).unwrap();
    moved("unlink");
    fs::rename(&path, dir.join("name")).unwrap();
    fs::rename(dir.join("name"), &path).unwrap();
    moved("rename");
    rustix::fs::setxattr(&path, "user.a", b"1", XattrFlags::empty()).unwrap();
    moved("setxattr");
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(2)
        .unwrap();
    moved("truncate");
}

fn a_new_owner_takes_set_user_id_away(dir: &Path) {
    let path = dir.join("program");
    File::create(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).unwrap();
    chown(&path, Some(4711), None).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
}

fn a_new_owner_leaves_a_folder_its_bits(dir: &Path) {
    let path = dir.join("folder");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o3775)).unwrap();
    chown(&path, Some(4711), None).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o3775);
}

fn get(path: &Path, name: &str) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = vec![0; 1 << 16];
    let len = rustix::fs::getxattr(path, name, &mut buffer[..])?;
    buffer.truncate(len);
    Ok(buffer)
}

fn user_attributes_are_kept(dir: &Path) {
    let path = dir.join("file");
    File::create(&path).unwrap();
    let set = |name: &str, value: &[u8], flags| rustix::fs::setxattr(&path, name, value, flags);
    set("user.a", b"one", XattrFlags::CREATE).unwrap();
    assert_eq!(
        refusal(set("user.a", b"", XattrFlags::CREATE)),
        Errno::EXIST
    );
    assert_eq!(
        refusal(set("user.b", b"", XattrFlags::REPLACE)),
        Errno::NODATA
    );
    set("user.a", b"", XattrFlags::REPLACE).unwrap();
    assert_eq!(get(&path, "user.a").unwrap(), b"");
    set("user.b", &vec![0xfe; 65_536], XattrFlags::empty()).unwrap();
    assert_eq!(get(&path, "user.b").unwrap(), vec![0xfe; 65_536]);
    rustix::fs::removexattr(&path, "user.a").unwrap();
    assert_eq!(refusal(get(&path, "user.a")), Errno::NODATA);
    let mut list = [0_u8; 100];
    let len = rustix::fs::listxattr(&path, &mut list).unwrap();
    assert_eq!(&list[..len], b"user.b\0");
}

fn a_small_buffer_is_told_so(dir: &Path) {
    rustix::fs::setxattr(dir, "user.a", b"0123456789", XattrFlags::empty()).unwrap();
    let mut small = [0_u8; 4];
    let short = rustix::fs::getxattr(dir, "user.a", &mut small);
    assert_eq!(refusal(short), Errno::RANGE);
    let short = rustix::fs::listxattr(dir, &mut small);
    assert_eq!(refusal(short), Errno::RANGE);
}

fn attributes_have_limits(dir: &Path) {
    let set =
        |name: &str, value: &[u8]| rustix::fs::setxattr(dir, name, value, XattrFlags::empty());
    assert_eq!(refusal(set("user.a", &vec![0; 65_537])), Errno::TOOBIG);
    let long = format!("user.{}", "n".repeat(251));
    assert_eq!(refusal(set(&long, b"")), Errno::RANGE);
    let full = (0..300).find_map(|n| set(&format!("user.{n:0250}"), b"").err());
    assert_eq!(full, Some(Errno::NOSPC), "64 KiB of names");
}

fn attributes_of_podfs_cannot_be_set(dir: &Path) {
    let set = rustix::fs::setxattr(dir, "user.pod.state", b"", XattrFlags::empty());
    assert_eq!(refusal(set), Errno::PERM);
    let removed = rustix::fs::removexattr(dir, "user.pod.state");
    assert_eq!(refusal(removed), Errno::PERM);
    assert_eq!(refusal(get(dir, "user.pod.other")), Errno::NODATA);
}

fn the_state_is_not_listed(dir: &Path) {
    assert_eq!(get(dir, "user.pod.state").unwrap(), b"local");
    let mut names = vec![0; 65_536];
    let len = rustix::fs::listxattr(dir, &mut names[..]).unwrap();
    assert!(!names[..len].windows(8).any(|part| part == b"user.pod"));
}

fn the_file_system_has_a_size(dir: &Path) {
    let stat = rustix::fs::statvfs(dir).unwrap();
    assert!(stat.f_blocks > 0 && stat.f_bavail > 0 && stat.f_files > 0);
    assert!(stat.f_bavail <= stat.f_bfree && stat.f_bfree <= stat.f_blocks);
    let bytes = stat.f_blocks * stat.f_frsize;
    assert!(bytes < 1 << 50, "no invented size: {bytes}");
    assert_eq!(stat.f_namemax, 255);
}
