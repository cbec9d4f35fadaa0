//! The keyfile on disk: read with care, replaced as a whole, opened and paid for with the machine's own means.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use rustix::fs::CWD;
use rustix::fs::RenameFlags;
use rustix::io::Errno;

use crate::crypto::EntropyError;
use crate::crypto::passphrase::Cost;
use crate::crypto::passphrase::stretch;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::format::keyfile::KEYFILE_LEN_MAX;
use crate::format::keyfile::KeyfileError;

/// Reads a keyfile: a plain file of ours that nobody else can read, and no symbolic link to one.
///
/// A file that is too long comes back cut: it will not open, like any other damaged keyfile.
pub fn load(path: &Path) -> Result<Vec<u8>, Fault> {
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            let what = format!("there is no keyfile at {}", Quoted(path));
            return Fault::new(FaultKind::NoPod, what).next("podfs init");
        }
        let what = format!("cannot read the keyfile {}", Quoted(path));
        Fault::io(FaultKind::State, what, &error)
    };
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let file = File::options()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let refused = |why: &str, next: String| {
        let what = format!("the keyfile {} is not used: {why}", Quoted(path));
        Err(Fault::new(FaultKind::State, what).next(next))
    };
    if !metadata.is_file() {
        return refused("it is not a plain file", "put the keyfile back".to_owned());
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        let next = "run podfs as the user who made the pod".to_owned();
        return refused("it belongs to another user", next);
    }
    if metadata.mode() & 0o077 != 0 {
        let next = format!("chmod 600 {}", Quoted(path));
        return refused("others may read or write it", next);
    }
    let mut bytes = Vec::with_capacity(KEYFILE_LEN_MAX);
    let limit = u64::try_from(KEYFILE_LEN_MAX).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

/// Puts `bytes` in place of the keyfile at `path`. After a crash there is the old file or the new one, whole.
pub fn store(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    replace(path, bytes).map_err(|error| not_written(path, &error))
}

/// Puts `bytes` in place of the private file at `path`, or makes it. After a crash there is the old one or the new
/// one, whole.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    place(path, bytes, |from, to| std::fs::rename(from, to))
}

/// Writes the first keyfile of a pod; one that is there already is never overwritten.
pub fn store_new(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    place(path, bytes, rename_to_nothing).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let what = format!("there is a keyfile at {} already", Quoted(path));
            return Fault::new(FaultKind::Init, what)
                .next("give the new pod another name: --pod NAME");
        }
        not_written(path, &error)
    })
}

/// The failure of opening or making a keyfile, with what to do.
pub fn fault(path: &Path, error: KeyfileError) -> Fault {
    match error {
        KeyfileError::NotOpened => Fault::new(FaultKind::PassphraseWrong, error.to_string()).next(
            "try again; when the passphrase is forgotten or the keyfile damaged, the recovery phrase helps",
        ),
        KeyfileError::OutOfMemory => Fault::new(FaultKind::Other, error.to_string())
            .next("close some programs, then try again"),
        KeyfileError::LastWay => Fault::new(FaultKind::KeyfileWrite, error.to_string())
            .next("give the pod a passphrase first: podfs passwd --phrase-file FILE"),
        KeyfileError::Cost
        | KeyfileError::Full
        | KeyfileError::NoToken
        | KeyfileError::Entropy(_) => Fault::new(
            FaultKind::KeyfileWrite,
            format!("cannot make the keyfile {}: {error}", Quoted(path)),
        ),
    }
}

/// Random bytes of the system.
pub fn system_entropy(bytes: &mut [u8]) -> Result<(), EntropyError> {
    getrandom::fill(bytes).map_err(|_| EntropyError)
}

/// What a guess shall cost on this machine; takes a few seconds to find out.
pub fn calibrate() -> Cost {
    Cost::calibrate(&mut |cost| {
        let start = Instant::now();
        stretch(b"how long does it take?", &[0; 32], cost).ok()?;
        Some(start.elapsed())
    })
}

fn not_written(path: &Path, error: &io::Error) -> Fault {
    let what = format!("cannot write the keyfile {}", Quoted(path));
    Fault::io(FaultKind::KeyfileWrite, what, error)
}

/// Temporary file, sync, `publish`, sync of the folder. The temporary file is gone in any case.
fn place(
    path: &Path,
    bytes: &[u8],
    publish: impl Fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = temporary(path);
    let placed = write_synced(&temporary, bytes).and_then(|()| publish(&temporary, path));
    if let Err(error) = placed {
        return match std::fs::remove_file(&temporary) {
            Ok(()) => Err(error),
            Err(also) if also.kind() == io::ErrorKind::NotFound => Err(error),
            Err(also) => {
                tracing::warn!(%also, "a temporary file stays behind");
                Err(error)
            }
        };
    }
    File::open(folder)?.sync_all()
}

/// Beside the file, with our process id: two writers never share one.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    name.into()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A process of the same id may have died here before.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// `rename` that never replaces; by a second link on file systems whose `rename` cannot.
fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        renamed => renamed.map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("podfs.key");
        (folder, path)
    }

    fn names(folder: &tempfile::TempDir) -> Vec<std::ffi::OsString> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn comes_back_private_and_alone() {
        let (folder, path) = folder();
        store_new(&path, b"one").unwrap();
        assert_eq!(load(&path).unwrap(), b"one");
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        store(&path, b"another").unwrap();
        assert_eq!(load(&path).unwrap(), b"another");
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(names(&folder), ["podfs.key"]);
    }

    #[test]
    fn a_new_keyfile_never_replaces_one() {
        let (folder, path) = folder();
        store_new(&path, b"one").unwrap();
        assert_eq!(
            store_new(&path, b"another").unwrap_err().kind,
            FaultKind::Init
        );
        assert_eq!(load(&path).unwrap(), b"one");
        assert_eq!(names(&folder), ["podfs.key"]);
    }

    #[test]
    fn what_is_not_ours_alone_is_not_read() {
        let (folder, path) = folder();
        assert_eq!(load(&path).unwrap_err().kind, FaultKind::NoPod);
        store_new(&path, b"one").unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(load(&link).unwrap_err().kind, FaultKind::State);
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(
            load(&path)
                .unwrap_err()
                .next
                .unwrap()
                .starts_with("chmod 600 ")
        );
        assert_eq!(load(folder.path()).unwrap_err().kind, FaultKind::State);
    }

    #[test]
    fn a_pipe_or_an_endless_file_does_not_hold_us() {
        let (_folder, path) = folder();
        rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(load(&path).unwrap_err().kind, FaultKind::State);
        std::fs::remove_file(&path).unwrap();
        store_new(&path, &vec![0; KEYFILE_LEN_MAX * 2]).unwrap();
        assert_eq!(load(&path).unwrap().len(), KEYFILE_LEN_MAX + 1);
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error_of_writing() {
        let (folder, path) = folder();
        drop(folder);
        assert_eq!(
            store(&path, b"one").unwrap_err().kind,
            FaultKind::KeyfileWrite
        );
    }
}
