//! Messages in a mounted pod: looked for and sent now and then, and at once when somebody asks.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::control::CollectReport;
use crate::control::MessagesRequest;
use crate::control::MessagesResponse;
use crate::control::Refusal;
use crate::crypto::Secret;
use crate::crypto::keys::KemX25519Key;
use crate::crypto::keys::KemXwingSeed;
use crate::daemon::audit::Audit;
use crate::daemon::hook::Hook;
use crate::daemon::keyfile::system_entropy;
use crate::daemon::message_report::report;
use crate::daemon::outgoing::Outgoing;
use crate::daemon::publishing::Publishing;
use crate::daemon::reconcile::Reconciliation;
use crate::daemon::refused::Refused;
use crate::daemon::refused::wrong;
use crate::format::audit::Kind;
use crate::format::keyfile::Bundle;
use crate::format::message::AccessRequest;
use crate::format::message::MessageBody;
use crate::format::message::MessageId;
use crate::format::rows::MessageState;
use crate::index::Rows;
use crate::share::Contacts;
use crate::share::audit::Happening;
use crate::share::messages::Collected;
use crate::share::messages::MessageError;
use crate::share::messages::MessageKeys;
use crate::share::messages::Messages;
use crate::share::messages::MessagesParts;
use crate::share::messages::Way;
use crate::types::Clock;
use crate::types::PlainText;
use crate::types::limits::MAIL_AGAIN;
use crate::types::limits::MAIL_PATIENCE;
use crate::types::limits::PUBLISH_STOP;

/// Contacts who wrote too much that an answer names.
const FULL_SHOWN: usize = 8;

/// The messages of a mounted pod.
pub(super) struct Mail {
    pub(super) messages: Arc<Messages>,
    pub(super) contacts: Arc<Contacts>,
    pub(super) clock: Clock,
    pub(super) publishing: Arc<Publishing>,
    pub(super) node: Outgoing,
    pub(super) audit: Arc<Audit>,
    /// What comes is of people who are known here, and of grants that are.
    known: Arc<Reconciliation>,
    /// Told when something was written.
    written: Notify,
    /// Told when something came.
    came: Notify,
    /// When the door is looked at by itself.
    pub(super) door_due: Mutex<Option<Instant>>,
    /// Held while requests are recorded: each is once.
    pub(super) noting: tokio::sync::Mutex<()>,
    running: Mutex<Option<JoinHandle<()>>>,
    hook: Mutex<Option<Hook>>,
}

impl Mail {
    /// Nothing runs yet.
    pub(super) fn new(
        rows: &Arc<Rows>,
        contacts: &Arc<Contacts>,
        bundle: &Bundle,
        clock: Clock,
        (publishing, audit, known): (&Arc<Publishing>, &Arc<Audit>, &Arc<Reconciliation>),
    ) -> Self {
        let messages = Messages::new(MessagesParts {
            rows: Arc::clone(rows),
            contacts: Arc::clone(contacts),
            keys: message_keys(bundle),
            random: Box::new(system_entropy),
        });
        Self {
            messages: Arc::new(messages),
            contacts: Arc::clone(contacts),
            clock,
            publishing: Arc::clone(publishing),
            node: Outgoing(Arc::clone(publishing)),
            audit: Arc::clone(audit),
            known: Arc::clone(known),
            written: Notify::new(),
            came: Notify::new(),
            door_due: Mutex::default(),
            noting: tokio::sync::Mutex::default(),
            running: Mutex::default(),
            hook: Mutex::default(),
        }
    }

    /// Looks for messages and sends them from now on, and tells the hook, this program with its arguments, what came.
    pub(super) fn start(self: &Arc<Self>, runtime: &Handle, hook: &[String]) {
        *self.hook.lock() = Hook::start(hook);
        let mail = Arc::clone(self);
        let task = runtime.spawn(async move {
            mail.known.completed().await;
            loop {
                if !mail.publishing.sources().now().list().is_empty() {
                    let round = mail.round(&mut Collected::default(), false).await;
                    if let Err(error) = round {
                        tracing::info!(%error, "messages are not read and sent");
                    }
                }
                drop(tokio::time::timeout(MAIL_AGAIN, mail.written.notified()).await);
            }
        });
        *self.running.lock() = Some(task);
    }

