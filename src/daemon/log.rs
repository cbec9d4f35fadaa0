//! The daemon's log: standard error in front, else a file that cannot grow without end.
//!
//! What is said again and again is written now and then. No name, content or key is ever logged, inode numbers are; so
//! the log may be shown to others.

use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::daemon::repeats::Seldom;
use crate::types::limits::LOG_FILE_MAX;
use std::sync::Mutex;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Where lines go.
#[derive(Clone, Copy, Debug)]
pub enum LogTarget<'a> {
    /// For `-f` and for commands.
    Stderr,
    /// For the daemon in the background.
    File(&'a Path),
}

/// Starts logging. `RUST_LOG` decides what, else `debug` or warnings (information for the daemon).
pub fn start(target: LogTarget<'_>, debug: bool) -> io::Result<()> {
    let usual = match (debug, target) {
        (true, _) => "podfs=debug,warn",
        (false, LogTarget::Stderr) => "warn",
        (false, LogTarget::File(_)) => "podfs=info,warn",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    // Libraries name files in what they log for their own developers; of them only warnings are heard, always.
    let ours = filter_fn(|meta| *meta.level() <= Level::WARN || meta.target().starts_with("podfs"));
    let lines = tracing_subscriber::fmt::format()
        .with_target(false)
        .with_ansi(false);
    let layer = tracing_subscriber::fmt::layer().with_ansi(false);
    let base = tracing_subscriber::registry().with(filter);
    match target {
        LogTarget::Stderr => {
            let lines = layer.event_format(Seldom::new(lines.without_time()));
            base.with(lines.with_writer(io::stderr).with_filter(ours))
                .try_init()
        }
        LogTarget::File(path) => {
            let lines = layer.event_format(Seldom::new(lines));
            let file = Mutex::new(CappedFile::open(path)?);
            base.with(lines.with_writer(file).with_filter(ours))
                .try_init()
        }
    }
    .map_err(io::Error::other)
}

/// A file that starts anew when it is long, keeping one predecessor.
struct CappedFile {
    path: PathBuf,
    file: File,
    length: u64,
}

impl CappedFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = append(path)?;
        let length = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            length,
        })
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        std::fs::rename(&self.path, old)?;
        self.file = append(&self.path)?;
        self.length = 0;
        Ok(())
    }
}

impl Write for CappedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length >= LOG_FILE_MAX {
            self.turn()?;
        }
        let count = self.file.write(bytes)?;
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main.log");
        let mut log = CappedFile::open(&path).unwrap();
        let line = vec![b'x'; 64 << 10];
        for _ in 0..100 {
            log.write_all(&line).unwrap();
        }
        let kept: u64 = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(
            (LOG_FILE_MAX..=2 * (LOG_FILE_MAX + line.len() as u64)).contains(&kept),
            "{kept}"
        );
    }
}
