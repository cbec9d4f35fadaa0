//! A pod that comes back on a new machine, from its phrase and a node alone: names and attributes at once, contents
//! when they are asked for.

use std::sync::Arc;

use crate::crypto::Secret;
use crate::crypto::keys::RootKey;
use crate::daemon::ask::interruptible;
use crate::daemon::create::no_entropy;
use crate::daemon::create::refuse_existing;
use crate::daemon::create::refuse_remains;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::keyfile;
use crate::daemon::lock::PodLock;
use crate::daemon::nodes;
use crate::daemon::nodes::Nodes;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths;
use crate::daemon::paths::PodPaths;
use crate::daemon::rekey::GivenPhrase;
use crate::daemon::unrecovered::beyond;
use crate::daemon::unrecovered::incomplete;
use crate::daemon::unrecovered::not_found;
use crate::daemon::unrecovered::not_written;
use crate::daemon::unrecovered::replaced;
use crate::daemon::unrecovered::unknown_card;
use crate::format::keyfile::Bundle;
use crate::format::keyfile::NewPassphrase;
use crate::format::keyfile::create;
use crate::format::published::Adopted;
use crate::format::rows::Key;
use crate::format::rows::SeenHeads;
use crate::index::Rows;
use crate::index::RowsParts;
use crate::journal::Batch;
use crate::journal::Class;
use crate::share::is_left;
use crate::share::newest_card;
use crate::store::Store;
use crate::sync::Kept;
use crate::sync::OwnFeed;
use crate::sync::fetch::FetchError;
use crate::sync::fetch::Fetcher;
use crate::sync::find::FindError;
use crate::sync::find::FoundHead;
use crate::sync::find::Known;
use crate::sync::find::Survey;
use crate::sync::find::survey;
use crate::sync::restore::RESTORED;
use crate::sync::restore::RestoreError;
use crate::sync::restore::RestoreParts;
use crate::sync::restore::Restored;
use crate::sync::restore::restore;
use crate::types::Ino;
use crate::types::Timespec;
use crate::types::limits::SOUGHT_EPOCH_MAX;
use crate::types::system_clock;

/// Number of the pod under its phrase, and of its own box.
const FIRST: u32 = 0;

/// What is heard of a recovery.
#[derive(Clone, Copy, Debug)]
pub enum News {
    /// Feeds that were searched, of those known so far.
    Searching {
        /// Searched.
        asked: usize,
        /// To be searched.
        wanted: usize,
    },
    /// Names that came back.
    Names(Restored),
    /// Pages of contents that were read in a rehearsal.
    Pages {
        /// Read.
        read: u64,
        /// To be read.
        wanted: u64,
    },
}

/// What was recovered.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// When the head was made: "newest found".
    pub time: Timespec,
    /// Number of this machine in the pod from now on.
    pub device: u16,
    /// Heads that were passed over since parts of them are missing.
    pub passed_over: u32,
    /// Other heads that show a state which this one does not know.
    pub unknown_to_it: usize,
    /// Feeds that go on with keys which were replaced: nothing of it is believed.
    pub refused: usize,
    /// What came back.
    pub restored: Restored,
}

/// What a pod is recovered with.
pub struct RecoverParts<'a> {
    /// Where it is to be.
    pub paths: &'a PodPaths,
    /// Its phrase.
    pub phrase: &'a GivenPhrase,
    /// Where it is read from; these nodes are kept in its list.
    pub nodes: &'a Nodes,
    /// The passphrase of its new keyfile.
    pub passphrase: &'a Passphrase,
    /// How many heads may be passed over when parts of them are missing.
    pub pass_over: u32,
}

/// Recovers a pod. A failure leaves nothing behind.
///
/// # Errors
/// [`FaultKind::Network`] when nobody answers; [`FaultKind::NoPod`] when the network has no head of it;
/// [`FaultKind::Missing`] when parts of the newest head are missing: the one before can be had with `pass_over`.
pub fn recover(
    parts: &RecoverParts<'_>,
    tell: &(dyn Fn(News) + Send + Sync),
) -> Result<Recovered, Fault> {
    let state = &parts.paths.state;
    refuse_existing(parts.paths)?;
    paths::make_private(state).map_err(|error| {
        let what = format!("cannot make the folder {}", Quoted(state));
        Fault::io(FaultKind::Init, what, &error)
    })?;
    let _lock = PodLock::acquire(state, None)?;
    refuse_existing(parts.paths)?;
    refuse_remains(state)?;
    let recovered = interruptible(recover_into(parts, tell));
    if recovered.is_err()
        && let Err(error) = std::fs::remove_dir_all(state)
    {
        tracing::warn!(%error, "an unfinished pod stays behind");
    }
    recovered
}

