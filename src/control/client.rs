//! The asking end. Blocking, because a command does one thing at a time.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::process::PidfdFlags;
use thiserror::Error;

use crate::control::Request;
use crate::control::Response;
use crate::control::address::ShortPath;
use crate::types::limits::CONTROL_LINE_MAX;

/// Why there was no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens: the pod is not mounted, or its daemon died.
    #[error("no daemon listens")]
    Absent,
    /// Somebody listens and does not answer, or the connection broke.
    #[error("the daemon does not answer: {0}")]
    Silent(#[source] io::Error),
    /// An answer that is none: another version, or not our daemon.
    #[error("the daemon's answer cannot be read: {0}")]
    Garbled(#[source] serde_json::Error),
}

/// A connection to the daemon of one pod.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    /// The process that listens.
    process: Option<OwnedFd>,
}

impl Client {
    /// Connects; no answer takes longer than `patience`.
    pub fn connect(socket: &Path, patience: Duration) -> Result<Self, ClientError> {
        let absent = |error: io::Error| {
            let nobody = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
            if nobody.contains(&error.kind()) {
                ClientError::Absent
            } else {
                ClientError::Silent(error)
            }
        };
        let short = ShortPath::of(socket).map_err(absent)?;
        let stream = UnixStream::connect(short.path()).map_err(absent)?;
        stream
            .set_read_timeout(Some(patience))
            .map_err(ClientError::Silent)?;
        stream
            .set_write_timeout(Some(patience))
            .map_err(ClientError::Silent)?;
        let peer = rustix::net::sockopt::socket_peercred(&stream);
        let process =
            peer.and_then(|peer| rustix::process::pidfd_open(peer.pid, PidfdFlags::empty()));
        Ok(Self {
            stream: BufReader::new(stream),
            process: process.ok(),
        })
    }

    /// Asks and waits for the answer.
    pub fn ask(&mut self, request: &Request) -> Result<Response, ClientError> {
        let mut line = serde_json::to_vec(request).map_err(ClientError::Garbled)?;
        line.push(b'\n');
        self.stream
            .get_mut()
            .write_all(&line)
            .map_err(ClientError::Silent)?;
        let mut answer = Vec::new();
        let mut limited = (&mut self.stream).take(CONTROL_LINE_MAX as u64);
        limited
            .read_until(b'\n', &mut answer)
            .map_err(ClientError::Silent)?;
        if answer.is_empty() {
            return Err(ClientError::Silent(io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_slice(&answer).map_err(ClientError::Garbled)
    }

    /// Lets `time` pass between two questions; `false` when the daemon hung up meanwhile.
    pub fn pause(&self, time: Duration) -> bool {
        let Ok(limit) = Timespec::try_from(time) else {
            return false;
        };
        // Nothing is said unasked: whatever happens on the connection is its end.
        let mut waiting = [PollFd::new(self.stream.get_ref(), PollFlags::IN)];
        rustix::event::poll(&mut waiting, Some(&limit)).is_ok_and(|ended| ended == 0)
    }

    /// Waits until the daemon's process has ended, with all it had open; `false` when it still runs after `patience`.
    pub fn wait_for_end(mut self, patience: Duration) -> bool {
        let Some(process) = &self.process else {
            return self.wait_for_silence(patience);
        };
        let Ok(limit) = Timespec::try_from(patience) else {
            return false;
        };
        let mut waiting = [PollFd::new(process, PollFlags::IN)];
        rustix::event::poll(&mut waiting, Some(&limit)).is_ok_and(|ended| ended > 0)
    }

    /// Nearly the same, where the kernel has no descriptors for processes: the connection ends a little before.
    fn wait_for_silence(&mut self, patience: Duration) -> bool {
        if self
            .stream
            .get_ref()
            .set_read_timeout(Some(patience))
            .is_err()
        {
            return false;
        }
        match self.stream.read(&mut [0; 1]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}
