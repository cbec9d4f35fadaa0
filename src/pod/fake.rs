//! A network for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use parking_lot::Mutex;

use crate::format::rows::{Bucket, Key};
use crate::pod::Pod;
use crate::pod::error::PodError;
use crate::pod::remote::{Fetch, Remote};
use crate::types::Ino;
use crate::types::limits::PAGE;

/// How the network answers.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Network {
    #[default]
    Good,
    /// With an error.
    Down,
    /// Never.
    Silent,
}

/// Holds the pages that were put into it; none is here until it is fetched.
#[derive(Default)]
pub(crate) struct Fake {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pages: BTreeMap<(Ino, u64), [u8; PAGE]>,
    here: BTreeSet<(Ino, u64)>,
    fetched: Vec<(u64, u64)>,
    network: Network,
}

impl Fake {
    /// The published version of an inode is this from now on.
    pub(crate) fn publish(&self, ino: Ino, pages: BTreeMap<u64, [u8; PAGE]>) {
        let mut state = self.state.lock();
        state.pages.retain(|(other, _), _| *other != ino);
        let pages = pages.into_iter().map(|(page, bytes)| ((ino, page), bytes));
        state.pages.extend(pages);
    }

    /// A page of it.
    pub(super) fn published(&self, ino: Ino, page: u64) -> [u8; PAGE] {
        self.state.lock().pages[&(ino, page)]
    }

    /// Nothing is here any more; gives what was fetched since the last time.
    pub(crate) fn forget(&self) -> Vec<(u64, u64)> {
        let mut state = self.state.lock();
        state.here.clear();
        std::mem::take(&mut state.fetched)
    }

    /// How it answers from now on.
    pub(crate) fn set(&self, network: Network) {
        self.state.lock().network = network;
    }

    /// Puts all pages of a file into the network, those left out that change meanwhile. Gives its extent rows.
    pub(super) fn publish_all(&self, pod: &Pod, ino: Ino) -> Vec<(u64, Bucket)> {
        let rows = extents(pod, ino);
        let mut pages = BTreeMap::new();
        for (number, bucket) in &rows {
            for run in &bucket.runs {
                for nth in 0..run.count {
                    let page = number * 32 + u64::from(run.start + nth);
                    let mut out = [0; PAGE];
                    let opened = run.data().map(|data| {
                        let read = pod.rows.read(data, usize::from(nth), &mut out);
                        read.is_ok()
                    });
                    match opened {
                        None => pages.insert(page, self.published(ino, page)),
                        Some(true) => pages.insert(page, out),
                        Some(false) => None,
                    };
                }
            }
        }
        self.publish(ino, pages);
        rows
    }

    /// Makes all pages of a file remote.
    pub(crate) fn take(&self, pod: &Pod, ino: Ino) {
        let rows = self.publish_all(pod, ino);
        pod.give_up(ino, &rows).unwrap();
    }

    fn fetch_now(&self, ino: Ino, pages: Range<u64>) -> Result<(), PodError> {
        let mut state = self.state.lock();
        if state.network == Network::Down {
            return Err(PodError::Unreachable("the network is down".to_owned()));
        }
        assert!(!pages.is_empty(), "nothing was wanted");
        state.here.extend(pages.clone().map(|page| (ino, page)));
        state.fetched.push((pages.start, pages.end));
        Ok(())
    }

    /// Does `work`, again after each fetch that it needs.
    pub(in crate::pod) fn wait<T>(
        &self,
        mut work: impl FnMut() -> Result<T, PodError>,
    ) -> Result<T, PodError> {
        loop {
            match work() {
                Err(PodError::Absent { ino, pages }) => self.fetch_now(ino, pages)?,
                outcome => return outcome,
            }
        }
    }
}

impl Remote for Fake {
    fn page(&self, ino: Ino, page: u64, out: &mut [u8; PAGE]) -> Result<bool, PodError> {
        let state = self.state.lock();
        let Some(bytes) = state.pages.get(&(ino, page)) else {
            return Err(PodError::Corrupt(format!("no page {page} of {ino}")));
        };
        let here = state.here.contains(&(ino, page));
        if here {
            *out = *bytes;
        }
        Ok(here)
    }

    fn fetch(&self, ino: Ino, pages: Range<u64>) -> Fetch<'_> {
        if self.state.lock().network == Network::Silent {
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(self.fetch_now(ino, pages)))
    }

    fn state(&self, _ino: Ino) -> &'static str {
        "confirmed"
    }
}

pub(super) fn extents(pod: &Pod, ino: Ino) -> Vec<(u64, Bucket)> {
    let (from, to) = (Key::extent(ino, 0), Key::extent(ino, u64::MAX));
    let rows = pod.rows.scan(&from, &to, usize::MAX).unwrap();
    let rows = rows.iter();
    rows.map(|(key, row)| (key.field(1), Bucket::decode(row).unwrap()))
        .collect()
}
