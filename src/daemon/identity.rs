//! The card of a pod: made once with the recovery phrase, shown and published without it.
//!
//! The identity key is cold: it comes from the phrase and is on no machine. The command that asks for the phrase signs
//! the card itself; the daemon gets the card alone.

use std::path::Path;

use crate::control::OwnKeys;
use crate::control::PeopleRequest;
use crate::control::PeopleResponse;
use crate::crypto::identity::Fingerprint;
use crate::crypto::identity::sign_card;
use crate::crypto::keys::IdentityKey;
use crate::daemon::contacts::PeopleClient;
use crate::daemon::contacts::unexpected;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::rekey::GivenPhrase;
use crate::format::card::Card;
use crate::format::card::SignedCard;
use crate::format::text;
use crate::types::system_clock;

/// The identity under a phrase; a later one takes its place only when the owner replaces it.
const FIRST: u32 = 0;

/// What others see of a pod.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Identity {
    /// The text that others add: `podfs1…`.
    pub identity: String,
    /// Its owner address as Ethereum writes it.
    pub address: String,
    /// Fingerprint of the identity, 64 hexadecimal digits.
    pub fingerprint: String,
    /// Number of the card.
    pub card: u64,
    /// When it was made: seconds since 1970.
    pub card_time: i64,
    /// Whether a node took it.
    pub published: bool,
}

impl Identity {
    /// The pod's own.
    ///
    /// # Errors
    /// [`FaultKind::NoCard`]: it has none yet.
    pub fn of(daemon: &mut PeopleClient) -> Result<Self, Fault> {
        let keys = keys(daemon)?;
        let card = card_of(&keys).ok_or_else(|| no_card(daemon))?;
        let owner = card.card().owner();
        Ok(Self {
            identity: text::identity(&owner),
            address: format!("0x{}", hex::encode(owner.0)),
            fingerprint: hex::encode(Fingerprint::of(&card.card().identity).0),
            card: card.card().number,
            card_time: card.card().made.secs,
            published: keys.published,
        })
    }
}

/// The pod's own card.
///
/// # Errors
/// [`FaultKind::NoCard`]: it has none yet.
pub(super) fn own(daemon: &mut PeopleClient) -> Result<SignedCard, Fault> {
    let keys = keys(daemon)?;
    card_of(&keys).ok_or_else(|| no_card(daemon))
}

/// Writes the card to a new file, to be handed over.
///
/// # Errors
/// [`FaultKind::NoCard`]; [`FaultKind::Usage`]: the file cannot be written, or is there already.
pub fn write_card(daemon: &mut PeopleClient, file: &Path) -> Result<(), Fault> {
    let card = own(daemon)?;
    let written = std::fs::File::create_new(file)
        .and_then(|mut out| std::io::Write::write_all(&mut out, card.bytes()));
    written.map_err(|error| {
        let what = format!("cannot write the card to {}", Quoted(file));
        Fault::io(FaultKind::Usage, what, &error).next("name a file that does not exist yet")
    })
}

/// Whether there is a card with the keys of this machine: then the phrase is not needed.
///
/// # Errors
/// When the daemon does not tell.
pub fn has_card(daemon: &mut PeopleClient) -> Result<bool, Fault> {
    let keys = keys(daemon)?;
    Ok(card_of(&keys).is_some_and(|card| has_keys(card.card(), &keys)))
}

/// Makes a card for the keys of this machine: the one after the newest that is known here or in the network.
///
/// # Errors
/// [`FaultKind::Phrase`]: it belongs to another pod. [`FaultKind::Network`]: nobody tells whether there is a newer
/// card than the one that is known here.
pub fn make_card(daemon: &mut PeopleClient, phrase: &GivenPhrase) -> Result<(), Fault> {
    let keys = keys(daemon)?;
    let root = phrase.root();
    if hex::encode(root.pod_id(keys.pod_number).0) != keys.pod_id {
        let what = "this is not the recovery phrase of this pod";
        return Err(
            Fault::new(FaultKind::Phrase, what).next("name the pod it belongs to: --pod NAME")
        );
    }
    let identity = root.identity(FIRST);
    let published = newest(daemon, &identity)?;
    let known = card_of(&keys);
    let before = match (published, known) {
        (Some(published), Some(known)) if known.card().number > published.card().number => {
            Some(known)
        }
        (None, known) => known,
        (published, _) => published,
    };
    let card = match before {
        Some(before) if has_keys(before.card(), &keys) => before,
        before => signed(&identity, &keys, before.as_ref())?,
    };
    let card = hex::encode(card.bytes());
    daemon.order(PeopleRequest::Use { card })
}

