//! The own door: what people who may be unknown have put there is read, kept, and acknowledged in the feed to them.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::crypto::door::{DoorSlot, open_door};
use crate::crypto::identity::Fingerprint;
use crate::crypto::message::Correspondents;
use crate::crypto::swarm::SealedChunk;
use crate::format::door::Knock;
use crate::format::message::{Message, MessageBody, MessageId};
use crate::format::rows::{Contact, FeedPlace, MessageRow, MessageState};
use crate::format::wire::Malformed;
use crate::journal::{Batch, Class};
use crate::share::messages::collect::{Collected, Taken};
use crate::share::messages::error::MessageError;
use crate::share::messages::ledger::Ledger;
use crate::share::messages::pair::week_of;
use crate::share::messages::{Messages, Way};
use crate::store::StoreError;
use crate::store::endpoints::Endpoints;
use crate::types::Timespec;
use crate::types::limits::{DOOR_AT_ONCE, DOOR_DAY, DOOR_KEPT, DOOR_SLOTS, MESSAGES_KEPT_MAX};

/// A slot that was looked at.
struct Looked {
    slot: DoorSlot,
    number: u32,
    found: Result<Option<SealedChunk>, StoreError>,
}

impl Messages {
    /// Looks into all slots of the own door, those of yesterday and tomorrow too, for clocks differ. Of what is there only
    /// what work was spent on is opened. What is taken is in the log of the pod when this returns, and so is that it has
    /// arrived, for [`Messages::send`].
    ///
    /// # Errors
    /// When the log of the pod fails.
    pub async fn look_at_door(
        self: &Arc<Self>,
        endpoints: &Endpoints,
        now: Timespec,
    ) -> Result<Collected, MessageError> {
        let _one = self.at_own_door.lock().await;
        let mut all = Collected::default();
        let own = self.contacts.own()?;
        let Some((card, _)) = own.filter(|(card, _)| self.keys().are_on(card.card())) else {
            // Nobody knows this pod, or nobody would believe what it answers.
            return Ok(all);
        };
        let own = card.card().fingerprint();
        let today = day(now.secs);
        let days = [today, today.saturating_sub(1), today.saturating_add(1)];
        let mut slots = days
            .into_iter()
            .flat_map(|day| (0..DOOR_SLOTS).map(move |slot| (day, slot)));
        let mut looking = JoinSet::new();
        loop {
            while looking.len() < DOOR_AT_ONCE
                && let Some((day, number)) = slots.next()
            {
                let endpoints = endpoints.clone();
                looking.spawn(async move {
                    let slot = DoorSlot::of(&own, day, number);
                    let found = endpoints.search(slot.address()).await;
                    Looked {
                        slot,
                        number,
                        found,
                    }
                });
            }
            match looking.join_next().await {
                Some(Ok(looked)) => self.looked(looked, &own, now, &mut all)?,
                Some(Err(_)) => tracing::error!("looking at the door panicked"),
                None => return Ok(all),
            }
        }
    }

    fn looked(
        &self,
        looked: Looked,
        own: &Fingerprint,
        now: Timespec,
        all: &mut Collected,
    ) -> Result<(), MessageError> {
        let chunk = match looked.found {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(()),
            Err(why) => {
                all.silent = Some(why);
                return Ok(());
            }
        };
        let Some(knock) = self.heard(chunk.payload(), &looked.slot, own)? else {
            all.skipped += 1;
            return Ok(());
        };
        match self.let_in(knock, looked.number, now)? {
            Taken::Received => all.received += 1,
            Taken::Repeated | Taken::Told => all.repeated += 1,
            Taken::Skipped => all.skipped += 1,
            Taken::Full => all.is_door_full = true,
        }
        Ok(())
    }

    /// What is said in a slot, if whose card is shown there said it to the owner, in this slot.
    pub(super) fn heard(
        &self,
        payload: &[u8],
        slot: &DoorSlot,
        own: &Fingerprint,
    ) -> Result<Option<Knock>, MessageError> {
        let Ok(opened) = open_door(payload, slot.place(), &self.keys().xwing) else {
            return Ok(None);
        };
        let Ok(knock) = Knock::decode_padded(opened.body()) else {
            return Ok(None);
        };
        let card = knock.card.card();
        let sender = card.fingerprint();
        let between = Correspondents {
            sender: &sender,
            recipient: own,
        };
        let is_theirs = opened.is_signed_by(&card.sign, between).is_ok();
        let contact = self.contacts.with_identity(&sender)?;
        let person = contact.map_or(Ok(sender), |contact| contact.print())?;
        if !is_theirs || sender == *own || self.contacts.is_blocked(&person)? {
            return Ok(None);
        }
        Ok(Some(knock))
    }

