//! Cards in the network: a feed for each identity, one card at each index, never another at the same one.

use std::ops::Range;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::crypto::identity::card_topic;
use crate::crypto::scalar::Owner;
use crate::crypto::swarm::{SocId, soc_address};
use crate::format::card::SignedCard;
use crate::share::error::ShareError;
use crate::store::{Outage, Store, StoreError};
use crate::types::limits::{CARD_CHAIN_MAX, CARD_REACH};

/// The newest card of somebody, and those before it as far back as was asked for.
#[derive(Clone, Debug)]
pub struct Found {
    /// The newest.
    pub newest: SignedCard,
    /// Those before it that were found, in order.
    pub before: Vec<SignedCard>,
}

/// Looks for the cards of `owner` with numbers from `from` on. Nothing when there is none.
///
/// # Errors
/// [`ShareError::Store`]: somebody may have them and does not answer now. [`ShareError::NoCard`]: what stands there
/// is signed by the owner and is no card.
pub async fn newest_card(
    store: &Arc<dyn Store>,
    owner: Owner,
    from: u64,
) -> Result<Option<Found>, ShareError> {
    let mut found: Vec<SignedCard> = Vec::new();
    let last = from.saturating_add(CARD_CHAIN_MAX);
    let mut next = from;
    while next < last {
        let step = next..next.saturating_add(CARD_REACH).min(last);
        let cards = cards(store, owner, step).await?;
        let Some(highest) = cards.last().map(|card| card.card().number) else {
            break;
        };
        found.retain(|card| card.card().number < next);
        found.extend(cards);
        next = highest.saturating_add(1);
    }
    Ok(found.pop().map(|newest| Found {
        newest,
        before: found,
    }))
}

/// The cards with these numbers, those that are there, in order.
async fn cards(
    store: &Arc<dyn Store>,
    owner: Owner,
    numbers: Range<u64>,
) -> Result<Vec<SignedCard>, ShareError> {
    let mut reading = JoinSet::new();
    for number in numbers {
        let store = Arc::clone(store);
        reading.spawn(async move {
            let address = soc_address(&SocId::of_update(&card_topic(), number), &owner);
            store.get(address).await
        });
    }
    let mut cards = Vec::new();
    while let Some(read) = reading.join_next().await {
        match read.map_err(|_| StoreError::unavailable(Outage::Nobody))? {
            Ok(chunk) => cards.push(SignedCard::read(chunk.bytes())?),
            Err(StoreError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    cards.sort_unstable_by_key(|card| card.card().number);
    Ok(cards)
}
