//! What the daemon answers when it is asked about the network.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::control::Blocked;
use crate::control::Level;
use crate::control::MigrationReport;
use crate::control::NetworkReport;
use crate::control::NodeLight;
use crate::control::Response;
use crate::control::ScrubReport;
use crate::daemon::build::House;
use crate::daemon::fault::Quoted;
use crate::daemon::inspect::mode_name;
use crate::daemon::paths::PodPaths;
use crate::daemon::publishing::Publishing;
use crate::pod::FileKind;
use crate::pod::Pod;
use crate::pod::PodError;
use crate::sync;
use crate::sync::Part;
use crate::sync::SyncError;
use crate::types::Ino;
use crate::types::ROOT;
use crate::types::limits::PAGE;
use crate::types::limits::PIN_BYTES;
use crate::types::limits::SCRUB_SAMPLE;

/// Bytes of names in an answer, at most.
const MISSING_NAMES: usize = 8 << 10;

/// The list of nodes is another.
pub(super) fn nodes(house: &House, paths: &PodPaths) -> Response {
    match house.publishing().use_nodes(&Handle::current(), paths) {
        Ok(()) => Response::Done,
        Err(fault) => Response::Failed { what: fault.what },
    }
}

/// What changed until now is to be carried to the network: the answer is the publication that will hold it.
pub(super) fn publish(house: &House) -> Response {
    let publisher = house.publishing().publisher();
    let number = publisher.next_publication();
    publisher.publish_now();
    Response::Publication { number }
}

/// How far the pod is, or what is at `path` or below.
pub(super) fn progress(house: &House, path: &Path) -> Response {
    let mut report = report(house);
    if !path.as_os_str().is_empty() {
        match level_below(house, path) {
            Ok(level) => report.level = level,
            Err(error) => {
                return Response::Failed {
                    what: error.to_string(),
                };
            }
        }
    }
    Response::Progress(Box::new(report))
}

/// How far the pod is.
pub(super) fn report(house: &House) -> NetworkReport {
    let publishing = house.publishing();
    let publisher = publishing.publisher();
    let progress = publisher.progress();
    let mut trouble = progress.trouble();
    let mut report = NetworkReport {
        chunks_confirmed: progress.confirmed(),
        chunks_paid: progress.sent(),
        bytes_per_second: publishing.rate(progress.sent()) * PAGE as u64,
        scrub: publishing.scrubbed(),
        nodes: publishing.lights(),
        migration: migration(publishing),
        ..NetworkReport::default()
    };
    match publisher.figures() {
        Ok(figures) => {
            report.level = level(figures.level);
            report.chunks_unsent = figures.unsent;
            report.chunks_sent = figures.sent;
            report.publication = figures.publication;
            report.on_node = figures.on_node;
            report.confirmed = figures.confirmed;
            report.head_index = figures.head.map(|(index, _)| index);
            report.head_time = figures.head.map(|(_, time)| time.secs);
        }
        Err(error) => trouble = Some((Part::Sending, error)),
    }
    tell_of_carrier(house, trouble.as_ref(), &mut report);
    report
}

/// Who carries the pod, and what is in the way.
fn tell_of_carrier(house: &House, trouble: Option<&(Part, SyncError)>, report: &mut NetworkReport) {
    let publishing = house.publishing();
    if !publishing.is_running() {
        report.blocked = Some(Blocked::ReadOnly);
        return;
    }
    let Some(carrier) = publishing.carrier() else {
        report.blocked = Some(Blocked::NoNode);
        return;
    };
    let batches = carrier.batches();
    let seen = || batches.iter().filter(|batch| batch.depth > 0);
    report.batch_days_left = seen().filter_map(|batch| batch.days_left).min();
    report.batch_fill_percent = seen().map(|batch| batch.fill_percent).max();
    report.single_copy = carrier.is_single_copy();
    if let Some(trouble) = trouble.map(|(part, error)| carrier.trouble(*part, error)) {
        report.trouble = Some(trouble.what);
        report.next = trouble.next;
        report.blocked = trouble.blocked;
    }
}

/// How far the pod is that is carried to another node. Names of files are for whoever asks, and never for the log.
fn migration(publishing: &Publishing) -> Option<MigrationReport> {
    let migration = publishing.publisher().migration().ok().flatten()?;
    let mut bytes = 0;
    let paths = migration.missing.inodes.iter().map(|ino| {
        let names = publishing.reader().path_of(*ino)?;
        let parts = names.iter().map(|name| OsStr::from_bytes(name.as_bytes()));
        Some(Quoted(&parts.collect::<PathBuf>()).to_string())
    });
    let paths = paths.flatten().take_while(|path| {
        bytes += path.len();
        bytes <= MISSING_NAMES
    });
    Some(MigrationReport {
        listed: migration.listed,
        looked: migration.looked,
        missing: migration.missing.chunks,
        missing_of: paths.collect(),
    })
}

