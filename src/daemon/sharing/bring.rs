//! What others share, brought into the folder.

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::happened;
use crate::daemon::sharing::taking::added_name;
use crate::format::grant::Ended;
use crate::format::grant::RecordState;
use crate::format::rows::GivenState;
use crate::format::rows::Received;
use crate::format::rows::ReceivedState;
use crate::format::rows::SeenRecord;
use crate::pod::PodError;
use crate::share::ShareError;
use crate::share::messages::MessageError;
use crate::types::Ino;
use crate::types::Name;

impl Sharing {
    /// The newest of everything that the owner accepted.
    pub(super) async fn bring_all(&self) -> Result<(), MessageError> {
        for received in self.received.all()? {
            match received.state {
                ReceivedState::Accepted | ReceivedState::Offered => {}
                ReceivedState::Ended { .. } => continue,
            }
            let brought = self.bring(&received).await;
            let mut troubles = self.troubles.lock();
            match brought {
                Ok(()) => drop(troubles.remove(&received.id)),
                Err(why) => drop(troubles.insert(received.id, why)),
            }
        }
        Ok(())
    }

    /// The newest of one grant; of one that was not accepted nothing but its end.
    pub(super) async fn bring(&self, received: &Received) -> Result<(), String> {
        let _one = self.bringing.lock().await;
        let now = (self.clock)();
        if received.terms.until.is_some_and(|until| until <= now.secs) {
            return self.is_over(received, Ended::Expired).await;
        }
        let failed = |error: ShareError| error.to_string();
        let answered = self.answered_by(&received.id, &received.contact);
        let answered = answered.map_err(failed)?;
        if let Some(given) = &answered
            && let GivenState::Ended { why, .. } = given.state
        {
            return self.is_over(received, why).await;
        }
        self.refuse_replaced(received)?;
        let endpoints = self.publishing.sources().now();
        if endpoints.list().is_empty() {
            return Err("the pod has no node".to_owned());
        }
        let newest = self.received.newest(received, &endpoints).await;
        let Some((seen, record)) = newest.map_err(|error| error.to_string())? else {
            return Ok(());
        };
        let entry = match record.state {
            RecordState::Ended(why) => return self.is_over(received, why).await,
            RecordState::Live(_) if received.state == ReceivedState::Offered => return Ok(()),
            RecordState::Live(entry) => entry,
        };
        self.received
            .is_seen(&received.feed, &seen)
            .map_err(failed)?;
        let (dir, name) = match answered {
            Some(_) => (
                self.pod
                    .added(self.owner)
                    .map_err(|error| error.to_string())?,
                added_name(received)?,
            ),
            None => (self.folder_of(received)?, received.label.clone()),
        };
        let brought = self.receiver.receive((dir, &name), &entry.attributes).await;
        brought.map_err(|error| error.to_string())?;
        let seen = SeenRecord {
            is_brought: true,
            ..seen
        };
        if answered.is_none() {
            self.lay_tray(received)?;
        }
        self.received
            .is_seen(&received.feed, &seen)
            .map_err(failed)?;
        self.is_due(&received.id);
        Ok(())
    }

    /// Nothing is believed of a feed that was told of with keys which were replaced since: somebody else may write there.
    fn refuse_replaced(&self, received: &Received) -> Result<(), String> {
        let contact = self.messages.contact(&received.contact);
        let Some(contact) = contact.map_err(|error| error.to_string())? else {
            return Ok(());
        };
        let card = contact.card().map_err(|error| error.to_string())?;
        if card.epoch <= received.epoch {
            return Ok(());
        }
        let name = contact.name.as_str();
        Err(format!(
            "{name} replaced their keys, and did not yet say where it goes on"
        ))
    }

    /// Where what its giver shares is seen.
    fn folder_of(&self, received: &Received) -> Result<Ino, String> {
        let person = self.person(received)?;
        let dir = self.pod.receive_person(&person, self.owner);
        dir.map_err(|error| {
            if matches!(error, PodError::Exists) {
                return "the folder has something of its own that is called \"Shared with me\": rename it"
                    .to_owned();
            }
            error.to_string()
        })
    }

    /// What the owner calls the one who gave it; who is a contact no more is called by the fingerprint.
    pub(super) fn person(&self, received: &Received) -> Result<Name, String> {
        let contact = self.messages.contact(&received.contact);
        let contact = contact.map_err(|error| error.to_string())?;
        let name = contact.map_or_else(
            || hex::encode(received.contact.0),
            |contact| contact.name.as_str().to_owned(),
        );
        Name::parse(name.as_bytes()).map_err(|error| error.to_string())
    }

    async fn is_over(&self, received: &Received, why: Ended) -> Result<(), String> {
        let answered = self.answered_by(&received.id, &received.contact);
        let answered = answered.map_err(|error| error.to_string())?;
        if answered.is_some() {
            let forgotten = self.pod.forget_added(&added_name(received)?);
            forgotten.map_err(|error| error.to_string())?;
            self.receiver.sweep().map_err(|error| error.to_string())?;
            self.waits.lock().remove(&received.id);
        } else if received.state == ReceivedState::Accepted {
            self.take_tray_away(received).await?;
            let person = self.person(received)?;
            let withdrawn = self.pod.withdraw_share(&person, &received.label);
            withdrawn.map_err(|error| error.to_string())?;
            self.receiver.sweep().map_err(|error| error.to_string())?;
        }
        let ended = self.received.end(&received.id, why, (self.clock)());
        ended.map_err(|error| error.to_string())?;
        if answered.is_some() {
            return Ok(());
        }
        let name = self.name_of(&received.contact);
        let name = name.map_err(|error| error.to_string())?;
        self.note(&happened::over(received, why, &name)).await;
        Ok(())
    }
}
