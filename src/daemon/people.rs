//! What the daemon answers when it is asked about other people.

use std::sync::Arc;

use crate::control::ContactReport;
use crate::control::OwnKeys;
use crate::control::PeopleRequest;
use crate::control::PeopleResponse;
use crate::control::Refusal;
use crate::crypto::identity::Fingerprint;
use crate::crypto::identity::sign_public_key;
use crate::crypto::identity::xwing_public_key;
use crate::crypto::scalar::Owner;
use crate::daemon::messages::Mail;
use crate::daemon::publishing::Publishing;
use crate::format::card::Card;
use crate::format::card::SignedCard;
use crate::format::keyfile::Bundle;
use crate::format::rows::Contact;
use crate::format::wire::Malformed;
use crate::index::Rows;
use crate::share::Contacts;
use crate::share::Found;
use crate::share::ShareError;
use crate::share::newest_card;
use crate::store::Outage;
use crate::store::StoreError;
use crate::types::Clock;
use crate::types::ContactName;
use crate::types::limits::CARD_PATIENCE;
use crate::types::limits::CONTACTS_AT_ONCE;

/// The people that the owner of a mounted pod knows.
pub(super) struct People {
    contacts: Arc<Contacts>,
    mail: Arc<Mail>,
    keys: OwnKeys,
    clock: Clock,
    publishing: Arc<Publishing>,
}

impl People {
    pub(super) fn new(
        rows: &Arc<Rows>,
        bundle: &Bundle,
        clock: Clock,
        publishing: Arc<Publishing>,
    ) -> Self {
        let contacts = Arc::new(Contacts::new(Arc::clone(rows)));
        let mail = Mail::new(rows, &contacts, bundle, Arc::clone(&clock), &publishing);
        Self {
            contacts,
            mail: Arc::new(mail),
            keys: OwnKeys {
                pod_id: hex::encode(bundle.pod_id.0),
                pod_number: bundle.pod,
                device: bundle.device,
                epoch: bundle.epoch,
                sign: hex::encode(sign_public_key(&bundle.sign_seed)),
                x25519: hex::encode(bundle.kem_x25519.public_key()),
                xwing: hex::encode(xwing_public_key(&bundle.kem_xwing).as_slice()),
                card: None,
                published: false,
            },
            clock,
            publishing,
        }
    }

    /// What they and the owner write to each other.
    pub(super) const fn mail(&self) -> &Arc<Mail> {
        &self.mail
    }

    /// The answer to a request.
    pub(super) async fn answer(&self, request: PeopleRequest) -> PeopleResponse {
        let answered = match request {
            PeopleRequest::Me => self.me(),
            PeopleRequest::List { after } => self.list(&after),
            PeopleRequest::Show { name } => self.show(&name),
            _ if !self.publishing.is_running() => {
                let what = "the pod is mounted read-only, and asks no node for anything";
                Err(Refused(Refusal::State, what.to_owned()))
            }
            PeopleRequest::Look { identity, from } => self.look(&identity, from).await,
            PeopleRequest::Use { card } => self.use_card(&card),
            PeopleRequest::Publish => self.publish().await,
            PeopleRequest::Add {
                name,
                card,
                identity,
            } => self.add(&name, card.as_deref(), identity.as_deref()).await,
            PeopleRequest::Verified { name, fingerprint } => self.verified(&name, &fingerprint),
            PeopleRequest::Remove { name } => self
                .contacts
                .remove(&name)
                .map(|()| PeopleResponse::Done)
                .map_err(Refused::from),
        };
        answered.unwrap_or_else(|Refused(why, what)| PeopleResponse::Refused { why, what })
    }

    fn me(&self) -> Answered {
        let own = self.contacts.own()?;
        let (card, published) = match &own {
            Some((card, published)) => (Some(hex::encode(card.bytes())), *published),
            None => (None, false),
        };
        Ok(PeopleResponse::Me(Box::new(OwnKeys {
            card,
            published,
            ..self.keys.clone()
        })))
    }

