//! The hook: a program of the owner's that is told what came. It gets one JSON document on its standard input, for each
//! message one start, one at a time; there is no shell in between. What it makes of that is its own affair: how it fails is
//! a line in the log, without what it was told.

use std::io::Write;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::pidfd_open;

use crate::control::MessageReport;
use crate::types::limits::HOOK_LOOKS;
use crate::types::limits::HOOK_PATIENCE;
use crate::types::limits::HOOK_QUEUED;

/// The thread that starts the program.
pub(super) struct Hook {
    news: SyncSender<Vec<u8>>,
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Hook {
    /// One that starts this program with its arguments; nothing when there is none.
    pub(super) fn start(words: &[String]) -> Option<Self> {
        let words = words.to_vec();
        words.first().filter(|program| !program.is_empty())?;
        let (news, told) = sync_channel(HOOK_QUEUED);
        let stopped = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stopped);
        let thread = std::thread::Builder::new().name("hook".to_owned());
        let thread = thread.spawn(move || run(&words, &told, &until));
        match thread {
            Ok(thread) => Some(Self {
                news,
                stopped,
                thread,
            }),
            Err(error) => {
                tracing::warn!(%error, "the hook is not started");
                None
            }
        }
    }

    /// Tells what came.
    pub(super) fn tell(&self, message: &MessageReport) {
        let told = serde_json::to_vec(message).map(|mut line| {
            line.push(b'\n');
            self.news.try_send(line)
        });
        if !matches!(told, Ok(Ok(()))) {
            tracing::info!("the hook is not told of a message: too many wait for it");
        }
    }

    /// Ends a program that runs, and tells nothing more.
    pub(super) fn stop(self) {
        let Self {
            news,
            stopped,
            thread,
        } = self;
        stopped.store(true, Ordering::SeqCst);
        drop(news);
        if thread.join().is_err() {
            tracing::warn!("the hook ended badly");
        }
    }
}

fn run(words: &[String], news: &Receiver<Vec<u8>>, stopped: &AtomicBool) {
    while let Ok(line) = news.recv() {
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        if let Err(why) = tell(words, &line, stopped) {
            tracing::info!(%why, "the hook failed");
        }
    }
}

/// Starts the program, and waits until it has ended.
fn tell(words: &[String], line: &[u8], stopped: &AtomicBool) -> Result<(), String> {
    let (program, arguments) = words.split_first().ok_or("no program")?;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // A document is shorter than what a pipe holds. Who does not want it need not read it.
        match input.write_all(line) {
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "the hook does not read"),
        }
    }
    let ended = has_ended(&child, stopped);
    if !matches!(ended, Ok(true)) {
        child.kill().map_err(|error| error.to_string())?;
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match ended {
        Ok(true) if status.success() => Ok(()),
        Ok(true) => Err(status.to_string()),
        Ok(false) => Err("it took too long, and was ended".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether it ended by itself in time.
fn has_ended(child: &Child, stopped: &AtomicBool) -> Result<bool, rustix::io::Errno> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let begun = Instant::now();
    let step = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(HOOK_LOOKS.subsec_nanos()),
    };
    while begun.elapsed() < HOOK_PATIENCE && !stopped.load(Ordering::SeqCst) {
        let mut waiting = [PollFd::new(&process, PollFlags::IN)];
        match poll(&mut waiting, Some(&step)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn words(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_program_gets_the_document_and_its_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told");
        let script = format!("cat > '{}'", file.display());
        let go = AtomicBool::new(false);
        tell(&words(&script), b"{}\n", &go).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"{}\n");
        let why = tell(&words("exit 3"), b"{}\n", &go).unwrap_err();
        assert!(why.contains('3'), "{why}");
        let none = ["/nonexistent".to_owned()];
        assert!(tell(&none, b"{}\n", &go).is_err());
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_with_the_mount() {
        let hook = Hook::start(&words("exec sleep 1000")).unwrap();
        hook.tell(&MessageReport::default());
        hook.tell(&MessageReport::default());
        let begun = Instant::now();
        hook.stop();
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(Hook::start(&[]).is_none());
    }
}
