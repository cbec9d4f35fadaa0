//! What is shared, both ways, as the daemon runs it: grants begin and end in time, their records are sent, and what
//! others share is brought as they publish it.

mod answers;
mod bring;
mod followers;
mod report;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::crypto::keys::BoxSecret;
use crate::daemon::people::People;
use crate::daemon::publishing::Publishing;
use crate::daemon::sharing::tree::PodTree;
use crate::format::grant::Ended;
use crate::format::grant::Grant;
use crate::format::message::MessageBody;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::pod::Caller;
use crate::pod::Pod;
use crate::share::GivenGrants;
use crate::share::Messages;
use crate::share::ReceivedGrants;
use crate::share::ShareError;
use crate::share::Told;
use crate::share::Way;
use crate::sync::Followers;
use crate::sync::fetch::Fetcher;
use crate::sync::receive::Receiver;
use crate::store::Store;
use crate::types::Clock;
use crate::types::limits::MESSAGES_AT_ONCE;
use crate::types::limits::PUBLISH_STOP;
use crate::types::limits::SHARING_TICK;

/// What is shared with others and by others.
pub(super) struct Sharing {
    pod: Arc<Pod>,
    people: Arc<People>,
    publishing: Arc<Publishing>,
    given: GivenGrants,
    received: ReceivedGrants,
    receiver: Receiver,
    owner: Caller,
    clock: Clock,
    wake: Notify,
    /// A record waits for the one before it: once that is sent, publications are asked again.
    again: AtomicBool,
    /// Why what others share is not brought, by grant.
    troubles: Mutex<BTreeMap<[u8; 16], String>>,
    /// Held while something is brought.
    bringing: tokio::sync::Mutex<()>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Sharing {
    pub(super) fn new(
        pod: &Arc<Pod>,
        people: &Arc<People>,
        publishing: &Arc<Publishing>,
        secret: BoxSecret,
        (owner, clock): (Caller, Clock),
    ) -> Arc<Self> {
        let rows = || Arc::clone(pod.rows());
        let store = Arc::clone(publishing.sources()) as Arc<dyn Store>;
        let receiver = Receiver {
            kept: publishing.publisher().kept_shared(),
            fetcher: Fetcher::new(store),
            tree: Arc::new(PodTree(Arc::clone(pod))),
            owner: (owner.uid, owner.gid),
        };
        let sharing = Arc::new(Self {
            pod: Arc::clone(pod),
            people: Arc::clone(people),
            publishing: Arc::clone(publishing),
            given: GivenGrants::new(Arc::clone(people.rows()), rows(), secret),
            received: ReceivedGrants::new(Arc::clone(people.rows()), rows()),
            receiver,
            owner,
            clock,
            wake: Notify::new(),
            again: AtomicBool::new(false),
            troubles: Mutex::default(),
            bringing: tokio::sync::Mutex::default(),
            task: Mutex::default(),
        });
        let followers: Arc<dyn Followers> = Arc::clone(&sharing) as Arc<dyn Followers>;
        publishing.publisher().set_followers(Arc::downgrade(&followers));
        sharing
    }

    /// Runs until [`Sharing::stop`].
    pub(super) fn start(self: &Arc<Self>, runtime: &Handle) {
        let sharing = Arc::clone(self);
        // After a crash it may not be told yet.
        self.publishing.publisher().follow_now_if(self.has_given());
        *self.task.lock() = Some(runtime.spawn(async move { sharing.run().await }));
    }

    /// Ends what runs; what is under way is gone on with at the next mount.
    pub(super) fn stop(&self, runtime: &Runtime) {
        let Some(task) = self.task.lock().take() else {
            return;
        };
        task.abort();
        let ended = runtime.block_on(async { tokio::time::timeout(PUBLISH_STOP, task).await });
        if ended.is_err() {
            tracing::warn!("bringing what others share did not end in time");
        }
    }

    fn has_given(&self) -> bool {
        self.given.followed().is_ok_and(|given| !given.is_empty())
    }

    fn messages(&self) -> &Arc<Messages> {
        self.people.messages()
    }

    async fn run(&self) {
        loop {
            if let Err(error) = self.step().await {
                tracing::debug!(%error, "sharing");
            }
            let woken = tokio::time::timeout(SHARING_TICK, self.wake.notified()).await;
            if woken.is_ok() {
                tracing::trace!("sharing is woken");
            }
        }
    }

    /// Does everything that is due.
    async fn step(&self) -> Result<(), ShareError> {
        self.keep_time()?;
        self.take_grants()?;
        let sent = self.send_records().await;
        self.bring_all().await?;
        sent
    }

    /// Grants begin and end when they say.
    fn keep_time(&self) -> Result<(), ShareError> {
        let now = (self.clock)();
        let is_past = |time: Option<i64>| time.is_some_and(|time| time <= now.secs);
        for given in self.given.all()? {
            if matches!(given.state, GivenState::Ended { .. }) {
                self.given.tell_the_end(&given, now)?;
            } else if is_past(given.terms.until) {
                self.end(&given, Ended::Expired)?;
            } else if given.state == GivenState::Waiting && given.terms.from.is_none_or(|from| is_past(Some(from))) {
                self.hand_over(&given)?;
            }
        }
        Ok(())
    }

    fn end(&self, given: &Given, why: Ended) -> Result<(), ShareError> {
        if self.given.end(given, why, (self.clock)())? == Told::Later {
            self.again.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Sends what opens it.
    fn hand_over(&self, given: &Given) -> Result<(), ShareError> {
        let Some(contact) = self.people.contacts().with_print(&given.contact)? else {
            return Ok(());
        };
        let grant = self.given.handed_over(given)?;
        let body = MessageBody::Grant(grant.as_slice().into());
        let posted = self.messages().post(&contact, body, None, (self.clock)());
        if let Err(error) = posted {
            tracing::warn!(%error, "a grant cannot be handed over yet");
            return Ok(());
        }
        self.given.is_offered(given)?;
        self.people.send_soon();
        self.publishing.publisher().follow_now();
        Ok(())
    }

    /// Grants in messages that came.
    fn take_grants(&self) -> Result<(), ShareError> {
        let mut after = 0;
        loop {
            let messages = self.messages().all(Way::Received, after, MESSAGES_AT_ONCE);
            let messages = messages.map_err(ShareError::from)?;
            let Some(last) = messages.last() else {
                return Ok(());
            };
            after = last.number;
            for kept in messages {
                let MessageBody::Grant(bytes) = &kept.row.message.body else {
                    continue;
                };
                match Grant::decode(bytes) {
                    Ok(grant) => {
                        self.received
                            .arrives(kept.row.contact, grant, kept.row.message.time)?;
                    }
                    Err(_) => tracing::debug!("a grant that this podfs cannot read"),
                }
            }
        }
    }

    /// Records that no node took yet.
    async fn send_records(&self) -> Result<(), ShareError> {
        for given in self.given.all()? {
            let Some((index, chunk)) = self.given.unsent(&given)? else {
                continue;
            };
            if index == 0 && self.given.goes_on(&given, &self.publishing.sources().now()).await? {
                self.publishing.publisher().follow_now();
                continue;
            }
            match self.publishing.publisher().put(&chunk).await {
                None => return Ok(()),
                Some(sent) => sent?,
            }
            self.given.is_sent(&given, index)?;
        }
        if self.again.swap(false, Ordering::AcqRel) {
            self.publishing.publisher().follow_now();
            self.wake.notify_one();
        }
        Ok(())
    }
}
