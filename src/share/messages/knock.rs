//! At the doors of others: a request to somebody who perhaps does not know its sender is put into a slot there, and put
//! again when it was overwritten or the day is over, until it was answered, or is said to have arrived.

use crate::crypto::Secret;
use crate::crypto::door::{DoorSlot, has_work, seal_door};
use crate::crypto::identity::Fingerprint;
use crate::crypto::message::{Correspondents, MessagePayload};
use crate::format::card::{Card, SignedCard};
use crate::format::door::Knock;
use crate::format::message::{AccessRequest, Message, MessageBody, MessageId};
use crate::format::rows::{MessageRow, MessageState};
use crate::share::messages::collect::Taken;
use crate::share::messages::door::day;
use crate::share::messages::error::MessageError;
use crate::share::messages::{Messages, Way};
use crate::store::endpoints::Endpoints;
use crate::store::{Store, StoreError};
use crate::types::Timespec;
use crate::types::limits::{DOOR_GIVES_UP, DOOR_PAUSE, DOOR_PUTS, DOOR_SLOTS, DOOR_TRIES};

/// A request at somebody's door.
pub(super) struct AtDoor {
    day: u32,
    /// Numbers of the cards, the own one and theirs, that it is put with: what other keys sealed is put anew.
    cards: (u64, u64),
    /// Where it was put last, and what.
    put: Option<(DoorSlot, Box<MessagePayload>)>,
    /// How often, on that day.
    pub(super) puts: u32,
    /// When it is looked at again, in seconds since 1970, and how long after that.
    next: i64,
    pause: i64,
}

/// To whom, and through whom.
struct Visit<'a> {
    endpoints: &'a Endpoints,
    node: &'a dyn Store,
    now: Timespec,
    own: &'a SignedCard,
}

impl Messages {
    /// Puts requests at the doors of those who never wrote anything that shows that they know the owner. Gives how many
    /// were put.
    ///
    /// # Errors
    /// [`MessageError::NoCard`]; or the log of the pod fails.
    pub async fn knock(
        &self,
        endpoints: &Endpoints,
        node: &dyn Store,
        now: Timespec,
    ) -> Result<usize, MessageError> {
        let _one = self.knocking.lock().await;
        let asked = self.with_ledger(|ledger| Ok(ledger.asked.clone()))?;
        self.at_doors
            .lock()
            .retain(|number, _| asked.contains(number));
        if asked.is_empty() {
            return Ok(0);
        }
        self.own_card()?;
        let own = self.contacts.own()?.ok_or(MessageError::NoCard)?.0;
        let visit = Visit {
            endpoints,
            node,
            now,
            own: &own,
        };
        let mut put = 0;
        for number in asked {
            let Some((card, message)) = self.wanted_at_door(number, now)? else {
                continue;
            };
            if self.knock_at(&visit, number, &card, message).await? {
                put += 1;
            }
        }
        Ok(put)
    }

    /// The card of whom a request goes to, and the request, if it goes to their door now.
    fn wanted_at_door(
        &self,
        number: u64,
        now: Timespec,
    ) -> Result<Option<(Card, Message)>, MessageError> {
        let Ok(kept) = self.kept(Way::Sent, number) else {
            // It was forgotten meanwhile.
            return Ok(None);
        };
        let MessageRow {
            contact,
            since,
            message,
            ..
        } = kept.row;
        let MessageBody::Request(AccessRequest { until, .. }) = &message.body else {
            return Ok(None);
        };
        let is_late = now.secs.saturating_sub(since.secs) > DOOR_GIVES_UP;
        let is_over = until.is_some_and(|until| until <= now.secs);
        let is_known = self.with_ledger(|ledger| {
            let is_answered = ledger.answers.contains_key(&message.id);
            Ok(is_answered || ledger.acquainted.contains(&contact))
        })?;
        if is_late || is_over || is_known {
            return Ok(None);
        }
        let contact = self.contact(&contact)?.filter(|it| it.alarm.is_none());
        let card = contact.map(|contact| contact.card()).transpose()?;
        Ok(card.map(|card| (card, message)))
    }

