//! A pod as text, a line for each name: what the golden pod must stay, and what other readers must find.

use std::fmt::Write;

use podfs::pod::FileKind;
use podfs::pod::Pod;
use podfs::pod::PodError;
use podfs::types::Ino;
use podfs::types::ROOT;

/// All names below the root in the order of their paths. Path, mode, owner, group, names, size, time of last change,
/// BLAKE3 of the contents (or target, or device number), then the extended attributes.
pub fn listing(pod: &Pod) -> String {
    let mut lines = vec![(b".".to_vec(), line(pod, b".", ROOT))];
    let mut left = vec![(Vec::new(), ROOT)];
    while let Some((above, dir)) = left.pop() {
        let mut entries = Vec::new();
        pod.readdir(dir, 2, |entry| {
            entries.push((entry.name.to_vec(), entry.ino, entry.kind));
            true
        })
        .unwrap();
        for (name, ino, kind) in entries {
            let path = [&above[..], &name].concat();
            lines.push((path.clone(), line(pod, &path, ino)));
            if kind == FileKind::Directory {
                left.push(([&path[..], b"/"].concat(), ino));
            }
        }
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}

fn line(pod: &Pod, path: &[u8], ino: Ino) -> String {
    let attr = pod.getattr(ino).unwrap();
    let sized = matches!(attr.kind, FileKind::Regular | FileKind::Symlink);
    let size = if sized {
        attr.size.to_string()
    } else {
        "-".into()
    };
    let what = match attr.kind {
        FileKind::Regular => contents(pod, ino, attr.size),
        FileKind::Symlink => quote(&pod.readlink(ino).unwrap()),
        FileKind::CharDevice | FileKind::BlockDevice => attr.rdev.to_string(),
        FileKind::Directory | FileKind::Fifo | FileKind::Socket => "-".into(),
    };
    let mut line = format!(
        "{} {:o} {} {} {} {size} {}.{:09} {what}",
        quote(path),
        attr.kind.bits() | u32::from(attr.perm),
        attr.uid,
        attr.gid,
        attr.nlink,
        attr.mtime.secs,
        attr.mtime.nanos,
    );
    let names = pod.listxattr(ino).unwrap();
    let mut names: Vec<_> = names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    for name in names {
        let value = pod.getxattr(ino, name).unwrap();
        write!(line, " {}={}", quote(name), quote(&value)).unwrap();
    }
    line
}

fn contents(pod: &Pod, ino: Ino, size: u64) -> String {
    let mut hasher = blake3::Hasher::new();
    let (mut at, mut piece) = (0, Vec::new());
    while at < size {
        if let Err(PodError::Corrupt(_)) = pod.read(ino, at, 1 << 20, &mut piece) {
            return "EIO".into();
        }
        assert!(!piece.is_empty(), "inode {ino} ends at {at} of {size}");
        hasher.update(&piece);
        at += piece.len() as u64;
    }
    hasher.finalize().to_hex().to_string()
}

/// As in a URL (RFC 3986), `/` left as it is.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"_.-~/".contains(byte) {
            out.push(char::from(*byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
    }
    out
}
