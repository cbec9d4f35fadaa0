//! What is shared, both ways, as the daemon runs it: grants begin and end in time, their records are sent, and what
//! others share is brought as they publish it.

mod accepting;
mod adding;
mod adopting;
mod answers;
mod arriving;
mod attributes;
mod back;
mod bring;
mod client;
mod far;
mod followers;
mod happened;
mod leaving;
mod letting;
mod looking;
mod merging;
mod moving;
mod placing;
mod preview;
mod removing;
mod report;
mod rest;
mod revoking;
mod sending;
mod taking;
#[cfg(test)]
mod tests;
mod tree;
mod undecided;
mod witness;

pub use client::Instead;
pub use client::SharingClient;
pub use client::Wish;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::crypto::identity::Fingerprint;
use crate::daemon::outgoing::Outgoing;
use crate::daemon::people::People;
use crate::daemon::publishing::Publishing;
use crate::daemon::refused::Refused;
use crate::daemon::sharing::sending::Held;
use crate::daemon::sharing::tree::PodTree;
use crate::format::grant::Ended;
use crate::format::message::MessageBody;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::pod::Caller;
use crate::pod::Pod;
use crate::share::GivenGrants;
use crate::share::GrantKeys;
use crate::share::ReceivedGrants;
use crate::share::SeenLogs;
use crate::share::ShareError;
use crate::share::Told;
use crate::share::audit::Happening;
use crate::share::messages::MessageError;
use crate::share::messages::Messages;
use crate::store::Store;
use crate::sync::Followers;
use crate::sync::fetch::Fetcher;
use crate::sync::receive::Receiver;
use crate::types::Clock;
use crate::types::limits::PUBLISH_STOP;
use crate::types::limits::SHARING_TICK;

