//! Cards in the network: a feed for each identity, one card at each index, never another at the same one.

use std::ops::Range;

use tokio::task::JoinSet;

use crate::crypto::identity::card_topic;
use crate::crypto::scalar::Owner;
use crate::crypto::swarm::{SocId, soc_address};
use crate::format::card::{Card, SignedCard};
use crate::format::wire::Malformed;
use crate::share::error::ShareError;
use crate::store::endpoints::Endpoints;
use crate::store::{Outage, StoreError};
use crate::types::limits::{CARD_CHAIN_MAX, CARD_REACH};

/// The newest card of somebody, and those before it as far back as was asked for.
#[derive(Clone, Debug)]
pub struct Found {
    /// The newest.
    pub newest: SignedCard,
    /// Those before it that were found, in order.
    pub before: Vec<SignedCard>,
    /// Whether the owner signed something above the newest that is no card, or one of a later podfs.
    pub unread_above: bool,
}

impl Found {
    /// A card, and nothing else.
    pub const fn alone(newest: SignedCard) -> Self {
        Self {
            newest,
            before: Vec::new(),
            unread_above: false,
        }
    }

    fn of(mut cards: Vec<SignedCard>, unread: &[u64]) -> Result<Option<Self>, ShareError> {
        cards.sort_unstable_by_key(|card| card.card().number);
        let Some(newest) = cards.pop() else {
            return match unread {
                [] => Ok(None),
                _ => Err(Malformed("signed card").into()),
            };
        };
        let number = newest.card().number;
        Ok(Some(Self {
            newest,
            before: cards,
            unread_above: unread.iter().any(|unread| *unread > number),
        }))
    }
}

/// Looks for the cards of `owner` with numbers from `from` on, at most 256 of them. Nothing when everybody answers and
/// nobody has one. Takes as long as the nodes need to search the network.
///
/// # Errors
/// [`ShareError::Store`]: somebody may have them and does not answer. [`ShareError::NoCard`]: there is nothing but what
/// cannot be read.
pub async fn newest_card(
    endpoints: &Endpoints,
    owner: Owner,
    from: u64,
) -> Result<Option<Found>, ShareError> {
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    let last = from.saturating_add(CARD_CHAIN_MAX);
    let mut next = from;
    while next < last {
        let step = next..next.saturating_add(CARD_REACH).min(last);
        let highest = look(endpoints, owner, step, (&mut found, &mut unread)).await?;
        let Some(highest) = highest else { break };
        next = highest.saturating_add(1);
    }
    Found::of(found, &unread)
}

/// Whether there is anything in the place of the card behind number `pinned`.
///
/// # Errors
/// [`ShareError::Store`]: somebody may have it and does not answer.
pub async fn has_newer_card(
    endpoints: &Endpoints,
    owner: Owner,
    pinned: u64,
) -> Result<bool, ShareError> {
    let id = SocId::of_update(&card_topic(), pinned.saturating_add(1));
    Ok(endpoints.search(soc_address(&id, &owner)).await?.is_some())
}

/// The first card of the identity that `card` has fixed to follow its own, when there is one that says so itself.
///
/// # Errors
/// [`ShareError::Store`]: somebody may have it and does not answer.
pub async fn successor_of(
    endpoints: &Endpoints,
    card: &Card,
) -> Result<Option<SignedCard>, ShareError> {
    let Some(owner) = card.successor else {
        return Ok(None);
    };
    let id = SocId::of_update(&card_topic(), 0);
    let chunk = endpoints.search(soc_address(&id, &owner)).await?;
    let first = chunk.and_then(|chunk| SignedCard::read(chunk.bytes()).ok());
    Ok(first.filter(|first| first.card().succeeds(card)))
}

/// Whether the identity of these cards was left for one that they fixed: whoever has its phrase now may be anybody.
///
/// # Errors
/// [`ShareError::Store`]: somebody may know and does not answer.
pub async fn is_left(endpoints: &Endpoints, found: &Found) -> Result<bool, ShareError> {
    let mut asked = Vec::new();
    for card in found.before.iter().chain([&found.newest]) {
        let card = card.card();
        if card.successor.is_some() && !asked.contains(&card.successor) {
            asked.push(card.successor);
            if successor_of(endpoints, card).await?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Asks for these numbers at once; gives the highest at which there is anything.
async fn look(
    endpoints: &Endpoints,
    owner: Owner,
    numbers: Range<u64>,
    (found, unread): (&mut Vec<SignedCard>, &mut Vec<u64>),
) -> Result<Option<u64>, ShareError> {
    let mut reading = JoinSet::new();
    for number in numbers {
        let endpoints = endpoints.clone();
        reading.spawn(async move {
            let address = soc_address(&SocId::of_update(&card_topic(), number), &owner);
            (number, endpoints.search(address).await)
        });
    }
    let mut highest = None;
    while let Some(read) = reading.join_next().await {
        let (number, chunk) = read.map_err(|_| StoreError::unavailable(Outage::Nobody))?;
        let Some(chunk) = chunk? else { continue };
        highest = highest.max(Some(number));
        match SignedCard::read(chunk.bytes()) {
            Ok(card) => found.push(card),
            Err(Malformed(_)) => unread.push(number),
        }
    }
    Ok(highest)
}
