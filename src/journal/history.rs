//! For tests: what was done to a folder, and what a power cut may leave of it.
//!
//! Durable is what a sync that returned found there when it began. Of everything later, single sectors of the writes
//! and a first part of the changes of names may be there or not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;
use rustix::fs::{FallocateFlags, fallocate};

/// Bytes that a disk writes wholly or not at all.
const SECTOR: usize = 512;

enum Event {
    Made(PathBuf),
    Sized(PathBuf, u64),
    Wrote(PathBuf, u64, Vec<u8>),
    Punched(PathBuf, u64, u64),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
    /// What was there at that event is durable.
    Synced(PathBuf, usize),
}

/// Folders of which a history is kept.
static HISTORIES: Mutex<BTreeMap<PathBuf, Vec<Event>>> = Mutex::new(BTreeMap::new());

fn note(path: &Path, event: impl FnOnce() -> Event) {
    for (dir, events) in HISTORIES.lock().iter_mut() {
        if path.starts_with(dir) {
            events.push(event());
            return;
        }
    }
}

fn path_of(fd: impl AsFd) -> PathBuf {
    let link = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    fs::read_link(link).unwrap_or_default()
}

pub(in crate::journal) fn made(path: &Path) {
    note(path, || Event::Made(path.to_owned()));
}

pub(in crate::journal) fn sized(fd: impl AsFd, bytes: u64) {
    let path = path_of(fd);
    note(&path, || Event::Sized(path.clone(), bytes));
}

pub(in crate::journal) fn wrote(fd: impl AsFd, offset: u64, bytes: &[u8]) {
    let path = path_of(fd);
    note(&path, || Event::Wrote(path.clone(), offset, bytes.to_vec()));
}

pub(in crate::journal) fn punched(fd: impl AsFd, offset: u64, len: u64) {
    let path = path_of(fd);
    note(&path, || Event::Punched(path.clone(), offset, len));
}

pub(in crate::journal) fn renamed(from: &Path, to: &Path) {
    note(from, || Event::Renamed(from.to_owned(), to.to_owned()));
}

pub(in crate::journal) fn removed(path: &Path) {
    note(path, || Event::Removed(path.to_owned()));
}

/// A sync of a file or folder is under way: noted as done by [`synced`].
pub(in crate::journal) fn syncing(fd: impl AsFd) -> (PathBuf, usize) {
    let path = path_of(fd);
    let at = length(&path);
    (path, at)
}

pub(in crate::journal) fn synced((path, at): (PathBuf, usize)) {
    note(&path, || Event::Synced(path.clone(), at));
}

/// Begins a history of `dir`, which is empty.
pub(crate) fn begin(dir: &Path) {
    HISTORIES.lock().insert(dir.to_owned(), Vec::new());
}

/// Events so far in the folder that holds `path`.
pub(crate) fn length(path: &Path) -> usize {
    let histories = HISTORIES.lock();
    let mut of = histories.iter().filter(|(dir, _)| path.starts_with(dir));
    of.next().map_or(0, |(_, events)| events.len())
}

/// Ends a history.
pub(crate) fn end(dir: &Path) {
    drop(HISTORIES.lock().remove(dir));
}

/// Up to which event what happened to a file or folder is durable.
fn durable(events: &[Event]) -> BTreeMap<&Path, usize> {
    let mut durable: BTreeMap<&Path, usize> = BTreeMap::new();
    for event in events {
        if let Event::Synced(path, at) = event {
            let known = durable.entry(path).or_default();
            *known = (*known).max(*at);
        }
    }
    durable
}

/// What a cut after `cut` events leaves of `dir`, in `image`.
pub(crate) fn cut(dir: &Path, cut: usize, image: &Path, rng: &mut StdRng) {
    let histories = HISTORIES.lock();
    let events = &histories[dir][..cut];
    let durable = durable(events);
    // Of the names that changed since, a first part made it; the same in all folders, for a journal has one order.
    let names_until = rng.random_range(0..=cut);
    let luck = [0.0, 0.1, 0.5, 0.9, 1.0][rng.random_range(0..5)];
    fs::create_dir_all(image.join("log")).unwrap();
    let mut names: BTreeMap<&Path, usize> = BTreeMap::new();
    let mut files: Vec<File> = Vec::new();
    let mut latest: BTreeMap<&Path, usize> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        let kept = |path: &Path| {
            let folder = path.parent().unwrap();
            at < names_until || at < durable.get(folder).copied().unwrap_or(0)
        };
        match event {
            Event::Made(path) => {
                files.push(File::create_new(image.join(files.len().to_string())).unwrap());
                latest.insert(path, files.len() - 1);
                if kept(path) {
                    names.insert(path, files.len() - 1);
                }
            }
            Event::Sized(path, bytes) => files[latest[&**path]].set_len(*bytes).unwrap(),
            Event::Wrote(path, offset, bytes) => {
                let sure = at < durable.get(&**path).copied().unwrap_or(0);
                let Some(file) = latest.get(&**path).map(|file| &files[*file]) else {
                    continue;
                };
                for (nth, sector) in bytes.chunks(SECTOR).enumerate() {
                    if sure || rng.random_bool(luck) {
                        let at = offset + (nth * SECTOR) as u64;
                        file.write_all_at(sector, at).unwrap();
                    }
                }
            }
            Event::Punched(path, offset, len) => {
                let sure = at < durable.get(&**path).copied().unwrap_or(0);
                if let Some(file) = latest
                    .get(&**path)
                    .filter(|_| sure || rng.random_bool(luck))
                {
                    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                    fallocate(&files[*file], how, *offset, *len).unwrap();
                }
            }
            Event::Renamed(from, to) => {
                let file = latest.remove(&**from).unwrap();
                latest.insert(to, file);
                if kept(to) && names.remove(&**from).is_some() {
                    names.insert(to, file);
                }
            }
            Event::Removed(path) => {
                latest.remove(&**path);
                if kept(path) {
                    names.remove(&**path);
                }
            }
            Event::Synced(..) => {}
        }
    }
    for (path, file) in names {
        let place = image.join(path.strip_prefix(dir).unwrap());
        fs::rename(image.join(file.to_string()), place).unwrap();
    }
}
