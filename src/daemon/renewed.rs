//! Cards of contacts that take the place of the pinned ones: looked for whenever messages are, since those that come with
//! other keys are only opened with the newer card.

use tokio::task::JoinSet;

use crate::crypto::scalar::Owner;
use crate::daemon::happened;
use crate::daemon::messages::Mail;
use crate::format::card::Card;
use crate::format::rows::Contact;
use crate::share::Pinned;
use crate::share::ShareError;
use crate::share::has_newer_card;
use crate::share::messages::MessageError;
use crate::share::newest_card;
use crate::share::successor_of;
use crate::store::endpoints::Endpoints;
use crate::types::limits::MAIL_CONTACTS_AT_ONCE;

impl Mail {
    /// Pins what follows the pinned cards of all contacts, and says whether there was any. Of those that are stopped only
    /// the identity that their card has fixed to follow theirs is looked for. One that does not follow stops the contact;
    /// who does not answer is asked next time.
    ///
    /// # Errors
    /// When the log of the pod fails.
    pub(super) async fn look_at_cards(&self, endpoints: &Endpoints) -> Result<bool, MessageError> {
        let mut is_renewed = false;
        let mut contacts = self.contacts.all()?.into_iter();
        let mut looking = JoinSet::new();
        loop {
            while looking.len() < MAIL_CONTACTS_AT_ONCE
                && let Some(contact) = contacts.next()
            {
                let Ok(card) = contact.card() else { continue };
                let endpoints = endpoints.clone();
                looking.spawn(async move {
                    let newer = newer_card(&endpoints, &contact, &card).await;
                    (contact, newer)
                });
            }
            let Some(looked) = looking.join_next().await else {
                return Ok(is_renewed);
            };
            if let Ok((contact, Some(newer))) = looked {
                is_renewed |= self.renew(endpoints, &contact, newer).await?;
            }
        }
    }

    async fn renew(
        &self,
        endpoints: &Endpoints,
        contact: &Contact,
        (owner, number): (Owner, u64),
    ) -> Result<bool, MessageError> {
        let Ok(Some(found)) = newest_card(endpoints, owner, number).await else {
            return Ok(false);
        };
        let pinned = self.contacts.pin(&contact.name, &found, (self.clock)());
        let name = contact.name.as_str();
        if let Some(met) = happened::met(found.newest.card(), name, &pinned) {
            self.note(&met).await;
        }
        match pinned {
            Ok(Pinned::Newer | Pinned::Followed) => {
                // What is shared with them goes on with their new keys.
                self.came().notify_one();
                Ok(true)
            }
            Ok(Pinned::New | Pinned::Same) => Ok(false),
            Err(error @ (ShareError::Journal(_) | ShareError::NotCarried(_))) => Err(error.into()),
            Err(error) => {
                tracing::info!(%error, "a newer card of a contact is not pinned");
                Ok(false)
            }
        }
    }
}

/// Whose cards to look for, and from which number on: those of the identity that follows, as soon as there is one, or
/// those behind the pinned one.
async fn newer_card(endpoints: &Endpoints, contact: &Contact, card: &Card) -> Option<(Owner, u64)> {
    if let Ok(Some(first)) = successor_of(endpoints, card).await {
        return Some((first.card().owner(), 0));
    }
    let (owner, number) = (card.owner(), card.number);
    let is_newer =
        contact.alarm.is_none() && has_newer_card(endpoints, owner, number).await.ok()?;
    is_newer.then_some((owner, number))
}
