//! Asking the daemon of a pod again and again: how far it is on its way to the network.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::control::Blocked;
use crate::control::Client;
use crate::control::ClientError;
use crate::control::NetworkReport;
use crate::control::Request;
use crate::control::Response;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::mountinfo;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::daemon::unmount;
use crate::types::limits::CONTROL_PATIENCE;

/// A pod that is mounted, or one path of it.
#[derive(Debug)]
pub struct Follower {
    client: Client,
    paths: PodPaths,
    /// As seen from the top of the pod; empty for all of it.
    path: PathBuf,
}

impl Follower {
    /// Of a whole pod.
    ///
    /// # Errors
    /// [`FaultKind::NoPod`], [`FaultKind::NotMounted`].
    pub fn of_pod(paths: PodPaths) -> Result<Self, Fault> {
        paths.require()?;
        Self::of(paths, PathBuf::new())
    }

    /// Of what is at `path` or below, in whatever pod of this user is mounted there.
    ///
    /// # Errors
    /// [`FaultKind::NotMounted`]: no pod is.
    pub fn of_path(path: &Path) -> Result<Self, Fault> {
        let (paths, inside) = locate(path)?;
        Self::of(paths, inside)
    }

    fn of(paths: PodPaths, path: PathBuf) -> Result<Self, Fault> {
        let client = connect(&paths, CONTROL_PATIENCE)?;
        Ok(Self {
            client,
            paths,
            path,
        })
    }

    /// Has what changed until now carried to the network soon. Gives the number of the publication that holds it, when
    /// the daemon tells.
    ///
    /// # Errors
    /// [`FaultKind::NoNode`]: there is nowhere to carry it.
    pub fn publish(&mut self) -> Result<Option<u64>, Fault> {
        let nodes = Nodes::read(&self.paths)?;
        if nodes.writer().is_none() {
            return Err(self.no_writer(&nodes));
        }
        let answer = self.ask(&Request::Publish)?;
        if let Response::Publication { number } = answer {
            return Ok(Some(number));
        }
        done(answer).map(|()| None)
    }

    /// Why it is of no use to wait for more than the report says; nothing when it may be.
    pub fn hopeless(&self, report: &NetworkReport) -> Option<Fault> {
        let kind = match report.blocked? {
            Blocked::Overtaken => FaultKind::Overtaken,
            Blocked::NoNode => {
                return Some(self.no_writer(&Nodes::read(&self.paths).unwrap_or_default()));
            }
            Blocked::Batch => FaultKind::Batch,
            Blocked::Funds => FaultKind::Funds,
            Blocked::Node => FaultKind::NodeRefused,
            Blocked::Damaged => FaultKind::Damaged,
            Blocked::ReadOnly => {
                let what = "the pod is mounted read-only: nothing of it is published";
                let flag = self.paths.pod_flag();
                return Some(
                    Fault::new(FaultKind::State, what)
                        .next(format!("podfs unmount DIR; podfs mount DIR{flag}")),
                );
            }
        };
        let what = report.trouble.clone().unwrap_or_default();
        let next = report.next.clone();
        Some(Fault { kind, what, next })
    }

    fn no_writer(&self, nodes: &Nodes) -> Fault {
        let names: Vec<&str> = nodes.list.iter().map(|node| node.name.as_str()).collect();
        let besides = match names.as_slice() {
            [] => String::new(),
            names => format!(" ({} is read from alone)", names.join(", ")),
        };
        let what = format!("the pod has no node with a batch{besides}: it is on this machine only");
        let flag = self.paths.pod_flag();
        Fault::new(FaultKind::NoNode, what).next(format!("podfs node add URL --batch ID{flag}"))
    }

    /// How far it is.
    ///
    /// # Errors
    /// [`FaultKind::Daemon`]: the daemon ended, or cannot tell.
    pub fn progress(&mut self) -> Result<NetworkReport, Fault> {
        let path = self.path.clone();
        let answer = self.ask(&Request::Progress { path })?;
        if let Response::Progress(report) = answer {
            return Ok(*report);
        }
        Err(unexpected(answer))
    }

