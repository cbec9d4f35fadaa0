use crate::pod::Pod;
use crate::types::limits::PAGE;

/// Rows of a small file take about this much: how many more files the room that is left is good for.
const BYTES_PER_INODE: u64 = 512;

/// What `statfs` shows, in pages of 4096 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatFs {
    /// Pages the pod may take on its disk; never 0, for tools take that for a file system that is none.
    pub pages: u64,
    /// Pages that are free. Nothing is set aside for root.
    pub free: u64,
    /// Inodes there may be.
    pub inodes: u64,
    /// Inodes that may still be made.
    pub inodes_free: u64,
}

impl Pod {
    /// Room in the pod's budget, as its log counts it.
    pub fn statfs(&self) -> StatFs {
        let space = self.rows.space();
        let used = space.total.saturating_sub(space.free);
        StatFs {
            pages: (space.total / PAGE as u64).max(1),
            free: space.free / PAGE as u64,
            inodes: (space.total / BYTES_PER_INODE).max(1),
            inodes_free: space.total.saturating_sub(used) / BYTES_PER_INODE,
        }
    }
}
