//! From the command that was typed to the daemon that stays: the wish and the passphrase, or PIN, one way, news the
//! other, over a socket that is the daemon's standard input. Nothing secret passes through arguments or
//! environment, and the command ends when the folder answers, or with the daemon's own error.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::daemon::config::ServeConfig;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::passphrase::Passphrase;
use crate::types::limits::HANDOFF_MAX;
use crate::types::limits::PASSPHRASE_MAX;

/// Hidden first argument of the daemon.
pub const DAEMON_ARGUMENT: &str = "__daemon";

/// What the daemon tells the command that started it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// Something takes time: for people.
    Progress(String),
    /// The folder answers; what could not be had is named.
    Ready(Vec<String>),
    /// It failed, and nothing is mounted.
    Failed(Fault),
}

/// Starts the daemon and waits until the folder answers. `progress` is called meanwhile.
pub fn start(
    config: &ServeConfig,
    passphrase: &Passphrase,
    progress: impl Fn(&str),
) -> Result<Vec<String>, Fault> {
    let broken = |error: io::Error| Fault::io(FaultKind::Daemon, "cannot start the daemon", &error);
    let program = std::env::current_exe().map_err(broken)?;
    let (ours, theirs) = UnixStream::pair().map_err(broken)?;
    let mut child = Command::new(program)
        .arg0("podfs")
        .arg(DAEMON_ARGUMENT)
        .arg(&config.mountpoint)
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(broken)?;
    let told = tell(&ours, config, passphrase).and_then(|()| listen(&ours, progress));
    match told {
        Ok(Ok(notes)) => Ok(notes),
        Ok(Err(fault)) => {
            // It is about to end; nobody else will ask for its status.
            drop(child.wait());
            Err(fault)
        }
        Err(error) => {
            drop(ours);
            let how = child
                .wait()
                .map_or_else(|error| error.to_string(), |status| status.to_string());
            let what = format!("the daemon ended before the folder answered ({error}; {how})");
            Err(Fault::new(FaultKind::Daemon, what)
                .next(format!("look into {}", Quoted(&config.paths.log))))
        }
    }
}

fn tell(mut socket: &UnixStream, config: &ServeConfig, passphrase: &Passphrase) -> io::Result<()> {
    let wish = serde_json::to_vec(config)?;
    for part in [wish.as_slice(), passphrase.expose()] {
        let length = u32::try_from(part.len()).map_err(io::Error::other)?;
        socket.write_all(&length.to_le_bytes())?;
        socket.write_all(part)?;
    }
    Ok(())
}

fn listen(socket: &UnixStream, progress: impl Fn(&str)) -> io::Result<Result<Vec<String>, Fault>> {
    let mut socket = BufReader::new(socket);
    loop {
        let mut line = Vec::new();
        (&mut socket)
            .take(HANDOFF_MAX as u64)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match serde_json::from_slice(&line)? {
            News::Progress(what) => progress(&what),
            News::Ready(notes) => return Ok(Ok(notes)),
            News::Failed(fault) => return Ok(Err(fault)),
        }
    }
}

/// The daemon's end of the socket.
#[derive(Debug)]
pub struct Starter {
    socket: UnixStream,
}

impl Starter {
    /// Takes standard input, which [`start`] made a socket.
    pub fn take() -> io::Result<Self> {
        let descriptor = io::stdin().as_fd().try_clone_to_owned()?;
        // Standard input must not stay this socket: its end tells the starter that the daemon is gone.
        rustix::stdio::dup2_stdin(std::fs::File::open(Path::new("/dev/null"))?)?;
        Ok(Self {
            socket: UnixStream::from(descriptor),
        })
    }

    /// The wish and the passphrase.
    pub fn receive(&mut self) -> io::Result<(ServeConfig, Passphrase)> {
        let wish = self.part(HANDOFF_MAX)?;
        let config = serde_json::from_slice(&wish)?;
        let passphrase = Passphrase::from_bytes(self.part(PASSPHRASE_MAX)?);
        Ok((config, passphrase))
    }

    /// Tells the starter; `false` when it is gone.
    pub fn tell(&mut self, news: &News) -> bool {
        serde_json::to_vec(news).is_ok_and(|mut line| {
            line.push(b'\n');
            self.socket.write_all(&line).is_ok()
        })
    }

    fn part(&mut self, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > limit {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut part = Zeroizing::new(vec![0; length]);
        self.socket.read_exact(&mut part)?;
        Ok(part)
    }
}