    /// Ends that. What is under way is gone on with at the next mount.
    pub(super) fn stop(&self, runtime: &Runtime) {
        let Some(task) = self.running.lock().take() else {
            return;
        };
        task.abort();
        let ended = runtime.block_on(async { tokio::time::timeout(PUBLISH_STOP, task).await });
        if ended.is_err() {
            tracing::warn!("reading messages did not end in time");
        }
        if let Some(hook) = self.hook.lock().take() {
            hook.stop();
        }
    }

    /// The messages themselves.
    pub(super) const fn messages(&self) -> &Arc<Messages> {
        &self.messages
    }

    /// Told when something came.
    pub(super) const fn came(&self) -> &Notify {
        &self.came
    }

    /// Something was written that is to be sent.
    pub(super) fn wake(&self) {
        self.written.notify_one();
    }

    /// Sends what is unsent and reads what has come; the own door is looked at now and then, and when somebody asks.
    pub(super) async fn round(
        &self,
        all: &mut Collected,
        is_asked: bool,
    ) -> Result<(), MessageError> {
        let endpoints = self.publishing.sources().now();
        let now = (self.clock)();
        let sent = self.messages.send(&endpoints, &self.node, now).await;
        let before = self.messages.newest(Way::Received)?;
        let collecting = self.messages.collect(&endpoints, now);
        let (collected, is_renewed) = tokio::join!(collecting, self.look_at_cards(&endpoints));
        *all = collected?;
        if is_renewed? {
            // What was written with newer keys is opened with the newer card.
            all.add(self.messages.collect(&endpoints, now).await?);
        }
        self.has_come(all.received, before).await?;
        let sending = sent?;
        let (received, skipped) = (all.received, all.skipped);
        if received + skipped + sending.sent > 0 {
            tracing::info!(received, skipped, sent = sending.sent, "messages");
        }
        if !all.full.is_empty() {
            let contacts = all.full.len();
            tracing::info!(contacts, "somebody writes more messages than are kept");
        }
        if all.silent.is_none() {
            all.silent = sending.why;
        }
        let at_doors = self.doors(&endpoints, is_asked).await?;
        all.add(at_doors);
        Ok(())
    }

    /// So many messages came after that number.
    pub(super) async fn has_come(&self, received: usize, before: u64) -> Result<(), MessageError> {
        self.note_requests().await?;
        if received > 0 {
            self.came.notify_one();
            for kept in self.messages.all(Way::Received, before, received)? {
                let report = report(&self.messages, &kept)?;
                self.hook.lock().iter().for_each(|hook| hook.tell(&report));
            }
        }
        Ok(())
    }

    /// Records what happened, whatever becomes of the record.
    pub(super) async fn note(&self, happening: &Happening) {
        if let Err(fault) = self.audit.record(happening).await {
            tracing::warn!(%fault, "not in the audit log");
        }
    }

    /// The answer to a request.
    pub(super) async fn answer(&self, request: MessagesRequest) -> MessagesResponse {
        if let Err(incomplete) = self.known.complete().await {
            let Refused(why, what) = incomplete.into();
            return MessagesResponse::Refused { why, what };
        }
        let answered = match request {
            MessagesRequest::List { way, after } => self.list(way, after),
            MessagesRequest::Show { id } => self.show(&id),
            _ if !self.publishing.is_running() => {
                let what = "the pod is mounted read-only, and takes and sends no message";
                Err(Refused(Refusal::State, what.to_owned()))
            }
            MessagesRequest::Collect => self.collect().await,
            MessagesRequest::Seen { ids } => self.seen(&ids),
            MessagesRequest::Forget { id } => self.forget(&id),
            MessagesRequest::Ask {
                name,
                what,
                purpose,
                rights,
                from,
                until,
            } => match AccessRequest::checked(&what, &purpose, rights, (from, until)) {
                Ok(request) => self.ask(&name, request).await,
                Err(refused) => Err(refused),
            },
            MessagesRequest::Deny { id, why } => self.deny(&id, &why).await,
        };
        answered.unwrap_or_else(|Refused(why, what)| MessagesResponse::Refused { why, what })
    }

