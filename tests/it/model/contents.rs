use podfs::pod::SetAttr;
use rustix::fs::FallocateFlags;

use super::steps::same;
use super::{OWNER, Pair};

/// Offsets and sizes stay below this; a huge preallocation goes far beyond, so that deletions need many records.
const SPACE: u64 = 300_000;
const HUGE: u64 = 45 << 20;

/// Operations on contents.
impl Pair {
    pub fn write(&mut self) {
        let Some(ino) = self.file() else { return };
        let most = if self.random.below(10) == 0 {
            SPACE
        } else {
            12_000
        };
        let (mut at, mut len) = (self.random.below(SPACE), 1 + self.random.below(most));
        if self.random.below(2) == 0 {
            (at, len) = (at & !0xfff, (len + 0xfff) & !0xfff);
        }
        let data = self.random.bytes(len as usize);
        let kill = self.random.below(4) == 0;
        assert_eq!(self.pod().write(ino, at, &data, kill).unwrap(), len as u32);
        self.reference.write(ino, at as usize, &data, kill);
    }

    pub fn resize(&mut self) {
        let Some(ino) = self.file() else { return };
        let size = match self.random.below(4) {
            0 => 0,
            1 => self.random.below(SPACE) & !0xfff,
            _ => self.random.below(SPACE),
        };
        let set = SetAttr {
            size: Some(size),
            ..SetAttr::default()
        };
        self.pod().setattr(ino, &set, OWNER).unwrap();
        self.reference.resize(ino, size as usize);
    }

    pub fn read(&mut self) {
        let Some(ino) = self.file() else { return };
        let (at, len) = (self.random.below(SPACE), self.random.below(SPACE));
        let mut out = Vec::new();
        self.pod().read(ino, at, len as u32, &mut out).unwrap();
        let bytes = &self.reference.nodes[&ino].bytes;
        let clip = |to: u64| (to as usize).min(bytes.len());
        assert!(
            out == bytes[clip(at)..clip(at + len)],
            "{ino} differs at {at}"
        );
    }

    pub fn fallocate(&mut self) {
        let Some(ino) = self.file() else { return };
        let huge = self.random.below(60) == 0;
        let (at, len) = if huge {
            (self.random.below(SPACE), HUGE)
        } else {
            (self.random.below(SPACE), 1 + self.random.below(SPACE))
        };
        let keep = self.random.below(2) == 0;
        let size = if keep {
            FallocateFlags::KEEP_SIZE
        } else {
            FallocateFlags::empty()
        };
        let pod = self.pod();
        let range = (at as usize, (at + len) as usize);
        match self.random.below(3) {
            0 => {
                pod.fallocate(ino, at, len, size).unwrap();
                self.reference.zero(ino, (0, 0), false);
                let now = self.reference.nodes[&ino].bytes.len();
                let grown = if keep { now } else { now.max(range.1) };
                self.reference.resize(ino, grown);
            }
            1 => {
                let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                pod.fallocate(ino, at, len, punch).unwrap();
                self.reference.zero(ino, range, false);
            }
            _ => {
                pod.fallocate(ino, at, len, size | FallocateFlags::ZERO_RANGE)
                    .unwrap();
                self.reference.zero(ino, range, !keep);
            }
        }
    }

    pub fn copy(&mut self) {
        let (Some(from), Some(to)) = (self.file(), self.file()) else {
            return;
        };
        let (mut at, mut place) = (self.random.below(SPACE), self.random.below(SPACE));
        if self.random.below(3) > 0 {
            (at, place) = (at & !0xfff, place & !0xfff);
        }
        let size = self.reference.nodes[&from].bytes.len() as u64;
        let left = size
            .saturating_sub(at)
            .min(1 + self.random.below(2 * SPACE));
        let overlap = from == to && left > 0 && at.abs_diff(place) < left;
        let copied = self.pod().copy_range(from, at, to, place, left);
        let expected = if overlap {
            Err("InvalidArgument")
        } else {
            Ok(())
        };
        let Some(copied) = same(copied, expected) else {
            return;
        };
        assert_eq!(copied, left);
        if copied > 0 {
            let bytes =
                self.reference.nodes[&from].bytes[at as usize..][..copied as usize].to_vec();
            self.reference.write(to, place as usize, &bytes, false);
        }
    }
}