async fn recover_into(
    parts: &RecoverParts<'_>,
    tell: &(dyn Fn(News) + Send + Sync),
) -> Result<Recovered, Fault> {
    let root = parts.phrase.root();
    let pod_id = root.pod_id(FIRST);
    let endpoints = nodes::patient_endpoints(parts.nodes)?;
    let card = newest_card(&endpoints, root.identity(FIRST).owner(), 0).await;
    let card = card.map_err(|error| unknown_card(&error))?;
    if let Some(found) = &card {
        let is_left = is_left(&endpoints, found).await;
        if is_left.map_err(|error| unknown_card(&error))? {
            let what = "the pod of this phrase was handed over to its successor";
            return Err(Fault::new(FaultKind::Phrase, what)
                .next("the phrase of the successor gives it back: podfs recover"));
        }
    }
    let epoch = card.map_or(0, |found| found.newest.card().epoch);
    if epoch > SOUGHT_EPOCH_MAX {
        return Err(beyond(epoch));
    }
    let store: Arc<dyn Store> = Arc::new(endpoints);
    let pods = |epoch| root.pod(&pod_id, epoch);
    let searching = |progress: crate::sync::find::Progress| {
        tell(News::Searching {
            asked: progress.asked,
            wanted: progress.wanted,
        });
    };
    let known = Known {
        epoch,
        ..Known::default()
    };
    let found = survey(&store, &pods, &known, &searching).await;
    let found = found.map_err(|error| not_found(&error))?;
    let contenders = found.contenders();
    let newest = contenders.first().ok_or_else(|| {
        let what = "the network has no head of the pod of this phrase";
        Fault::new(FaultKind::NoPod, what)
            .next("try another node, or later: a node that just started knows nobody")
    })?;
    if newest.feed.epoch < epoch {
        return Err(replaced(epoch));
    }
    let (mut head, mut passed_over) = ((*newest).clone(), 0);
    loop {
        match from_head(parts, &root, &store, (&found, &head), tell).await {
            Err(RecoverError::Incomplete(why)) if passed_over < parts.pass_over => {
                tracing::warn!(%why, "parts of a head are missing: the one before is tried");
                let before = head.before(&store, &pods).await;
                let before = before.map_err(|error| not_found(&error))?;
                head = before.ok_or_else(|| incomplete(&why))?;
                passed_over += 1;
            }
            Err(RecoverError::Incomplete(why)) => return Err(incomplete(&why)),
            Err(RecoverError::Other(fault)) => return Err(fault),
            Ok((device, restored)) => {
                return Ok(Recovered {
                    time: head.head.time,
                    device,
                    passed_over,
                    unknown_to_it: contenders.len().saturating_sub(1),
                    refused: found.refused(),
                    restored,
                });
            }
        }
    }
}

/// Why one head did not give the pod back.
enum RecoverError {
    /// Parts of it are not to be had.
    Incomplete(String),
    Other(Fault),
}

impl From<Fault> for RecoverError {
    fn from(fault: Fault) -> Self {
        Self::Other(fault)
    }
}