    /// Keeps what was said, and that its arrival is to be told, unless it is known or there is too much of it.
    fn let_in(&self, knock: Knock, slot: u32, now: Timespec) -> Result<Taken, MessageError> {
        let card = knock.card.card();
        let mut print = card.fingerprint();
        let contact = self.contacts.with_identity(&print)?;
        // Of a contact the pinned card counts, and nothing when another one was met, or it is of an identity that they left.
        if let Some(contact) = &contact {
            let pinned = contact.card()?;
            let is_other = (pinned.identity, pinned.sign) != (card.identity, card.sign);
            if contact.alarm.is_some() || is_other {
                return Ok(Taken::Skipped);
            }
            print = contact.print()?;
        }
        let is_stranger = contact.is_none();
        let epoch = contact.as_ref().map_or(Ok(card.epoch), Contact::epoch)?;
        let card = is_stranger.then(|| knock.card.bytes().try_into().map(Box::new));
        let card = card.transpose().map_err(|_| Malformed("signed card"))?;
        let row = MessageRow {
            contact: print,
            since: now,
            epoch,
            state: MessageState::New,
            place: Some(FeedPlace {
                week: week_of(now),
                index: slot.into(),
            }),
            card,
            sealed: None,
            recorded: false,
            message: knock.message,
        };
        let told = MessageId(self.random_bytes()?);
        self.with_ledger(|ledger| {
            if is_stranger && !self.is_newest_card(ledger, &knock.card, now)? {
                return Ok(Taken::Skipped);
            }
            let id = row.message.id;
            let mut batch = Batch::new(Class::Meta);
            if let Some((way, number)) = ledger.ids.get(&id).copied() {
                let known = self.kept(way, number)?.row;
                let is_open = matches!(known.state, MessageState::New | MessageState::Seen);
                let is_it = way == Way::Received && known.contact == print && is_open;
                if is_it && ledger.told.insert(id) {
                    self.tell(ledger, (told, id), (print, now), batch)?;
                }
                return Ok(Taken::Repeated);
            }
            if ledger.forgotten.contains(&id) {
                return Ok(Taken::Repeated);
            }
            let (of_all, of_one) = ledger.strangers(&print);
            let is_full = if is_stranger {
                of_all >= DOOR_KEPT.0 || of_one >= DOOR_KEPT.1
            } else {
                ledger.kept(print, Way::Received) >= MESSAGES_KEPT_MAX
            };
            if is_full {
                return Ok(Taken::Full);
            }
            let number = ledger.next(Way::Received);
            batch.put(Way::Received.key(number), row.encode()?);
            self.tell(ledger, (told, id), (print, now), batch)?;
            ledger.told.insert(id);
            ledger.add(Way::Received, number, &row);
            Ok(Taken::Received)
        })
    }

    /// Appends `batch` and, among what is to be sent, that something has arrived.
    fn tell(
        &self,
        ledger: &mut Ledger,
        (id, arrived): (MessageId, MessageId),
        (to, now): (Fingerprint, Timespec),
        mut batch: Batch,
    ) -> Result<(), MessageError> {
        let row = MessageRow {
            contact: to,
            since: now,
            epoch: 0,
            state: MessageState::Unsent,
            place: None,
            card: None,
            sealed: None,
            recorded: false,
            message: Message {
                id,
                time: now,
                answers: Some(arrived),
                body: MessageBody::Arrived,
            },
        };
        let number = ledger.next(Way::Sent);
        batch.put(Way::Sent.key(number), row.encode()?);
        self.rows.append(batch, None)?;
        ledger.add(Way::Sent, number, &row);
        Ok(())
    }
}

/// Days since 1970.
pub(super) fn day(seconds: i64) -> u32 {
    u32::try_from(seconds.div_euclid(DOOR_DAY).max(0)).unwrap_or(u32::MAX)
}
