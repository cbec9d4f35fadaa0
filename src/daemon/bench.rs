//! What this machine can do: seal, hash, stretch, and write to its disk. Nothing of the pod is touched.

use std::fs::File;
use std::io;
use std::io::Write;
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use serde::Serialize;

use crate::crypto::PAGE_LEN;
use crate::crypto::PageKey;
use crate::crypto::Secret;
use crate::crypto::open_page;
use crate::crypto::passphrase::Cost;
use crate::crypto::passphrase::stretch;
use crate::crypto::seal_page;
use crate::crypto::swarm::Lanes;
use crate::crypto::swarm::page_addresses_in;
use crate::daemon::doctor::existing_above;
use crate::daemon::doctor::unnamed_file;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;

/// Each crypto figure is measured for this long.
const STRETCH: Duration = Duration::from_millis(400);
/// Pages one core works on between two looks at the clock: they fit into its cache.
const PAGES: usize = 64;
/// Bytes written in the sequential measurement.
const SEQUENTIAL: usize = 256 << 20;
/// Appends in the latency measurement.
const APPENDS: usize = 200;

/// The figures, in the order they are printed. Rates in 10^6 bytes per second, times in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Cores used for the figures of all cores.
    pub cores: usize,
    /// Sealing 4 KiB pages, one core.
    pub seal_mb_s: f64,
    /// Opening them, one core.
    pub open_mb_s: f64,
    /// Sealing on all cores at once.
    pub seal_all_mb_s: f64,
    /// Opening on all cores at once.
    pub open_all_mb_s: f64,
    /// Keyed BLAKE3 of 4 KiB, one core.
    pub blake3_mb_s: f64,
    /// Swarm hashes of 4 KiB, one core, by how many are made at once; the first is what is used.
    pub swarm: Vec<SwarmFigure>,
    /// One stretching of a passphrase at the default cost: what a guess costs an attacker.
    pub argon2_ms: f64,
    /// Writing 256 MiB in requests of 1 MiB, and one fdatasync.
    pub disk_write_mb_s: f64,
    /// Appending 4 KiB with fdatasync, median.
    pub sync_median_ms: f64,
    /// The same, 99th percentile.
    pub sync_p99_ms: f64,
}

/// The rate of one way to make swarm hashes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SwarmFigure {
    /// Hashes made at once.
    pub lanes: usize,
    /// 10^6 bytes per second.
    pub mb_s: f64,
}

/// Measures; the disk is the one of `state`.
pub fn measure(state: &Path, progress: &dyn Fn(&str)) -> Result<Figures, Fault> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    progress("sealing and opening pages");
    let seal = |work: &mut Work| work.seal();
    let open = |work: &mut Work| work.open();
    let (seal_mb_s, open_mb_s) = (rate(1, seal), rate(1, open));
    let (seal_all_mb_s, open_all_mb_s) = (rate(cores, seal), rate(cores, open));
    let blake3_mb_s = rate(1, |work: &mut Work| work.hash());
    progress("hashing for Swarm");
    let swarm = Lanes::available().map(|lanes| SwarmFigure {
        lanes: lanes.count(),
        mb_s: rate(1, |work: &mut Work| work.address(lanes)),
    });
    let swarm = swarm.collect();
    progress("stretching a passphrase");
    let argon2_ms = argon2()?;
    progress("writing to the disk");
    let folder = existing_above(state);
    let failed = |error: io::Error| {
        Fault::io(
            FaultKind::State,
            format!("cannot write to {}", Quoted(&folder)),
            &error,
        )
    };
    let disk_write_mb_s = sequential(&folder).map_err(failed)?;
    let (sync_median_ms, sync_p99_ms) = appends(&folder).map_err(failed)?;
    Ok(Figures {
        cores,
        seal_mb_s,
        open_mb_s,
        seal_all_mb_s,
        open_all_mb_s,
        blake3_mb_s,
        swarm,
        argon2_ms,
        disk_write_mb_s,
        sync_median_ms,
        sync_p99_ms,
    })
}

/// What one core works on.
struct Work {
    key: PageKey,
    pages: Vec<[u8; PAGE_LEN]>,
    sealed: Vec<[u8; PAGE_LEN]>,
    tags: Vec<crate::crypto::Tag>,
    number: u64,
}

impl Work {
    fn new() -> Self {
        // A key that seals nothing but zeros, so nothing is lost when numbers come again.
        let key = PageKey::new(Secret::from_bytes(&[7; 32]));
        let mut work = Self {
            key,
            pages: vec![[0; PAGE_LEN]; PAGES],
            sealed: vec![[0; PAGE_LEN]; PAGES],
            tags: Vec::new(),
            number: 0,
        };
        let numbered = work.sealed.iter_mut().zip(0_u64..);
        work.tags = numbered
            .map(|(page, number)| seal_page(&work.key, number, page))
            .collect();
        work
    }

    fn seal(&mut self) {
        for page in &mut self.pages {
            self.number += 1;
            std::hint::black_box(seal_page(&self.key, self.number, page));
        }
    }

    fn open(&mut self) {
        for ((sealed, tag), number) in self.sealed.iter().zip(&self.tags).zip(0_u64..) {
            let mut page = *sealed;
            let opened = open_page(&self.key, number, &mut page, tag);
            std::hint::black_box((opened.is_ok(), &page));
        }
    }

    fn hash(&mut self) {
        for page in &self.pages {
            std::hint::black_box(blake3::keyed_hash(&[7; 32], page));
        }
    }

    fn address(&mut self, lanes: Lanes) {
        std::hint::black_box(page_addresses_in(lanes, &self.sealed));
    }
}

/// 10^6 bytes per second that `cores` threads get through together.
fn rate(cores: usize, step: impl Fn(&mut Work) + Sync) -> f64 {
    let work = || {
        let mut work = Work::new();
        let start = Instant::now();
        let mut bytes = 0;
        while start.elapsed() < STRETCH {
            step(&mut work);
            bytes += PAGES * PAGE_LEN;
        }
        per_second(bytes, start.elapsed())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .sum()
    })
}

fn argon2() -> Result<f64, Fault> {
    let start = Instant::now();
    stretch(b"how long does it take?", &[0; 32], &Cost::DEFAULT).map_err(|error| {
        Fault::new(FaultKind::Other, error.to_string()).next("close some programs, then try again")
    })?;
    Ok(milliseconds(start.elapsed()))
}

fn sequential(folder: &Path) -> io::Result<f64> {
    let file = unnamed_file(folder)?;
    let block = noise(1 << 20);
    let start = Instant::now();
    for at in (0..SEQUENTIAL).step_by(block.len()) {
        file.write_all_at(&block, at as u64)?;
    }
    file.sync_data()?;
    Ok(per_second(SEQUENTIAL, start.elapsed()))
}

fn appends(folder: &Path) -> io::Result<(f64, f64)> {
    let mut file: File = unnamed_file(folder)?;
    let page = noise(PAGE_LEN);
    let mut times = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let start = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |part: usize| {
        times
            .get(APPENDS * part / 100)
            .copied()
            .map_or(0.0, milliseconds)
    };
    Ok((at(50), at(99)))
}

/// Bytes that no disk compresses or finds twice.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new()
        .update(b"noise")
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn per_second(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64() / 1e6
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
