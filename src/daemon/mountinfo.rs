//! What is mounted, from `/proc/self/mountinfo` (proc(5)): the only way to look at a mountpoint without
//! asking the file system behind it, which may be dead.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use rustix::io::Errno;

/// The type of our mounts.
pub const OUR_TYPE: &str = "fuse.podfs";

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor` of its device; the minor names the FUSE connection.
    pub device: String,
    /// Where it is mounted.
    pub point: PathBuf,
    /// File system type.
    pub kind: String,
    /// Source.
    pub source: String,
    /// Options of the file system.
    pub options: String,
}

/// Whether somebody serves a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// It answered, or refused to speak to us.
    Alive,
    /// Its daemon is gone: ENOTCONN.
    Dead,
    /// No answer in time.
    Silent,
}

impl Mount {
    /// Mounted by podfs.
    pub fn is_ours(&self) -> bool {
        self.kind == OUR_TYPE
    }

    /// User id of who mounted it.
    pub fn owner(&self) -> Option<u32> {
        self.options
            .split(',')
            .find_map(|option| option.strip_prefix("user_id=")?.parse().ok())
    }

    /// Whether it answers; see [`answers`].
    pub fn pulse(&self, patience: Duration) -> Pulse {
        answers(self.point.clone(), patience)
    }
}

/// Asks the file system at `point` for statfs, from a thread that is left behind when nobody ever answers.
pub fn answers(point: PathBuf, patience: Duration) -> Pulse {
    let (answered, answer) = mpsc::channel();
    let asking = std::thread::Builder::new()
        .name("pulse".into())
        .spawn(move || {
            if answered.send(rustix::fs::statfs(&point).map(drop)).is_err() {
                tracing::debug!("a late pulse");
            }
        });
    if asking.is_err() {
        return Pulse::Silent;
    }
    match answer.recv_timeout(patience) {
        // The second is what requests get that were waiting when it died.
        Ok(Err(Errno::NOTCONN | Errno::CONNABORTED)) => Pulse::Dead,
        Ok(_) => Pulse::Alive,
        Err(_) => Pulse::Silent,
    }
}

/// All mounts this process sees, in the order they were made.
pub fn mounts() -> io::Result<Vec<Mount>> {
    Ok(parse(&std::fs::read("/proc/self/mountinfo")?))
}

/// The uppermost mount whose root is exactly `point`, an absolute path without symlinks.
pub fn mounted_at(point: &Path) -> io::Result<Option<Mount>> {
    Ok(mounts()?.into_iter().rfind(|mount| mount.point == point))
}

/// The mounts of such a table; lines that make no sense are left out.
pub fn parse(table: &[u8]) -> Vec<Mount> {
    table
        .split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = text(fields.nth(2)?);
    let point = PathBuf::from(OsString::from_vec(unescape(fields.nth(1)?)));
    fields.by_ref().find(|field| *field == b"-")?;
    let kind = text(fields.next()?);
    let source = text(fields.next()?);
    let options = text(fields.next()?);
    Some(Mount {
        device,
        point,
        kind,
        source,
        options,
    })
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(&unescape(field)).into_owned()
}

/// The kernel writes space, tab, newline, `\` and `#` as `\` and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = |digit: u8| {
            digit
                .checked_sub(b'0')
                .filter(|value| *value < 8)
                .map(u16::from)
        };
        let code = match tail {
            [a, b, c, ..] if first == b'\\' => octal(*a)
                .zip(octal(*b))
                .zip(octal(*c))
                .and_then(|((a, b), c)| u8::try_from(a * 64 + b * 8 + c).ok()),
            _ => None,
        };
        plain.push(code.unwrap_or(first));
        rest = if code.is_some() {
            tail.get(3..).unwrap_or_default()
        } else {
            tail
        };
    }
    plain
}

/// Whether `inner` is `outer` or below it, by name.
pub fn is_below(inner: &Path, outer: &Path) -> bool {
    inner.as_os_str().as_bytes() == outer.as_os_str().as_bytes() || inner.starts_with(outer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        90 22 0:45 / /home/a/My\\040Pod rw,nosuid,nodev shared:9 master:2 - fuse.podfs podfs:main rw,user_id=1000,group_id=1000\n\
        91 22 0:46 / /mnt/x\\134y rw - fuse.sshfs a@b:/ rw,user_id=0\n\
        broken line\n\n";

    #[test]
    fn fields_and_escapes() {
        let mounts = parse(TABLE);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[1].point, Path::new("/home/a/My Pod"));
        assert_eq!(mounts[1].device, "0:45");
        assert_eq!(mounts[1].source, "podfs:main");
        assert_eq!(mounts[1].owner(), Some(1000));
        assert!(mounts[1].is_ours() && !mounts[2].is_ours());
        assert_eq!(mounts[2].point, Path::new("/mnt/x\\y"));
    }

    #[test]
    fn what_is_no_escape_stays() {
        for field in [&b"\\"[..], b"a\\04", b"\\999", b"\\777"] {
            assert_eq!(unescape(field), field);
        }
        assert_eq!(unescape(b"\\303\\244"), "ä".as_bytes());
    }

    #[test]
    fn this_machine_has_a_root() {
        assert!(
            mounts()
                .unwrap()
                .iter()
                .any(|mount| mount.point == Path::new("/"))
        );
    }
}
