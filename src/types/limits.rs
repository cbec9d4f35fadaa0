//! Every limit, in one place. Sizes in bytes, times as [`Duration`].

use std::time::Duration;

/// One kernel page, one sealed page, one Swarm chunk.
pub const PAGE: usize = 4096;
/// Pages in one extent row: 128 KiB of a file.
pub const BUCKET_PAGES: usize = 32;
/// Bytes of a file that one extent row covers.
pub const BUCKET: u64 = (PAGE * BUCKET_PAGES) as u64;
/// Longest file name (POSIX `NAME_MAX` on Linux).
pub const NAME_MAX: usize = 255;
/// Longest symlink target (`PATH_MAX` less its NUL).
pub const TARGET_MAX: usize = 4095;
/// Longest extended attribute value (`XATTR_SIZE_MAX` of Linux).
pub const XATTR_VALUE_MAX: usize = 64 * 1024;
/// All extended attribute names of an inode together (`XATTR_LIST_MAX` of Linux).
pub const XATTR_LIST_MAX: usize = 64 * 1024;
/// Most hard links of one inode (as ext4).
pub const LINK_MAX: u32 = 65_000;
/// Largest file: what a signed 64-bit offset can name, less one page.
pub const FILE_SIZE_MAX: u64 = i64::MAX as u64 & !(PAGE as u64 - 1);

/// Bytes of a log segment.
pub const SEGMENT: u64 = 64 << 20;
/// Smallest piece of disk worth preallocating when a whole segment no longer fits.
pub const SEGMENT_MIN: u64 = 4 << 20;
/// Largest record body: row after-images of one operation.
pub const RECORD_BODY_MAX: usize = 16 << 20;
/// Most pages in one record: a FUSE write of 1 MiB that straddles a page, or a batch of checkpoint nodes.
pub const RECORD_PAGES_MAX: usize = 1024;
/// Longest row value: an extended attribute with its name, twice over for colliding hashes.
pub const ROW_VALUE_MAX: usize = 256 * 1024;
/// Unsynced bytes above which writers wait, so that a small fsync never pays for a big copy.
pub const UNSYNCED_MAX: u64 = 16 << 20;
/// Unsynced bytes at which a sync starts without being asked.
pub const UNSYNCED_SYNC: u64 = 6 << 20;
/// Bytes of one sync from which the log's pages are not kept in the kernel's cache.
pub const STREAM_WRITE: u64 = 4 << 20;
/// Bytes of one read from which the log's pages are not kept in the kernel's cache.
pub const STREAM_READ: usize = 128 << 10;
/// A sync starts at the latest this long after a change.
pub const SYNC_AFTER: Duration = Duration::from_millis(900);

/// Row after-images in memory at which a checkpoint starts; at twice as many, writers wait for it.
pub const OVERLAY_CHECKPOINT: usize = 32 << 20;
/// Dead bytes in the log at which a checkpoint starts, so that they can be punched.
pub const DEAD_CHECKPOINT: u64 = 96 << 20;
/// Record bytes (without pages) since the last checkpoint at which one starts: bounds replay.
pub const REPLAY_CHECKPOINT: u64 = 64 << 20;
/// Quiet time after which a dirty pod is checkpointed.
pub const IDLE_CHECKPOINT: Duration = Duration::from_secs(20);
/// Aimed size of a checkpoint leaf before it is split.
pub const LEAF: usize = 8192 - 64;
/// Pointers in one checkpoint branch.
pub const BRANCH_POINTERS: usize = 96;
/// Decoded leaves kept in memory.
pub const LEAF_CACHE: usize = 48 << 20;
/// sled's own cache.
pub const INDEX_CACHE: u64 = 16 << 20;
/// Open segment files kept.
pub const SEGMENT_FILES_MAX: usize = 128;

/// Disk that only deletes, renames and attribute changes may still take when data no longer fits.
pub const HEADROOM_META: u64 = 8 << 20;
/// Disk that only checkpoints may still take.
pub const HEADROOM_CHECKPOINT: u64 = 16 << 20;
/// Share of the file system's size that the default budget leaves to others (one part in this many).
pub const BUDGET_RESERVE_PART: u64 = 20;
/// How long a writer waits for reclaim before it is told that there is no space.
pub const RECLAIM_WAIT: Duration = Duration::from_secs(5);
/// Longest any request may wait for the journal (unsynced bound, checkpoint, earlier writes).
pub const JOURNAL_WAIT: Duration = Duration::from_secs(10);
