//! Feeds of grants in the network: one record at each index, never another at the same one.

use tokio::task::JoinSet;

use crate::crypto::keys::{CapKey, GrantFeed};
use crate::crypto::publish::{RecordPlace, open_record};
use crate::crypto::swarm::SealedChunk;
use crate::format::grant::GrantRecord;
use crate::share::error::ShareError;
use crate::store::endpoints::Endpoints;
use crate::store::{Outage, StoreError};
use crate::types::limits::{GRANT_GAP, GRANT_REACH};

/// The newest record of a feed.
pub(super) struct Newest {
    pub(super) index: u64,
    /// BLAKE3 of its sealed payload.
    pub(super) hash: [u8; 32],
    pub(super) record: GrantRecord,
}

/// Looks for the newest record from index `from` on. Nothing when everybody answers and nobody has one. A few that are
/// lost hide none behind them.
///
/// # Errors
/// [`ShareError::Store`]: somebody may have one and does not answer.
pub(super) async fn newest_record(
    endpoints: &Endpoints,
    (feed, cap): (GrantFeed, &CapKey),
    from: u64,
) -> Result<Option<Newest>, ShareError> {
    let (mut newest, mut next) = (None, from);
    let mut steps: Vec<u64> = (0..=GRANT_GAP).collect();
    loop {
        let places = steps.iter().filter_map(|step| {
            let index = next.checked_add(*step).filter(|index| *index != u64::MAX)?;
            Some(RecordPlace { feed, index })
        });
        let found = look(endpoints, places.collect()).await?;
        let Some(highest) = found.last().map(|(place, _)| place.index) else {
            return Ok(newest);
        };
        for (place, chunk) in &found {
            if let Some(record) = read(place, cap, chunk) {
                newest = Some(record);
            } else {
                // Only the owner can sign one: it is of a later podfs, or a mistake.
                tracing::info!("a record of a grant cannot be read");
            }
        }
        next = highest.saturating_add(1);
        // At each round more than half of what is left is passed over.
        steps = (0..GRANT_REACH).map(|power| (1_u64 << power) - 1).collect();
    }
}

fn read(place: &RecordPlace, cap: &CapKey, chunk: &SealedChunk) -> Option<Newest> {
    let payload = chunk.payload();
    let plain = open_record(cap, place, payload).ok()?;
    let record = GrantRecord::decode(plain.expose()).ok()?;
    (record.index == place.index).then(|| Newest {
        index: place.index,
        hash: *blake3::hash(payload).as_bytes(),
        record,
    })
}

/// Asks for these places at once; gives what is there, in their order.
async fn look(
    endpoints: &Endpoints,
    places: Vec<RecordPlace>,
) -> Result<Vec<(RecordPlace, SealedChunk)>, ShareError> {
    let mut reading = JoinSet::new();
    for place in places {
        let endpoints = endpoints.clone();
        reading.spawn(async move { (place, endpoints.search(place.address()).await) });
    }
    let mut found = Vec::new();
    while let Some(read) = reading.join_next().await {
        let (place, chunk) = read.map_err(|_| StoreError::unavailable(Outage::Nobody))?;
        found.extend(chunk?.map(|chunk| (place, chunk)));
    }
    found.sort_unstable_by_key(|(place, _)| place.index);
    Ok(found)
}
