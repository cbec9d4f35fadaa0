//! Commands about boxes: asked of the daemon of a mounted pod.

use std::path::Path;
use std::path::PathBuf;

use crate::control::BoxRefusal;
use crate::control::BoxReport;
use crate::control::BoxRequest;
use crate::control::BoxResponse;
use crate::control::Client;
use crate::control::Holder;
use crate::control::Request;
use crate::control::Response;
use crate::daemon::contacts::unexpected;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::follow;
use crate::daemon::follow::daemon_fault;
use crate::daemon::paths::PodPaths;
use crate::types::limits::PEOPLE_PATIENCE;

/// The daemon of a mounted pod, asked about its boxes.
#[derive(Debug)]
pub struct BoxClient {
    client: Client,
    /// As seen from the top of the pod; empty for all of it.
    path: PathBuf,
}

impl BoxClient {
    /// Of the pod there.
    ///
    /// # Errors
    /// [`FaultKind::NoPod`], [`FaultKind::NotMounted`].
    pub fn of_pod(paths: &PodPaths) -> Result<Self, Fault> {
        paths.require()?;
        Self::of(paths, PathBuf::new())
    }

    /// Of what is at `path`, in whatever pod of this user is mounted there.
    ///
    /// # Errors
    /// [`FaultKind::NotMounted`]: no pod is.
    pub fn of_path(path: &Path) -> Result<Self, Fault> {
        let (paths, inside) = follow::locate(path)?;
        Self::of(&paths, inside)
    }

    fn of(paths: &PodPaths, path: PathBuf) -> Result<Self, Fault> {
        let client = follow::connect(paths, PEOPLE_PATIENCE)?;
        Ok(Self { client, path })
    }

    /// Makes a box of the folder at the path; with `preview` only says what that would be.
    ///
    /// # Errors
    /// [`FaultKind::Usage`]: it cannot be one.
    pub fn create(&mut self, one_scope: bool, preview: bool) -> Result<BoxReport, Fault> {
        let path = self.path.clone();
        self.one(BoxRequest::Create {
            path,
            one_scope,
            preview,
        })
    }

    /// Makes an ordinary folder of the box at the path; with `preview` only says what that would be.
    ///
    /// # Errors
    /// [`FaultKind::NoBox`]; [`FaultKind::Busy`]: it has a mount of its own.
    pub fn remove(&mut self, preview: bool) -> Result<BoxReport, Fault> {
        let path = self.path.clone();
        self.one(BoxRequest::Remove { path, preview })
    }

    /// Mounts the box at the path at `point`, an absolute path. Gives what could not be had.
    ///
    /// # Errors
    /// [`FaultKind::NoBox`]; [`FaultKind::Busy`]: it is mounted; [`FaultKind::Mountpoint`], [`FaultKind::Fuse`].
    pub fn mount(&mut self, point: &Path) -> Result<Vec<String>, Fault> {
        let (path, point) = (self.path.clone(), point.to_owned());
        let BoxResponse::Mounted { notes } = self.ask(BoxRequest::Mount { path, point })? else {
            return Err(unexpected());
        };
        Ok(notes)
    }

    /// Takes the mount of a box at `point` away. Gives the programs that use it: then it stays.
    ///
    /// # Errors
    /// [`FaultKind::NotMounted`]: no box of this pod is mounted there.
    pub fn unmount(&mut self, point: &Path, lazy: bool) -> Result<Vec<Holder>, Fault> {
        let point = point.to_owned();
        let answer = self.ask(BoxRequest::Unmount { point, lazy })?;
        if let BoxResponse::Busy { holders } = answer {
            return Ok(holders);
        }
        if answer == BoxResponse::Unmounted {
            return Ok(Vec::new());
        }
        Err(unexpected())
    }

    /// The folder of the box that is mounted at `point`, as seen from the top of the pod.
    ///
    /// # Errors
    /// [`FaultKind::NotMounted`]: no box of this pod is mounted there.
    pub(in crate::daemon) fn at(&mut self, point: &Path) -> Result<PathBuf, Fault> {
        let point = point.to_owned();
        let BoxResponse::At { path } = self.ask(BoxRequest::At { point })? else {
            return Err(unexpected());
        };
        Ok(path)
    }

    /// All boxes, in the order of their numbers.
    ///
    /// # Errors
    /// When the daemon cannot tell.
    pub fn list(&mut self) -> Result<Vec<BoxReport>, Fault> {
        let mut all: Vec<BoxReport> = Vec::new();
        loop {
            let after = all.last().map_or(0, |last| last.number);
            let BoxResponse::Boxes { boxes, more } = self.ask(BoxRequest::List { after })? else {
                return Err(unexpected());
            };
            let more = more && !boxes.is_empty();
            all.extend(boxes);
            if !more {
                return Ok(all);
            }
        }
    }

    fn one(&mut self, asked: BoxRequest) -> Result<BoxReport, Fault> {
        let BoxResponse::Box(report) = self.ask(asked)? else {
            return Err(unexpected());
        };
        Ok(report)
    }

    fn ask(&mut self, asked: BoxRequest) -> Result<BoxResponse, Fault> {
        let answer = self.client.ask(&Request::Box(asked));
        let answer = answer.map_err(|error| daemon_fault(&error))?;
        let Response::Box(answer) = answer else {
            return Err(follow::unexpected(answer));
        };
        if let BoxResponse::Refused { why, what } = answer {
            return Err(self.advised(why, &what));
        }
        Ok(answer)
    }

    /// What to do about it.
    fn advised(&self, why: BoxRefusal, what: &str) -> Fault {
        let what = format!("{}: {what}", Quoted(&self.path));
        match why {
            BoxRefusal::NoBox => {
                Fault::new(FaultKind::NoBox, what).next("podfs box list shows all boxes")
            }
            BoxRefusal::Mounted => Fault::new(FaultKind::Busy, what)
                .next("podfs box list tells where; podfs unmount DIR"),
            BoxRefusal::NotMounted => Fault::new(FaultKind::NotMounted, what),
            BoxRefusal::Mountpoint => Fault::new(FaultKind::Mountpoint, what),
            BoxRefusal::Fuse => Fault::new(FaultKind::Fuse, what).next("podfs doctor"),
            BoxRefusal::Wrong => Fault::new(FaultKind::Usage, what)
                .next("make a new folder a box, and move what belongs in it there with mv"),
            BoxRefusal::State => Fault::new(FaultKind::State, what).next("podfs status"),
        }
    }
}
