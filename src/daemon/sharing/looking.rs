//! When what others added, or what was added to what they share, is looked at: each grant on its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::Id;
use tokio::task::JoinError;
use tokio::task::JoinSet;

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::rest::Rest;
use crate::format::rows::Given;
use crate::format::rows::Received;
use crate::format::rows::ReceivedState;
use crate::share::messages::MessageError;
use crate::types::limits::SHARES_AT_ONCE;
use crate::types::limits::SHARING_TICK;

/// What is looked at just now, at most so many at once.
struct Looks {
    running: JoinSet<()>,
    /// Ids of the grants.
    of: BTreeMap<Id, [u8; 16]>,
    at_once: Arc<Semaphore>,
}

impl Sharing {
    /// There is something to be looked at, of what was added by others or to what they share.
    pub(super) fn is_due(&self, id: &[u8; 16]) {
        self.due.lock().insert(*id);
        self.added.notify_one();
    }

    /// Takes over what others added, and lets go what they took over, until the task ends. One of them that takes long
    /// keeps no other waiting.
    pub(super) async fn run_added(self: Arc<Self>) {
        self.people.reconciliation().completed().await;
        for received in self.received.all().unwrap_or_default() {
            self.is_due(&received.id);
        }
        if let Err(error) = self.pod.drop_copies() {
            tracing::debug!(%error, "copies of before a crash stay for now");
        }
        let mut looks = Looks {
            running: JoinSet::new(),
            of: BTreeMap::new(),
            at_once: Arc::new(Semaphore::new(SHARES_AT_ONCE)),
        };
        let mut tick = tokio::time::interval(SHARING_TICK);
        loop {
            tokio::select! {
                Some(ended) = looks.running.join_next_with_id() => {
                    if let Some(unfinished) = looks.end(ended) {
                        self.due.lock().insert(unfinished);
                    }
                    continue;
                }
                () = self.added.notified() => {}
                _ = tick.tick() => {}
            }
            if let Err(error) = self.look_at_added(&mut looks) {
                tracing::debug!(%error, "what was added");
            }
        }
    }

    /// Begins to look at what is due and is not looked at yet.
    fn look_at_added(self: &Arc<Self>, looks: &mut Looks) -> Result<(), MessageError> {
        let mut by_others = self.added_by_others()?;
        for received in self.received.all()? {
            let is_idle = !looks.of.values().any(|id| *id == received.id);
            let is_accepted = received.state == ReceivedState::Accepted;
            if !is_accepted || !is_idle || !self.due.lock().remove(&received.id) {
                continue;
            }
            let (id, given) = (received.id, by_others.remove(&received.id));
            let (sharing, at_once) = (Arc::clone(self), Arc::clone(&looks.at_once));
            let look = looks.running.spawn(async move {
                let _turn = at_once.acquire_owned().await;
                sharing.look_at(&received, given.as_ref()).await;
            });
            looks.of.insert(look.id(), id);
        }
        Ok(())
    }

    async fn look_at(&self, received: &Received, by_them: Option<&Given>) {
        let rest = match by_them {
            Some(given) => self.take_over_from(received, given).await,
            None => match self.let_go_of(received).await {
                Ok(is_all) => Rest::later(!is_all),
                Err(why) => {
                    tracing::debug!(%why, "what was added stays where it is for now");
                    Rest::later(true)
                }
            },
        };
        if rest.is_left() {
            self.due.lock().insert(received.id);
        }
        let mut waits = self.waits.lock();
        match rest.told() {
            Some(why) => drop(waits.insert(received.id, why)),
            None => drop(waits.remove(&received.id)),
        }
    }
}

impl Looks {
    /// Gives the grant that has to be looked at once more.
    fn end(&mut self, ended: Result<(Id, ()), JoinError>) -> Option<[u8; 16]> {
        match ended {
            Ok((look, ())) => {
                self.of.remove(&look);
                None
            }
            Err(error) => {
                tracing::error!("looking at what was added panicked");
                self.of.remove(&error.id())
            }
        }
    }
}
