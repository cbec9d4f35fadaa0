//! What others share, brought into the folder.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::happened;
use crate::daemon::sharing::taking::added_name;
use crate::daemon::sharing::told;
use crate::format::grant::Ended;
use crate::format::grant::RecordState;
use crate::format::published::Entry;
use crate::format::rows::GivenState;
use crate::format::rows::Received;
use crate::format::rows::ReceivedState;
use crate::format::rows::SeenRecord;
use crate::pod::PodError;
use crate::share::ShareError;
use crate::share::messages::MessageError;
use crate::types::Ino;
use crate::types::Name;
use crate::types::limits::BRING_PATIENCE;
use crate::types::limits::OFFERED_AGAIN;
use crate::types::limits::SHARES_AT_ONCE;
use crate::types::limits::SHARING_TICK;

/// What the network says of a grant.
enum News {
    /// Nothing new.
    Nothing,
    /// It is over.
    Over(Ended),
    /// There is a new version.
    Version(SeenRecord, Box<Entry>),
}

/// What was brought of a grant stays as it is: it is taken over.
pub(super) struct Stays<'s> {
    sharing: &'s Sharing,
    id: [u8; 16],
}

impl Drop for Stays<'_> {
    fn drop(&mut self) {
        if self.sharing.merging.lock().remove(&self.id) == Some(true) {
            self.sharing.news.notify_one();
        }
    }
}

impl Sharing {
    /// Brings what others share as they publish it, until the task ends.
    pub(super) async fn run_bringing(self: Arc<Self>) {
        self.people.reconciliation().completed().await;
        let mut asked: Option<Instant> = None;
        loop {
            // Of what was not accepted nobody waits for the end.
            let with_offered = asked.is_none_or(|asked| asked.elapsed() >= OFFERED_AGAIN);
            if with_offered {
                asked = Some(Instant::now());
            }
            told("nothing is brought", self.bring_all(with_offered).await);
            let news = tokio::time::timeout(SHARING_TICK, self.news.notified());
            if news.await.is_ok() {
                tracing::trace!("what others share is looked for");
            }
        }
    }

    /// The newest of everything that the owner accepted. Several are looked for at once; they are brought one after the
    /// other.
    async fn bring_all(self: &Arc<Self>, with_offered: bool) -> Result<(), MessageError> {
        let now = (self.clock)();
        let mut all = self.received.all()?.into_iter().filter(|received| {
            let is_due = with_offered || received.terms.is_past(now);
            match received.state {
                ReceivedState::Accepted => true,
                ReceivedState::Offered => is_due,
                ReceivedState::Ended { .. } => false,
            }
        });
        let mut looking = JoinSet::new();
        loop {
            while looking.len() < SHARES_AT_ONCE
                && let Some(received) = all.next()
            {
                let sharing = Arc::clone(self);
                looking.spawn(async move {
                    let news = sharing.news(&received).await;
                    (received, news)
                });
            }
            let Some(looked) = looking.join_next().await else {
                return Ok(());
            };
            let Ok((received, news)) = looked else {
                tracing::error!("looking for what somebody shares panicked");
                continue;
            };
            let brought = match news {
                Ok(news) => self.bring_news(&received, news).await,
                Err(why) => Err(why),
            };
            let mut troubles = self.troubles.lock();
            match brought {
                Ok(()) => drop(troubles.remove(&received.id)),
                Err(why) => drop(troubles.insert(received.id, why)),
            }
        }
    }

    /// The newest of one grant; of one that was not accepted nothing but its end.
    pub(super) async fn bring(&self, received: &Received) -> Result<(), String> {
        let news = self.news(received).await?;
        self.bring_news(received, news).await
    }

    async fn news(&self, received: &Received) -> Result<News, String> {
        let failed = |error: ShareError| error.to_string();
        if received.terms.is_past((self.clock)()) {
            return Ok(News::Over(Ended::Expired));
        }
        let answered = self.answered_by(&received.id, &received.contact);
        if let Some(given) = answered.map_err(failed)?
            && let GivenState::Ended { why, .. } = given.state
        {
            return Ok(News::Over(why));
        }
        if self.is_blocked(received).map_err(failed)? {
            return Ok(News::Nothing);
        }
        self.refuse_doubtful(received)?;
        let endpoints = self.publishing.sources().now();
        if endpoints.list().is_empty() {
            return Err("the pod has no node".to_owned());
        }
        let newest = in_time(self.received.newest(received, &endpoints)).await?;
        let Some((seen, record)) = newest.map_err(failed)? else {
            return Ok(News::Nothing);
        };
        if received.state == ReceivedState::Accepted {
            self.see_log(received, &record).await;
        }
        Ok(match record.state {
            RecordState::Ended(why) => News::Over(why),
            RecordState::Live(_) if received.state == ReceivedState::Offered => News::Nothing,
            RecordState::Live(entry) => News::Version(seen, entry),
        })
    }