async fn from_head(
    parts: &RecoverParts<'_>,
    root: &RootKey,
    store: &Arc<dyn Store>,
    (survey, found): (&Survey, &FoundHead),
    tell: &(dyn Fn(News) + Send + Sync),
) -> Result<(u16, Restored), RecoverError> {
    let epoch = found.feed.epoch;
    let entropy = &mut keyfile::system_entropy;
    // Which machine it is, only what comes back tells.
    let mut bundle = Bundle::enrol(root, FIRST, epoch, 0, entropy).map_err(no_entropy)?;
    let rows = fresh_rows(parts.paths, &bundle)?;
    let kept = Arc::new(Kept::new(Arc::clone(&rows)).map_err(|error| not_written(&error))?);
    let secret = bundle.pod_secret.box_secret(FIRST, found.feed.box_epoch);
    let owner = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let seen = survey.seen(&SeenHeads::default());
    let came = |restored| tell(News::Names(restored));
    let restored = restore(
        RestoreParts {
            kept: Arc::clone(&kept),
            fetcher: Fetcher::new(Arc::clone(store)),
            secret: &secret,
            head: &found.head,
            seen: &seen,
            owner,
        },
        &came,
    );
    let restored = restored.await.map_err(|error| match &error {
        RestoreError::Journal(error) => RecoverError::Other(not_written(error)),
        RestoreError::Fetch(_, FetchError::Unavailable(_, error)) => {
            RecoverError::Other(not_found(&FindError::Unavailable(error.clone())))
        }
        RestoreError::Fetch(..) | RestoreError::Malformed(..) | RestoreError::Contradiction(..) => {
            RecoverError::Incomplete(error.to_string())
        }
    })?;
    drop(kept);
    bundle.device = free_device(&rows, survey)?;
    adopt(&rows, &bundle, found)?;
    let file = parts.paths.keyfile();
    let new = NewPassphrase {
        passphrase: parts.passphrase.expose(),
        cost: keyfile::calibrate(),
    };
    let bytes = create(&bundle, &new, &root.recovery(&bundle.pod_id), entropy)
        .map_err(|error| keyfile::fault(&file, error))?;
    nodes::edit(parts.paths, |nodes| {
        nodes.list.clone_from(&parts.nodes.list);
        Ok(())
    })?;
    keyfile::store_new(&file, &bytes)?;
    Ok((bundle.device, restored))
}

/// The lowest device number that no feed was found of, and that made nothing which is in the pod: machines under the
/// phrase of an identity that was left have feeds which this one does not lead to.
fn free_device(rows: &Rows, survey: &Survey) -> Result<u16, Fault> {
    for device in survey.free_devices() {
        let numbers = [0, u64::MAX].map(|counter| Key::inode(Ino::new(device, counter)));
        let [first, last] = numbers;
        let made = rows.scan(&first, &last, 1);
        if made.map_err(|error| not_written(&error))?.is_empty() {
            return Ok(device);
        }
    }
    let what = "all device numbers of the pod are taken";
    Err(Fault::new(FaultKind::Other, what))
}

/// An empty log; what an attempt before left there goes.
fn fresh_rows(paths: &PodPaths, bundle: &Bundle) -> Result<Arc<Rows>, Fault> {
    let failed = |error: std::io::Error| {
        let what = format!("cannot write to {}", Quoted(&paths.state));
        Fault::io(FaultKind::State, what, &error)
    };
    for name in ["log", "index"] {
        match std::fs::remove_dir_all(paths.state.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    for name in ["manifest", "manifest.copy", "watermark"] {
        match std::fs::remove_file(paths.state.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let rows = RowsParts {
        dir: paths.state.clone(),
        secret: Secret::from_bytes(bundle.device_secret.expose()),
        budget: None,
        read_only: false,
    };
    Rows::create(&rows).map_err(|error| not_written(&error))?;
    Ok(Arc::new(
        Rows::open(&rows).map_err(|error| not_written(&error))?,
    ))
}

/// What was recovered counts as published, and this machine's feed goes on from the head: its first head is made now
/// and sent as soon as there is somebody to pay for it.
fn adopt(rows: &Arc<Rows>, bundle: &Bundle, found: &FoundHead) -> Result<(), Fault> {
    let secret = bundle.pod_secret.box_secret(FIRST, found.feed.box_epoch);
    let feed = OwnFeed::new(secret, bundle.epoch, bundle.device);
    let adopted = Adopted {
        epoch: found.feed.epoch,
        box_epoch: found.feed.box_epoch,
        device: found.feed.device,
        index: found.head.index,
        hash: found.hash,
    };
    let mut nonce = [0; 16];
    keyfile::system_entropy(&mut nonce).map_err(no_entropy)?;
    let now = (system_clock())();
    let head = feed
        .adopt(found.head.clone(), adopted, (RESTORED, nonce, now))
        .map_err(|error| Fault::new(FaultKind::Other, error.to_string()))?;
    let mut batch = Batch::new(Class::Meta);
    batch.put(Key::own_head(), head.encode());
    rows.append(batch, None)
        .map_err(|error| not_written(&error))?;
    rows.make_cut().map_err(|error| not_written(&error))?;
    rows.journal()
        .settle_cut()
        .map_err(|error| not_written(&error))?;
    rows.close(true).map_err(|error| not_written(&error))
}