    /// Has chunks looked for in the network: all of them, or a sample. [`Follower::progress`] tells how far that is.
    ///
    /// # Errors
    /// [`FaultKind::Daemon`]: it cannot begin.
    pub fn scrub(&mut self, all: bool) -> Result<(), Fault> {
        let answer = self.ask(&Request::Scrub { all })?;
        done(answer)
    }

    /// Keeps what is at the path or below on this machine, or no longer.
    ///
    /// # Errors
    /// [`FaultKind::Daemon`]: it cannot.
    pub fn pin(&mut self, on: bool) -> Result<(), Fault> {
        let path = self.path.clone();
        let answer = self.ask(&Request::Pin { path, on })?;
        done(answer)
    }

    /// Lets time pass between two questions.
    ///
    /// # Errors
    /// [`FaultKind::NotMounted`]: the pod was unmounted meanwhile.
    pub fn pause(&self, time: Duration) -> Result<(), Fault> {
        if self.client.pause(time) {
            return Ok(());
        }
        let what = "the pod was unmounted; what is not sent yet goes on at the next mount";
        Err(Fault::new(FaultKind::NotMounted, what))
    }

    fn ask(&mut self, request: &Request) -> Result<Response, Fault> {
        self.client
            .ask(request)
            .map_err(|error| daemon_fault(&error))
    }
}

/// The pod of this user that is mounted around a path, and the path as seen from its top.
///
/// # Errors
/// [`FaultKind::NotMounted`]: no pod is.
pub(super) fn locate(path: &Path) -> Result<(PodPaths, PathBuf), Fault> {
    let nothing = |why: &str| {
        let what = format!(
            "{} is in no pod of yours that is mounted{why}",
            Quoted(path)
        );
        Fault::new(FaultKind::NotMounted, what).next("podfs status tells where a pod is mounted")
    };
    let place = path
        .canonicalize()
        .map_err(|error| nothing(&format!(": {error}")))?;
    let mounts = mountinfo::mounts().map_err(|error| nothing(&format!(": {error}")))?;
    let around = mounts
        .iter()
        .filter(|mount| mountinfo::is_below(&place, &mount.point));
    // Of two at the same place the later one is seen.
    let mount = around.max_by_key(|mount| mount.point.as_os_str().len());
    let mount = mount
        .filter(|mount| mount.is_ours())
        .ok_or_else(|| nothing(""))?;
    let inside = place.strip_prefix(&mount.point).unwrap_or(Path::new(""));
    if let Some(paths) = unmount::owner_of(mount) {
        return Ok((paths, inside.to_owned()));
    }
    // A box that is mounted alone begins further down.
    let (paths, above) = unmount::owner_of_box(&mount.point)?.ok_or_else(|| nothing(""))?;
    let inside = above.components().chain(inside.components());
    Ok((paths, inside.collect()))
}

/// The daemon of the pod there; no answer of it takes longer than `patience`.
pub(super) fn connect(paths: &PodPaths, patience: Duration) -> Result<Client, Fault> {
    Client::connect(&paths.socket, patience).map_err(|error| {
        if matches!(error, ClientError::Absent) {
            let what = format!("the pod {:?} is not mounted", paths.name);
            let flag = paths.pod_flag();
            return Fault::new(FaultKind::NotMounted, what).next(format!("podfs mount DIR{flag}"));
        }
        daemon_fault(&error)
    })
}

fn done(answer: Response) -> Result<(), Fault> {
    if answer == Response::Done {
        return Ok(());
    }
    Err(unexpected(answer))
}

pub(super) fn daemon_fault(error: &ClientError) -> Fault {
    Fault::new(FaultKind::Daemon, error.to_string()).next("podfs status")
}

pub(super) fn unexpected(answer: Response) -> Fault {
    let what = match answer {
        Response::Failed { what } => what,
        Response::Status(_)
        | Response::Publication { .. }
        | Response::Weight { .. }
        | Response::People(_)
        | Response::Audit(_)
        | Response::Sharing(_)
        | Response::Messages(_)
        | Response::Box(_)
        | Response::Progress(_)
        | Response::Done
        | Response::Busy { .. } => "the daemon answered something else".to_owned(),
    };
    Fault::new(FaultKind::Daemon, what)
}
