//! What the daemon answers when it is asked about what is shared.

use std::collections::BTreeSet;
use std::path::Path;

use crate::control::Refusal;
use crate::control::SharingRequest;
use crate::control::SharingResponse;
use crate::daemon::network::find;
use crate::daemon::refused::Refused;
use crate::daemon::refused::in_time;
use crate::daemon::refused::wrong;
use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::happened;
use crate::format::audit::Kind;
use crate::format::card::SignedCard;
use crate::format::grant::Grant;
use crate::format::grant::Terms;
use crate::format::message::MessageBody;
use crate::format::message::MessageId;
use crate::format::rows::Epochs;
use crate::format::rows::FileKind;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::format::rows::MessageRow;
use crate::format::rows::MessageState;
use crate::format::rows::Received;
use crate::format::rows::ReceivedState;
use crate::pod::PodError;
use crate::share::ShareError;
use crate::share::is_added_to;
use crate::share::messages::Way;
use crate::types::Ino;
use crate::types::Name;
use crate::types::Purpose;
use crate::types::ROOT;
use crate::types::Rights;
use crate::types::RightsError;
use crate::types::limits::GRANTS_AT_ONCE;

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
                self.share(&wish).await
            }
            SharingRequest::Approve { id, path, until } => {
                self.approve(&id, path.as_deref(), until).await
            }
            SharingRequest::Revoke { id, level } => self.revoke(&id, level).await,
            SharingRequest::Accept { id, name } => self.accept(&id, name.as_deref()).await,
        }
    }

    pub(super) async fn share(&self, wish: &Wish<'_>) -> Answered {
        let contact = self.people.contacts().named(wish.with)?;
        if contact.alarm.is_some() {
            return Err(ShareError::Alarm(wish.with.to_owned()).into());
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
        let given = Given {
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
        };
        // What is not recorded is not shared.
        let granted = happened::granted(&given, wish.path);
        let recorded = self.people.audit().record(&granted).await;
        recorded.map_err(|fault| Refused(Refusal::State, fault.what))?;
        self.given.give(&given)?;
        // Whenever it is handed over, the request is answered.
        if let Some(answered) = wish.answers {
            self.messages.mark(answered, MessageState::Answered)?;
        }
        let is_now = given.terms.from.is_none_or(|from| from <= now.secs);
        if is_now {
            self.hand_over(&given)?;
        }
        self.wake.notify_one();
        self.gave(&self.given.one(&hex::encode(id))?)
    }

    /// Shares what somebody asked for, or what the owner gives them for it.
    async fn approve(&self, id: &str, path: Option<&Path>, until: Option<i64>) -> Answered {
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
        let rights = request.rights.to_string();
        let wish = Wish {
            path: path.unwrap_or(wanted),
            with: &name,
            rights: &rights,
            from: request.from,
            until: until.or(request.until),
            purpose: request.purpose.as_str(),
            snapshot: false,
            answers: Some(asked.row.message.id),
        };
        let answer = self.share(&wish).await?;
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
        let mut left = all.iter().skip(skip);
        let grants = left.by_ref().take(GRANTS_AT_ONCE);
        let grants: Result<Vec<_>, _> = grants.map(|given| self.given_report(given)).collect();
        Ok(SharingResponse::Given {
            grants: grants?,
            more: left.next().is_some(),
        })
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
        let mut left = all.iter().skip(skip);
        let grants = left.by_ref().take(GRANTS_AT_ONCE);
        let grants = grants.map(|received| self.received_report(received));
        let grants: Result<Vec<_>, _> = grants.collect();
        Ok(SharingResponse::Received {
            grants: grants?,
            more: left.next().is_some(),
        })
    }

    async fn accept(&self, id: &str, name: Option<&str>) -> Answered {
        self.take_grants().await?;
        let received = self.meant(id)?;
        let label = match name {
            Some(name) => Name::parse(name.as_bytes()).map_err(|error| wrong(&error))?,
            None => self.free_label(&received)?,
        };
        let is_taken = |other: &Received| other.id != received.id && other.label == label;
        if self.beside(&received)?.iter().any(is_taken) {
            return Err(wrong(
                &"something else of theirs is seen under this name: choose another with --name",
            ));
        }
        if received.state == ReceivedState::Offered {
            let name = self.name_of(&received.contact)?;
            self.note(&happened::accepted(&received, &name)).await;
        }
        self.received.accept(&received.id, &label)?;
        let received = self.received.one(&hex::encode(received.id))?;
        if let Err(why) = in_time(self.bring(&received)).await? {
            self.troubles.lock().insert(received.id, why);
        }
        self.wake.notify_one();
        let received = self.received.one(&hex::encode(received.id))?;
        let report = self.received_report(&received)?;
        Ok(SharingResponse::Got(Box::new(report)))
    }

    /// The grant of that id, or of the message of that id.
    fn meant(&self, id: &str) -> Result<Received, Refused> {
        if let Ok(kept) = self.messages.one(id)
            && let MessageBody::Grant(bytes) = &kept.row.message.body
            && let Ok(grant) = Grant::decode(bytes)
        {
            return Ok(self.received.one(&hex::encode(grant.id))?);
        }
        Ok(self.received.one(id)?)
    }

    /// What else of theirs is seen in the same folder.
    fn beside(&self, received: &Received) -> Result<Vec<Received>, ShareError> {
        let mut all = self.received.all()?;
        let added = self.added_by_others()?;
        all.retain(|other| {
            other.contact == received.contact
                && other.state == ReceivedState::Accepted
                && !added.contains_key(&other.id)
        });
        Ok(all)
    }

    /// The name that it came with, or that name with a number.
    fn free_label(&self, received: &Received) -> Result<Name, Refused> {
        let beside = self.beside(received)?;
        let own = received.terms.name.as_bytes();
        for number in 1..=beside.len().saturating_add(1) {
            let mut label = own.to_vec();
            if number > 1 {
                label.extend_from_slice(format!(" ({number})").as_bytes());
            }
            let label = Name::parse(&label).map_err(|error| wrong(&error))?;
            let is_taken = |other: &Received| other.id != received.id && other.label == label;
            if !beside.iter().any(is_taken) {
                return Ok(label);
            }
        }
        Err(wrong(&"no name is free: choose one with --name"))
    }
}

fn missing(path: &Path, error: &PodError) -> Refused {
    let place = crate::daemon::fault::Quoted(path);
    Refused(Refusal::Taken, format!("{place}: {error}"))
}