    async fn look(&self, identity: &str, from: u64) -> Answered {
        let found = self.found(owner(identity)?, from).await?;
        if found.as_ref().is_some_and(|found| found.unread_above) {
            return Err(ShareError::NoCard(Malformed("signed card")).into());
        }
        let card = found.map(|found| hex::encode(found.newest.bytes()));
        Ok(PeopleResponse::Card { card })
    }

    /// The newest card that the network has of an identity, and those before it down to `from`.
    async fn found(&self, owner: Owner, from: u64) -> Result<Option<Found>, Refused> {
        let endpoints = self.publishing.sources().now();
        if endpoints.list().is_empty() {
            let what = "the pod has no node, and nothing of it is in the network";
            return Err(Refused(Refusal::NoNode, what.to_owned()));
        }
        Ok(in_time(newest_card(&endpoints, owner, from)).await??)
    }

    fn use_card(&self, card: &str) -> Answered {
        let card = read(card)?;
        if !has_keys(card.card(), &self.keys) {
            let what = "this card does not have the keys of this pod";
            return Err(Refused(Refusal::Card, what.to_owned()));
        }
        self.contacts.use_own(&card)?;
        Ok(PeopleResponse::Done)
    }

    async fn publish(&self) -> Answered {
        let Some((card, _)) = self.contacts.own()? else {
            let what = "this pod has no card yet";
            return Err(Refused(Refusal::Card, what.to_owned()));
        };
        let is_seen = self.is_seen(&card).await?;
        let publisher = self.publishing.publisher();
        let Some(sent) = in_time(publisher.put(card.chunk())).await? else {
            let what = "the pod has no node with a batch: its card is on this machine only";
            return Err(Refused(Refusal::NoNode, what.to_owned()));
        };
        sent.map_err(ShareError::from)?;
        // Another machine may have put one there meanwhile: then either of the two is there afterwards.
        if !is_seen && !self.is_seen(&card).await? {
            let what = "the node took the card, and does not give it back yet";
            return Err(Refused(Refusal::Missing, what.to_owned()));
        }
        self.contacts.own_is_published(&card)?;
        Ok(PeopleResponse::Done)
    }

    /// Whether the network has the card of this pod; refused when it has another one at its number, or a later one.
    async fn is_seen(&self, card: &SignedCard) -> Result<bool, Refused> {
        let (owner, number) = (card.card().owner(), card.card().number);
        let Some(seen) = self.found(owner, number).await? else {
            return Ok(false);
        };
        if seen.newest == *card && !seen.unread_above {
            return Ok(true);
        }
        let what = format!(
            "the network has another card of this identity than number {number} of this pod"
        );
        Err(Refused(Refusal::Alarm, what))
    }

    fn verified(&self, name: &str, fingerprint: &str) -> Answered {
        let mut compared = Fingerprint([0; 32]);
        hex::decode_to_slice(fingerprint, &mut compared.0)
            .map_err(|error| Refused(Refusal::Card, error.to_string()))?;
        self.contacts.verify(name, &compared)?;
        Ok(PeopleResponse::Done)
    }

    async fn add(&self, name: &str, card: Option<&str>, identity: Option<&str>) -> Answered {
        let name =
            ContactName::parse(name).map_err(|error| Refused(Refusal::Taken, error.to_string()))?;
        let found = match (card, identity) {
            (Some(card), _) => self.handed_over(read(card)?).await?,
            (None, Some(identity)) => self.announced(owner(identity)?).await?,
            (None, None) => {
                let what = "neither a card nor an identity was given";
                return Err(Refused(Refusal::Card, what.to_owned()));
            }
        };
        self.contacts.pin(&name, &found, (self.clock)())?;
        self.show(name.as_str())
    }

    /// A card that was handed over, with those that lead to it from the one that is pinned.
    async fn handed_over(&self, card: SignedCard) -> Result<Found, Refused> {
        let (owner, number) = (card.card().owner(), card.card().number);
        let mut found = Found::alone(card);
        if let Some(pinned) = self.contacts.pinned(owner)?
            && number > pinned.number.saturating_add(1)
            && let Some(seen) = self.found(owner, pinned.number).await?
        {
            found.before = seen.before;
            found.before.push(seen.newest);
            found.before.retain(|card| card.card().number < number);
        }
        Ok(found)
    }

