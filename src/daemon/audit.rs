//! The audit log of a mounted pod: what is recorded in it, and how it is handed out.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::Mutex;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::control::AuditEvidence;
use crate::control::AuditFile;
use crate::control::AuditRequest;
use crate::control::AuditResponse;
use crate::crypto::Secret;
use crate::crypto::audit::origin;
use crate::crypto::identity::Fingerprint;
use crate::crypto::identity::sign_public_key;
use crate::crypto::merkle;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::happened;
use crate::daemon::keyfile::system_entropy;
use crate::daemon::shelf::read_state;
use crate::format::audit::Checkpoint;
use crate::format::audit::Kind;
use crate::format::audit::SignedCheckpoint;
use crate::format::audit::Witness;
use crate::format::grant::Receipt;
use crate::format::grant::SignedReceipt;
use crate::format::keyfile::Bundle;
use crate::format::wire::Malformed;
use crate::pod::Pod;
use crate::pod::PodError;
use crate::share::Contacts;
use crate::share::audit::Circumstances;
use crate::share::audit::Countersigned;
use crate::share::audit::Happening;
use crate::share::audit::LOG;
use crate::share::audit::PublishedLog;
use crate::share::audit::Tail;
use crate::share::audit::WITNESSES;
use crate::share::audit::countersigned;
use crate::share::audit::read;
use crate::sync::Publisher;
use crate::types::Clock;
use crate::types::limits::AUDIT_AT_ONCE;
use crate::types::limits::PEOPLE_FILE_PATIENCE;

/// Records what happens with a pod. There is one of these for a mount.
pub(super) struct Audit {
    pub(super) pod: Arc<Pod>,
    contacts: Arc<Contacts>,
    publisher: Arc<Publisher>,
    clock: Clock,
    seed: RwLock<Secret<32>>,
    /// Which log it is, as the keys of the pod say; a file says so when those of another phrase took their place.
    pub(super) began: [u8; 32],
    /// The same, once it is known.
    pub(super) origin: OnceCell<[u8; 32]>,
    device: u16,
    /// Where the log ends, once it was read; what fails has it read anew. Held from reading it to appending.
    tail: Mutex<Option<Tail>>,
    /// Records of the log that others countersigned, by what stands for them.
    held: parking_lot::Mutex<BTreeMap<[u8; 32], u64>>,
}

impl Audit {
    pub(super) fn new(
        pod: &Arc<Pod>,
        contacts: &Arc<Contacts>,
        bundle: &Bundle,
        clock: &Clock,
        publisher: &Arc<Publisher>,
    ) -> Arc<Self> {
        Arc::new(Self {
            pod: Arc::clone(pod),
            contacts: Arc::clone(contacts),
            publisher: Arc::clone(publisher),
            clock: Arc::clone(clock),
            seed: RwLock::new(Secret::from_bytes(bundle.sign_seed.expose())),
            began: origin(&bundle.pod_id.0),
            origin: OnceCell::const_new(),
            device: bundle.device,
            tail: Mutex::const_new(None),
            held: parking_lot::Mutex::default(),
        })
    }

    /// Records what happened; it is durable on this machine when this returns. To be called before anybody is told that
    /// it was done.
    ///
    /// # Errors
    /// When the log cannot be read or written: then nothing was recorded, or nobody knows whether it outlives a power
    /// cut.
    pub(super) async fn record(&self, happening: &Happening) -> Result<(), Fault> {
        self.recorded(happening).await.map(drop)
    }

    /// The checkpoint behind the newest record.
    ///
    /// # Errors
    /// When the log cannot be read, or nothing is recorded.
    pub(super) async fn newest(&self) -> Result<Checkpoint, Fault> {
        self.load().await;
        let held = self.tail.lock().await;
        let newest = held.as_ref().and_then(Tail::newest);
        let nothing = || {
            Fault::new(
                FaultKind::State,
                "the audit log cannot be read, or is empty",
            )
        };
        Ok(newest.ok_or_else(nothing)?.checkpoint)
    }

    /// Signs a receipt as this machine.
    ///
    /// # Errors
    /// When its figures find no place.
    pub(super) fn sign_receipt(&self, receipt: &Receipt) -> Result<SignedReceipt, Fault> {
        let signed = receipt.sign(&self.seed.read());
        signed.map_err(|error| Fault::new(FaultKind::State, error.to_string()))
    }

    /// Records what happened, as [`Audit::record`] does; gives the checkpoint behind the record.
    ///
    /// # Errors
    /// As with [`Audit::record`].
    pub(super) async fn recorded(&self, happening: &Happening) -> Result<Checkpoint, Fault> {
        let mut held = self.tail.lock().await;
        let mut tail = match held.take() {
            Some(tail) => tail,
            None => self.read_tail().await?,
        };
        let mut salt = [0; 16];
        system_entropy(&mut salt).map_err(|error| not_recorded(&error))?;
        let said = Circumstances {
            time: (self.clock)(),
            device: self.device,
            salt,
        };
        let record = tail.append(happening, &said, &self.seed.read());
        let record = record.map_err(|error| not_recorded(&error))?;
        append(&self.pod, LOG, &record).await?;
        self.tell_publisher(&tail);
        let newest = tail.newest().map(|newest| newest.checkpoint);
        *held = Some(tail);
        let synced = self.pod.rows().sync();
        synced.map_err(|error| not_recorded(&error))?;
        newest.ok_or_else(|| not_recorded(&"it has no checkpoint"))
    }

