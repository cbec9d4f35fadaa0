//! How a chunk comes in: stamped, then pushed at once (direct) or queued under a tag (deferred).

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use podfs::types::Address;

use crate::node::Mode;
use crate::node::chain::BatchId;
use crate::node::disk::Held;
use crate::node::hash::{Chunk, Owner};
use crate::node::inner::{Inner, State, Waiting};
use crate::node::issuer::SignedStamp;
use crate::node::network::{Slot, Turned};
use crate::node::params::{BATCH, STAMP, header_hex};
use crate::node::reply::{Refused, refuse};

/// One request that brings chunks.
pub struct Session {
    stamper: Stamper,
    /// Under this tag, or direct.
    pub tag: Option<u64>,
    /// Chunks that came from this number on are dropped again when the request fails.
    first: u64,
}

enum Stamper {
    Own(BatchId),
    Signed(Box<SignedStamp>, Owner),
}

/// Why a chunk was not taken.
#[derive(Debug)]
pub enum NotPut {
    BucketFull,
    /// The client's stamp is signed by somebody else.
    Foreign,
    /// Nobody can have signed it.
    Unsigned,
    /// The storers turned it away.
    Push,
}

/// What a development node says about direct uploads; `/soc` has its own words.
const DIRECT: (StatusCode, &str) = (
    StatusCode::BAD_REQUEST,
    "operation not supported in dev mode",
);

impl Inner {
    /// Opens a session for a request with either kind of stamp.
    pub fn any_session(
        &self,
        headers: &HeaderMap,
        tag: Option<u64>,
        in_dev: Option<(StatusCode, &str)>,
    ) -> Result<Session, Refused> {
        let batch = header_hex(headers, BATCH)?;
        let stamp = header_hex(headers, STAMP)?;
        if stamp.is_empty() && batch.is_empty() && self.options.mode != Mode::Gateway {
            let message =
                format!("Either '{STAMP}' or '{BATCH}' header must be set in the request");
            return Err(refuse(StatusCode::BAD_REQUEST, &message));
        }
        if stamp.is_empty() {
            return self.own_session(&batch, tag, in_dev);
        }
        let malformed = || refuse(StatusCode::BAD_REQUEST, "Stamp deserialization failure");
        let stamp = SignedStamp::parse(&stamp).ok_or_else(malformed)?;
        self.direct_allowed(tag, in_dev)?;
        let batch = self.network.batch(&stamp.slot.batch);
        let unknown = || refuse(StatusCode::BAD_REQUEST, "invalid batch id");
        let owner = batch.ok_or_else(unknown)?.owner;
        Ok(self.session(Stamper::Signed(Box::new(stamp), owner), tag))
    }

    /// Opens a session that stamps with one of the node's own batches.
    pub fn own_session(
        &self,
        batch: &[u8],
        tag: Option<u64>,
        in_dev: Option<(StatusCode, &str)>,
    ) -> Result<Session, Refused> {
        self.direct_allowed(tag, in_dev)?;
        if let Some(batch) = self.gateway_batch {
            return Ok(self.session(Stamper::Own(batch), tag));
        }
        let id = self.stamping_batch(batch)?;
        Ok(self.session(Stamper::Own(id), tag))
    }

    fn direct_allowed(
        &self,
        tag: Option<u64>,
        in_dev: Option<(StatusCode, &str)>,
    ) -> Result<(), Refused> {
        if tag.is_some() || self.options.mode != Mode::Dev {
            return Ok(());
        }
        let (status, message) = in_dev.unwrap_or(DIRECT);
        Err(refuse(status, message))
    }

    /// A batch that this node may stamp with now.
    pub fn stamping_batch(&self, batch: &[u8]) -> Result<BatchId, Refused> {
        let not_found = || refuse(StatusCode::NOT_FOUND, "batch with id not found");
        let unusable = || {
            refuse(
                StatusCode::UNPROCESSABLE_ENTITY,
                "batch not usable yet or does not exist",
            )
        };
        let id = BatchId::try_from(batch).map_err(|_| not_found())?;
        if !self.state().issuers.contains_key(&id) {
            return Err(not_found());
        }
        if self.options.mode == Mode::Dev {
            return Ok(id);
        }
        let late = self.faults.switches().expired_is_unusable;
        let world = self.network.world();
        let Some(batch) = world.chain.batch(&id) else {
            return Err(if late { unusable() } else { not_found() });
        };
        if world.chain.usable(batch) {
            Ok(id)
        } else {
            Err(unusable())
        }
    }

    fn session(&self, stamper: Stamper, tag: Option<u64>) -> Session {
        Session {
            stamper,
            tag,
            first: self.state().arrived,
        }
    }