    async fn bring_news(&self, received: &Received, news: News) -> Result<(), String> {
        let _one = self.bringing.lock().await;
        if let Some(is_more) = self.merging.lock().get_mut(&received.id) {
            // It is brought once that is done: nobody else waits for it.
            *is_more = true;
            return Ok(());
        }
        let failed = |error: ShareError| error.to_string();
        // It may have ended since it was looked for, or goes on in another feed.
        let now = self.received.find(&received.id).map_err(failed)?;
        let is_over = |now: &Received| matches!(now.state, ReceivedState::Ended { .. });
        let now = now.filter(|now| !is_over(now) && now.feed == received.feed);
        let Some(now) = now.filter(|now| !self.is_blocked(now).unwrap_or(true)) else {
            return Ok(());
        };
        match news {
            News::Nothing => Ok(()),
            News::Over(why) => self.is_over(&now, why).await,
            News::Version(seen, entry) => self.bring_version(&now, seen, &entry).await,
        }
    }

    /// What is brought of a grant stays as it is until the guard goes. Only this one: others are brought meanwhile.
    pub(super) async fn stays(&self, id: &[u8; 16]) -> Stays<'_> {
        let _one = self.bringing.lock().await;
        self.merging.lock().insert(*id, false);
        Stays {
            sharing: self,
            id: *id,
        }
    }

    async fn bring_version(
        &self,
        received: &Received,
        seen: SeenRecord,
        entry: &Entry,
    ) -> Result<(), String> {
        let failed = |error: ShareError| error.to_string();
        let before = self.received.seen(&received.feed).map_err(failed)?;
        if before.is_some_and(|it| it.index > seen.index || it.index == seen.index && it.is_brought)
        {
            return Ok(());
        }
        let seen_in = |seen: &SeenRecord| self.received.is_seen(&received.feed, seen);
        seen_in(&seen).map_err(failed)?;
        let answered = self.answered_by(&received.id, &received.contact);
        let answered = answered.map_err(failed)?;
        let (dir, name) = match answered {
            Some(_) => (
                self.pod
                    .added(self.owner)
                    .map_err(|error| error.to_string())?,
                added_name(received)?,
            ),
            None => (self.folder_of(received)?, received.label.clone()),
        };
        // What was interrupted is gone on with.
        let brought = in_time(self.receiver.receive((dir, &name), &entry.attributes)).await?;
        brought.map_err(|error| error.to_string())?;
        let seen = SeenRecord {
            is_brought: true,
            ..seen
        };
        if answered.is_none() {
            self.lay_tray(received)?;
        }
        seen_in(&seen).map_err(failed)?;
        self.is_due(&received.id);
        Ok(())
    }

    /// Nothing new is taken of somebody who is blocked.
    fn is_blocked(&self, received: &Received) -> Result<bool, ShareError> {
        self.people.contacts().is_blocked(&received.contact)
    }

    /// Nothing is believed of somebody of whom a card was met that nothing vouches for; nor of a feed that was told of with
    /// keys which were replaced since: somebody else may write there.
    fn refuse_doubtful(&self, received: &Received) -> Result<(), String> {
        self.refuse_stopped(&received.contact)?;
        let contact = self.messages.contact(&received.contact);
        let Some(contact) = contact.map_err(|error| error.to_string())? else {
            return Ok(());
        };
        let epoch = contact.epoch().map_err(|error| error.to_string())?;
        if epoch <= received.epoch {
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

/// Nobody's folder and nobody's feed keeps those of others waiting for longer.
pub(super) async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let done = tokio::time::timeout(BRING_PATIENCE, work).await;
    done.map_err(|_| "it takes long, and is gone on with".to_owned())
}
