//! Commands about contacts: asked of the daemon of a mounted pod.

use std::path::Path;
use std::time::Duration;

use crate::control::BlockedReport;
use crate::control::Client;
use crate::control::ContactReport;
use crate::control::PeopleRequest;
use crate::control::PeopleResponse;
use crate::control::Refusal;
use crate::control::Request;
use crate::control::Response;
use crate::crypto::identity::Fingerprint;
use crate::crypto::identity::spoken_words;
use crate::crypto::swarm::CHUNK_LEN_MAX;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::follow;
use crate::daemon::follow::daemon_fault;
use crate::daemon::identity;
use crate::daemon::paths::PodPaths;
use crate::format::card::SignedCard;
use crate::format::text;
use crate::types::limits::PEOPLE_PATIENCE;

/// A card, or whose card to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Introduction {
    /// The card itself, in hexadecimal digits.
    Card(String),
    /// The owner address of an identity, in hexadecimal digits.
    Identity(String),
}

impl Introduction {
    /// What was typed: a file that holds a card, the text of an identity, or its owner address.
    ///
    /// # Errors
    /// [`FaultKind::NoCard`]: none of these.
    pub fn of(typed: &str) -> Result<Self, Fault> {
        if let Ok(owner) = text::read_identity(typed) {
            return Ok(Self::Identity(hex::encode(owner.0)));
        }
        let none = |why: &dyn std::fmt::Display| {
            let what = format!("{} is no card: {why}", Quoted(Path::new(typed)));
            Fault::new(FaultKind::NoCard, what)
                .next("give what podfs id show prints (podfs1…), or the file that podfs id show --out FILE writes")
        };
        let file = std::fs::metadata(typed).map_err(|error| none(&error))?;
        if !file.is_file() || file.len() > CHUNK_LEN_MAX as u64 {
            return Err(none(&"no file, or too long"));
        }
        let bytes = std::fs::read(typed).map_err(|error| none(&error))?;
        let card = SignedCard::read(&bytes).map_err(|error| none(&error))?;
        Ok(Self::Card(hex::encode(card.bytes())))
    }
}

/// The daemon of a mounted pod, asked about people.
#[derive(Debug)]
pub struct PeopleClient {
    client: Client,
    flag: String,
}

impl PeopleClient {
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

    /// Asks for something that has no other answer than that it is done.
    pub(super) fn order(&mut self, request: PeopleRequest) -> Result<(), Fault> {
        if self.ask(request)? == PeopleResponse::Done {
            Ok(())
        } else {
            Err(unexpected())
        }
    }

    pub(super) fn ask(&mut self, request: PeopleRequest) -> Result<PeopleResponse, Fault> {
        let answer = self.client.ask(&Request::People(request));
        let answer = answer.map_err(|error| daemon_fault(&error))?;
        let Response::People(answer) = answer else {
            return Err(follow::unexpected(answer));
        };
        if let PeopleResponse::Refused { why, what } = answer {
            return Err(Fault::new(kind(why), what));
        }
        Ok(answer)
    }

    /// Hands new keys over.
    pub(super) fn replace_keys(&mut self, sealed: String) -> Result<(), Fault> {
        let answer = self.client.ask(&Request::Keys { sealed });
        let answer = answer.map_err(|error| daemon_fault(&error))?;
        if answer == Response::Done {
            return Ok(());
        }
        if let Response::Failed { what } = answer {
            return Err(Fault::new(FaultKind::State, what));
        }
        Err(follow::unexpected(answer))
    }

    /// Lets time pass between two questions.
    pub(super) fn pause(&self, time: Duration) -> Result<(), Fault> {
        if self.client.pause(time) {
            return Ok(());
        }
        let what = "the pod was unmounted meanwhile";
        Err(Fault::new(FaultKind::NotMounted, what))
    }

    /// What a command about this pod needs besides.
    pub(super) fn flag(&self) -> &str {
        &self.flag
    }

    /// Adds somebody, or pins their newer card.
    ///
    /// # Errors
    /// Says what is in the way and what to do about it.
    pub fn add(&mut self, name: &str, introduction: Introduction) -> Result<ContactReport, Fault> {
        let (card, identity) = match introduction {
            Introduction::Card(card) => (Some(card), None),
            Introduction::Identity(identity) => (None, Some(identity)),
        };
        let asked = PeopleRequest::Add {
            name: name.to_owned(),
            card,
            identity,
        };
        self.contact(name, asked)
    }

    /// All contacts, in the order of their names.
    ///
    /// # Errors
    /// When the daemon cannot tell.
    pub fn all(&mut self) -> Result<Vec<ContactReport>, Fault> {
        let mut all: Vec<ContactReport> = Vec::new();
        loop {
            let after = all
                .last()
                .map_or_else(String::new, |last| last.name.clone());
            let answer = self.ask(PeopleRequest::List { after })?;
            let PeopleResponse::Contacts { contacts, more } = answer else {
                return Err(unexpected());
            };
            let more = more && !contacts.is_empty();
            all.extend(contacts);
            if !more {
                return Ok(all);
            }
        }
    }

    /// One contact.
    ///
    /// # Errors
    /// [`FaultKind::NoContact`].
    pub fn show(&mut self, name: &str) -> Result<ContactReport, Fault> {
        let asked = PeopleRequest::Show {
            name: name.to_owned(),
        };
        self.contact(name, asked)
    }

