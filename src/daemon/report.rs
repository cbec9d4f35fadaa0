//! What can be said about a pod from outside, mounted or not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::control::Client;
use crate::control::ClientError;
use crate::control::Request;
use crate::control::Response;
use crate::control::StatusReport;
use crate::daemon::fault::Fault;
use crate::daemon::lock;
use crate::daemon::paths::PodPaths;
use crate::types::limits::CONTROL_PATIENCE;

/// The state of the pod: asked of its daemon, or seen on disk when it has none.
pub fn status(paths: &PodPaths) -> Result<StatusReport, Fault> {
    paths.require()?;
    let answer = Client::connect(&paths.socket, CONTROL_PATIENCE)
        .and_then(|mut client| client.ask(&Request::Status));
    let reason = match answer {
        Ok(Response::Status(report)) => return Ok(*report),
        Ok(Response::Failed { what }) => Some(what),
        Ok(Response::Done | Response::Busy { .. }) => {
            Some("the daemon answered something else".to_owned())
        }
        Err(ClientError::Absent) => None,
        Err(error) => Some(error.to_string()),
    };
    let mut report = of_disk(paths);
    report.reason = reason;
    if let Some(holder) = lock::holder(&paths.state) {
        report.pid = Some(holder.pid);
        report.mountpoint = holder.mountpoint;
        let mounted = report.mountpoint.is_some();
        let state = if mounted { "mounted" } else { "in use" };
        state.clone_into(&mut report.state);
    }
    Ok(report)
}

/// What the disk shows.
pub(super) fn of_disk(paths: &PodPaths) -> StatusReport {
    StatusReport {
        pod: paths.name.clone(),
        state: "not mounted".to_owned(),
        state_dir: paths.state.clone(),
        bytes_on_disk: bytes_below(&paths.state),
        disk_free: free(&paths.state),
        network: "not yet in the network".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..StatusReport::default()
    }
}

/// Bytes that the files below `folder` take on disk, holes not counted.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

/// Bytes a user may still write to the disk of `folder`.
pub(super) fn free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail * disk.f_frsize)
}
