//! What is taken off the queue: chunks that this machine can make are made, row by row, and others are named.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::crypto::swarm::SealedChunk;
use crate::format::published::Place;
use crate::format::rows::{Key, Queued};
use crate::journal::Snapshot;
use crate::sync::error::SyncError;
use crate::sync::kept::{Kept, damaged};
use crate::sync::network::Freight;
use crate::sync::remake::{Remake, Wanted};
use crate::types::{Address, Ino, ROOT};

/// One chunk on its way.
pub(super) struct Job {
    pub(super) ino: Ino,
    pub(super) place: Place,
    pub(super) freight: Freight,
    pub(super) cargo: Cargo,
}

/// What is sent.
pub(super) enum Cargo {
    /// Made of what is on this machine.
    Made(SealedChunk),
    /// Fetched from where it was sent before, as it is.
    Relayed(Address),
    /// The same, and if it is nowhere, the rows contradict each other: it never was anywhere else.
    Owed(Address),
}

/// Which part of the queue is sent.
pub(super) enum Part {
    /// What this cut publishes. Of inodes that were published before, up to the publication of this number, what is
    /// left over is none of it.
    Cut(Arc<Snapshot>, u64),
    /// Everything, from this row on, as far as it gets until then.
    Rest(Key, Instant),
}

/// Makes the chunks that are queued and not sent, row by row, as fast as they are taken off. Gives the row that it came
/// to, when it did not get through.
pub(super) fn produce(
    kept: &Kept,
    part: &Part,
    jobs: &mpsc::Sender<Vec<Job>>,
) -> Result<Option<Key>, SyncError> {
    let (cut, from) = match part {
        Part::Cut(cut, _) => (Some(&**cut), Key::queued(Ino(0), 0)),
        Part::Rest(from, _) => (None, *from),
    };
    let mut current: Option<Remake<'_>> = None;
    let mut next = None;
    each_row(kept, from, |ino, bucket, row| {
        if row.unsent == 0 {
            return Ok(true);
        }
        if matches!(part, Part::Rest(_, until) if Instant::now() >= *until) {
            next = Some(Key::queued(ino, bucket));
            return Ok(false);
        }
        // Or what is published and queued meanwhile is taken for what is gone.
        let held = kept.hold();
        let published = kept.published(ino)?.map(|now| now.publication);
        if matches!(part, Part::Cut(_, before) if is_left_over(ino, published, *before)) {
            return Ok(true);
        }
        let mut remake = match current.take() {
            Some(remake) if remake.ino() == ino && remake.publication() == published => remake,
            _ => Remake::new(kept, cut, ino)?,
        };
        let wanted = remake.look_up(places(bucket, row.unsent))?;
        for gone in wanted.iter().filter(|wanted| wanted.reference.is_none()) {
            kept.done(ino, gone.place)?;
        }
        drop(held);
        let row_jobs = row_jobs(&remake, wanted, cut)?;
        current = Some(remake);
        Ok(jobs.blocking_send(row_jobs).is_ok())
    })?;
    Ok(next)
}

/// Whether what is queued of an inode was published before the cut that is sent. What a head alone refers to belongs to
/// the top directory, whatever its row says.
fn is_left_over(ino: Ino, published: Option<u64>, before: u64) -> bool {
    ino != ROOT && published.is_some_and(|published| published <= before)
}

/// What is sent of one row.
fn row_jobs(
    remake: &Remake<'_>,
    wanted: Vec<Wanted>,
    cut: Option<&Snapshot>,
) -> Result<Vec<Job>, SyncError> {
    let chunks = remake.chunks(&wanted)?;
    let is_of_cut = cut.is_some_and(|cut| remake.publication() == Some(cut.generation));
    let mut jobs = Vec::with_capacity(wanted.len());
    for (wanted, chunk) in wanted.into_iter().zip(chunks) {
        let Some(reference) = &wanted.reference else {
            continue;
        };
        let address = reference.address();
        let cargo = match chunk {
            Some(chunk) => Cargo::Made(chunk),
            None if is_of_cut && !remake.is_given_up(wanted.place)? => Cargo::Owed(address),
            None => Cargo::Relayed(address),
        };
        jobs.push(Job {
            ino: remake.ino(),
            place: wanted.place,
            freight: wanted.freight,
            cargo,
        });
    }
    Ok(jobs)
}

/// Shows every row of the queue from `from` on until `show` says that it is enough.
pub(super) fn each_row(
    kept: &Kept,
    from: Key,
    mut show: impl FnMut(Ino, u64, Queued) -> Result<bool, SyncError>,
) -> Result<(), SyncError> {
    let last = Key::queued(Ino(u64::MAX), u64::MAX);
    let mut next = Some(from);
    while let Some(from) = next {
        let rows = kept.rows().scan(&from, &last, ROWS)?;
        next = rows.last().and_then(|(key, _)| key.successor());
        let done = rows.len() < ROWS;
        for (key, row) in rows {
            let row = Queued::decode(&row).map_err(damaged)?;
            if !show(Ino(key.field(0)), key.field(1), row)? {
                return Ok(());
            }
        }
        if done {
            break;
        }
    }
    Ok(())
}

/// Rows that are looked at together.
const ROWS: usize = 256;

/// The places of a row at which a bit is set.
pub(super) fn places(bucket: u64, mask: u32) -> impl Iterator<Item = Place> {
    let row = Queued {
        unsent: mask,
        sent: 0,
    };
    row.positions().map(move |at| Place::of_row(bucket, at))
}
