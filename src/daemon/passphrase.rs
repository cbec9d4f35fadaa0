//! Where a passphrase comes from when nobody types it. (Typing is the command line's business.)

use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use rustix::process::PidfdFlags;
use rustix::process::PidfdGetfdFlags;
use zeroize::Zeroizing;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::types::limits::PASSPHRASE_MAX;

/// A passphrase; wiped when dropped, never shown.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes the bytes as they are.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the keyfile and the daemon.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether both are the same, for typing it twice.
    pub fn same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Refuses an empty one.
    pub fn not_empty(self) -> Result<Self, Fault> {
        if self.0.is_empty() {
            return Err(
                Fault::new(FaultKind::PassphraseEmpty, "the passphrase is empty")
                    .next("give one of at least six random words"),
            );
        }
        Ok(self)
    }

    /// The first line of a file; `-` is standard input.
    pub fn from_file(path: &Path) -> Result<Self, Fault> {
        Self::line_of(path, "passphrase")?.not_empty()
    }

    /// The PIN of a token, likewise.
    pub fn pin_from_file(path: &Path) -> Result<Self, Fault> {
        Self::line_of(path, "PIN")?.pin_not_empty()
    }

    /// Refuses an empty PIN.
    pub fn pin_not_empty(self) -> Result<Self, Fault> {
        if self.0.is_empty() {
            return Err(Fault::new(FaultKind::PassphraseEmpty, "the PIN is empty")
                .next("give the PIN of the token"));
        }
        Ok(self)
    }

    fn line_of(path: &Path, name: &str) -> Result<Self, Fault> {
        let failed = |error: io::Error| {
            let what = format!("cannot read the {name} from {}", Quoted(path));
            let fault = Fault::io(FaultKind::PassphraseSource, what, &error);
            fault
                .of_kind(FaultKind::PassphraseSource)
                .next("name a file you can read, or - for standard input")
        };
        if path == Path::new("-") {
            return Self::first_line(io::stdin().lock()).map_err(failed);
        }
        let file = File::open(path).map_err(failed)?;
        Self::first_line(file).map_err(failed)
    }

    /// The first line of an inherited descriptor.
    pub fn from_descriptor(number: i32) -> Result<Self, Fault> {
        let failed = |error: io::Error| {
            Fault::io(
                FaultKind::PassphraseSource,
                format!("cannot read the passphrase from descriptor {number}"),
                &error,
            )
        };
        // The number alone proves nothing; the kernel hands out a descriptor of our own for it.
        let process = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty());
        let own = process
            .and_then(|process| {
                rustix::process::pidfd_getfd(process, number, PidfdGetfdFlags::empty())
            })
            .map(File::from)
            .or_else(|_| File::open(format!("/proc/self/fd/{number}")));
        Self::first_line(own.map_err(failed)?)
            .map_err(failed)?
            .not_empty()
    }

    /// The first line a program writes. One word with spaces is split at them, as gocryptfs does.
    pub fn from_program(words: &[String]) -> Result<Self, Fault> {
        let words: Vec<&str> = match words {
            [line] => line.split(' ').filter(|word| !word.is_empty()).collect(),
            _ => words.iter().map(String::as_str).collect(),
        };
        let Some((program, arguments)) = words.split_first() else {
            return Err(Fault::new(FaultKind::Usage, "--extpass names no program"));
        };
        let failed = |why: &dyn fmt::Display| {
            Fault::new(
                FaultKind::PassphraseSource,
                format!("no passphrase from the program {program:?}: {why}"),
            )
            .next("run the program by hand: it must print the passphrase and succeed")
        };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::inherit())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let line = child
            .stdout
            .take()
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
            .and_then(Self::first_line);
        let status = child.wait().map_err(|error| failed(&error))?;
        if !status.success() {
            return Err(failed(&status));
        }
        line.map_err(|error| failed(&error))?.not_empty()
    }

    /// Reads to the end, so that no writer meets a broken pipe, and keeps the first line.
    fn first_line(mut source: impl Read) -> io::Result<Self> {
        let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_MAX));
        let mut piece = Zeroizing::new([0_u8; 512]);
        let mut ended = false;
        loop {
            let count = match source.read(piece.as_mut_slice()) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let new = piece.get(..count).unwrap_or_default();
            let end = new.iter().position(|byte| *byte == b'\n');
            let part = new.get(..end.unwrap_or(count)).unwrap_or_default();
            if !ended && line.len() + part.len() > PASSPHRASE_MAX {
                return Err(io::Error::other(format!(
                    "longer than {PASSPHRASE_MAX} bytes"
                )));
            }
            if !ended {
                line.extend_from_slice(part);
            }
            ended = ended || end.is_some();
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Self(line))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    fn line(bytes: &[u8]) -> Vec<u8> {
        Passphrase::first_line(bytes).unwrap().expose().to_vec()
    }

    #[test]
    fn one_line_is_the_passphrase() {
        assert_eq!(line(b"a b\n"), b"a b");
        assert_eq!(line(b"a b\r\n"), b"a b");
        assert_eq!(line(b" a "), b" a ");
        assert_eq!(line(b"a\nb\n"), b"a");
        assert_eq!(line(b"\xff\n"), b"\xff");
        let long = vec![b'x'; PASSPHRASE_MAX];
        assert_eq!(line(&long), long);
        assert!(Passphrase::first_line([long.as_slice(), b"x"].concat().as_slice()).is_err());
    }

    #[test]
    fn from_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        std::fs::write(&path, "secret words\n").unwrap();
        assert_eq!(
            Passphrase::from_file(&path).unwrap().expose(),
            b"secret words"
        );
        let file = File::open(&path).unwrap();
        assert_eq!(
            Passphrase::from_descriptor(file.as_raw_fd())
                .unwrap()
                .expose(),
            b"secret words"
        );
        let program = format!("cat {}", path.display());
        assert_eq!(
            Passphrase::from_program(&[program]).unwrap().expose(),
            b"secret words"
        );
        let words = ["printf".to_owned(), "a b".to_owned()];
        assert_eq!(Passphrase::from_program(&words).unwrap().expose(), b"a b");
    }

    #[test]
    fn from_nowhere() {
        let kinds = [
            Passphrase::from_file(Path::new("/nonexistent"))
                .unwrap_err()
                .kind,
            Passphrase::from_descriptor(987_654).unwrap_err().kind,
            Passphrase::from_program(&["false".to_owned()])
                .unwrap_err()
                .kind,
            Passphrase::from_program(&["/nonexistent".to_owned()])
                .unwrap_err()
                .kind,
        ];
        assert_eq!(kinds, [FaultKind::PassphraseSource; 4]);
        assert_eq!(
            Passphrase::from_program(&["true".to_owned()])
                .unwrap_err()
                .kind,
            FaultKind::PassphraseEmpty
        );
        assert_eq!(
            Passphrase::from_file(Path::new("/dev/null"))
                .unwrap_err()
                .kind,
            FaultKind::PassphraseEmpty
        );
    }
}