    /// Records what the log does not tell of yet.
    ///
    /// # Errors
    /// As [`Audit::record`].
    pub(super) async fn record_once(&self, happening: &Happening) -> Result<(), Fault> {
        let log = read_state(&self.pod, LOG, PEOPLE_FILE_PATIENCE).await;
        let log = log.map_err(|error| unread(&error))?.unwrap_or_default();
        let mut events = read(&log).flatten().filter_map(|record| record.event());
        if events.any(|event| happening.is_told_by(&event)) {
            return Ok(());
        }
        self.record(happening).await
    }

    /// What is recorded is signed with this key from now on.
    pub(super) fn replace_key(&self, seed: &Secret<32>) {
        *self.seed.write() = Secret::from_bytes(seed.expose());
    }

    /// Keeps a checkpoint of this pod that somebody countersigned. Whose key it is, the caller has made sure of. Says
    /// whether this shows for the first time that the log is not what it was.
    ///
    /// # Errors
    /// When the log cannot be read, or it cannot be written.
    pub(super) async fn witnessed(&self, witness: &Witness) -> Result<bool, Fault> {
        let origin = self.origin().await?;
        if !witness.is_signed() || witness.seen.checkpoint.origin != origin {
            tracing::info!("a checkpoint that was countersigned is not of this pod");
            return Ok(false);
        }
        let _one = self.tail.lock().await;
        let (log, held) = (self.whole(LOG).await?, self.read_witnesses().await?);
        let damaged = |error: Malformed| unread(&error);
        let own = sign_public_key(&self.seed.read());
        let said = countersigned((origin, &log), held, *witness, own);
        let (kept, differs) = match said.map_err(damaged)? {
            Countersigned::Known => return Ok(false),
            Countersigned::Foreign => {
                tracing::warn!("a contact countersigned what this pod has never signed");
                return Ok(false);
            }
            Countersigned::Agrees(kept) => (kept, false),
            // What is kept of it by now was told of before.
            Countersigned::Differs(kept) => {
                let is_new = kept.contains(witness);
                (kept, is_new)
            }
        };
        let file: Vec<u8> = kept.iter().flat_map(Witness::encode).collect();
        let put = self.pod.put_state(WITNESSES, &file);
        put.map_err(|error| not_recorded(&error))?;
        self.is_held(&kept, &Tail::of(origin, &log).map_err(damaged)?);
        Ok(differs)
    }

    /// Those of them that the log has are what others know of it.
    fn is_held(&self, witnesses: &[Witness], tail: &Tail) {
        let mut held = BTreeMap::new();
        for witness in witnesses {
            let checkpoint = &witness.seen.checkpoint;
            let leaves = usize::try_from(checkpoint.size).ok();
            let leaves = leaves.and_then(|size| tail.leaves().get(..size));
            if leaves.is_some_and(|leaves| merkle::root(leaves) == checkpoint.root) {
                let who = Fingerprint(witness.who);
                let contact = self.contacts.with_identity(&who).ok().flatten();
                let person = contact.and_then(|contact| contact.print().ok());
                let size = held.entry(person.unwrap_or(who).0).or_insert(0);
                *size = checkpoint.size.max(*size);
            }
        }
        *self.held.lock() = held;
    }

    /// The log as it is published with this checkpoint.
    pub(super) fn published(&self, checkpoint: SignedCheckpoint) -> PublishedLog {
        // While something is recorded nothing is shown of what was before: the next time it is.
        let tail = self.tail.try_lock().ok();
        let tail = tail.as_ref().and_then(|tail| tail.as_ref());
        PublishedLog::new(checkpoint, tail, self.held.lock().clone())
    }

    /// As long as the mount lasts: heads have the checkpoint that stands behind the log, also before something is
    /// recorded; and what is found wrong in publishing is recorded, each kind once.
    pub(super) async fn watch(self: Arc<Self>) {
        self.load().await;
        let mut troubles = self.publisher.progress().troubles();
        let mut told = Vec::new();
        loop {
            let first = troubles
                .borrow_and_update()
                .first()
                .map(|(_, it)| it.clone());
            let found = first.and_then(|error| happened::failed(&error));
            if let Some(happening) = found.filter(|it| !told.contains(&it.kind())) {
                told.push(happening.kind());
                if let Err(fault) = self.record(&happening).await {
                    tracing::warn!(%fault, "a failure is not in the audit log");
                }
            }
            if troubles.changed().await.is_err() {
                return;
            }
        }
    }

