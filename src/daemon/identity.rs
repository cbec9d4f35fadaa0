//! The card of a pod: made once with the recovery phrase, shown and published without it.
//!
//! The identity key is cold: it comes from the phrase and is on no machine. The command that asks for the phrase signs
//! the card itself; the daemon gets the card alone.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::control::OwnKeys;
use crate::control::PeopleRequest;
use crate::control::PeopleResponse;
use crate::crypto::identity::sign_card;
use crate::crypto::keys::IdentityKey;
use crate::crypto::keys::RootKey;
use crate::daemon::contacts::PeopleClient;
use crate::daemon::contacts::unexpected;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::people::has_keys;
use crate::daemon::rekey::GivenPhrase;
use crate::format::card::Card;
use crate::format::card::SignedCard;
use crate::format::text;
use crate::types::system_clock;

/// The identity under a phrase; a later one takes its place only when the owner replaces it.
pub(super) const FIRST: u32 = 0;
/// The machine that made the pod.
const FIRST_DEVICE: u16 = 0;
/// How often a recovered machine looks for an older card, and how long it waits in between: a node that has just begun
/// does not find what is there.
const LOOKS: u32 = 2;
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// What others see of a pod.
#[derive(Clone, Debug, serde::Serialize)]
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
    /// Whether it has the keys of this machine: a machine that was recovered has others until it makes a card.
    pub current: bool,
    #[serde(skip)]
    signed: SignedCard,
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
            fingerprint: hex::encode(card.card().fingerprint().0),
            card: card.card().number,
            card_time: card.card().made.secs,
            published: keys.published,
            current: has_keys(card.card(), &keys),
            signed: card,
        })
    }

    /// Writes the card to a new file, to be handed over.
    ///
    /// # Errors
    /// [`FaultKind::Usage`]: the file cannot be written, or is there already.
    pub fn write_card(&self, file: &Path) -> Result<(), Fault> {
        let written = File::create_new(file).and_then(|mut out| out.write_all(self.signed.bytes()));
        written.map_err(|error| {
            let what = format!("cannot write the card to {}", Quoted(file));
            Fault::io(FaultKind::Usage, what, &error).next("name a file that does not exist yet")
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

/// Whether there is a card with the keys of this machine: then the phrase is not needed.
///
/// # Errors
/// When the daemon does not tell.
pub fn has_card(daemon: &mut PeopleClient) -> Result<bool, Fault> {
    let keys = keys(daemon)?;
    Ok(card_of(&keys).is_some_and(|card| has_keys(card.card(), &keys)))
}

/// Makes a card for the keys of this machine: the one after the newest that is known here or in the network. With
/// `renew` also when that has these keys.
///
/// # Errors
/// [`FaultKind::Phrase`]: it belongs to another pod. [`FaultKind::Network`], [`FaultKind::NoNode`]: nobody tells whether
/// there is a newer card than the one that is known here.
pub fn make_card(
    daemon: &mut PeopleClient,
    phrase: &GivenPhrase,
    renew: bool,
) -> Result<(), Fault> {
    let keys = keys(daemon)?;
    let root = phrase.root();
    require_own(&root, &keys)?;
    let identity = root.identity(FIRST);
    let last = Last::of(daemon, &keys, &identity)?;
    let card = match &last.card {
        Some(before) if has_keys(before.card(), &keys) && !renew => before.clone(),
        before => {
            last.is_followed(daemon)?;
            signed(&identity, &keys, before.as_ref(), |_| {})?
        }
    };
    take(daemon, &card)
}

/// That is the card of the pod from now on.
pub(super) fn take(daemon: &mut PeopleClient, card: &SignedCard) -> Result<(), Fault> {
    let card = hex::encode(card.bytes());
    daemon.order(PeopleRequest::Use { card })
}

/// Refuses the phrase of another pod.
pub(super) fn require_own(root: &RootKey, keys: &OwnKeys) -> Result<(), Fault> {
    if hex::encode(root.pod_id(keys.pod_number).0) == keys.pod_id {
        return Ok(());
    }
    let what = "this is not the recovery phrase of this pod";
    Err(Fault::new(FaultKind::Phrase, what).next("name the pod it belongs to: --pod NAME"))
}

/// The card for the keys `next`, which take the place of those that the pod has: the one after the newest that is known
/// here or in the network. Nothing when the pod has none.
///
/// # Errors
/// As [`make_card`].
pub(super) fn next_card(
    daemon: &mut PeopleClient,
    root: &RootKey,
    (keys, next): (&OwnKeys, &OwnKeys),
) -> Result<Option<SignedCard>, Fault> {
    if keys.card.is_none() {
        return Ok(None);
    }
    let identity = root.identity(FIRST);
    let last = Last::of(daemon, keys, &identity)?;
    last.is_followed(daemon)?;
    signed(&identity, next, last.card.as_ref(), |_| {}).map(Some)
}

/// The newest card that is known here or in the network.
struct Last {
    card: Option<SignedCard>,
    is_seen: bool,
}

impl Last {
    fn of(
        daemon: &mut PeopleClient,
        keys: &OwnKeys,
        identity: &IdentityKey,
    ) -> Result<Self, Fault> {
        let known = card_of(keys);
        let from = known.as_ref().map_or(0, |known| known.card().number);
        let newest = newest(daemon, keys, identity, from)?;
        Ok(Self {
            is_seen: newest.is_some(),
            card: newest.or(known),
        })
    }

    /// Another card is to follow it: then the network has to have it, for whoever pinned the one before looks for the next
    /// number alone, and believes none that is not vouched for by each before it.
    fn is_followed(&self, daemon: &mut PeopleClient) -> Result<(), Fault> {
        let number = self.card.as_ref().map_or(0, |card| card.card().number);
        if self.is_seen || number == 0 {
            return Ok(());
        }
        publish(daemon)
    }
}

/// Has the node take the card.
///
/// # Errors
/// [`FaultKind::NoNode`]: there is none. [`FaultKind::Network`], [`FaultKind::NodeRefused`].
pub fn publish(daemon: &mut PeopleClient) -> Result<(), Fault> {
    let flag = daemon.flag().to_owned();
    match daemon.order(PeopleRequest::Publish) {
        Ok(()) => Ok(()),
        Err(fault) if fault.kind == FaultKind::Missing => {
            Err(fault.next(format!("in a minute: podfs id publish{flag}")))
        }
        Err(fault) if fault.kind == FaultKind::CardChanged => Err(fault.next(format!(
            "if another machine of yours made it: podfs id publish --renew{flag}; else somebody has your recovery phrase"
        ))),
        Err(fault) if fault.kind == FaultKind::NoNode => Err(fault.next(format!(
            "podfs node add URL --batch ID{flag}; or hand the card over: podfs id show --out FILE{flag}"
        ))),
        Err(fault) => Err(fault.next(format!("podfs node test{flag} tells how the nodes are"))),
    }
}

/// The newest card that the network has, not below number `from`. A second card with the number of another is an alarm
/// for everybody who has pinned that: where an older machine may have made one, nothing is taken for granted.
pub(super) fn newest(
    daemon: &mut PeopleClient,
    keys: &OwnKeys,
    identity: &IdentityKey,
    from: u64,
) -> Result<Option<SignedCard>, Fault> {
    let may_be_first = keys.device == FIRST_DEVICE && keys.card.is_none();
    let flag = daemon.flag().to_owned();
    let made_here = card_of(keys).is_some_and(|card| has_keys(card.card(), keys));
    let mut looks = if may_be_first || made_here { 1 } else { LOOKS };
    loop {
        let asked = PeopleRequest::Look {
            identity: hex::encode(identity.owner().0),
            from,
        };
        looks -= 1;
        match daemon.ask(asked) {
            Ok(PeopleResponse::Card { card: Some(card) }) => {
                let card = read(&card)?;
                refuse_forged(&card, keys, &flag)?;
                return Ok(Some(card));
            }
            Ok(PeopleResponse::Card { card: None }) if looks == 0 => return Ok(None),
            Ok(PeopleResponse::Card { card: None }) => daemon.pause(LOOK_AGAIN)?,
            Ok(_) => return Err(unexpected()),
            Err(fault) if fault.kind == FaultKind::NoNode && may_be_first => return Ok(None),
            Err(fault) if fault.kind == FaultKind::NoNode => {
                let what = "only the network tells which card of this pod was the last one";
                return Err(Fault::new(FaultKind::NoNode, what)
                    .next(format!("podfs node add URL{flag}, then try again")));
            }
            Err(fault) => {
                return Err(fault.next(format!("podfs node test{flag} tells how the nodes are")));
            }
        }
    }
}

/// A card of this identity that names another successor than the one that is fixed is by somebody else with its phrase.
fn refuse_forged(found: &SignedCard, keys: &OwnKeys, flag: &str) -> Result<(), Fault> {
    let Some(own) = card_of(keys) else {
        return Ok(());
    };
    let (found, own) = (found.card(), own.card());
    let is_kept = own.successor.is_none() || found.successor == own.successor;
    if found.identity != own.identity || is_kept {
        return Ok(());
    }
    let what = "the network has a card of this pod without the successor that is fixed: somebody has the recovery phrase";
    Err(Fault::new(FaultKind::CardChanged, what)
        .next(format!("with the second phrase: podfs keys handover{flag}")))
}

/// The card behind `before`, as `change` makes it.
pub(super) fn signed(
    identity: &IdentityKey,
    keys: &OwnKeys,
    before: Option<&SignedCard>,
    change: impl FnOnce(&mut Card),
) -> Result<SignedCard, Fault> {
    let number = before.map_or(Some(0), |before| before.card().number.checked_add(1));
    let number = number.ok_or_else(unexpected)?;
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
        successor: before.and_then(|before| before.card().successor),
    };
    let read = hex::decode_to_slice(&keys.sign, &mut card.sign)
        .and_then(|()| hex::decode_to_slice(&keys.x25519, &mut card.x25519))
        .and_then(|()| hex::decode_to_slice(&keys.xwing, card.xwing.as_mut_slice()));
    read.map_err(|_| unexpected())?;
    change(&mut card);
    let chunk = sign_card(identity, number, &card.encode());
    let chunk = chunk.map_err(|error| Fault::new(FaultKind::Other, error.to_string()))?;
    SignedCard::read(chunk.bytes()).map_err(|error| Fault::new(FaultKind::Other, error.to_string()))
}

pub(super) fn keys(daemon: &mut PeopleClient) -> Result<OwnKeys, Fault> {
    if let PeopleResponse::Me(keys) = daemon.ask(PeopleRequest::Me)? {
        Ok(*keys)
    } else {
        Err(unexpected())
    }
}

pub(super) fn card_of(keys: &OwnKeys) -> Option<SignedCard> {
    read(keys.card.as_deref()?).ok()
}

fn read(card: &str) -> Result<SignedCard, Fault> {
    let bytes = hex::decode(card).unwrap_or_default();
    SignedCard::read(&bytes).map_err(|error| Fault::new(FaultKind::NoCard, error.to_string()))
}

fn no_card(daemon: &PeopleClient) -> Fault {
    let next = format!("podfs id publish{}", daemon.flag());
    Fault::new(FaultKind::NoCard, "this pod has no card yet").next(next)
}