/// Has the node take the card.
///
/// # Errors
/// [`FaultKind::NoNode`]: there is none. [`FaultKind::Network`], [`FaultKind::NodeRefused`].
pub fn publish(daemon: &mut PeopleClient) -> Result<(), Fault> {
    let flag = daemon.flag().to_owned();
    match daemon.order(PeopleRequest::Publish) {
        Ok(()) => Ok(()),
        Err(fault) if fault.kind == FaultKind::NoNode => Err(fault.next(format!(
            "podfs node add URL --batch ID{flag}; or hand the card over: podfs id show --out FILE{flag}"
        ))),
        Err(fault) => Err(fault.next(format!("podfs node test{flag} tells how the nodes are"))),
    }
}

/// The newest card that the network has; nothing without a node.
fn newest(daemon: &mut PeopleClient, identity: &IdentityKey) -> Result<Option<SignedCard>, Fault> {
    let asked = PeopleRequest::Look {
        identity: hex::encode(identity.owner().0),
    };
    match daemon.ask(asked) {
        Ok(PeopleResponse::Card { card }) => Ok(card.as_deref().and_then(read)),
        Ok(_) => Err(unexpected()),
        Err(fault) if fault.kind == FaultKind::NoNode => Ok(None),
        Err(fault) => {
            let flag = daemon.flag();
            Err(fault.next(format!("podfs node test{flag} tells how the nodes are")))
        }
    }
}

fn signed(
    identity: &IdentityKey,
    keys: &OwnKeys,
    before: Option<&SignedCard>,
) -> Result<SignedCard, Fault> {
    let number = before.map_or(0, |before| before.card().number.saturating_add(1));
    let mut card = Card {
        number,
        identity_number: FIRST,
        epoch: keys.epoch,
        made: (system_clock())(),
        identity: identity.public_key(),
        sign: [0; 32],
        x25519: [0; 32],
        xwing: Box::new([0; _]),
        previous: before.map_or([0; 32], SignedCard::hash),
        next_identity: before.map_or([0; 32], |before| before.card().next_identity),
    };
    let read = hex::decode_to_slice(&keys.sign, &mut card.sign)
        .and_then(|()| hex::decode_to_slice(&keys.x25519, &mut card.x25519))
        .and_then(|()| hex::decode_to_slice(&keys.xwing, card.xwing.as_mut_slice()));
    read.map_err(|_| unexpected())?;
    let chunk = sign_card(identity, number, &card.encode());
    let chunk = chunk.map_err(|error| Fault::new(FaultKind::Other, error.to_string()))?;
    SignedCard::read(chunk.bytes()).map_err(|error| Fault::new(FaultKind::Other, error.to_string()))
}

fn keys(daemon: &mut PeopleClient) -> Result<OwnKeys, Fault> {
    if let PeopleResponse::Me(keys) = daemon.ask(PeopleRequest::Me)? {
        Ok(*keys)
    } else {
        Err(unexpected())
    }
}

fn card_of(keys: &OwnKeys) -> Option<SignedCard> {
    keys.card.as_deref().and_then(read)
}

fn read(card: &str) -> Option<SignedCard> {
    SignedCard::read(&hex::decode(card).ok()?).ok()
}

fn has_keys(card: &Card, keys: &OwnKeys) -> bool {
    card.epoch == keys.epoch
        && hex::encode(card.sign) == keys.sign
        && hex::encode(card.x25519) == keys.x25519
        && hex::encode(card.xwing.as_slice()) == keys.xwing
}

fn no_card(daemon: &PeopleClient) -> Fault {
    let next = format!("podfs id publish{}", daemon.flag());
    Fault::new(FaultKind::NoCard, "this pod has no card yet").next(next)
}
