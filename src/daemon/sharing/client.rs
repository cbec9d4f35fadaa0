//! Commands about what is shared: asked of the daemon of a mounted pod.

use std::path::Path;
use std::path::PathBuf;

use crate::control::Client;
use crate::control::GivenReport;
use crate::control::PreviewReport;
use crate::control::ReceiptReport;
use crate::control::ReceivedReport;
use crate::control::Refusal;
use crate::control::Request;
use crate::control::Response;
use crate::control::SharingRequest;
use crate::control::SharingResponse;
use crate::daemon::contacts::kind;
use crate::daemon::contacts::unexpected;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::follow;
use crate::daemon::follow::daemon_fault;
use crate::daemon::paths::PodPaths;
use crate::types::limits::PEOPLE_PATIENCE;

/// What is to be shared, and how. Times are seconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Name of the contact.
    pub with: String,
    /// `read`, `append` or `write`.
    pub rights: String,
    /// From when on.
    pub from: Option<i64>,
    /// Until when.
    pub until: Option<i64>,
    /// What for.
    pub purpose: String,
    /// As it is now, and nothing that comes later.
    pub snapshot: bool,
}

/// What a contact is given in place of what they asked for.
#[derive(Clone, Debug, Default)]
pub struct Instead {
    /// `read`, `append` or `write`.
    pub rights: Option<String>,
    /// Until when: seconds since 1970.
    pub until: Option<i64>,
}

/// The daemon of a mounted pod, asked about what is shared.
#[derive(Debug)]
pub struct SharingClient {
    client: Client,
    flag: String,
    /// As seen from the top of the pod; empty for all of it.
    path: PathBuf,
}

