//! What the daemon answers when it is asked about what is shared.

use std::collections::BTreeSet;
use std::path::Path;

use crate::control::GivenReport;
use crate::control::Refusal;
use crate::control::SharingRequest;
use crate::control::SharingResponse;
use crate::daemon::network::find;
use crate::daemon::refused::Refused;
use crate::daemon::refused::wrong;
use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::happened;
use crate::daemon::sharing::report::as_many_as_fit;
use crate::format::audit::Kind;
use crate::format::card::SignedCard;
use crate::format::grant::Terms;
use crate::format::message::MessageBody;
use crate::format::message::MessageId;
use crate::format::rows::Epochs;
use crate::format::rows::FileKind;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::format::rows::MessageRow;
use crate::format::rows::MessageState;
use crate::pod::PodError;
use crate::share::Called;
use crate::share::ShareError;
use crate::share::is_added_to;
use crate::share::messages::Way;
use crate::types::Ino;
use crate::types::Name;
use crate::types::Purpose;
use crate::types::ROOT;
use crate::types::Rights;
use crate::types::RightsError;

type Answered = Result<SharingResponse, Refused>;

/// What is to be shared, and how.
pub(super) struct Wish<'a> {
    pub(super) path: &'a Path,
    pub(super) with: &'a str,
    pub(super) rights: &'a str,
    pub(super) from: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) purpose: &'a str,
    pub(super) snapshot: bool,
    pub(super) answers: Option<MessageId>,
}

/// What is given in place of what was asked for.
struct Instead<'a> {
    path: Option<&'a Path>,
    rights: Option<String>,
    until: Option<i64>,
}

impl Sharing {
    /// The answer to a request.
    pub(in crate::daemon) async fn answer(&self, request: SharingRequest) -> SharingResponse {
        let answered = match self.people.complete().await {
            Ok(()) => self.answered(request).await,
            Err(refused) => Err(refused),
        };
        answered.unwrap_or_else(|Refused(why, what)| SharingResponse::Refused { why, what })
    }

    async fn answered(&self, request: SharingRequest) -> Answered {
        match request {
            SharingRequest::Given { skip, path } => self.list_given(skip, path.as_deref()),
            SharingRequest::Received { skip } => self.list_received(skip),
            SharingRequest::Receipt { id } => self.receipt(&id),
            SharingRequest::Preview { id } => self.preview(&id).await,
            _ if !self.publishing.is_running() => {
                let what = "the pod is mounted read-only: nothing can be shared or taken";
                Err(Refused(Refusal::State, what.to_owned()))
            }
            SharingRequest::Share {
                path,
                with,
                rights,
                from,
                until,
                purpose,
                snapshot,
                preview,
            } => {
                let wish = Wish {
                    path: &path,
                    with: &with,
                    rights: &rights,
                    from,
                    until,
                    purpose: &purpose,
                    snapshot,
                    answers: None,
                };
                self.give_or_say(&wish, preview).await
            }
            SharingRequest::Approve {
                id,
                path,
                rights,
                until,
                preview,
            } => {
                let instead = Instead {
                    path: path.as_deref(),
                    rights,
                    until,
                };
                self.approve(&id, instead, preview).await
            }
            SharingRequest::Revoke { id, level } => self.revoke(&id, level).await,
            SharingRequest::Accept { id, name } => self.accept(&id, name.as_deref()).await,
        }
    }

    async fn give_or_say(&self, wish: &Wish<'_>, preview: bool) -> Answered {
        if !preview {
            return self.share(wish).await;
        }
        let would = self.given_report(&self.wished(wish)?)?;
        Ok(SharingResponse::WouldGive(Box::new(GivenReport {
            id: String::new(),
            ..would
        })))
    }

    pub(super) async fn share(&self, wish: &Wish<'_>) -> Answered {
        let given = self.wished(wish)?;
        // What is not recorded is not shared.
        let granted = happened::granted(&given, wish.path);
        let recorded = self.people.audit().record(&granted).await;
        recorded.map_err(|fault| Refused(Refusal::State, fault.what))?;
        self.given.give(&given)?;
        // Whenever it is handed over, the request is answered.
        if let Some(answered) = wish.answers {
            self.messages.mark(answered, MessageState::Answered)?;
        }
        let from = given.terms.from;
        if from.is_none_or(|from| from <= given.made.secs) {
            self.hand_over(&given)?;
        }
        self.wake.notify_one();
        self.gave(&self.given.one(&hex::encode(given.id))?)
    }

    /// The grant that is wished for, unless it cannot be given.
    fn wished(&self, wish: &Wish<'_>) -> Result<Given, Refused> {
        let contact = self.people.contacts().named(wish.with)?;
        if contact.alarm.is_some() {
            return Err(ShareError::Alarm(Called::new(wish.with)).into());
        }
        self.messages.admits(&contact)?;
        let (target, directory, name, kind) = self.target(wish.path)?;
        let now = (self.clock)();
        let terms = Terms {
            name: name.clone(),
            kind,
            rights: wish
                .rights
                .parse()
                .map_err(|error: RightsError| wrong(&error))?,
            snapshot: wish.snapshot,
            from: wish.from,
            until: wish.until,
            purpose: Purpose::parse(wish.purpose).map_err(|error| wrong(&error))?,
        };
        if !terms.are_sound() || terms.until.is_some_and(|until| until <= now.secs) {
            return Err(wrong(&"it would be over before it begins"));
        }
        if terms.rights != Rights::READ && !is_added_to(&terms) {
            return Err(wrong(
                &"only to a folder can something be added, and one version of something stays as it is",
            ));
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| Refused(Refusal::State, error.to_string()))?;
        self.given.has_room()?;
        Ok(Given {
            id,
            contact: contact.print().map_err(ShareError::from)?,
            contact_name: contact.name,
            target,
            directory,
            name,
            terms,
            made: now,
            epochs: Epochs::default(),
            state: GivenState::Waiting,
            answers: wish.answers,
        })
    }

