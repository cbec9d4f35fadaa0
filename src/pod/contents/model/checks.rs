//! What always holds of the two files.

use std::collections::BTreeMap;

use crate::format::rows::{Key, Run, Shared};
use crate::pod::Pod;
use crate::pod::contents::PAGE_BYTES;
use crate::pod::contents::edit::Edit;
use crate::pod::contents::model::{Model, State};
use crate::pod::fake::{Fake, extents};
use crate::pod::remote::Missing;
use crate::types::Ino;
use crate::types::limits::PAGE;

impl Model {
    /// Contents are the model's; the map of pages is, where the rows may say so.
    pub(super) fn check(&mut self, pod: &Pod, fake: &Fake, pages_known: bool) {
        let mut out = Vec::new();
        fake.wait(|| pod.read(self.ino, 0, u32::MAX, &mut out))
            .unwrap();
        assert!(out == self.bytes, "contents differ");
        let inode = pod.inode(self.ino).unwrap();
        let mut pages = vec![State::Hole; self.pages.len()];
        let mut counted = 0;
        for (number, bucket) in extents(pod, self.ino) {
            counted += u64::from(bucket.taken());
            if number >= inode.cut {
                continue;
            }
            for run in bucket.runs {
                let start = number as usize * 32 + run.start as usize;
                let state = if run.is_written() {
                    State::Data
                } else {
                    State::Unwritten
                };
                pages[start..start + run.count as usize].fill(state);
            }
        }
        assert_eq!(inode.pages, counted, "pages");
        if pages_known {
            assert!(pages == self.pages, "map of pages differs");
        }
        self.pages = pages;
        let size = self.bytes.len() as u64;
        if !size.is_multiple_of(PAGE_BYTES) {
            let page = one_page(pod, fake, self.ino, size / PAGE_BYTES);
            let tail = self.bytes.len() % PAGE;
            assert!(
                page[tail..].iter().all(|byte| *byte == 0),
                "old bytes behind the end"
            );
        }
    }
}

/// All of a page, wherever it is.
pub(super) fn one_page(pod: &Pod, fake: &Fake, ino: Ino, page: u64) -> [u8; PAGE] {
    let mut edit = Edit::new(pod);
    edit.load(ino, (page / 32, page / 32), 1).unwrap();
    let mut bytes = [1; PAGE];
    let read = || {
        let mut missing = Missing::default();
        pod.read_page(
            (ino, page),
            edit.run_at(ino, page),
            &mut bytes,
            &mut missing,
        )?;
        missing.none(ino)
    };
    fake.wait(read).unwrap();
    bytes
}

/// Every page in the log is named as often as the counts say, and freed when by none; the reserve is exact.
pub(super) fn check_pages(pod: &Pod, inos: &[Ino]) {
    let mut named: BTreeMap<u64, (u32, bool)> = BTreeMap::new();
    let mut unwritten = 0;
    for ino in inos {
        for (_, bucket) in extents(pod, *ino) {
            unwritten += i64::from(bucket.unwritten());
            for data in bucket.runs.iter().filter_map(Run::data) {
                for nth in 0..data.tags.len() as u64 {
                    let entry = named.entry(data.slot.as_u64() + nth).or_insert((0, true));
                    *entry = (entry.0 + 1, entry.1 && data.shared);
                }
            }
        }
    }
    let (live, reserved) = pod.rows.live();
    assert_eq!(
        live,
        named.keys().copied().collect::<Vec<_>>(),
        "live pages"
    );
    assert_eq!(reserved, unwritten, "reserve");
    let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
    let (from, to) = (
        Key::parse(b"R\0\0\0\0\0\0\0\0").unwrap(),
        Key::parse(&[b'R', 255, 255, 255, 255, 255, 255, 255, 255]).unwrap(),
    );
    for (key, row) in pod.rows.scan(&from, &to, usize::MAX).unwrap() {
        let shared = Shared::decode(&row).unwrap();
        for slot in key.field(0)..key.field(0) + u64::from(shared.count) {
            assert!(
                counts.insert(slot, shared.references).is_none(),
                "counted twice"
            );
        }
    }
    for (slot, (times, marked)) in named {
        assert_eq!(
            times,
            counts.remove(&slot).unwrap_or(1),
            "references of {slot}"
        );
        assert!(times == 1 || marked, "shared and not marked");
    }
    assert!(counts.is_empty(), "counts of pages that nobody names");
}