/// What is shared with others and by others.
pub(super) struct Sharing {
    pod: Arc<Pod>,
    people: Arc<People>,
    messages: Arc<Messages>,
    publishing: Arc<Publishing>,
    given: GivenGrants,
    received: ReceivedGrants,
    seen_logs: SeenLogs,
    receiver: Receiver,
    owner: Caller,
    clock: Clock,
    wake: Notify,
    /// There may be something new of others.
    news: Notify,
    /// A record waits for the one before it: once that is sent, publications are asked again.
    again: AtomicBool,
    /// Grants of people who are stopped.
    stopped: AtomicUsize,
    /// The way of records into the network.
    node: Outgoing,
    /// Why records of grants that the owner gave are not sent.
    held: Mutex<BTreeMap<[u8; 16], Held>>,
    /// Why grants are not handed over, or not told what was published.
    untold: Mutex<BTreeMap<[u8; 16], String>>,
    /// Number of the last message that was looked at for grants.
    taken: AtomicU64,
    /// Why what others share is not brought, by grant.
    troubles: Mutex<BTreeMap<[u8; 16], String>>,
    /// What was added, by others or to what they share, that has to be looked at: ids of the grants received.
    due: Mutex<BTreeSet<[u8; 16]>>,
    /// Why what others added is not taken over, by the grant of it.
    waits: Mutex<BTreeMap<[u8; 16], String>>,
    /// Wakes who looks at it.
    added: Notify,
    /// Held while something is brought.
    bringing: tokio::sync::Mutex<()>,
    /// Grants of which nothing is brought just now, for what was brought is taken over; and whether there is more.
    merging: Mutex<BTreeMap<[u8; 16], bool>>,
    /// Held while receipts are signed, so that what was done is recorded once.
    signing: tokio::sync::Mutex<()>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Sharing {
    pub(super) fn new(
        pod: &Arc<Pod>,
        people: &Arc<People>,
        publishing: &Arc<Publishing>,
        keys: GrantKeys,
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
            messages: Arc::clone(people.mail().messages()),
            publishing: Arc::clone(publishing),
            given: GivenGrants::new(Arc::clone(people.rows()), rows(), keys),
            received: ReceivedGrants::new(Arc::clone(people.rows()), rows()),
            seen_logs: SeenLogs::new(Arc::clone(people.rows())),
            receiver,
            owner,
            clock,
            wake: Notify::new(),
            news: Notify::new(),
            again: AtomicBool::new(false),
            stopped: AtomicUsize::new(0),
            node: Outgoing(Arc::clone(publishing)),
            held: Mutex::default(),
            untold: Mutex::default(),
            taken: AtomicU64::new(0),
            troubles: Mutex::default(),
            due: Mutex::default(),
            waits: Mutex::default(),
            added: Notify::new(),
            bringing: tokio::sync::Mutex::default(),
            merging: Mutex::default(),
            signing: tokio::sync::Mutex::default(),
            tasks: Mutex::default(),
        });
        let followers: Arc<dyn Followers> = Arc::clone(&sharing) as Arc<dyn Followers>;
        publishing
            .publisher()
            .set_followers(Arc::downgrade(&followers));
        sharing.show_trays();
        sharing
    }

    /// Runs until [`Sharing::stop`].
    pub(super) fn start(self: &Arc<Self>, runtime: &Handle) {
        let [sharing, bringing, adding] = [self, self, self].map(Arc::clone);
        self.tasks.lock().extend([
            runtime.spawn(async move { sharing.run().await }),
            runtime.spawn(bringing.run_bringing()),
            runtime.spawn(adding.run_added()),
        ]);
    }

    /// Ends what runs; what is under way is gone on with at the next mount.
    pub(super) fn stop(&self, runtime: &Runtime) {
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            task.abort();
            let ended = runtime.block_on(async { tokio::time::timeout(PUBLISH_STOP, task).await });
            if ended.is_err() {
                tracing::warn!("bringing what others share did not end in time");
            }
        }
    }

    async fn run(&self) {
        self.people.reconciliation().completed().await;
        // After a crash it may not be told yet.
        if self.given.followed().is_ok_and(|given| !given.is_empty()) {
            self.publishing.publisher().follow_now();
        }
        loop {
            self.step().await;
            self.news.notify_one();
            tokio::select! {
                () = self.wake.notified() => {}
                () = self.people.mail().came().notified() => {}
                () = tokio::time::sleep(SHARING_TICK) => {}
            }
        }
    }

    /// Does everything that is due and does not wait for others. What fails keeps nothing else back.
    async fn step(&self) {
        let carried = self.people.rows().carry();
        told("other machines are not told", carried);
        told("grants do not go on with other keys", self.move_grants());
        told("grants do not begin and end", self.keep_time().await);
        told("who is stopped is not known", self.look_at_stopped());
        told("no grants are taken", self.take_grants().await);
        told(
            "versions do not go on with other keys",
            self.move_versions().await,
        );
        told(
            "what is to be sealed anew waits for room",
            self.ask_again()
                .await
                .map_err(|Refused(why, _)| format!("{why:?}")),
        );
        told("no records are sent", self.send_records(&self.node).await);
        told("no audit log is countersigned", self.countersign());
        told("no receipts are signed", self.sign_receipts().await);
        if let Err(refused) = self.people.publish_replaced().await {
            tracing::info!(
                why = ?refused.0,
                "the card with the new keys is not published yet"
            );
        }
    }

    /// Grants begin and end when they say.
    async fn keep_time(&self) -> Result<(), MessageError> {
        let now = (self.clock)();
        let is_past = |time: Option<i64>| time.is_some_and(|time| time <= now.secs);
        for given in self.given.all()? {
            if matches!(given.state, GivenState::Ended { .. }) {
                self.given.tell_the_end(&given, now)?;
            } else if is_past(given.terms.until) {
                self.end(&given, Ended::Expired).await?;
            } else if given.state == GivenState::Waiting
                && given.terms.from.is_none_or(|from| is_past(Some(from)))
            {
                self.hand_over(&given)?;
            }
        }
        Ok(())
    }

    /// Ends it first: what cannot be recorded must not keep it alive.
    async fn end(&self, given: &Given, why: Ended) -> Result<(), MessageError> {
        if self.given.end(given, why, (self.clock)())? == Told::Later {
            self.again.store(true, Ordering::Release);
        }
        if !self.added_to_others()?.contains(&given.id) {
            self.note(&happened::ended(given, why)).await;
        }
        Ok(())
    }

    /// Records what happened whatever becomes of the record.
    async fn note(&self, happening: &Happening) {
        if let Err(fault) = self.people.audit().record(happening).await {
            tracing::warn!(%fault, "not in the audit log");
        }
    }

    /// What the owner calls somebody; nothing when they are a contact no more.
    fn name_of(&self, contact: &Fingerprint) -> Result<String, MessageError> {
        let contact = self.messages.contact(contact)?;
        Ok(contact.map_or_else(String::new, |contact| contact.name.as_str().to_owned()))
    }

    /// Sends what opens it, as the answer to a request if there is one. Else it waits, and the list says why.
    fn hand_over(&self, given: &Given) -> Result<(), MessageError> {
        let Some(contact) = self.messages.contact(&given.contact)? else {
            self.is_not_handed_over(given, "who it is for is a contact no more");
            return Ok(());
        };
        let theirs = contact.epoch().map_err(ShareError::from)?;
        let given = &self.given.with_keys(given, theirs);
        let grant = self.given.handed_over(given)?;
        let body = || MessageBody::Grant(grant.as_slice().into());
        let post = |answers| {
            self.messages
                .post(&contact, body(), answers, (self.clock)())
        };
        let posted = match post(given.answers) {
            // The request was forgotten meanwhile.
            Err(MessageError::Unknown(_)) if given.answers.is_some() => post(None),
            posted => posted,
        };
        if let Err(error) = posted {
            tracing::info!(%error, "a grant cannot be handed over yet");
            self.is_not_handed_over(given, &error.for_people());
            return Ok(());
        }
        self.untold.lock().remove(&given.id);
        self.given.is_offered(given)?;
        self.people.mail().wake();
        self.publishing.publisher().follow_now();
        Ok(())
    }

    fn is_not_handed_over(&self, given: &Given, why: &str) {
        let why = format!("it is not handed over yet: {why}");
        self.untold.lock().insert(given.id, why);
    }
}

/// Tells in the log what was not done.
fn told(what: &str, done: Result<(), impl std::fmt::Display>) {
    if let Err(error) = done {
        tracing::info!(%error, "{what}");
    }
}