    /// Shares what somebody asked for, or what the owner gives them for it.
    async fn approve(&self, id: &str, instead: Instead<'_>, preview: bool) -> Answered {
        let asked = self.messages.one(id)?;
        let MessageBody::Request(request) = &asked.row.message.body else {
            return Err(wrong(&"this message asks for nothing"));
        };
        if asked.way != Way::Received {
            return Err(wrong(&"this message was sent from here"));
        }
        if !matches!(asked.row.state, MessageState::New | MessageState::Seen) {
            return Err(wrong(&"this request was answered already"));
        }
        let name = self.asker(&asked.row)?;
        let wanted = Path::new(request.what.as_str());
        let wanted = wanted.strip_prefix("/").unwrap_or(wanted);
        let rights = instead.rights.unwrap_or_else(|| request.rights.to_string());
        let wish = Wish {
            path: instead.path.unwrap_or(wanted),
            with: &name,
            rights: &rights,
            from: request.from,
            until: instead.until.or(request.until),
            // What others wrote may have blanks around it.
            purpose: request.purpose.as_str().trim(),
            snapshot: false,
            answers: Some(asked.row.message.id),
        };
        let answer = self.give_or_say(&wish, preview).await?;
        if preview {
            return Ok(answer);
        }
        let mail = self.people.mail();
        let happening = mail.happened(Kind::RequestApproved, &asked, request)?;
        self.note(&happening).await;
        Ok(answer)
    }

    /// What the owner calls who asks. Who is no contact is not given anything.
    fn asker(&self, row: &MessageRow) -> Result<String, Refused> {
        let name = self.name_of(&row.contact)?;
        let Some(card) = row.card.as_deref().filter(|_| name.is_empty()) else {
            return Ok(name);
        };
        let card = SignedCard::read(card.as_slice()).map_err(ShareError::from)?;
        let owner = hex::encode(card.card().owner().0);
        let what = format!(
            "who asks is no contact: add them first (podfs contact add NAME 0x{owner}), and compare the words with them (podfs contact verify NAME)"
        );
        Err(Refused(Refusal::Unknown, what))
    }

    /// What is at a path, and where.
    fn target(&self, path: &Path) -> Result<(Ino, Ino, Name, FileKind), Refused> {
        let ino = find(&self.pod, path).map_err(|error| missing(path, &error))?;
        if ino == ROOT {
            let what = "the whole pod cannot be shared, for what podfs keeps for itself stands in it: share folders in it";
            return Err(Refused(Refusal::Taken, what.to_owned()));
        }
        let above = find(&self.pod, path.parent().unwrap_or(Path::new("")));
        let directory = above.map_err(|error| missing(path, &error))?;
        if ino.is_told() {
            let what = "this is what podfs tells of the pod, and cannot be shared";
            return Err(Refused(Refusal::Taken, what.to_owned()));
        }
        if ino.is_received() || directory.is_received() {
            let what = "this is what somebody else shares: only they can share it";
            return Err(Refused(Refusal::Taken, what.to_owned()));
        }
        let kind = self
            .pod
            .getattr(ino)
            .map_err(|error| missing(path, &error))?
            .kind;
        if !matches!(kind, FileKind::Regular | FileKind::Directory) {
            return Err(wrong(&"only files and folders can be shared"));
        }
        let name = path.file_name().unwrap_or_default();
        let name = Name::parse(std::os::unix::ffi::OsStrExt::as_bytes(name));
        Ok((ino, directory, name.map_err(|error| wrong(&error))?, kind))
    }

    pub(super) fn gave(&self, given: &Given) -> Answered {
        let report = self.given_report(given)?;
        Ok(SharingResponse::Gave(Box::new(report)))
    }

    fn list_given(&self, skip: usize, path: Option<&Path>) -> Answered {
        let mut all = self.given.all()?;
        let added = self.added_to_others()?;
        all.retain(|given| !added.contains(&given.id));
        if let Some(path) = path {
            let opened_by = self.above(path)?;
            all.retain(|given| opened_by.contains(&given.target));
        }
        let left = all.iter().skip(skip);
        let (grants, more) = as_many_as_fit(left.map(|given| self.given_report(given)))?;
        Ok(SharingResponse::Given { grants, more })
    }

    /// What is at a path, and all directories that lead to it.
    fn above(&self, path: &Path) -> Result<BTreeSet<Ino>, Refused> {
        let mut above = BTreeSet::new();
        for part in path.ancestors() {
            above.insert(find(&self.pod, part).map_err(|error| missing(path, &error))?);
        }
        Ok(above)
    }

    fn list_received(&self, skip: usize) -> Answered {
        let mut all = self.received.all()?;
        let added = self.added_by_others()?;
        all.retain(|received| !added.contains_key(&received.id));
        let left = all.iter().skip(skip);
        let (grants, more) = as_many_as_fit(left.map(|received| self.received_report(received)))?;
        Ok(SharingResponse::Received { grants, more })
    }
}

fn missing(path: &Path, error: &PodError) -> Refused {
    let place = crate::daemon::fault::Quoted(path);
    Refused(Refusal::Taken, format!("{place}: {error}"))
}