impl SharingClient {
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
        let flag = paths.pod_flag();
        Ok(Self { client, flag, path })
    }

    /// The option that says which pod, as commands want it; empty for the main one.
    pub fn flag(&self) -> &str {
        &self.flag
    }

    /// Shares what is at the path.
    ///
    /// # Errors
    /// [`FaultKind::NoContact`], [`FaultKind::CardChanged`]; [`FaultKind::Usage`]: it cannot be shared so.
    pub fn share(&mut self, wish: Wish) -> Result<GivenReport, Fault> {
        let asked = self.wished(wish, false);
        self.gave(asked)
    }

    /// What [`SharingClient::share`] would give.
    ///
    /// # Errors
    /// Those of it.
    pub fn would_share(&mut self, wish: Wish) -> Result<GivenReport, Fault> {
        let asked = self.wished(wish, true);
        self.would_give(asked)
    }

    fn wished(&self, wish: Wish, preview: bool) -> SharingRequest {
        SharingRequest::Share {
            path: self.path.clone(),
            with: wish.with,
            rights: wish.rights,
            from: wish.from,
            until: wish.until,
            purpose: wish.purpose,
            snapshot: wish.snapshot,
            preview,
        }
    }

    /// Shares what a contact asked for, or what is at the path of this client.
    ///
    /// # Errors
    /// [`FaultKind::NoMessage`]; [`FaultKind::Usage`]: it asks for nothing that can be shared, or was answered.
    pub fn approve(&mut self, id: &str, instead: Instead) -> Result<GivenReport, Fault> {
        let asked = self.approved(id, instead, false);
        self.gave(asked)
    }

    /// What [`SharingClient::approve`] would give.
    ///
    /// # Errors
    /// Those of it.
    pub fn would_approve(&mut self, id: &str, instead: Instead) -> Result<GivenReport, Fault> {
        let asked = self.approved(id, instead, true);
        self.would_give(asked)
    }

    fn approved(&self, id: &str, instead: Instead, preview: bool) -> SharingRequest {
        let path = Some(self.path.clone()).filter(|path| !path.as_os_str().is_empty());
        SharingRequest::Approve {
            id: id.to_owned(),
            path,
            rights: instead.rights,
            until: instead.until,
            preview,
        }
    }

    /// Where the pod is mounted.
    ///
    /// # Errors
    /// When the daemon cannot tell.
    pub fn mountpoint(&mut self) -> Result<PathBuf, Fault> {
        let answer = self.client.ask(&Request::Status);
        let answer = answer.map_err(|error| daemon_fault(&error))?;
        let Response::Status(report) = answer else {
            return Err(follow::unexpected(answer));
        };
        report.mountpoint.ok_or_else(unexpected)
    }

    /// Ends a grant, and has sealed anew what it opened as far as the level says.
    ///
    /// # Errors
    /// [`FaultKind::NoGrant`], [`FaultKind::GrantOver`].
    pub fn revoke(&mut self, id: &str, level: u8) -> Result<GivenReport, Fault> {
        let id = id.to_owned();
        self.gave(SharingRequest::Revoke { id, level })
    }

    /// What ending a grant would do.
    ///
    /// # Errors
    /// [`FaultKind::NoGrant`]; or it cannot be found out now.
    pub fn preview(&mut self, id: &str) -> Result<PreviewReport, Fault> {
        let asked = SharingRequest::Preview { id: id.to_owned() };
        let SharingResponse::Preview(report) = self.ask(asked)? else {
            return Err(unexpected());
        };
        Ok(*report)
    }

    /// What was done when a grant was ended, or how far it is.
    ///
    /// # Errors
    /// [`FaultKind::NoGrant`]; [`FaultKind::Usage`]: it was not ended by its owner.
    pub fn receipt(&mut self, id: &str) -> Result<ReceiptReport, Fault> {
        let asked = SharingRequest::Receipt { id: id.to_owned() };
        let SharingResponse::Receipt(report) = self.ask(asked)? else {
            return Err(unexpected());
        };
        Ok(*report)
    }

    fn would_give(&mut self, asked: SharingRequest) -> Result<GivenReport, Fault> {
        let SharingResponse::WouldGive(report) = self.ask(asked)? else {
            return Err(unexpected());
        };
        Ok(*report)
    }

    fn gave(&mut self, asked: SharingRequest) -> Result<GivenReport, Fault> {
        let SharingResponse::Gave(report) = self.ask(asked)? else {
            return Err(unexpected());
        };
        Ok(*report)
    }

    /// All grants that the owner gave, the oldest first; of a path, those that open what is there.
    ///
    /// # Errors
    /// When the daemon cannot tell.
    pub fn given(&mut self) -> Result<Vec<GivenReport>, Fault> {
        let path = Some(self.path.clone()).filter(|path| !path.as_os_str().is_empty());
        let mut all = Vec::new();
        loop {
            let asked = SharingRequest::Given {
                skip: all.len(),
                path: path.clone(),
            };
            let SharingResponse::Given { grants, more } = self.ask(asked)? else {
                return Err(unexpected());
            };
            let more = more && !grants.is_empty();
            all.extend(grants);
            if !more {
                return Ok(all);
            }
        }
    }

    /// All grants that the owner received, the oldest first.
    ///
    /// # Errors
    /// When the daemon cannot tell.
    pub fn received(&mut self) -> Result<Vec<ReceivedReport>, Fault> {
        let mut all = Vec::new();
        loop {
            let asked = SharingRequest::Received { skip: all.len() };
            let SharingResponse::Received { grants, more } = self.ask(asked)? else {
                return Err(unexpected());
            };
            let more = more && !grants.is_empty();
            all.extend(grants);
            if !more {
                return Ok(all);
            }
        }
    }

    /// Takes a grant that came.
    ///
    /// # Errors
    /// [`FaultKind::NoGrant`], [`FaultKind::GrantOver`].
    pub fn accept(&mut self, id: &str, name: Option<&str>) -> Result<ReceivedReport, Fault> {
        let asked = SharingRequest::Accept {
            id: id.to_owned(),
            name: name.map(str::to_owned),
        };
        let SharingResponse::Got(report) = self.ask(asked)? else {
            return Err(unexpected());
        };
        Ok(*report)
    }

    /// The same, and makes a link to it in the directory that this client is of, which is at `dir`. Gives its place too.
    ///
    /// # Errors
    /// Those of [`SharingClient::accept`]; [`FaultKind::Usage`]: it was taken, and the link cannot be made.
    pub fn accept_into(
        &mut self,
        id: &str,
        name: Option<&str>,
        dir: &Path,
    ) -> Result<(ReceivedReport, PathBuf), Fault> {
        if !dir.is_dir() {
            let what = format!("{} is no folder", Quoted(dir));
            return Err(Fault::new(FaultKind::Usage, what).next("name a folder in the pod"));
        }
        let report = self.accept(id, name)?;
        let seen = report.path.as_deref().map(Path::new);
        let names = seen.and_then(|seen| Some((seen, seen.file_name()?)));
        let Some((seen, name)) = names else {
            let what = "what it gave is over: there is nothing to be seen of it";
            return Err(Fault::new(FaultKind::GrantOver, what));
        };
        let link = dir.join(name);
        let up = self.path.components().map(|_| "..");
        let target: PathBuf = up.collect::<PathBuf>().join(seen);
        let made = if report
            .path
            .as_deref()
            .is_some_and(|path| path.contains('\u{fffd}'))
        {
            Err(std::io::Error::other(
                "the name is no UTF-8, choose one with --name",
            ))
        } else {
            std::os::unix::fs::symlink(&target, &link)
        };
        match made {
            Err(_) if std::fs::read_link(&link).is_ok_and(|there| there == target) => {}
            made => made.map_err(|error| {
                let what = format!("it is taken, and the link {} is not made", Quoted(&link));
                let next = format!(
                    "it is seen in {}; --into another folder makes a link there",
                    Quoted(seen)
                );
                Fault::io(FaultKind::Usage, what, &error).next(next)
            })?,
        }
        Ok((report, link))
    }

    fn ask(&mut self, asked: SharingRequest) -> Result<SharingResponse, Fault> {
        let answer = self.client.ask(&Request::Sharing(asked));
        let answer = answer.map_err(|error| daemon_fault(&error))?;
        let Response::Sharing(answer) = answer else {
            return Err(follow::unexpected(answer));
        };
        if let SharingResponse::Refused { why, what } = answer {
            return Err(self.advised(why, what));
        }
        Ok(answer)
    }

    /// What to do about it.
    fn advised(&self, why: Refusal, what: String) -> Fault {
        let flag = &self.flag;
        let fault = Fault::new(kind(why), what);
        let next = [
            (
                FaultKind::NoContact,
                format!("podfs contact list{flag} shows whom this pod knows; podfs contact add NAME CARD{flag}"),
            ),
            (
                FaultKind::CardChanged,
                "talk to them before anything is shared with them: podfs contact show says what was pinned".to_owned(),
            ),
            (
                FaultKind::NoGrant,
                format!("podfs shares{flag} shows all grants with their ids; podfs inbox{flag} what came"),
            ),
            (
                FaultKind::NoMessage,
                format!("podfs requests{flag} shows what is asked for"),
            ),
            (
                FaultKind::GrantOver,
                format!("ask for it again: podfs request WHO PATH --for PURPOSE{flag}"),
            ),
            (
                FaultKind::Network,
                format!("podfs node test{flag} tells how the nodes are"),
            ),
        ];
        match next.into_iter().find(|(of, _)| *of == fault.kind) {
            Some((_, next)) => fault.next(next),
            None => fault,
        }
    }
}
