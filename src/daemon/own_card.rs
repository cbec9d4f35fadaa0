//! The pod's own card on its way into the network.

use crate::control::PeopleResponse;
use crate::control::Refusal;
use crate::daemon::happened;
use crate::daemon::people::Answered;
use crate::daemon::people::People;
use crate::daemon::refused::Refused;
use crate::daemon::refused::in_time;
use crate::format::card::SignedCard;
use crate::share::ShareError;

impl People {
    /// Has the node take a card that names keys which replaced others, once a head with these keys is there: who reads
    /// the card can expect it.
    pub(super) async fn publish_replaced(&self) -> Answered {
        match self.contacts().own()? {
            Some((card, false)) if card.card().epoch > 0 && self.is_begun() => self.publish().await,
            _ => Ok(PeopleResponse::Done),
        }
    }

    /// Whether the network has a head with the keys of this machine.
    fn is_begun(&self) -> bool {
        self.publishing.publisher().is_begun().unwrap_or(false)
    }

    pub(super) async fn publish(&self) -> Answered {
        let Some((card, _)) = self.contacts().own()? else {
            let what = "this pod has no card yet";
            return Err(Refused(Refusal::Card, what.to_owned()));
        };
        if card.card().epoch > 0 && !self.is_begun() {
            let what =
                "no node has what the pod published with its new keys: its card follows that";
            return Err(Refused(Refusal::Missing, what.to_owned()));
        }
        let is_seen = self.is_seen(&card).await?;
        let publisher = self.publishing.publisher();
        let Some(sent) = in_time(publisher.put(card.chunk())).await? else {
            let what = "the pod has no node with a batch: its card is on this machine only";
            return Err(Refused(Refusal::NoNode, what.to_owned()));
        };
        sent.map_err(ShareError::from)?;
        // Another machine may have put one there meanwhile: then either of the two is there afterwards.
        if !is_seen && !self.is_seen(&card).await? {
            let what = "the node took the card, and does not give it back yet";
            return Err(Refused(Refusal::Missing, what.to_owned()));
        }
        self.contacts().own_is_published(&card)?;
        self.record(&happened::published(card.card())).await?;
        Ok(PeopleResponse::Done)
    }

    /// Whether the network has the card of this pod; refused when it has another one at its number, or a later one.
    async fn is_seen(&self, card: &SignedCard) -> Result<bool, Refused> {
        let (owner, number) = (card.card().owner(), card.card().number);
        let Some(seen) = self.found(owner, number).await? else {
            return Ok(false);
        };
        if seen.newest == *card && !seen.unread_above {
            return Ok(true);
        }
        let what = format!(
            "the network has another card of this identity than number {number} of this pod"
        );
        Err(Refused(Refusal::Alarm, what))
    }
}
