//! What others share is taken, under a name of its own.

use crate::control::SharingResponse;
use crate::daemon::refused::Refused;
use crate::daemon::refused::in_time;
use crate::daemon::refused::wrong;
use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::happened;
use crate::format::grant::Grant;
use crate::format::message::MessageBody;
use crate::format::rows::Received;
use crate::format::rows::ReceivedState;
use crate::share::ShareError;
use crate::types::Name;

type Answered = Result<SharingResponse, Refused>;

impl Sharing {
    pub(super) async fn accept(&self, id: &str, name: Option<&str>) -> Answered {
        self.take_grants().await?;
        let received = self.meant(id)?;
        let name = name.map(|name| Name::parse(name.as_bytes()));
        let name = name.transpose().map_err(|error| wrong(&error))?;
        let is_other = name.as_ref().is_some_and(|name| *name != received.label);
        if received.state == ReceivedState::Accepted && is_other {
            let label = String::from_utf8_lossy(received.label.as_bytes());
            return Err(wrong(&format!(
                "it was accepted before, and is seen as {label:?}: that name stays until it ends"
            )));
        }
        let label = match name {
            Some(name) => name,
            None => self.free_label(&received)?,
        };
        let is_taken = |other: &Received| other.id != received.id && other.label == label;
        if self.beside(&received)?.iter().any(is_taken) {
            return Err(wrong(
                &"something else of theirs is seen under this name: choose another with --name",
            ));
        }
        if received.state == ReceivedState::Offered {
            let name = self.name_of(&received.contact)?;
            self.note(&happened::accepted(&received, &name)).await;
        }
        self.received.accept(&received.id, &label)?;
        let received = self.received.one(&hex::encode(received.id))?;
        if let Err(why) = in_time(self.bring(&received)).await? {
            self.troubles.lock().insert(received.id, why);
        }
        self.wake.notify_one();
        let received = self.received.one(&hex::encode(received.id))?;
        let report = self.received_report(&received)?;
        Ok(SharingResponse::Got(Box::new(report)))
    }

    /// The grant of that id, or of the message of that id.
    fn meant(&self, id: &str) -> Result<Received, Refused> {
        if let Ok(kept) = self.messages.one(id)
            && let MessageBody::Grant(bytes) = &kept.row.message.body
            && let Ok(grant) = Grant::decode(bytes)
        {
            return Ok(self.received.one(&hex::encode(grant.id))?);
        }
        Ok(self.received.one(id)?)
    }

    /// What else of theirs is seen in the same folder.
    fn beside(&self, received: &Received) -> Result<Vec<Received>, ShareError> {
        let mut all = self.received.all()?;
        let added = self.added_by_others()?;
        all.retain(|other| {
            other.contact == received.contact
                && other.state == ReceivedState::Accepted
                && !added.contains_key(&other.id)
        });
        Ok(all)
    }

    /// The name that it came with, or that name with a number.
    fn free_label(&self, received: &Received) -> Result<Name, Refused> {
        let beside = self.beside(received)?;
        let own = received.terms.name.as_bytes();
        for number in 1..=beside.len().saturating_add(1) {
            let mut label = own.to_vec();
            if number > 1 {
                label.extend_from_slice(format!(" ({number})").as_bytes());
            }
            let label = Name::parse(&label).map_err(|error| wrong(&error))?;
            let is_taken = |other: &Received| other.id != received.id && other.label == label;
            if !beside.iter().any(is_taken) {
                return Ok(label);
            }
        }
        Err(wrong(&"no name is free: choose one with --name"))
    }
}