    async fn load(&self) {
        let mut held = self.tail.lock().await;
        if held.is_some() {
            return;
        }
        match self.read_tail().await {
            Ok(tail) => {
                self.tell_publisher(&tail);
                match self.read_witnesses().await {
                    Ok(witnesses) => self.is_held(&witnesses, &tail),
                    Err(fault) => tracing::warn!(%fault, "what others countersigned is not read"),
                }
                *held = Some(tail);
            }
            Err(fault) => tracing::warn!(%fault, "the audit log is not read"),
        }
    }

    fn tell_publisher(&self, tail: &Tail) {
        if let Some(newest) = tail.newest() {
            self.publisher.set_checkpoint(newest.encode());
        }
    }

    pub(super) async fn whole(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let file = read_state(&self.pod, name, PEOPLE_FILE_PATIENCE).await;
        Ok(file.map_err(|error| unread(&error))?.unwrap_or_default())
    }

    async fn read_witnesses(&self) -> Result<Vec<Witness>, Fault> {
        let file = self.whole(WITNESSES).await?;
        Witness::decode_all(&file).map_err(|error| unread(&error))
    }

    async fn read_tail(&self) -> Result<Tail, Fault> {
        let log = self.whole(LOG).await?;
        Tail::of(self.origin().await?, &log).map_err(|_| {
            let what = "the audit log is damaged, and takes no record more";
            Fault::new(FaultKind::Damaged, what).next("podfs audit verify")
        })
    }

    /// The answer to a request. `card` is the signed card of the owner; nothing is recorded of a pod that is mounted
    /// read-only.
    pub(super) async fn answer(
        &self,
        request: AuditRequest,
        card: Option<String>,
        may_record: bool,
    ) -> AuditResponse {
        let answered = match request {
            AuditRequest::Evidence => self.evidence(card).await,
            AuditRequest::Read { file, from } => self.read(file, from).await,
            AuditRequest::Exported if !may_record => {
                let what = "the pod is mounted read-only, and nothing can be recorded";
                Err(Fault::new(FaultKind::State, what))
            }
            AuditRequest::Exported => {
                let exported = self.record(&Happening::new(Kind::Exported)).await;
                exported.map(|()| AuditResponse::Done)
            }
        };
        answered.unwrap_or_else(|fault| AuditResponse::Refused { what: fault.what })
    }

    async fn evidence(&self, card: Option<String>) -> Result<AuditResponse, Fault> {
        let head = self.publisher.headed_checkpoint();
        let head = head.map_err(|error| Fault::new(FaultKind::State, error.to_string()))?;
        Ok(AuditResponse::Evidence(Box::new(AuditEvidence {
            origin: hex::encode(self.origin().await?),
            key: hex::encode(sign_public_key(&self.seed.read())),
            card,
            head: head.map(hex::encode),
        })))
    }

    async fn read(&self, file: AuditFile, from: u64) -> Result<AuditResponse, Fault> {
        let name = match file {
            AuditFile::Log => LOG,
            AuditFile::Witnesses => WITNESSES,
        };
        let (bytes, more) = part(&self.pod, name, from).await?;
        Ok(AuditResponse::Bytes {
            bytes: hex::encode(bytes),
            more,
        })
    }
}

/// Bytes of a file that the pod keeps for itself, and whether more come behind them. There are none when there is no
/// file.
async fn part(pod: &Pod, name: &str, from: u64) -> Result<(Vec<u8>, bool), Fault> {
    let length = u32::try_from(AUDIT_AT_ONCE).unwrap_or(u32::MAX);
    loop {
        let Some((ino, size)) = pod.state_file(name).map_err(|error| unread(&error))? else {
            return Ok((Vec::new(), false));
        };
        let mut bytes = Vec::new();
        pod.open(ino).map_err(|error| unread(&error))?;
        let read = pod.read(ino, from, length, &mut bytes);
        pod.release(ino).map_err(|error| unread(&error))?;
        match read {
            Err(PodError::Absent { ino, pages }) => pod
                .fetch(ino, pages)
                .await
                .map_err(|error| unread(&error))?,
            read => {
                read.map_err(|error| unread(&error))?;
                let end = from.saturating_add(bytes.len() as u64);
                let more = !bytes.is_empty() && end < size;
                return Ok((bytes, more));
            }
        }
    }
}

async fn append(pod: &Pod, name: &str, bytes: &[u8]) -> Result<(), Fault> {
    loop {
        match pod.append_state(name, bytes) {
            Err(PodError::Absent { ino, pages }) => {
                let fetched = pod.fetch(ino, pages).await;
                fetched.map_err(|error| not_recorded(&error))?;
            }
            appended => return appended.map_err(|error| not_recorded(&error)),
        }
    }
}

pub(super) fn unread(why: &dyn std::fmt::Display) -> Fault {
    let what = format!("the audit log cannot be read: {why}");
    Fault::new(FaultKind::State, what)
}

pub(super) fn not_recorded(why: &dyn std::fmt::Display) -> Fault {
    let what = format!("this cannot be recorded in the audit log: {why}");
    Fault::new(FaultKind::State, what)
}