    /// Whether it was put now.
    async fn knock_at(
        &self,
        visit: &Visit<'_>,
        number: u64,
        card: &Card,
        message: Message,
    ) -> Result<bool, MessageError> {
        let (now, today) = (visit.now.secs, day(visit.now.secs));
        let cards = (visit.own.card().number, card.number);
        let known = self.at_doors.lock().remove(&number);
        let known = known.filter(|known| (known.day, known.cards) == (today, cards));
        let mut at = known.unwrap_or(AtDoor {
            day: today,
            cards,
            put: None,
            puts: 0,
            next: now,
            pause: DOOR_PAUSE.0,
        });
        let is_due = now >= at.next;
        let mut is_put = false;
        if is_due && !visit.is_there(&at).await {
            let knock = Knock {
                card: visit.own.clone(),
                message,
            };
            if at.puts < DOOR_PUTS {
                is_put = self.put_at_door(visit, &mut at, card, &knock).await?;
            }
        }
        if is_due {
            at.next = now.saturating_add(at.pause);
            at.pause = at.pause.saturating_mul(2).min(DOOR_PAUSE.1);
        }
        self.at_doors.lock().insert(number, at);
        Ok(is_put)
    }

    /// Seals the request for a slot of today, and puts it there; whether it is there then.
    async fn put_at_door(
        &self,
        visit: &Visit<'_>,
        at: &mut AtDoor,
        card: &Card,
        knock: &Knock,
    ) -> Result<bool, MessageError> {
        let recipient = card.fingerprint();
        let random = self.random_bytes()?;
        let Ok(slot) = visit.free_slot(&recipient, at.day, random).await else {
            return Ok(false);
        };
        let Ok(body) = knock.padded() else {
            // It was written before there were doors, and is too long for one.
            return Ok(false);
        };
        let sender = visit.own.card().fingerprint();
        let seed = self.random_secret()?;
        let sign = Secret::from_bytes(self.keys().sign.expose());
        let (place, xwing) = (*slot.place(), card.xwing.clone());
        let sealed = tokio::task::spawn_blocking(move || {
            let between = Correspondents {
                sender: &sender,
                recipient: &recipient,
            };
            seal_door(&body, &place, between, (&sign, &xwing), seed)
        });
        let Ok(Ok(payload)) = sealed.await else {
            tracing::warn!("a request cannot be sealed for the door of a contact");
            return Ok(false);
        };
        let Ok(chunk) = slot.chunk(payload.as_slice()) else {
            return Ok(false);
        };
        let taken = visit.node.put(&chunk).await;
        at.puts = at.puts.saturating_add(1);
        at.put = Some((slot, payload));
        Ok(taken.is_ok())
    }

    /// The other one says that a request has arrived.
    pub(super) fn has_arrived(
        &self,
        id: MessageId,
        print: Fingerprint,
    ) -> Result<Taken, MessageError> {
        self.with_ledger(|ledger| {
            let Some((Way::Sent, number)) = ledger.ids.get(&id).copied() else {
                return Ok(Taken::Told);
            };
            let mut row = self.kept(Way::Sent, number)?.row;
            if row.contact != print || !ledger.asked.contains(&number) {
                return Ok(Taken::Told);
            }
            row.state = MessageState::Arrived;
            // Perhaps it was at the door only.
            row.place = Some(row.place.unwrap_or_default());
            row.sealed = None;
            self.put(Way::Sent, number, &row)?;
            ledger.unsent.remove(&number);
            ledger.asked.remove(&number);
            Ok(Taken::Told)
        })
    }
}

impl Visit<'_> {
    /// Whether what was put is there still. Who does not answer says nothing: then it is not put again.
    async fn is_there(&self, at: &AtDoor) -> bool {
        let Some((slot, payload)) = &at.put else {
            return false;
        };
        match self.endpoints.search(slot.address()).await {
            Ok(found) => found.is_some_and(|found| found.payload() == payload.as_slice()),
            Err(_) => true,
        }
    }

    /// One of the slots of a day, at random: one in which nothing stands that somebody has spent work on, if there is one
    /// among those that are tried.
    async fn free_slot(
        &self,
        recipient: &Fingerprint,
        day: u32,
        [start, step]: [u8; 2],
    ) -> Result<DoorSlot, StoreError> {
        // An odd step meets each slot once.
        let (start, step) = (u32::from(start), u32::from(step | 1));
        let number = |nth: u32| start.wrapping_add(nth.wrapping_mul(step)) % DOOR_SLOTS;
        for nth in (0..DOOR_SLOTS).take(DOOR_TRIES) {
            let slot = DoorSlot::of(recipient, day, number(nth));
            let found = self.endpoints.search(slot.address()).await?;
            if !found.is_some_and(|found| has_work(found.payload(), slot.place())) {
                return Ok(slot);
            }
        }
        Ok(DoorSlot::of(recipient, day, number(0)))
    }
}
