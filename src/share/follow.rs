//! Contacts whose identity was followed by another one. Their card had fixed it before, so whoever has their phrase now
//! names no other; and the new identity says itself whom it follows. They stay who they are: what was noted of them, shared
//! with them or received from them stands under the fingerprint of the first identity that was pinned.

use crate::format::card::SignedCard;
use crate::format::rows::Contact;
use crate::share::cards::Found;
use crate::share::contacts::{Contacts, Pinned, bytes};
use crate::share::error::{Called, ShareError};
use crate::types::ContactName;
use crate::types::limits::IDENTITIES_MAX;

impl Contacts {
    /// The contact whose pinned card has fixed this identity, if its first card says that it follows theirs.
    pub(super) fn predecessor(&self, found: &Found) -> Result<Option<Contact>, ShareError> {
        let (owner, mut unknown) = (found.newest.card().owner(), Ok(None));
        for contact in self.all()? {
            let card = contact.card()?;
            if card.successor != Some(owner) {
                continue;
            }
            match first(found) {
                Some(first) if first.card().succeeds(&card) => return Ok(Some(contact)),
                Some(_) => {}
                None => unknown = Err(ShareError::Gap(Called::new(contact.name.as_str()))),
            }
        }
        unknown
    }

    /// The identity that follows theirs was added under another name meanwhile: the contact of before is nobody any more.
    pub(super) fn leave(&self, name: &ContactName, found: &Found) -> Result<(), ShareError> {
        let mut contact = match self.named(name.as_str()) {
            Err(ShareError::Unknown(_)) => return Ok(()),
            named => named?,
        };
        let card = contact.card()?;
        let is_left = first(found).is_some_and(|first| first.card().succeeds(&card));
        if !is_left || contact.alarm.is_some() {
            return Ok(());
        }
        contact.alarm = Some(found.newest.hash());
        self.put(&contact)?;
        Err(ShareError::Alarm(Called::new(name.as_str())))
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
