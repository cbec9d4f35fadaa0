//! People who are no contacts: known by the cards that they show at the door.

use crate::crypto::identity::Fingerprint;
use crate::crypto::scalar::Owner;
use crate::format::card::SignedCard;
use crate::format::rows::Contact;
use crate::format::wire::Malformed;
use crate::journal::{Batch, Class};
use crate::share::messages::error::MessageError;
use crate::share::messages::ledger::Ledger;
use crate::share::messages::{Messages, Way};
use crate::types::{ContactName, Timespec};

impl Messages {
    /// Whether somebody who is no contact shows the newest card that they ever showed; with an older one comes whoever has
    /// keys that were replaced. A newer one, which only their identity signs, takes the place of the one before with all
    /// that is kept of them: what they were told with the old keys is told again, for they may not have read it.
    pub(super) fn is_newest_card(
        &self,
        ledger: &mut Ledger,
        shown: &SignedCard,
        now: Timespec,
    ) -> Result<bool, MessageError> {
        let card = shown.card();
        let print = card.fingerprint();
        let (mut batch, mut renewed) = (Batch::new(Class::Meta), Vec::new());
        for number in ledger.numbers_of_stranger(&print) {
            let mut row = self.kept(Way::Received, number)?.row;
            let Some(before) = &row.card else { continue };
            let before = SignedCard::read(before.as_slice())?;
            if before.card() == card {
                continue;
            }
            if before.card().number >= card.number {
                return Ok(false);
            }
            let bytes = shown.bytes().try_into();
            row.card = Some(Box::new(bytes.map_err(|_| Malformed("signed card"))?));
            row.epoch = card.epoch;
            batch.put(Way::Received.key(number), row.encode()?);
            renewed.push(row.message.id);
        }
        if renewed.is_empty() {
            return Ok(true);
        }
        self.send_again(ledger, &print, now, &mut batch)?;
        self.rows.append(batch, None)?;
        ledger.told.retain(|told| !renewed.contains(told));
        Ok(true)
    }

    /// The contact with this fingerprint, or somebody who came to the door: under no name that a contact has.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn correspondent(&self, print: &Fingerprint) -> Result<Option<Contact>, MessageError> {
        if let Some(contact) = self.contact(print)? {
            return Ok(Some(contact));
        }
        let newest = self.with_ledger(|ledger| {
            let number = ledger.newest_of_stranger(print);
            number.map(|it| self.kept(Way::Received, it)).transpose()
        })?;
        let Some((row, card)) = newest.and_then(|mut kept| {
            let card = kept.row.card.take()?;
            Some((kept.row, card))
        }) else {
            return Ok(None);
        };
        let name = ContactName::parse(&stranger_name(print));
        Ok(Some(Contact {
            name: name.map_err(|_| Malformed("name of a stranger"))?,
            verified: false,
            alarm: None,
            since: row.since,
            former: Vec::new(),
            card,
        }))
    }

    /// Who came to the door and wrote something that is kept.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn strangers(&self) -> Result<Vec<Fingerprint>, MessageError> {
        self.with_ledger(|ledger| Ok(ledger.all_strangers()))
    }

    /// The card that somebody with this owner address showed at the door.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn shown_card(&self, owner: Owner) -> Result<Option<SignedCard>, MessageError> {
        for print in self.strangers()? {
            let Some(stranger) = self.correspondent(&print)? else {
                continue;
            };
            if stranger.card()?.owner() == owner {
                return Ok(Some(SignedCard::read(stranger.card.as_slice())?));
            }
        }
        Ok(None)
    }
}

/// What somebody is called who is no contact.
fn stranger_name(print: &Fingerprint) -> String {
    let digits = hex::encode(print.0);
    format!("stranger {}", digits.get(..8).unwrap_or_default())
}
