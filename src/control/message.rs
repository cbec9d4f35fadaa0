//! The messages, one line of JSON each.

use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::control::AuditRequest;
use crate::control::AuditResponse;
use crate::control::BoxRequest;
use crate::control::BoxResponse;
use crate::control::MessagesRequest;
use crate::control::MessagesResponse;
use crate::control::NetworkReport;
use crate::control::PeopleRequest;
use crate::control::PeopleResponse;
use crate::control::SharingRequest;
use crate::control::SharingResponse;
use crate::control::raw_path;

/// What a command asks of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ask")]
pub enum Request {
    /// How the pod is.
    Status,
    /// Make every accepted change durable on this machine.
    Sync,
    /// Read the list of nodes again and use it from now on.
    Nodes,
    /// How many chunks the pod is, about.
    Weigh,
    /// Carry what changed until now to the network as soon as can be.
    Publish,
    /// How far that is.
    Progress {
        /// Of what is at this path or below, as seen from the top of the pod; empty for all of it.
        #[serde(with = "raw_path")]
        path: PathBuf,
    },
    /// Look for chunks in the network, and send again what is missing. Answered when it has begun.
    Scrub {
        /// Look for all of them, not for a sample.
        all: bool,
    },
    /// Keep what is at a path or below on this machine, or no longer.
    Pin {
        /// As seen from the top of the pod.
        #[serde(with = "raw_path")]
        path: PathBuf,
        /// Whether it is to be kept.
        on: bool,
    },
    /// Something about other people.
    People(PeopleRequest),
    /// Something about the audit log.
    Audit(AuditRequest),
    /// Something about what is shared.
    Sharing(SharingRequest),
    /// Something about boxes.
    Box(BoxRequest),
    /// Something about messages.
    Messages(MessagesRequest),
    /// Go on with keys of the next epoch.
    Keys {
        /// What a keyfile keeps, sealed for the daemon of this pod, in hexadecimal digits.
        sealed: String,
    },
    /// Take the folder away and end. A folder in use stays, unless `lazy`.
    Unmount {
        /// Detach even when programs still hold files open.
        lazy: bool,
    },
}

/// What the daemon says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Response {
    /// The state of the pod.
    Status(Box<StatusReport>),
    /// What changed until now belongs to this publication or an earlier one.
    Publication {
        /// Its number.
        number: u64,
    },
    /// How many chunks the pod is, about.
    Weight {
        /// So many.
        chunks: u64,
    },
    /// How far the pod or a path of it is.
    Progress(Box<NetworkReport>),
    /// Something about other people.
    People(PeopleResponse),
    /// Something about the audit log.
    Audit(AuditResponse),
    /// Something about what is shared.
    Sharing(SharingResponse),
    /// Something about boxes.
    Box(BoxResponse),
    /// Something about messages.
    Messages(MessagesResponse),
    /// It is done.
    Done,
    /// The folder is in use; these programs hold it, as far as could be seen.
    Busy {
        /// At most a screenful.
        holders: Vec<Holder>,
    },
    /// It could not be done.
    Failed {
        /// What failed and why, for people.
        what: String,
    },
}

/// A process that keeps the folder busy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Its short name as the kernel tells it.
    pub program: String,
}

/// What `podfs status --json` prints. Fields are added, never renamed or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusReport {
    /// Name of the pod, or the folder of its state when it was given as a path.
    pub pod: String,
    /// `mounted`, `read-only` or `not mounted`.
    pub state: String,
    /// Why it is read-only or cannot be asked; absent when all is well.
    pub reason: Option<String>,
    /// Process that serves it; absent when not mounted.
    pub pid: Option<u32>,
    /// Where it is mounted; absent when not mounted.
    pub mountpoint: Option<PathBuf>,
    /// The folder that holds the sealed state.
    pub state_dir: PathBuf,
    /// Bytes of contents in use; absent when not mounted.
    pub bytes_live: Option<u64>,
    /// Bytes the state folder takes on disk.
    pub bytes_on_disk: u64,
    /// Most bytes the state folder may take; absent when not mounted.
    pub budget: Option<u64>,
    /// Accepted bytes not yet durable on this machine; at most 16 MiB.
    pub unsynced_bytes: Option<u64>,
    /// Bytes free on the disk of the state folder.
    pub disk_free: u64,
    /// Records of the log that the start replayed: none after a clean stop; absent when not mounted.
    pub replayed: Option<u64>,
    /// Seconds since it was mounted.
    pub mounted_seconds: Option<u64>,
    /// Seconds without a request after which it is unmounted; absent when never.
    pub idle_seconds: Option<u64>,
    /// Where the data is in Swarm, for people: `not yet in the network`, `3 of 900 chunks to send`.
    pub network: String,
    /// The same for programs; absent when not mounted.
    pub network_report: Option<NetworkReport>,
    /// Version of the program that serves it, or that was asked.
    pub version: String,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn messages_are_one_line_and_come_back() {
        let asked = [
            Request::Status,
            Request::Sync,
            Request::Weigh,
            Request::Nodes,
            Request::Publish,
            Request::Progress {
                path: PathBuf::from(OsStr::from_bytes(b"a\xff\n")),
            },
            Request::Pin {
                path: "b".into(),
                on: true,
            },
            Request::Unmount { lazy: true },
        ];
        for request in asked {
            let line = serde_json::to_string(&request).unwrap();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        }
        let report = StatusReport {
            pod: "a\nb".into(),
            ..StatusReport::default()
        };
        let answer = Response::Status(Box::new(report));
        let line = serde_json::to_string(&answer).unwrap();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(serde_json::from_str::<Response>(&line).unwrap(), answer);
    }

    #[test]
    fn the_names_on_the_wire_stay() {
        let line = serde_json::to_string(&Request::Unmount { lazy: false }).unwrap();
        assert_eq!(line, r#"{"ask":"unmount","lazy":false}"#);
    }

    #[test]
    fn a_report_of_an_older_daemon_is_read() {
        let report: StatusReport = serde_json::from_str(r#"{"pod":"main"}"#).unwrap();
        assert_eq!(report.pod, "main");
    }
}
