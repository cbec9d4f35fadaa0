//! What the daemon answers when it is asked about other people.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::control::AuditRequest;
use crate::control::AuditResponse;
use crate::control::ContactReport;
use crate::control::OwnKeys;
use crate::control::PeopleRequest;
use crate::control::PeopleResponse;
use crate::control::Refusal;
use crate::crypto::identity::Fingerprint;
use crate::crypto::identity::sign_public_key;
use crate::crypto::identity::xwing_public_key;
use crate::crypto::scalar::Owner;
use crate::daemon::audit::Audit;
use crate::daemon::happened;
use crate::daemon::messages::Mail;
use crate::daemon::publishing::Publishing;
use crate::daemon::reconcile::Reconciliation;
use crate::daemon::refused::Refused;
use crate::daemon::refused::in_time;
use crate::daemon::shelf::PodShelf;
use crate::format::card::Card;
use crate::format::card::SignedCard;
use crate::format::keyfile::Bundle;
use crate::format::rows::Contact;
use crate::format::wire::Malformed;
use crate::pod::Pod;
use crate::share::Contacts;
use crate::share::Found;
use crate::share::PeopleRows;
use crate::share::ShareError;
use crate::share::audit::Happening;
use crate::share::newest_card;
use crate::types::Clock;
use crate::types::ContactName;
use crate::types::Timespec;
use crate::types::limits::CONTACTS_AT_ONCE;

/// The people that the owner of a mounted pod knows.
pub(super) struct People {
    rows: Arc<PeopleRows>,
    contacts: Arc<Contacts>,
    reconciliation: Arc<Reconciliation>,
    mail: Arc<Mail>,
    keys: RwLock<OwnKeys>,
    clock: Clock,
    pub(super) publishing: Arc<Publishing>,
    audit: Arc<Audit>,
}

impl People {
    pub(super) fn new(
        pod: &Arc<Pod>,
        bundle: &Bundle,
        clock: Clock,
        publishing: Arc<Publishing>,
    ) -> Self {
        let shelf = Arc::new(PodShelf(Arc::clone(pod)));
        let rows = Arc::new(PeopleRows::new(Arc::clone(pod.rows()), shelf));
        let contacts = Arc::new(Contacts::new(Arc::clone(&rows)));
        let audit = Audit::new(pod, &contacts, bundle, &clock, publishing.publisher());
        let reconciliation = Reconciliation::new(Arc::clone(pod), Arc::clone(&rows));
        let with = (&publishing, &audit, &reconciliation);
        let mail = Mail::new(pod.rows(), &contacts, bundle, Arc::clone(&clock), with);
        Self {
            audit,
            contacts,
            mail: Arc::new(mail),
            reconciliation,
            rows,
            keys: RwLock::new(own_keys(bundle)),
            clock,
            publishing,
        }
    }

    /// What is recorded of the pod.
    pub(super) const fn audit(&self) -> &Arc<Audit> {
        &self.audit
    }

    /// The answer to a request about that.
    pub(super) async fn audit_answer(&self, request: AuditRequest) -> AuditResponse {
        let own = self.contacts.own().ok().flatten();
        let card = own.map(|(card, _)| hex::encode(card.bytes()));
        let may_record = self.publishing.is_running();
        self.audit.answer(request, card, may_record).await
    }

    pub(super) fn now(&self) -> Timespec {
        (self.clock)()
    }

    /// What makes their rows agree with the files that carry them.
    pub(super) const fn reconciliation(&self) -> &Arc<Reconciliation> {
        &self.reconciliation
    }

    /// The rows about other people.
    pub(super) const fn rows(&self) -> &Arc<PeopleRows> {
        &self.rows
    }

    /// Whom the owner knows.
    pub(super) const fn contacts(&self) -> &Arc<Contacts> {
        &self.contacts
    }

    /// Waits until all is known of them, not for long.
    pub(super) async fn complete(&self) -> Result<(), Refused> {
        Ok(self.reconciliation.complete().await?)
    }

    /// What they and the owner write to each other.
    pub(super) const fn mail(&self) -> &Arc<Mail> {
        &self.mail
    }

    /// The answer to a request.
    pub(super) async fn answer(&self, request: PeopleRequest) -> PeopleResponse {
        let answered = match self.complete().await {
            Ok(()) => self.answered(request).await,
            Err(refused) => Err(refused),
        };
        answered.unwrap_or_else(|Refused(why, what)| PeopleResponse::Refused { why, what })
    }