    /// Takes a chunk. One that shall be forgotten gets its slot, and the answer that it is stored.
    pub fn put(&self, session: &Session, chunk: &Chunk, forget: bool) -> Result<(), NotPut> {
        let mut state = self.state();
        let slot = self.stamp(&mut state, session, chunk)?;
        if forget {
            return Ok(());
        }
        match session.tag {
            None => self.push(&mut state, chunk, slot, None),
            Some(tag) => {
                self.queue(&mut state, chunk, slot, tag);
                Ok(())
            }
        }
    }

    fn stamp(&self, state: &mut State, session: &Session, chunk: &Chunk) -> Result<Slot, NotPut> {
        match &session.stamper {
            Stamper::Own(id) => {
                let now = self.network.clock().now();
                let issuer = state.issuers.get_mut(id).ok_or(NotPut::Push)?;
                let slot = issuer.stamp(chunk, now).map_err(|_| NotPut::BucketFull)?;
                let full = &self.faults.switches().full;
                if full.contains(&(*id, slot.bucket)) {
                    return Err(NotPut::BucketFull);
                }
                Ok(slot)
            }
            Stamper::Signed(stamp, owner) => match stamp.signer(&chunk.address) {
                None => Err(NotPut::Unsigned),
                Some(signer) if signer != *owner => Err(NotPut::Foreign),
                Some(_) => Ok(stamp.slot),
            },
        }
    }

    /// Brings a chunk to the network. A batch that has just ended counts as success, as in Bee.
    fn push(
        &self,
        state: &mut State,
        chunk: &Chunk,
        slot: Slot,
        tag: Option<u64>,
    ) -> Result<(), NotPut> {
        let mut world = self.network.world();
        match world.admit(&chunk.address, slot) {
            Err(Turned::Unpaid) => return Ok(()),
            Err(_) => return Err(NotPut::Push),
            Ok(()) => {}
        }
        let held = state.log_chunk(chunk, &slot, tag, world.bytes(&chunk.address));
        world.keep(chunk.address, held, slot);
        Ok(())
    }

    /// Queues a chunk under a tag, and sends what may be sent.
    fn queue(&self, state: &mut State, chunk: &Chunk, slot: Slot, tag: u64) {
        let seen = state.waiting.get(&chunk.address);
        let seen = seen.is_some_and(|waiting| waiting.batches.contains(&slot.batch));
        if let Some(tag) = state.tags.get_mut(tag) {
            tag.split += 1;
            tag.seen += u64::from(seen);
        }
        if seen {
            state.log_seen(tag);
            return;
        }
        if self.options.mode != Mode::Dev && self.sends(state, chunk, slot, tag) {
            return;
        }
        let before = state
            .waiting
            .get(&chunk.address)
            .map(|held| held.bytes.clone());
        let held = if self.options.mode == Mode::Dev {
            state.log_chunk(chunk, &slot, Some(tag), before)
        } else {
            Held::Memory(Arc::clone(&chunk.bytes))
        };
        state.arrived += 1;
        let number = state.arrived;
        let waiting = state
            .waiting
            .entry(chunk.address)
            .or_insert_with(|| Waiting::new(held, tag, number));
        waiting.batches.push(slot.batch);
        waiting.slots.push(slot);
    }

    /// Whether a queued chunk is done with: sent, or dropped because nobody takes it.
    fn sends(&self, state: &mut State, chunk: &Chunk, slot: Slot, tag: u64) -> bool {
        use crate::node::faults::Push;
        let push = self.faults.switches().push;
        if push == Push::Never {
            return false;
        }
        let sent = self.push(state, chunk, slot, Some(tag)).is_ok();
        if let Some(tag) = state.tags.get_mut(tag)
            && sent
            && push == Push::AtOnce
        {
            tag.sent += 1;
            tag.synced += 1;
        }
        true
    }

    /// Sends all that waits, when it may be sent again.
    pub fn send_waiting(&self) {
        if self.options.mode == Mode::Dev {
            return;
        }
        let mut state = self.state();
        let waiting = std::mem::take(&mut state.waiting);
        for (address, held) in waiting {
            let chunk = Chunk {
                address,
                bytes: held.bytes.read().into(),
                identity: address,
            };
            for slot in &held.slots {
                if !self.sends(&mut state, &chunk, *slot, held.tag) {
                    state.waiting.insert(address, held.clone());
                }
            }
        }
    }

    /// Ends a request that failed: what it brought under its tag and still waits is dropped, and so is everything else
    /// that came under this tag meanwhile. Bee does so too.
    pub fn clean_up(&self, session: &Session) {
        let Some(tag) = session.tag else {
            return;
        };
        let mut state = self.state();
        let first = session.first;
        let dropped: Vec<Address> = state
            .waiting
            .iter()
            .filter(|(_, held)| held.tag == tag && held.number > first)
            .map(|(address, _)| *address)
            .collect();
        for address in dropped {
            state.waiting.remove(&address);
            state.log_forgotten(&address);
        }
    }
}