    async fn collect(&self) -> Answered {
        let mut all = Collected::default();
        let trouble = if self.publishing.sources().now().list().is_empty() {
            Some("the pod has no node".to_owned())
        } else {
            match tokio::time::timeout(MAIL_PATIENCE, self.round(&mut all, true)).await {
                // Without a card nobody knows this pod: nothing can have come.
                Ok(Ok(()) | Err(MessageError::NoCard)) => {
                    all.silent.as_ref().map(ToString::to_string)
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => Some("there was no answer in time".to_owned()),
            }
        };
        // Who looks for messages wants to see what is shared as it is now, too.
        self.came.notify_one();
        let full = all.full.iter().take(FULL_SHOWN);
        Ok(MessagesResponse::Collected(CollectReport {
            received: number(all.received),
            skipped: number(all.skipped),
            unsent: number(self.messages.unsent()?),
            full: full.map(|name| name.as_str().to_owned()).collect(),
            door_full: all.is_door_full,
            trouble,
        }))
    }

    async fn ask(&self, name: &str, request: AccessRequest) -> Answered {
        let now = (self.clock)();
        if request.until.is_some_and(|until| until <= now.secs) {
            return Err(wrong(&"what is asked for would be over already"));
        }
        let contact = self.contacts.named(name).map_err(MessageError::from)?;
        let body = MessageBody::Request(request.clone());
        let id = self.messages.post(&contact, body, None, now)?;
        let sent = self.messages.one(&hex::encode(id.0))?;
        let happening = self.happened(Kind::Requested, &sent, &request)?;
        self.note(&happening).await;
        self.posted(id)
    }

    async fn deny(&self, id: &str, why: &str) -> Answered {
        let why = PlainText::parse(why)?;
        let asked = self.messages.one(id)?;
        let is_open = matches!(asked.row.state, MessageState::New | MessageState::Seen);
        let MessageBody::Request(request) = &asked.row.message.body else {
            return Err(wrong(&"this message asks for nothing"));
        };
        if asked.way != Way::Received {
            return Err(wrong(&"this message was sent from here"));
        }
        if !is_open {
            return Err(wrong(&"this request was answered already"));
        }
        let contact = self.messages.correspondent(&asked.row.contact)?;
        let contact = contact.ok_or_else(|| {
            let what = "who asked is no contact any more";
            Refused(Refusal::Unknown, what.to_owned())
        })?;
        let happening = self.happened(Kind::RequestDenied, &asked, request)?;
        self.note(&happening).await;
        let body = MessageBody::Denied { why };
        let answers = Some(asked.row.message.id);
        let id = self
            .messages
            .post(&contact, body, answers, (self.clock)())?;
        self.posted(id)
    }

    fn posted(&self, id: MessageId) -> Answered {
        self.wake();
        self.show(&hex::encode(id.0))
    }
}

/// The keys of a pod that messages need.
pub(super) fn message_keys(bundle: &Bundle) -> MessageKeys {
    let copy = |secret: &Secret<32>| Secret::from_bytes(secret.expose());
    MessageKeys {
        x25519: KemX25519Key::restore(copy(bundle.kem_x25519.secret())),
        xwing: KemXwingSeed::restore(copy(bundle.kem_xwing.secret())),
        sign: copy(&bundle.sign_seed),
    }
}

pub(super) type Answered = Result<MessagesResponse, Refused>;

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
