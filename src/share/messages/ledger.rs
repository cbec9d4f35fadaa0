//! What has to be known of all messages to take one more: their ids, how many there are, which answer which.

use std::collections::{BTreeMap, BTreeSet};

use crate::crypto::identity::Fingerprint;
use crate::format::message::{MessageBody, MessageId};
use crate::format::rows::{Key, MessageRow, MessageState, forgotten_message};
use crate::index::Rows;
use crate::share::messages::error::MessageError;
use crate::share::messages::{Kept, Messages, Way};

/// Rows that are read at once.
const STEP: usize = 256;

/// A summary of the `M` rows.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) ids: BTreeMap<MessageId, (Way, u64)>,
    /// Number of the newest received message that says to answer this one.
    pub(super) answers: BTreeMap<MessageId, u64>,
    pub(super) unsent: BTreeSet<u64>,
    /// Own requests that are not said to have arrived.
    pub(super) asked: BTreeSet<u64>,
    /// Who wrote something that only who has pinned the owner's card writes.
    pub(super) acquainted: BTreeSet<Fingerprint>,
    /// Received requests of which was told since the start that they have arrived.
    pub(super) told: BTreeSet<MessageId>,
    /// Received messages that were forgotten: some are met again.
    pub(super) forgotten: BTreeSet<MessageId>,
    /// Messages that came with a card, by who wrote them.
    strangers: BTreeMap<Fingerprint, BTreeMap<u64, MessageId>>,
    /// Requests that came and that the audit log does not have.
    unrecorded: BTreeSet<u64>,
    kept: BTreeMap<(Fingerprint, Way), usize>,
    last: BTreeMap<Way, u64>,
}

impl Ledger {
    pub(super) fn load(rows: &Rows) -> Result<Self, MessageError> {
        let mut ledger = Self::default();
        let (mut next, last) = Key::forgotten_until(u32::MAX);
        loop {
            let page = rows.scan(&next, &last, STEP)?;
            for (key, row) in &page {
                ledger.forgotten.insert(forgotten_message(key, row)?);
            }
            let Some(behind) = page.last().and_then(|(key, _)| key.successor()) else {
                break;
            };
            next = behind;
        }
        for way in [Way::Received, Way::Sent] {
            let mut after = 0;
            loop {
                let page = scan(rows, way, after, STEP)?;
                let Some((last, _)) = page.last() else { break };
                after = *last;
                for (number, row) in &page {
                    ledger.add(way, *number, row);
                }
            }
        }
        Ok(ledger)
    }

    pub(super) fn add(&mut self, way: Way, number: u64, row: &MessageRow) {
        self.ids.insert(row.message.id, (way, number));
        *self.kept.entry((row.contact, way)).or_default() += 1;
        self.last.insert(way, number);
        if way == Way::Received
            && let Some(answered) = row.message.answers
        {
            self.answers.insert(answered, number);
        }
        let is_request = matches!(row.message.body, MessageBody::Request(_));
        if way == Way::Received && is_request && !row.recorded {
            self.unrecorded.insert(number);
        }
        if row.state == MessageState::Unsent {
            self.unsent.insert(number);
        }
        match (way, &row.message.body) {
            (Way::Received, MessageBody::Request(_) | MessageBody::Grant(_)) => {
                self.acquainted.insert(row.contact);
            }
            (Way::Sent, MessageBody::Request(_)) if row.state != MessageState::Arrived => {
                self.asked.insert(number);
            }
            _ => {}
        }
        if row.card.is_some() {
            let theirs = self.strangers.entry(row.contact).or_default();
            theirs.insert(number, row.message.id);
        }
    }

    pub(super) fn remove(&mut self, way: Way, number: u64, row: &MessageRow) {
        self.ids.remove(&row.message.id);
        if let Some(kept) = self.kept.get_mut(&(row.contact, way)) {
            *kept = kept.saturating_sub(1);
        }
        if way == Way::Sent {
            self.unsent.remove(&number);
            self.asked.remove(&number);
        } else {
            self.unrecorded.remove(&number);
            self.answers.retain(|_, answer| *answer != number);
        }
        if row.card.is_some()
            && let Some(theirs) = self.strangers.get_mut(&row.contact)
        {
            theirs.remove(&number);
        }
    }

    /// How many messages came with a card, and how many of them this one wrote.
    pub(super) fn strangers(&self, who: &Fingerprint) -> (usize, usize) {
        let all = self.strangers.values().map(BTreeMap::len).sum();
        (all, self.strangers.get(who).map_or(0, BTreeMap::len))
    }

    /// Who wrote them.
    pub(super) fn all_strangers(&self) -> Vec<Fingerprint> {
        let all = self.strangers.iter().filter(|(_, it)| !it.is_empty());
        all.map(|(print, _)| *print).collect()
    }

    /// The newest message that came with the card of this one.
    pub(super) fn newest_of_stranger(&self, who: &Fingerprint) -> Option<u64> {
        self.strangers.get(who)?.keys().next_back().copied()
    }

    /// Numbers of all messages that came with a card of this one.
    pub(super) fn numbers_of_stranger(&self, who: &Fingerprint) -> Vec<u64> {
        let theirs = self.strangers.get(who);
        theirs
            .into_iter()
            .flat_map(|it| it.keys().copied())
            .collect()
    }

    /// All of them.
    pub(super) fn of_stranger(&self, who: &Fingerprint) -> Vec<MessageId> {
        let theirs = self.strangers.get(who);
        theirs
            .into_iter()
            .flat_map(|it| it.values().copied())
            .collect()
    }

    pub(super) fn kept(&self, contact: Fingerprint, way: Way) -> usize {
        self.kept.get(&(contact, way)).copied().unwrap_or_default()
    }

    /// Number of the next message.
    pub(super) fn next(&self, way: Way) -> u64 {
        let last = self.last.get(&way).copied().unwrap_or_default();
        last.saturating_add(1)
    }
}

impl Messages {
    /// Requests that came and that the audit log does not have, in order.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn unrecorded(&self) -> Result<Vec<Kept>, MessageError> {
        self.with_ledger(|ledger| {
            let numbers = ledger.unrecorded.iter();
            numbers
                .map(|number| self.kept(Way::Received, *number))
                .collect()
        })
    }

    /// The audit log has it from now on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn is_recorded(&self, number: u64) -> Result<(), MessageError> {
        self.with_ledger(|ledger| {
            // It may have been forgotten meanwhile.
            if ledger.unrecorded.contains(&number) {
                let mut kept = self.kept(Way::Received, number)?;
                kept.row.recorded = true;
                self.put(Way::Received, number, &kept.row)?;
                ledger.unrecorded.remove(&number);
            }
            Ok(())
        })
    }
}

/// Messages with numbers above `after`, in order.
pub(super) fn scan(
    rows: &Rows,
    way: Way,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, MessageRow)>, MessageError> {
    let Some(first) = after.checked_add(1) else {
        return Ok(Vec::new());
    };
    let (first, last) = (way.key(first), way.key(u64::MAX));
    let found = rows.scan(&first, &last, limit)?;
    let decoded = found.iter().map(|(key, row)| decoded(key, row));
    decoded.collect()
}

fn decoded(key: &Key, row: &[u8]) -> Result<(u64, MessageRow), MessageError> {
    Ok((key.field(1), MessageRow::decode(row)?))
}
