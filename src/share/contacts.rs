//! The `C` rows: the owner's own card, and people whose cards are pinned.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::crypto::identity::Fingerprint;
use crate::crypto::scalar::Owner;
use crate::format::card::SignedCard;
use crate::format::rows::{Contact, Key, OwnCard};
use crate::format::wire::Malformed;
use crate::share::cards::Found;
use crate::share::error::{Called, ShareError};
use crate::share::rows::PeopleRows;
use crate::types::limits::CONTACTS_MAX;
use crate::types::{ContactName, Timespec};

/// What pinning a card was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// Somebody new.
    New,
    /// A newer card of a contact, which the pinned one led to.
    Newer,
    /// The card that is pinned.
    Same,
    /// A card of the identity that the pinned one has fixed to follow theirs.
    Followed,
}

/// The people that the owner of a pod knows. There is one of these for a pod.
pub struct Contacts {
    pub(super) rows: Arc<PeopleRows>,
    /// Held from reading a row to appending it.
    pub(super) writing: Mutex<()>,
}

impl Contacts {
    /// Those among `rows`.
    pub fn new(rows: Arc<PeopleRows>) -> Self {
        Self {
            rows,
            writing: Mutex::new(()),
        }
    }

    /// The owner's own card, and whether a node took it.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn own(&self) -> Result<Option<(SignedCard, bool)>, ShareError> {
        let Some(row) = self.rows.get(&Key::own_card())? else {
            return Ok(None);
        };
        let own = OwnCard::decode(&row)?;
        let card = SignedCard::read(own.card.as_slice())?;
        Ok(Some((card, own.published)))
    }

    /// From now on that is the owner's card: the one that is, a later one of the same identity with the successor that is
    /// fixed, or the first one of that.
    ///
    /// # Errors
    /// [`ShareError::OwnOlder`]; or it cannot be written.
    pub fn use_own(&self, card: &SignedCard) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let mut published = false;
        if let Some((own, was_published)) = self.own()? {
            let (now, then) = (card.card(), own.card());
            if card == &own {
                published = was_published;
            } else {
                let is_kept = then.successor.is_none() || now.successor == then.successor;
                let is_one = now.identity == then.identity && is_kept;
                let is_later = is_one && now.number > then.number;
                if !is_later && !now.succeeds(then) {
                    return Err(ShareError::OwnOlder);
                }
            }
        }
        self.put_own(card, published)
    }

    /// A node took the owner's card, if it is still that one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn own_is_published(&self, card: &SignedCard) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        match self.own()? {
            Some((own, false)) if &own == card => self.put_own(card, true),
            _ => Ok(()),
        }
    }

    fn put_own(&self, card: &SignedCard, published: bool) -> Result<(), ShareError> {
        let row = OwnCard {
            published,
            card: bytes(card)?,
        };
        self.rows.put(Key::own_card(), row.encode())
    }

    /// All contacts, in the order of their names.
    ///
    /// # Errors
    /// When the log does not give them.
    pub fn all(&self) -> Result<Vec<Contact>, ShareError> {
        let (first, last) = (Key::contact(1), Key::contact(u64::MAX));
        let rows = self.rows.scan(&first, &last, usize::MAX)?;
        let contacts = rows.iter().map(|(_, row)| Contact::decode(row));
        let mut contacts: Vec<Contact> = contacts.collect::<Result<_, _>>()?;
        contacts.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(contacts)
    }

    /// The contact of that name.
    ///
    /// # Errors
    /// [`ShareError::Unknown`].
    pub fn named(&self, name: &str) -> Result<Contact, ShareError> {
        let mut all = self.all()?.into_iter();
        all.find(|contact| contact.name.as_str() == name)
            .ok_or_else(|| ShareError::Unknown(Called::new(name)))
    }

    /// Number of the card of an identity that is needed next: that behind the pinned one, or the first of one that a
    /// contact has fixed to follow theirs. Nothing of anybody else.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn needed(&self, owner: Owner) -> Result<Option<u64>, ShareError> {
        let mut needed = None;
        for contact in self.all()? {
            let card = contact.card()?;
            if card.owner() == owner {
                return Ok(Some(card.number.saturating_add(1)));
            }
            needed = needed.or((card.successor == Some(owner)).then_some(0));
        }
        Ok(needed)
    }

    /// The contact whose identity this is, or was before another one followed it.
    ///
    /// # Errors
    /// When the log does not give it.
    pub fn with_identity(&self, print: &Fingerprint) -> Result<Option<Contact>, ShareError> {
        let is_theirs = |contact: &Contact| {
            let now = contact.card()?.fingerprint();
            Ok::<_, ShareError>(now == *print || contact.former.contains(print))
        };
        // Most have the first one still, and with it their row.
        if let Some(row) = self.rows.get(&Key::contact_with(print))? {
            let contact = Contact::decode(&row)?;
            if is_theirs(&contact)? {
                return Ok(Some(contact));
            }
        }
        for contact in self.all()? {
            if is_theirs(&contact)? {
                return Ok(Some(contact));
            }
        }
        Ok(None)
    }

    /// Pins the newest card of somebody under `name`, or in place of the one that is pinned, when that leads to it.
    ///
    /// # Errors
    /// [`ShareError`] says why not.
    pub fn pin(
        &self,
        name: &ContactName,
        found: &Found,
        now: Timespec,
    ) -> Result<Pinned, ShareError> {
        let _writing = self.writing.lock();
        let newest = &found.newest;
        if let Some((own, _)) = self.own()?
            && own.card().identity == newest.card().identity
        {
            return Err(ShareError::Own);
        }
        let print = newest.card().fingerprint();
        let (contact, is_new) = if let Some(contact) = self.with_identity(&print)? {
            (contact, false)
        } else if let Some(contact) = self.predecessor(found)? {
            (contact, true)
        } else {
            self.pin_new(name, newest, now)?;
            return Ok(Pinned::New);
        };
        let known = || Called::new(contact.name.as_str());
        if contact.name != *name {
            self.leave(name, found)?;
            return Err(ShareError::Known(known()));
        }
        if contact.former.contains(&print) {
            return Err(ShareError::Left(known()));
        }
        if is_new {
            self.follow(contact, found)
        } else {
            self.pin_newer(contact, found)
        }
    }

    fn pin_new(
        &self,
        name: &ContactName,
        card: &SignedCard,
        now: Timespec,
    ) -> Result<(), ShareError> {
        let all = self.all()?;
        if all.iter().any(|contact| contact.name == *name) {
            return Err(ShareError::NameTaken(Called::new(name.as_str())));
        }
        if all.len() >= CONTACTS_MAX {
            return Err(ShareError::TooMany);
        }
        let contact = Contact {
            name: name.clone(),
            verified: false,
            alarm: None,
            since: now,
            former: Vec::new(),
            card: bytes(card)?,
        };
        self.put(&contact)
    }

    pub(super) fn put(&self, contact: &Contact) -> Result<(), ShareError> {
        self.rows.put(contact.key()?, contact.encode())
    }

    pub(super) fn pin_newer(
        &self,
        mut contact: Contact,
        found: &Found,
    ) -> Result<Pinned, ShareError> {
        let name = || Called::new(contact.name.as_str());
        let newest = &found.newest;
        let pinned = SignedCard::read(contact.card.as_slice())?;
        if contact.alarm.is_some() || pinned.card().identity != newest.card().identity {
            return Err(ShareError::Alarm(name()));
        }
        if newest == &pinned {
            return Ok(Pinned::Same);
        }
        if newest.card().number < pinned.card().number {
            return Err(ShareError::Older(name()));
        }
        let mut last = &pinned;
        let above = found.before.iter().chain(std::iter::once(newest));
        for card in above.filter(|card| card.card().number >= pinned.card().number) {
            if card == last {
                continue;
            }
            if card.card().number > last.card().number.saturating_add(1) {
                return Err(ShareError::Gap(name()));
            }
            if !card.follows(last) {
                let error = ShareError::Alarm(name());
                contact.alarm = Some(card.hash());
                self.put(&contact)?;
                return Err(error);
            }
            last = card;
        }
        contact.card = bytes(newest)?;
        self.put(&contact)?;
        Ok(Pinned::Newer)
    }

    /// Notes that both have read the same words to each other, those of the identity with this fingerprint.
    ///
    /// # Errors
    /// [`ShareError::Unknown`]: nobody of that name has it; [`ShareError::Alarm`]: a contact that is stopped is not
    /// verified.
    pub fn verify(&self, name: &str, compared: &Fingerprint) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let mut contact = self.named(name)?;
        if contact.card()?.fingerprint() != *compared {
            return Err(ShareError::Unknown(Called::new(name)));
        }
        if contact.alarm.is_some() {
            return Err(ShareError::Alarm(Called::new(name)));
        }
        contact.verified = true;
        self.put(&contact)
    }

    /// Forgets a contact, and what was pinned of them.
    ///
    /// # Errors
    /// [`ShareError::Unknown`].
    pub fn remove(&self, name: &str) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let contact = self.named(name)?;
        self.rows.delete(contact.key()?)
    }
}

pub(super) fn bytes<const N: usize>(card: &SignedCard) -> Result<Box<[u8; N]>, Malformed> {
    let bytes = card.bytes().try_into();
    bytes
        .map(Box::new)
        .map_err(|_: std::array::TryFromSliceError| Malformed("signed card"))
}
