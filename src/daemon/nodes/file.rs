use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::keyfile;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::types::limits::NODES_FILE_MAX;

/// See [`Nodes::read`].
pub(super) fn read(path: &Path) -> Result<Nodes, Fault> {
    match read_text(path) {
        Ok(text) => Nodes::parse(&text).map_err(|why| unreadable(path, &why)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Nodes::default()),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Changes the list: nobody else does so at the same time, and after a crash it is the old one or the new one.
///
/// # Errors
/// What `change` says; [`FaultKind::Settings`] when the file cannot be read; [`FaultKind::State`] when it cannot be
/// written.
pub fn edit<T>(
    paths: &PodPaths,
    change: impl FnOnce(&mut Nodes) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let path = paths.nodes();
    let failed = |error: io::Error| {
        let what = format!("cannot write {}", Quoted(&path));
        Fault::io(FaultKind::State, what, &error)
    };
    let lock = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path.with_extension("lock"))
        .map_err(failed)?;
    // Held for moments only, and by the kernel's hand: a command that dies lets go.
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)
        .map_err(|error| failed(error.into()))?;
    let mut nodes = Nodes::read(paths)?;
    let before = nodes.clone();
    let outcome = change(&mut nodes)?;
    nodes
        .check()
        .map_err(|why| Fault::new(FaultKind::Usage, why))?;
    if nodes != before {
        let text = toml::to_string(&nodes)
            .map_err(|error| Fault::new(FaultKind::Other, error.to_string()))?;
        keyfile::replace(&path, text.as_bytes()).map_err(failed)?;
    }
    Ok(outcome)
}

fn read_text(path: &Path) -> io::Result<String> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let mut text = String::new();
    let mut limited = file.take(NODES_FILE_MAX.saturating_add(1));
    let length = limited.read_to_string(&mut text)?;
    if length as u64 > NODES_FILE_MAX {
        return Err(io::Error::other("it is too long"));
    }
    Ok(text)
}

fn unreadable(path: &Path, why: &dyn fmt::Display) -> Fault {
    let what = format!("cannot read the list of nodes {}: {why}", Quoted(path));
    Fault::new(FaultKind::Settings, what)
        .next("correct the file, or move it away and add the nodes again: podfs node add URL")
}