/// How many chunks the pod is.
pub(super) fn weight(house: &House) -> Response {
    match house.publishing().kept().weight() {
        Ok(chunks) => Response::Weight { chunks },
        Err(error) => Response::Failed {
            what: error.to_string(),
        },
    }
}

/// Chunks are to be looked for in the network: all of them, or a sample.
pub(super) fn scrub(house: &House, all: bool) -> Response {
    let publishing = Arc::clone(house.publishing());
    if !publishing.begin_scrub(all) {
        let what = "a scrub is under way already".to_owned();
        return Response::Failed { what };
    }
    tokio::spawn(async move {
        let one_in = if all { 1 } else { SCRUB_SAMPLE };
        let note = |found: sync::Scrubbed, done: bool| {
            publishing.note_scrub(ScrubReport {
                all,
                total: found.looked,
                checked: found.looked,
                missing: found.missing,
                sent_again: found.sent_again,
                done,
            });
        };
        let scrubbed = publishing
            .publisher()
            .scrub(one_in, &|found| note(found, false))
            .await;
        match scrubbed {
            Ok(found) => note(found, true),
            Err(error) => {
                tracing::warn!(%error, "the scrub ended early");
                publishing.end_scrub();
            }
        }
    });
    Response::Done
}

/// What is at `path` or below is to stay on this machine, or need not. What is not here comes in the background.
pub(super) fn pin(house: &House, path: &Path, on: bool) -> Response {
    let found = find(house.pod(), path);
    let pinned = found.and_then(|ino| {
        house.publishing().kept().pin(ino, on)?;
        Ok(ino)
    });
    match pinned {
        Ok(ino) => {
            if on {
                tokio::spawn(bring(house.clone(), ino));
            }
            Response::Done
        }
        Err(error) => Response::Failed {
            what: error.to_string(),
        },
    }
}

/// Brings everything below an inode onto this machine.
async fn bring(house: House, top: Ino) {
    let mut left = vec![top];
    while let Some(ino) = left.pop() {
        if let Err(error) = bring_one(&house, ino, &mut left).await {
            tracing::warn!(%error, "what is pinned is not all here yet");
            return;
        }
    }
}

async fn bring_one(house: &House, ino: Ino, left: &mut Vec<Ino>) -> Result<(), PodError> {
    let attr = house.pod().getattr(ino)?;
    match attr.kind {
        FileKind::Directory => left.extend(below(house.pod(), ino)?),
        FileKind::Regular => {
            let (mut offset, mut bytes) = (0, Vec::new());
            while offset < attr.size {
                match house.pod().read(ino, offset, PIN_BYTES, &mut bytes) {
                    Err(PodError::Absent { ino, pages }) => house.pod().fetch(ino, pages).await?,
                    other => {
                        other?;
                        offset += u64::from(PIN_BYTES);
                    }
                }
            }
        }
        FileKind::Symlink
        | FileKind::Fifo
        | FileKind::Socket
        | FileKind::CharDevice
        | FileKind::BlockDevice => {}
    }
    Ok(())
}

/// What is at `path`, as seen from the top of the pod.
pub(super) fn find(pod: &Pod, path: &Path) -> Result<Ino, PodError> {
    let mut at = ROOT;
    for part in path.components() {
        if let Component::Normal(name) = part {
            at = pod.lookup(at, name.as_bytes())?.ino;
        }
    }
    Ok(at)
}

/// The lowest level of what is at `path` or below.
fn level_below(house: &House, path: &Path) -> Result<Level, PodError> {
    let pod = house.pod();
    let mut lowest = Level::Confirmed;
    let mut left = vec![find(pod, path)?];
    while let Some(ino) = left.pop() {
        let of_one = house.publishing().publisher().level_of(ino);
        let of_one = of_one.map_err(|error| PodError::Io(error.to_string()))?;
        lowest = lowest.min(level(of_one));
        if lowest == Level::Local {
            break;
        }
        if pod.getattr(ino)?.kind == FileKind::Directory {
            left.extend(below(pod, ino)?);
        }
    }
    Ok(lowest)
}

/// What is in a directory.
pub(super) fn below(pod: &Pod, dir: Ino) -> Result<Vec<Ino>, PodError> {
    let mut found = Vec::new();
    pod.readdir(dir, 0, |entry| {
        if !matches!(entry.name, b"." | b"..") {
            found.push(entry.ino);
        }
        true
    })?;
    Ok(found)
}

const fn level(level: sync::Level) -> Level {
    match level {
        sync::Level::Local => Level::Local,
        sync::Level::Queued => Level::Queued,
        sync::Level::OnNode => Level::OnNode,
        sync::Level::Confirmed => Level::Confirmed,
    }
}

/// A node as it is seen from here.
pub(super) fn light(endpoint: &crate::store::endpoints::Endpoint) -> NodeLight {
    NodeLight {
        name: endpoint.name().to_owned(),
        up: endpoint.is_up(),
        mode: endpoint.known_mode().map(|mode| mode_name(mode).to_owned()),
        trouble: (!endpoint.is_up()).then(|| "it does not answer".to_owned()),
    }
}
