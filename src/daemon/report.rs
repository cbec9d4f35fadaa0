//! What can be said about a pod from outside, mounted or not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::control::Client;
use crate::control::ClientError;
use crate::control::Level;
use crate::control::MigrationReport;
use crate::control::NetworkReport;
use crate::control::Request;
use crate::control::Response;
use crate::control::StatusReport;
use crate::daemon::fault::Fault;
use crate::daemon::lock;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::daemon::units::show_date;
use crate::types::limits::CONTROL_PATIENCE;

/// The state of the pod: asked of its daemon, or seen on disk when it has none.
pub fn status(paths: &PodPaths) -> Result<StatusReport, Fault> {
    paths.require()?;
    let answer = Client::connect(&paths.socket, CONTROL_PATIENCE)
        .and_then(|mut client| client.ask(&Request::Status));
    let reason = match answer {
        Ok(Response::Status(report)) => return Ok(*report),
        Ok(Response::Failed { what }) => Some(what),
        Ok(
            Response::Done
            | Response::Busy { .. }
            | Response::Publication { .. }
            | Response::Weight { .. }
            | Response::People(_)
            | Response::Audit(_)
            | Response::Sharing(_)
            | Response::Messages(_)
            | Response::Box(_)
            | Response::Progress(_),
        ) => Some("the daemon answered something else".to_owned()),
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

/// Where the pod is in Swarm, for people.
pub fn network_line(report: &NetworkReport) -> String {
    let (unsent, sent) = (report.chunks_unsent, report.chunks_sent);
    let is_to_move = |it: &MigrationReport| !it.listed;
    let line = match report.level {
        Level::Queued if report.migration.as_ref().is_some_and(is_to_move) => {
            "all of it is looked through, to be carried to another node".to_owned()
        }
        Level::Local if report.head_time.is_none() && unsent + sent == 0 => {
            "not yet in the network".to_owned()
        }
        Level::Local => "changes wait to be published".to_owned(),
        Level::Queued => format!("{unsent} of {} chunks to send", unsent + sent),
        Level::OnNode => format!("sent; {sent} chunks not yet seen in the network"),
        Level::Confirmed => match report.head_time {
            Some(time) => format!("in the network since {}", show_date(time)),
            None => "in the network".to_owned(),
        },
    };
    let copy = if report.single_copy && report.level >= Level::OnNode {
        ", a single copy"
    } else {
        ""
    };
    let trouble = trouble_line(report).map(|trouble| format!(" ({trouble})"));
    format!("{line}{copy}{}", trouble.unwrap_or_default())
}

/// What is in the way, and what to do about it; nothing when all is well.
pub fn trouble_line(report: &NetworkReport) -> Option<String> {
    let trouble = report.trouble.as_ref()?;
    Some(match &report.next {
        Some(next) => format!("{trouble}; next: {next}"),
        None => trouble.clone(),
    })
}

/// What the disk shows.
pub(super) fn of_disk(paths: &PodPaths) -> StatusReport {
    let carried = Nodes::read(paths).is_ok_and(|nodes| nodes.writer().is_some());
    let network = if carried {
        "known when it is mounted"
    } else {
        "not yet in the network"
    };
    StatusReport {
        pod: paths.name.clone(),
        state: "not mounted".to_owned(),
        state_dir: paths.state.clone(),
        bytes_on_disk: bytes_below(&paths.state),
        disk_free: free(&paths.state),
        network: network.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_level() {
        let mut report = NetworkReport::default();
        assert_eq!(network_line(&report), "not yet in the network");
        report.chunks_unsent = 3;
        report.chunks_sent = 897;
        for (level, line) in [
            (Level::Local, "changes wait to be published"),
            (Level::Queued, "3 of 900 chunks to send"),
            (
                Level::OnNode,
                "sent; 897 chunks not yet seen in the network",
            ),
            (Level::Confirmed, "in the network since 2026-01-01"),
        ] {
            report.level = level;
            report.head_time = Some(1_767_225_600);
            assert_eq!(network_line(&report), line);
        }
        report.level = Level::Queued;
        report.migration = Some(MigrationReport::default());
        assert!(network_line(&report).ends_with("carried to another node"));
        report.level = Level::Confirmed;
        report.single_copy = true;
        report.trouble = Some("no route".to_owned());
        let line = "in the network since 2026-01-01, a single copy (no route)";
        assert_eq!(network_line(&report), line);
        report.next = Some("podfs node test".to_owned());
        assert!(network_line(&report).ends_with("(no route; next: podfs node test)"));
    }
}