    /// The words that both sides read to each other, and the contact that they are of.
    ///
    /// # Errors
    /// [`FaultKind::NoContact`]; [`FaultKind::CardChanged`]: there is nothing to be compared with somebody whose card
    /// nothing vouches for; [`FaultKind::NoCard`]: this pod has no card itself.
    pub fn words(&mut self, name: &str) -> Result<(ContactReport, Vec<&'static str>), Fault> {
        let contact = self.show(name)?;
        if contact.alarm {
            let what =
                format!("a card of {name:?} was met that their pinned card does not vouch for");
            return Err(self.advised(name, Fault::new(FaultKind::CardChanged, what)));
        }
        let own = identity::own(self)?;
        let mut theirs = Fingerprint([0; 32]);
        hex::decode_to_slice(&contact.fingerprint, &mut theirs.0).map_err(|_| unexpected())?;
        let words = spoken_words(&own.card().fingerprint(), &theirs);
        words
            .map(|words| (contact, words.to_vec()))
            .map_err(|error| Fault::new(FaultKind::Other, error.to_string()))
    }

    /// Notes that the words were the same, those of this contact.
    ///
    /// # Errors
    /// As with [`PeopleClient::words`].
    pub fn verified(&mut self, contact: &ContactReport) -> Result<(), Fault> {
        let asked = PeopleRequest::Verified {
            name: contact.name.clone(),
            fingerprint: contact.fingerprint.clone(),
        };
        self.done(&contact.name, asked)
    }

    /// Forgets a contact. What is shared with them ends before, or they stay.
    ///
    /// # Errors
    /// [`FaultKind::NoContact`]; [`FaultKind::Usage`]: something is shared with them, and is not to end.
    pub fn remove(&mut self, name: &str, revoke: bool) -> Result<(), Fault> {
        let asked = PeopleRequest::Remove {
            name: name.to_owned(),
            revoke,
        };
        let flag = &self.flag;
        let next = format!(
            "podfs shares{flag} shows what; podfs contact remove {name:?} --revoke{flag} ends it and forgets them"
        );
        self.done(name, asked).map_err(|fault| {
            if fault.kind == FaultKind::Usage {
                fault.next(next)
            } else {
                fault
            }
        })
    }

    /// Takes nothing of somebody any more, or takes it again.
    ///
    /// # Errors
    /// [`FaultKind::NoContact`]: nobody of that name or fingerprint was met, or they are not blocked.
    pub fn block(&mut self, who: &str, on: bool) -> Result<(), Fault> {
        let asked = PeopleRequest::Block {
            who: who.to_owned(),
            on,
        };
        self.done(who, asked)
    }

    /// Of whom nothing is taken.
    ///
    /// # Errors
    /// When the daemon cannot tell.
    pub fn blocked(&mut self) -> Result<Vec<BlockedReport>, Fault> {
        let mut all: Vec<BlockedReport> = Vec::new();
        loop {
            let skip = all.len();
            let PeopleResponse::Blocked { people, more } =
                self.ask(PeopleRequest::Blocked { skip })?
            else {
                return Err(unexpected());
            };
            let more = more && !people.is_empty();
            all.extend(people);
            if !more {
                return Ok(all);
            }
        }
    }

    fn contact(&mut self, name: &str, asked: PeopleRequest) -> Result<ContactReport, Fault> {
        match self.ask(asked) {
            Ok(PeopleResponse::Contact(contact)) => Ok(*contact),
            Ok(_) => Err(unexpected()),
            Err(fault) => Err(self.advised(name, fault)),
        }
    }

    fn done(&mut self, name: &str, asked: PeopleRequest) -> Result<(), Fault> {
        self.order(asked).map_err(|fault| self.advised(name, fault))
    }

    /// What to do about it.
    fn advised(&self, name: &str, fault: Fault) -> Fault {
        let flag = &self.flag;
        let next = [
            (FaultKind::NoContact, format!("podfs contact list{flag}")),
            (
                FaultKind::CardChanged,
                format!(
                    "talk to them; if somebody has their recovery phrase and they fixed a successor, that ends it; if their keys really are new: podfs contact remove {name:?} --revoke{flag}, add them again, and compare the words"
                ),
            ),
            (
                FaultKind::Missing,
                format!(
                    "ask them to run podfs id publish, or for the file of podfs id show --out FILE; if cards of theirs are lost: podfs contact remove {name:?} --revoke{flag}, add them again, and compare the words"
                ),
            ),
            (
                FaultKind::Network,
                format!("podfs node test{flag} tells how the nodes are"),
            ),
            (
                FaultKind::NoNode,
                format!(
                    "ask them for the file of podfs id show --out FILE; or podfs node add URL{flag}"
                ),
            ),
        ];
        match next.into_iter().find(|(of, _)| *of == fault.kind) {
            Some((_, next)) => fault.next(next),
            None => fault,
        }
    }
}

pub(super) fn kind(why: Refusal) -> FaultKind {
    match why {
        Refusal::Unknown => FaultKind::NoContact,
        Refusal::NoGrant => FaultKind::NoGrant,
        Refusal::Over => FaultKind::GrantOver,
        Refusal::Taken | Refusal::Wrong => FaultKind::Usage,
        Refusal::Message => FaultKind::NoMessage,
        Refusal::Alarm => FaultKind::CardChanged,
        Refusal::Card => FaultKind::NoCard,
        Refusal::Missing => FaultKind::Missing,
        Refusal::Network => FaultKind::Network,
        Refusal::NoNode => FaultKind::NoNode,
        Refusal::Node => FaultKind::NodeRefused,
        Refusal::State => FaultKind::State,
    }
}

pub(super) fn unexpected() -> Fault {
    Fault::new(FaultKind::Daemon, "the daemon answered something else")
}
