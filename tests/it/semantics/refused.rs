//! What is not offered, and how it says so.

use std::fs;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags, StatxFlags, XattrFlags};
use rustix::io::Errno;

use super::{examples, on_a_mount, refusal};

#[test]
fn examples_of_what_is_refused() {
    on_a_mount(examples![
        other_attribute_namespaces,
        attributes_of_symlinks,
        access_control_lists,
        files_without_a_name,
        clones_by_ioctl,
        file_flags,
        inserting_and_collapsing_ranges,
        the_time_of_creation,
    ]);
}

fn other_attribute_namespaces(dir: &Path) {
    for name in ["security.selinux", "security.a", "trusted.a"] {
        let set = rustix::fs::setxattr(dir, name, b"x", XattrFlags::empty());
        assert_eq!(refusal(set), Errno::OPNOTSUPP, "{name}");
        let mut value = [0_u8; 16];
        let get = rustix::fs::getxattr(dir, name, &mut value);
        assert_eq!(refusal(get), Errno::OPNOTSUPP, "{name}");
    }
}

fn attributes_of_symlinks(dir: &Path) {
    let link = dir.join("link");
    symlink("target", &link).unwrap();
    let set = rustix::fs::lsetxattr(&link, "user.a", b"x", XattrFlags::empty());
    assert_eq!(refusal(set), Errno::PERM);
}

fn access_control_lists(dir: &Path) {
    let mut value = [0_u8; 64];
    let get = rustix::fs::getxattr(dir, "system.posix_acl_access", &mut value);
    assert_eq!(refusal(get), Errno::OPNOTSUPP);
}

fn files_without_a_name(dir: &Path) {
    let open = rustix::fs::open(dir, OFlags::TMPFILE | OFlags::RDWR, Mode::RWXU);
    assert_eq!(refusal(open), Errno::OPNOTSUPP);
}

fn clones_by_ioctl(dir: &Path) {
    fs::write(dir.join("a"), "text").unwrap();
    let (a, b) = (
        File::open(dir.join("a")).unwrap(),
        File::create(dir.join("b")).unwrap(),
    );
    assert_eq!(refusal(rustix::fs::ioctl_ficlone(&b, &a)), Errno::OPNOTSUPP);
}

fn file_flags(dir: &Path) {
    let file = File::create(dir.join("file")).unwrap();
    assert_eq!(refusal(rustix::fs::ioctl_getflags(&file)), Errno::NOTTY);
}

fn inserting_and_collapsing_ranges(dir: &Path) {
    let file = File::create(dir.join("file")).unwrap();
    file.set_len(1 << 20).unwrap();
    for how in [FallocateFlags::COLLAPSE_RANGE, FallocateFlags::INSERT_RANGE] {
        let refused = rustix::fs::fallocate(&file, how, 0, 4096);
        assert_eq!(refusal(refused), Errno::OPNOTSUPP);
    }
}

fn the_time_of_creation(dir: &Path) {
    let stat = rustix::fs::statx(CWD, dir, AtFlags::empty(), StatxFlags::ALL).unwrap();
    assert_eq!(stat.stx_mask & StatxFlags::BTIME.bits(), 0);
}
