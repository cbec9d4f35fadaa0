//! Commands about messages: asked of the daemon of a mounted pod.

use std::time::Duration;

use crate::control::Client;
use crate::control::CollectReport;
use crate::control::MessageReport;
use crate::control::MessageWay;
use crate::control::MessagesRequest;
use crate::control::MessagesResponse;
use crate::control::Request;
use crate::control::Response;
use crate::daemon::contacts::kind;
use crate::daemon::contacts::unexpected;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::follow;
use crate::daemon::follow::daemon_fault;
use crate::daemon::paths::PodPaths;
use crate::types::limits::PEOPLE_PATIENCE;

/// Ids in one request, which has to fit a line.
const IDS_AT_ONCE: usize = 256;

/// The daemon of a mounted pod, asked about messages.
#[derive(Debug)]
pub struct InboxClient {
    client: Client,
    flag: String,
}

/// What somebody asks a contact for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Whom.
    pub who: String,
    /// The path, as they call it.
    pub what: String,
    /// What for.
    pub purpose: String,
    /// 1 read, 2 append, 4 write.
    pub rights: u8,
    /// Seconds since 1970 from which on.
    pub from: Option<i64>,
    /// Seconds since 1970 until which.
    pub until: Option<i64>,
}

impl InboxClient {
    /// Of the pod there.
    ///
    /// # Errors
    /// [`FaultKind::NoPod`], [`FaultKind::NotMounted`].
    pub fn of_pod(paths: &PodPaths) -> Result<Self, Fault> {
        paths.require()?;
        let client = follow::connect(paths, PEOPLE_PATIENCE)?;
        let flag = paths.pod_flag();
        Ok(Self { client, flag })
    }

    /// Has the network asked for messages, and what is unsent sent.
    ///
    /// # Errors
    /// When the daemon cannot tell; a network that does not answer is in the report.
    pub fn collect(&mut self) -> Result<CollectReport, Fault> {
        if let MessagesResponse::Collected(report) = self.ask(MessagesRequest::Collect)? {
            Ok(report)
        } else {
            Err(unexpected())
        }
    }

    /// Messages of one way with numbers above `after`, in their order.
    ///
    /// # Errors
    /// When the daemon cannot tell.
    pub fn all(&mut self, way: MessageWay, after: u64) -> Result<Vec<MessageReport>, Fault> {
        let mut all: Vec<MessageReport> = Vec::new();
        loop {
            let after = all.last().map_or(after, |last| last.number);
            let answer = self.ask(MessagesRequest::List { way, after })?;
            let MessagesResponse::Messages { messages, more } = answer else {
                return Err(unexpected());
            };
            let more = more && !messages.is_empty();
            all.extend(messages);
            if !more {
                return Ok(all);
            }
        }
    }

    /// Notes that these were shown.
    ///
    /// # Errors
    /// When the daemon cannot note it.
    pub fn seen(&mut self, ids: &[String]) -> Result<(), Fault> {
        for ids in ids.chunks(IDS_AT_ONCE) {
            let ids = ids.to_vec();
            if self.ask(MessagesRequest::Seen { ids })? != MessagesResponse::Done {
                return Err(unexpected());
            }
        }
        Ok(())
    }

    /// Forgets a message.
    ///
    /// # Errors
    /// [`FaultKind::NoMessage`].
    pub fn forget(&mut self, id: &str) -> Result<(), Fault> {
        let id = id.to_owned();
        if self.ask(MessagesRequest::Forget { id })? == MessagesResponse::Done {
            Ok(())
        } else {
            Err(unexpected())
        }
    }

    /// Asks somebody for something.
    ///
    /// # Errors
    /// [`FaultKind::NoContact`], [`FaultKind::NoCard`]; [`FaultKind::Usage`]: it cannot be asked for like that.
    pub fn wish(&mut self, wish: Wish) -> Result<MessageReport, Fault> {
        self.message(MessagesRequest::Ask {
            name: wish.who,
            what: wish.what,
            purpose: wish.purpose,
            rights: wish.rights,
            from: wish.from,
            until: wish.until,
        })
    }

    /// Denies what was asked for; gives the answer.
    ///
    /// # Errors
    /// [`FaultKind::NoMessage`]; [`FaultKind::Usage`]: it is no request, or was answered.
    pub fn deny(&mut self, id: &str, why: &str) -> Result<MessageReport, Fault> {
        self.message(MessagesRequest::Deny {
            id: id.to_owned(),
            why: why.to_owned(),
        })
    }

    /// Lets time pass between two looks.
    ///
    /// # Errors
    /// [`FaultKind::NotMounted`]: the pod was unmounted.
    pub fn pause(&self, time: Duration) -> Result<(), Fault> {
        if self.client.pause(time) {
            return Ok(());
        }
        let what = "the pod was unmounted meanwhile";
        Err(Fault::new(FaultKind::NotMounted, what))
    }

    fn message(&mut self, request: MessagesRequest) -> Result<MessageReport, Fault> {
        if let MessagesResponse::Message(message) = self.ask(request)? {
            Ok(*message)
        } else {
            Err(unexpected())
        }
    }

    fn ask(&mut self, request: MessagesRequest) -> Result<MessagesResponse, Fault> {
        let answer = self.client.ask(&Request::Messages(request));
        let answer = answer.map_err(|error| daemon_fault(&error))?;
        let Response::Messages(answer) = answer else {
            return Err(follow::unexpected(answer));
        };
        if let MessagesResponse::Refused { why, what } = answer {
            return Err(self.advised(Fault::new(kind(why), what)));
        }
        Ok(answer)
    }

    /// What to do about it.
    fn advised(&self, fault: Fault) -> Fault {
        let flag = &self.flag;
        let next = [
            (FaultKind::NoContact, format!("podfs contact list{flag}")),
            (FaultKind::NoCard, format!("podfs id publish{flag}")),
            (FaultKind::NoMessage, format!("podfs inbox{flag}")),
            (
                FaultKind::CardChanged,
                format!("talk to them; podfs contact list{flag}"),
            ),
        ];
        match next.into_iter().find(|(of, _)| *of == fault.kind) {
            Some((_, next)) => fault.next(next),
            None => fault,
        }
    }
}
