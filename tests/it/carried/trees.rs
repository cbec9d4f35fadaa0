//! Folders with everything that a file system can hold, and how they look.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::XattrFlags;

use crate::support::listing::quote;
use crate::support::random::Random;

/// Places of the sparse file at which there is something, each less than a node.
pub const SPARSE_SPOTS: u64 = 20;

/// Files that are on every machine: of all sizes, `count` of them or `bytes` in all.
pub fn real_files(count: usize, bytes: u64) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut folders: Vec<_> = ["/usr/share", "/usr/lib", "/usr/bin"]
        .map(PathBuf::from)
        .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let stat = fs::symlink_metadata(entry.path());
            if stat.as_ref().is_ok_and(fs::Metadata::is_dir) {
                folders.push(entry.path());
            } else if let Ok(stat) = stat
                && stat.is_file()
                && stat.len() < bytes / 8
            {
                all.push((entry.path(), stat.len()));
            }
        }
    }
    all.sort();
    let step = (all.len() / count).max(1);
    let mut sum = 0;
    let some = all.into_iter().step_by(step).filter(|(_, size)| {
        sum += size;
        sum <= bytes
    });
    some.map(|(path, _)| path).take(count).collect()
}

/// A folder with one of everything below `dir`.
pub fn make_zoo(dir: &Path, random: &mut Random) {
    fs::create_dir_all(dir.join("deep/er/still")).unwrap();
    for nth in 0..40 {
        let size = [0, 1, 100, 3600, 3601, 4096, 4097, 30_000][nth % 8];
        let path = dir.join(format!("deep/er/file {nth}"));
        fs::write(&path, random.bytes(size)).unwrap();
        let mode = 0o400 | (0o7377 & u32::try_from(random.below(0o10000)).unwrap());
        chown(&path, Some(1000 + nth as u32), Some(2000)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let time = Duration::new(
            random.below(1 << 33),
            u32::try_from(random.below(1_000_000_000)).unwrap(),
        );
        let before = nth % 5 == 0;
        let time = if before {
            SystemTime::UNIX_EPOCH - time / 4
        } else {
            SystemTime::UNIX_EPOCH + time
        };
        File::open(&path).unwrap().set_modified(time).unwrap();
    }
    fs::write(dir.join("large"), random.bytes(3_000_001)).unwrap();
    let sparse = File::create(dir.join("sparse")).unwrap();
    sparse.set_len(512 << 20).unwrap();
    for _ in 0..SPARSE_SPOTS {
        let at = random.below(511 << 20);
        sparse.write_all_at(&random.bytes(10_000), at).unwrap();
    }
    drop(sparse);
    fs::hard_link(dir.join("large"), dir.join("deep/linked")).unwrap();
    fs::hard_link(dir.join("large"), dir.join("deep/er/still/linked")).unwrap();
    symlink("large", dir.join("short")).unwrap();
    symlink("x".repeat(255), dir.join("just")).unwrap();
    symlink("/y".repeat(1900), dir.join("long")).unwrap();
    lchown(dir.join("long"), Some(77), Some(78)).unwrap();
    symlink(
        "nowhere\n\\",
        dir.join(OsStr::from_bytes(b"odd \xff\n name")),
    )
    .unwrap();
    let path = dir.join("tagged");
    fs::write(&path, "with attributes").unwrap();
    for (name, size) in [("user.a", 0), ("user.comment", 900), ("user.long", 20_000)] {
        rustix::fs::setxattr(&path, name, &random.bytes(size), XattrFlags::empty()).unwrap();
    }
    let folder = dir.join("deep/er/still");
    rustix::fs::setxattr(&folder, "user.folder", b"too", XattrFlags::empty()).unwrap();
    let wide = dir.join("wide");
    fs::create_dir(&wide).unwrap();
    for nth in 0..300 {
        fs::write(wide.join(format!("entry number {nth}")), nth.to_string()).unwrap();
    }
    fs::set_permissions(&wide, fs::Permissions::from_mode(0o1750)).unwrap();
    fs::create_dir(dir.join("empty")).unwrap();
}

/// Everything below `dir` as text: names, modes, owners, links, times, sizes, contents, attributes. Equal texts,
/// equal trees.
pub fn look(dir: &Path) -> String {
    let mut lines = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        let stat = fs::symlink_metadata(&path).unwrap();
        if stat.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        lines.push(line(&path, path.strip_prefix(dir).unwrap(), &stat));
    }
    lines.sort_unstable();
    lines.join("\n")
}

fn line(path: &Path, name: &Path, stat: &fs::Metadata) -> String {
    let what = if stat.is_symlink() {
        quote(fs::read_link(path).unwrap().as_os_str().as_bytes())
    } else if stat.is_file() {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path).unwrap()).unwrap();
        format!("{} {}", stat.len(), hasher.finalize().to_hex())
    } else {
        String::new()
    };
    let mut line = format!(
        "{} {:o} {} {} {} {}.{:09} {what}",
        quote(name.as_os_str().as_bytes()),
        stat.mode(),
        stat.uid(),
        stat.gid(),
        stat.nlink(),
        stat.mtime(),
        stat.mtime_nsec(),
    );
    if !stat.is_symlink() {
        let mut names = vec![0; 4096];
        let len = rustix::fs::listxattr(path, names.as_mut_slice()).unwrap();
        names.truncate(len);
        let mut names: Vec<_> = names
            .split(|byte| *byte == 0)
            .filter(|it| !it.is_empty())
            .collect();
        names.sort_unstable();
        for name in names {
            let mut value = vec![0; 65536];
            let len = rustix::fs::getxattr(path, name, value.as_mut_slice()).unwrap();
            value.truncate(len);
            write!(line, " {}={}", quote(name), blake3::hash(&value).to_hex()).unwrap();
        }
    }
    line
}

/// Fails with the lines that differ.
#[track_caller]
pub fn assert_equal(expected: &str, found: &str) {
    if expected == found {
        return;
    }
    let lines = |text: &str| -> std::collections::BTreeSet<String> {
        text.lines().map(str::to_owned).collect()
    };
    let (expected, found) = (lines(expected), lines(found));
    let lost: Vec<_> = expected.difference(&found).take(12).collect();
    let new: Vec<_> = found.difference(&expected).take(12).collect();
    panic!("lines that went: {lost:#?}\nlines that came: {new:#?}");
}