    /// The newest card in the network.
    async fn announced(&self, owner: Owner) -> Result<Found, Refused> {
        let pinned = self.contacts.pinned(owner)?;
        let from = pinned.map_or(0, |pinned| pinned.number);
        self.found(owner, from).await?.ok_or_else(|| {
            let what = "the network has no card of this identity";
            Refused(Refusal::Missing, what.to_owned())
        })
    }

    fn list(&self, after: &str) -> Answered {
        let all = self.contacts.all()?;
        let mut left = all.iter().filter(|it| it.name.as_str() > after);
        let reports = left.by_ref().take(CONTACTS_AT_ONCE).map(report);
        let contacts = reports.collect::<Result<_, _>>();
        Ok(PeopleResponse::Contacts {
            contacts: contacts.map_err(ShareError::from)?,
            more: left.next().is_some(),
        })
    }

    fn show(&self, name: &str) -> Answered {
        let contact = self.contacts.named(name)?;
        let report = report(&contact).map_err(ShareError::from)?;
        Ok(PeopleResponse::Contact(Box::new(report)))
    }
}

type Answered = Result<PeopleResponse, Refused>;

/// Why it was not done.
struct Refused(Refusal, String);

impl From<ShareError> for Refused {
    fn from(error: ShareError) -> Self {
        let why = match &error {
            ShareError::Unknown(_) => Refusal::Unknown,
            ShareError::NameTaken(_) | ShareError::Known(_) | ShareError::TooMany => Refusal::Taken,
            ShareError::Alarm(_) => Refusal::Alarm,
            ShareError::Own
            | ShareError::OwnOlder
            | ShareError::Older(_)
            | ShareError::NoCard(_) => Refusal::Card,
            ShareError::Gap(_) | ShareError::Store(StoreError::NotFound | StoreError::Corrupt) => {
                Refusal::Missing
            }
            ShareError::Store(StoreError::Unavailable { .. }) => Refusal::Network,
            ShareError::Store(StoreError::Rejected(_)) => Refusal::Node,
            ShareError::Journal(_) => Refusal::State,
        };
        Self(why, error.to_string())
    }
}

/// Waits for the network, not for ever.
async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, Refused> {
    let answer = tokio::time::timeout(CARD_PATIENCE, answer).await;
    let late = StoreError::unavailable(Outage::Late(CARD_PATIENCE));
    answer.map_err(|_| ShareError::from(late).into())
}

fn read(card: &str) -> Result<SignedCard, Refused> {
    let bytes = hex::decode(card).unwrap_or_default();
    let card = SignedCard::read(&bytes);
    card.map_err(|error: Malformed| ShareError::from(error).into())
}

fn owner(identity: &str) -> Result<Owner, Refused> {
    let mut owner = Owner([0; 20]);
    hex::decode_to_slice(identity, &mut owner.0)
        .map_err(|error| Refused(Refusal::Card, error.to_string()))?;
    Ok(owner)
}

fn report(contact: &Contact) -> Result<ContactReport, Malformed> {
    let card = contact.card()?;
    Ok(ContactReport {
        name: contact.name.as_str().to_owned(),
        identity: hex::encode(card.owner().0),
        fingerprint: hex::encode(Fingerprint::of(&card.identity).0),
        card: card.number,
        card_time: card.made.secs,
        verified: contact.verified,
        alarm: contact.alarm.is_some(),
        since: contact.since.secs,
    })
}

/// Whether a card has these keys.
pub(super) fn has_keys(card: &Card, keys: &OwnKeys) -> bool {
    card.epoch == keys.epoch
        && hex::encode(card.sign) == keys.sign
        && hex::encode(card.x25519) == keys.x25519
        && hex::encode(card.xwing.as_slice()) == keys.xwing
}