    async fn answered(&self, request: PeopleRequest) -> Answered {
        match request {
            PeopleRequest::Me => self.me(),
            PeopleRequest::List { after } => self.list(&after),
            PeopleRequest::Show { name } => self.show(&name),
            PeopleRequest::Blocked { skip } => self.blocked(skip),
            _ if !self.publishing.is_running() => {
                let what = "the pod is mounted read-only, and asks no node for anything";
                Err(Refused(Refusal::State, what.to_owned()))
            }
            PeopleRequest::Look { identity, from } => self.look(&identity, from).await,
            PeopleRequest::Use { card } => self.use_card(&card).await,
            PeopleRequest::Publish => self.publish().await,
            PeopleRequest::Add {
                name,
                card,
                identity,
            } => self.add(&name, card.as_deref(), identity.as_deref()).await,
            PeopleRequest::Verified { name, fingerprint } => {
                self.verified(&name, &fingerprint).await
            }
            PeopleRequest::Remove { name, .. } => self.remove(&name).await,
            PeopleRequest::Block { who, on } => self.block(&who, on).await,
        }
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
            writable: self.publishing.is_running(),
            ..self.keys.read().clone()
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
    pub(super) async fn found(&self, owner: Owner, from: u64) -> Result<Option<Found>, Refused> {
        let endpoints = self.publishing.sources().now();
        if endpoints.list().is_empty() {
            let what = "the pod has no node, and nothing of it is in the network";
            return Err(Refused(Refusal::NoNode, what.to_owned()));
        }
        Ok(in_time(newest_card(&endpoints, owner, from)).await??)
    }

    async fn use_card(&self, card: &str) -> Answered {
        let card = read(card)?;
        if card.card().successor.is_some() {
            // The keys of the one that follows do not tell.
            let kept = self.audit.keep_origin().await;
            kept.map_err(|fault| Refused(Refusal::State, fault.what))?;
        }
        let is_own = self.contacts.own()?.is_some_and(|(own, _)| own == card);
        if !is_own && !has_keys(card.card(), &self.keys.read()) {
            let what = "this card does not have the keys of this pod";
            return Err(Refused(Refusal::Card, what.to_owned()));
        }
        self.contacts.use_own(&card)?;
        Ok(PeopleResponse::Done)
    }

    /// The keys of the pod are these from now on.
    pub(super) fn replace_keys(&self, bundle: &Bundle) {
        *self.keys.write() = own_keys(bundle);
    }

    async fn verified(&self, name: &str, fingerprint: &str) -> Answered {
        let mut compared = Fingerprint([0; 32]);
        hex::decode_to_slice(fingerprint, &mut compared.0)
            .map_err(|error| Refused(Refusal::Card, error.to_string()))?;
        self.contacts.verify(name, &compared)?;
        let print = self.contacts.named(name)?.print();
        self.rows.forget_log(&print.map_err(ShareError::from)?)?;
        self.record(&happened::verified(&compared, name)).await?;
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
        let pinned = self.contacts.pin(&name, &found, (self.clock)());
        if let Some(met) = happened::met(found.newest.card(), name.as_str(), &pinned) {
            let recorded = self.record(&met).await;
            pinned?;
            recorded?;
        } else {
            pinned?;
        }
        self.show(name.as_str())
    }

    pub(super) async fn record(&self, happening: &Happening) -> Result<(), Refused> {
        let recorded = self.audit.record(happening).await;
        recorded.map_err(|fault| {
            let what = format!("it was done, but {}", fault.what);
            Refused(Refusal::State, what)
        })
    }

    /// A card that was handed over, with those that lead to it from the one that is pinned.
    async fn handed_over(&self, card: SignedCard) -> Result<Found, Refused> {
        let (owner, number) = (card.card().owner(), card.card().number);
        let mut found = Found::alone(card);
        if let Some(needed) = self.contacts.needed(owner)?
            && number > needed
            && let Some(seen) = self.found(owner, needed).await?
        {
            found.before = seen.before;
            found.before.push(seen.newest);
            found.before.retain(|card| card.card().number < number);
        }
        Ok(found)
    }

    /// The newest card in the network, or the one that was shown at the door.
    async fn announced(&self, owner: Owner) -> Result<Found, Refused> {
        let from = self.contacts.needed(owner)?.unwrap_or_default();
        let found = match self.found(owner, from.saturating_sub(1)).await? {
            Some(found) => Some(found),
            None => self.mail.messages().shown_card(owner)?.map(Found::alone),
        };
        found.ok_or_else(|| {
            let what = "the network has no card of this identity";
            Refused(Refusal::Missing, what.to_owned())
        })
    }

    fn list(&self, after: &str) -> Answered {
        let all = self.contacts.all()?;
        let mut left = all.iter().filter(|it| it.name.as_str() > after);
        let reports = left.by_ref().take(CONTACTS_AT_ONCE);
        let contacts = reports.map(|it| self.report(it)).collect::<Result<_, _>>();
        Ok(PeopleResponse::Contacts {
            contacts: contacts?,
            more: left.next().is_some(),
        })
    }

    fn show(&self, name: &str) -> Answered {
        let contact = self.contacts.named(name)?;
        Ok(PeopleResponse::Contact(Box::new(self.report(&contact)?)))
    }

    fn report(&self, contact: &Contact) -> Result<ContactReport, ShareError> {
        let (card, print) = (contact.card()?, contact.print()?);
        Ok(ContactReport {
            name: contact.name.as_str().to_owned(),
            identity: hex::encode(card.owner().0),
            fingerprint: hex::encode(card.fingerprint().0),
            card: card.number,
            card_time: card.made.secs,
            known_as: hex::encode(print.0),
            successor: card.successor.map(|owner| hex::encode(owner.0)),
            verified: contact.verified,
            alarm: contact.alarm.is_some(),
            since: contact.since.secs,
            blocked: self.contacts.blocked_since(&print)?.map(|it| it.secs),
        })
    }
}

pub(super) type Answered = Result<PeopleResponse, Refused>;

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

/// The public keys of a pod, without its card.
pub(super) fn own_keys(bundle: &Bundle) -> OwnKeys {
    OwnKeys {
        pod_id: hex::encode(bundle.pod_id.0),
        pod_number: bundle.pod,
        device: bundle.device,
        epoch: bundle.epoch,
        sign: hex::encode(sign_public_key(&bundle.sign_seed)),
        x25519: hex::encode(bundle.kem_x25519.public_key()),
        xwing: hex::encode(xwing_public_key(&bundle.kem_xwing).as_slice()),
        card: None,
        published: false,
        writable: false,
    }
}

/// Whether a card has these keys.
pub(super) fn has_keys(card: &Card, keys: &OwnKeys) -> bool {
    card.epoch == keys.epoch
        && hex::encode(card.sign) == keys.sign
        && hex::encode(card.x25519) == keys.x25519
        && hex::encode(card.xwing.as_slice()) == keys.xwing
}
