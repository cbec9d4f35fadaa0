//! Cards: the owner's own, and those of contacts.

use crate::format::card::SignedCard;
use crate::format::rows::{Contact, Key, OwnCard};
use crate::format::wire::Malformed;
use crate::pod::Pod;
use crate::pod::check::{Finding, Report};
use crate::pod::error::PodError;

impl Pod {
    /// Every card must be signed by the identity that it names, and stand under the key of that identity.
    pub(super) fn check_cards(&self, report: &mut Report) -> Result<(), PodError> {
        self.each_row(b'C', |key, row| {
            let card = if key == Key::own_card() {
                OwnCard::decode(&row).and_then(|own| SignedCard::read(own.card.as_slice()))
            } else {
                Contact::decode(&row)
                    .and_then(|contact| SignedCard::read(contact.card.as_slice()))
                    .and_then(|card| {
                        let ours = Key::contact_of(&card.card().identity) == key;
                        ours.then_some(card).ok_or(Malformed("place of a contact"))
                    })
            };
            if let Err(error) = card {
                report.add(Finding::Malformed(key, error.to_string()));
            }
            Ok(())
        })
    }
}
