//! Contacts whose identity was followed by another one. Their card had fixed it before, so whoever has their phrase now
//! names no other; and the new identity says itself whom it follows. They stay who they are: what was noted of them, shared
//! with them or received from them stands under the fingerprint of the first identity that was pinned.

use crate::format::card::SignedCard;
use crate::format::rows::Contact;
use crate::share::cards::Found;
use crate::share::contacts::{Contacts, Pinned, bytes};
use crate::share::error::{Called, ShareError};
use crate::types::limits::IDENTITIES_MAX;

impl Contacts {
    /// The contact whose pinned card has fixed this identity, if its first card says that it follows theirs.
    pub(super) fn predecessor(&self, found: &Found) -> Result<Option<Contact>, ShareError> {
        let owner = found.newest.card().owner();
        for contact in self.all()? {
            let card = contact.card()?;
            if card.successor != Some(owner) {
                continue;
            }
            let Some(first) = first(found) else {
                return Err(ShareError::Gap(Called::new(contact.name.as_str())));
            };
            if first.card().succeeds(&card) {
                return Ok(Some(contact));
            }
        }
        Ok(None)
    }

    /// The contact has the new identity from now on. What was met of the one before, and stopped them, is over with it.
    pub(super) fn follow(&self, mut contact: Contact, found: &Found) -> Result<Pinned, ShareError> {
        let Some(first) = first(found) else {
            return Err(ShareError::Gap(Called::new(contact.name.as_str())));
        };
        if contact.former.len() >= IDENTITIES_MAX {
            return Err(ShareError::TooMany);
        }
        contact.former.push(contact.card()?.fingerprint());
        contact.card = bytes(first)?;
        contact.alarm = None;
        self.put(&contact)?;
        match self.pin_newer(contact, found) {
            // Later cards are looked for again.
            Ok(_) | Err(ShareError::Gap(_)) => Ok(Pinned::Followed),
            Err(error) => Err(error),
        }
    }
}

/// The first card of the identity, if it is among them.
fn first(found: &Found) -> Option<&SignedCard> {
    let mut all = found.before.iter().chain([&found.newest]);
    all.find(|card| card.card().number == 0)
}
