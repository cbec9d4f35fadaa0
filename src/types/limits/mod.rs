//! Every limit, in one place. Sizes in bytes, times as [`Duration`].

mod people;

use std::time::Duration;

pub use people::*;

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
/// Most boxes of a pod.
pub const BOXES_MAX: usize = 256;
/// Changes that the kernels of other mounts of a pod are still to be told of; none waits longer than a request.
pub const NOTICES_MAX: usize = 1 << 16;
/// Most hard links of one inode (as ext4).
pub const LINK_MAX: u32 = 65_000;
/// Largest file: what a signed 64-bit offset can name, less one page.
pub const FILE_SIZE_MAX: u64 = i64::MAX as u64 & !(PAGE as u64 - 1);

/// [`PAGE`] as sizes and offsets of files count.
pub const PAGE_BYTES: u64 = PAGE as u64;
/// Largest contents that stand in a published inode itself: what its attributes leave room for in most cases.
pub const INLINE_MAX: u64 = 3600;
/// References in a published node: a page less 16 bytes, by 80.
pub const NODE_REFERENCES: usize = 51;
/// References in a published inode; the rest of the page is for attributes.
pub const INODE_REFERENCES: usize = 44;
/// Highest level in the tree of a published file: the largest one needs 11 at the densest parity.
pub const TREE_LEVEL_MAX: u8 = 12;
/// Highest level in the tree of a published directory: 6 to the 16th names of the longest kind.
pub const DIRECTORY_LEVEL_MAX: u8 = 16;
/// Longest symlink target that stands in a published entry, so that many entries fit into a leaf.
pub const TARGET_INLINE_MAX: usize = 255;
/// Postage batches that a head names: those in use and those that still hold older chunks.
pub const HEAD_BATCHES_MAX: usize = 16;
/// Bytes of the changes in a head, parity left out: with all other parts they fit.
pub const HEAD_CHANGES_BYTES: usize = 3000;
/// Changed names above which a head cannot hold them, whatever they are.
pub const HEAD_CHANGES_MAX: usize = 60;
/// Most bytes of one part of a head that a reader may skip.
pub const HEAD_SKIPPABLE_MAX: usize = 512;

/// Nodes that one record of a publication in the making keeps, about.
pub const PREPARED_PAGES: usize = 256;
/// Other changes that one such record makes, about.
pub const PREPARED_ROWS: usize = 16 << 10;
/// Chunks that are sent with one tag, where a node wants one.
pub const TAG_CHUNKS: usize = 512;
/// Chunks on their way to the own node at once: at first, at least, and at most. A node pushes 128 at once in all.
pub const SENDING_FIRST: usize = 32;
/// See [`SENDING_FIRST`].
pub const SENDING_MIN: usize = 2;
/// See [`SENDING_FIRST`].
pub const SENDING_MAX: usize = 64;
/// Chunks that are asked for at once to see whether the network has them.
pub const CONFIRMING: usize = 16;
/// What was sent and confirmed is noted in the log at the latest after this.
pub const NOTE_AFTER: Duration = Duration::from_millis(500);
/// Or after so many chunks.
pub const NOTE_CHUNKS: usize = 1024;
/// A chunk that was taken and is not found so many times, each time after a longer pause, is sent again.
pub const RETRIEVE_TRIES: u32 = 4;
/// Attempts at sealing a page or node for an address at which the postage batch has room.
pub const SEAL_ATTEMPTS_MAX: u8 = 32;
/// Indices of a feed that are given up in a row, when both addresses of a head are refused.
pub const HEADS_SKIPPED_MAX: u64 = 8;
/// Quiet after which what changed is published.
pub const PUBLISH_QUIET: Duration = Duration::from_secs(10);
/// The longest that a change waits for its publication at first, and when changes never cease.
pub const PUBLISH_AFTER: Duration = Duration::from_secs(60);
/// See [`PUBLISH_AFTER`].
pub const PUBLISH_AFTER_MAX: Duration = Duration::from_secs(900);
/// How often it is looked whether something is to be published or confirmed.
pub const PUBLISH_TICK: Duration = Duration::from_millis(500);
/// The pause after publishing or confirming failed as a whole.
pub const CONFIRM_PAUSE: Duration = Duration::from_secs(5);
/// How often the postage batches in use are looked at.
pub const BATCHES_AGAIN: Duration = Duration::from_secs(3600);
/// How soon they are looked at again when that failed.
pub const BATCHES_SOON: Duration = Duration::from_secs(60);
/// A sample is one row of nodes, and the pages that they name, in so many.
pub const SCRUB_SAMPLE: u32 = 100;
/// Directories above an inode that are looked through for one that is pinned.
pub const PIN_DEPTH_MAX: u32 = 4096;
/// Bytes of a file that are fetched together to keep it on this machine.
pub const PIN_BYTES: u32 = 1 << 20;
/// Requests in a second above which the folder counts as in use.
pub const FOLDER_IN_USE: u64 = 50;
/// It is looked at again after this, while something is to be published.
pub const FOLDER_LOOK: Duration = Duration::from_millis(50);
/// It is in use for so long behind the last look that said so.
pub const FOLDER_LEFT_ALONE: Duration = Duration::from_secs(1);
/// The pause behind each chunk while it is.
pub const PACE_PAUSE: Duration = Duration::from_millis(2);
/// A cut of which no chunk was taken for so long is given up, when it is in the way of the folder.
pub const CUT_STANDS: Duration = Duration::from_secs(60);
/// What is left over of earlier publications is sent again at the earliest after this.
pub const SEND_AGAIN: Duration = Duration::from_secs(15);
/// What is left over is sent for so long, before it is looked whether something is to be published.
pub const LEFTOVER_STRETCH: Duration = Duration::from_secs(5);
/// Inodes that are remembered of which something is in the network no more.
pub const LOST_TOLD: usize = 64;
/// Publishing ends in this time, when the mount ends.
pub const PUBLISH_STOP: Duration = Duration::from_secs(3);
/// Bytes of a log segment.
pub const SEGMENT: u64 = 64 << 20;
/// Smallest piece of disk worth preallocating when a whole segment no longer fits.
pub const SEGMENT_MIN: u64 = 4 << 20;
/// Largest record body: row after-images of one operation.
pub const RECORD_BODY_MAX: usize = 16 << 20;
/// Most pages in one record: a FUSE write of 1 MiB that straddles a page, or a batch of checkpoint nodes.
pub const RECORD_PAGES_MAX: usize = 1024;
/// Most bytes that are put into, or appended to, a file that podfs keeps for itself in a pod.
pub const STATE_FILE_MAX: usize = 1 << 20;
/// Longest row value: an extended attribute with its name, twice over for colliding hashes.
pub const ROW_VALUE_MAX: usize = 256 * 1024;
/// Unsynced bytes above which writers wait, so that a small fsync never pays for a big copy.
pub const UNSYNCED_MAX: u64 = 16 << 20;
/// Unsynced bytes at which a sync starts without being asked.
pub const UNSYNCED_SYNC: u64 = 6 << 20;
/// Bytes of one write from which it goes past the kernel's cache: below, waiting for the disk costs more than copying.
pub const DIRECT_WRITE: usize = 128 << 10;
/// Bytes of one sync from which the log's pages are not kept in the kernel's cache.
pub const STREAM_WRITE: u64 = 4 << 20;
/// Bytes of one read from which the log's pages are not kept in the kernel's cache.
pub const STREAM_READ: usize = 128 << 10;
/// A sync starts at the latest this long after a change.
pub const SYNC_AFTER: Duration = Duration::from_millis(900);

/// Row after-images in memory at which a checkpoint starts; at twice as many, writers wait for it.
pub const OVERLAY_CHECKPOINT: usize = 32 << 20;
/// Dead bytes in the log at which a checkpoint starts, so that they can be punched; at twice as many, writers wait.
pub const DEAD_CHECKPOINT: u64 = 64 << 20;
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

/// Longest line on the control socket. A status is below 2 KiB; a list of holders is cut.
pub const CONTROL_LINE_MAX: usize = 64 << 10;
/// Connections served at once; more wait in the kernel's queue.
pub const CONTROL_CONNECTIONS_MAX: usize = 16;
/// A peer that says nothing for so long is hung up on.
pub const CONTROL_SILENCE_MAX: Duration = Duration::from_secs(60);
/// Requests of the control socket that wait for the loop.
pub const CONTROL_TASKS_MAX: usize = 16;
/// A daemon answers a command, and then ends, in this time each; else the command goes on without it.
pub const CONTROL_PATIENCE: Duration = Duration::from_secs(10);
/// Answers of the control socket that are on their way arrive in this time.
pub const CONTROL_DELIVERY: Duration = Duration::from_secs(1);
/// Longest wish and longest line of news, in bytes.
pub const HANDOFF_MAX: usize = 256 << 10;
/// Longest passphrase, in bytes.
pub const PASSPHRASE_MAX: usize = 4096;
/// Longest name of a pod, in bytes.
pub const POD_NAME_MAX: usize = 64;
/// Longest content of the lock file that is believed.
pub const LOCK_CONTENT_MAX: u64 = 16 << 10;
/// After a line of the log the next of its kind is written at the earliest after this.
pub const LOG_AGAIN: Duration = Duration::from_secs(600);
/// Kinds of lines of which that is remembered.
pub const LOG_KINDS_MAX: usize = 256;
/// Bytes after which the file becomes `….1` and a new one begins; two are kept.
pub const LOG_FILE_MAX: u64 = 2 << 20;
/// Files the daemon may have open: connections, segments, the index.
pub const OPEN_FILES_WANTED: u64 = 65_536;
/// Largest read the kernel may ask for: what `max_pages_limit` allows.
pub const FUSE_READ_MAX: u32 = 1 << 20;
/// Read-ahead of a mount, KiB. The kernel offers 128, a quarter of what sequential reads are worth here.
pub const READ_AHEAD_KB: u32 = 1024;
/// The new mount answers in this time, or is taken down again.
pub const MOUNT_PROBE: Duration = Duration::from_secs(8);
/// How long a mount found at some place may take to show that it lives.
pub const MOUNT_PULSE: Duration = Duration::from_secs(2);
/// A request that runs for longer is told in the log.
pub const REQUEST_OVERDUE: Duration = Duration::from_secs(5);
/// How often idleness and slow requests are looked at.
pub const DAEMON_TICK: Duration = Duration::from_secs(1);
/// How often a busy folder is tried before it is called busy.
pub const UNMOUNT_ATTEMPTS: u32 = 6;
/// The pause between two such tries.
pub const UNMOUNT_PAUSE: Duration = Duration::from_millis(100);
/// Programs that still use a folder that has to go may finish in this time.
pub const UNMOUNT_DRAIN: Duration = Duration::from_secs(3);
/// After their connection was cut, the threads that serve it end in this time.
pub const UNMOUNT_CUT: Duration = Duration::from_secs(1);
/// Closing the pod may take this long; what is not done then is replayed at the next start.
pub const POD_CLOSE: Duration = Duration::from_secs(6);
/// systemd is told to wait this much longer at every step of the replay, in microseconds.
pub const START_EXTEND_US: u32 = 15_000_000;

/// The end of a chunk store's file that is compared in full when it is opened: more than is ever written between
/// two syncs by those who put at once.
pub const DISK_STORE_TAIL: u64 = 4 << 20;
/// How long the lock of a chunk store is waited for: programs that are being started hold on to it for moments.
pub const DISK_STORE_LOCK: Duration = Duration::from_secs(1);
/// A cold read has this long, through all endpoints together (design, promise 4).
pub const READ_DEADLINE: Duration = Duration::from_secs(12);
/// One chunk of it has this long: the one who waited shall not read again before it is noted who was silent, or that
/// read waits as long once more.
pub const CHUNK_DEADLINE: Duration = Duration::from_millis(11_750);
/// A request waits this long for a sign of life when every endpoint is known to be down, since the first one that
/// did. A program's read is two: when the kernel's read-ahead fails, it asks for the page alone; together they have
/// 100 ms (design, promise 4).
pub const KNOWN_DOWN: Duration = Duration::from_millis(40);
/// After this long without an answer the next endpoint is asked too: above what a healthy node takes (0.2 to 1 s).
pub const HEDGE_AFTER: Duration = Duration::from_secs(2);
/// Requests for chunks under way at one node; more only queue inside it.
pub const NODE_READS_MAX: usize = 64;
/// The same at a gateway, which limits the rate of each of its users.
pub const GATEWAY_READS_MAX: usize = 8;
/// Requests under way while the newest head of a feed is looked for.
pub const FIND_READS_MAX: usize = 16;
/// Feeds that are searched at once: together as many requests as one node takes.
pub const FIND_FEEDS_MAX: usize = NODE_READS_MAX / FIND_READS_MAX;
/// How often a head is asked for when nobody answers, before the search is given up.
pub const FIND_ATTEMPTS: u32 = 3;
/// Requests under way while the names of a pod are recovered.
pub const RESTORE_READS_MAX: usize = NODE_READS_MAX;
/// Names in one thing that another person shares: a few chunks can say that there are many.
pub const RECEIVED_NAMES_MAX: u64 = if cfg!(test) { 10_000 } else { 1_000_000 };
/// Bytes of its files, holes aside: each MiB of them takes rows here before a byte of it was fetched.
pub const RECEIVED_BYTES_MAX: u64 = if cfg!(test) { 32 << 20 } else { 1 << 40 };
/// Bytes of its extended attributes: those of many directories are in memory at once.
pub const RECEIVED_XATTRS_MAX: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };
/// Of those, the encoding of one inode's.
pub const RECEIVED_XATTRS_EACH: u64 = 256 << 10;
/// Directories in directories of one thing that another person shares.
pub const RECEIVED_DEPTH_MAX: usize = 128;
/// Directories of it that are read at a time.
pub const RECEIVED_DIRECTORIES: usize = 16;
/// Size of a file from which its recovery looks for holes: a sparse one must not fill the log with rows, nor look full to
/// who copies it. Below it would cost more than the names do.
pub const SPARSE_MIN: u64 = 64 << 20;
/// Longest encoding of the extended attributes of one inode that is read: all of it is in memory at once.
pub const XATTRS_MAX: u64 = 64 << 20;
/// Pages and nodes in memory that were fetched lately: 64 MiB.
pub const FETCHED_PAGES: usize = (64 << 20) / PAGE;
/// Nodes of files that stay taken apart in memory, about 5 KiB each.
pub const FETCHED_NODES: usize = 4096;
/// The same of inodes.
pub const FETCHED_INODES: usize = 1024;
/// Pages looked up at once, and pages behind those whose nodes are fetched ahead: 1 MiB.
pub const FETCHED_AHEAD: u64 = (1 << 20) / PAGE_BYTES;
/// Records of fetched pages that are written at once; what comes besides stays in memory.
pub const FETCHED_WRITES_MAX: usize = 4;
/// Room in the log below which nothing fetched is kept there: what is written next needs it.
pub const FETCHED_RESERVE: u64 = 128 << 20;
/// How long an endpoint whose pulse was not answered is left alone at first, and at most. Feeling the pulse is
/// cheap, and a node that was started again shall be noticed.
pub const BREAKER_FIRST: Duration = Duration::from_secs(1);
/// See [`BREAKER_FIRST`].
pub const BREAKER_MAX: Duration = Duration::from_secs(15);
/// A pulse is answered in this time, or counts as none.
pub const PULSE_DEADLINE: Duration = Duration::from_secs(2);
/// The first pause before a request that found nobody is repeated.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// The longest such pause.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// The longest pause that a node can ask for with `Retry-After`.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
/// A chunk that was not found is asked for again after this: nodes skip the peers they asked for a minute.
pub const RETRIEVE_AGAIN: Duration = Duration::from_secs(65);
/// The longest such pause.
pub const RETRIEVE_AGAIN_MAX: Duration = Duration::from_secs(900);
/// How often the list of batches is looked at while ours is not usable: one block.
pub const BATCH_POLL: Duration = Duration::from_secs(5);
/// Time between two blocks of the chain that storage is paid on.
pub const BLOCK_TIME: Duration = Duration::from_secs(5);
/// Depth above which no batch can be: its price would not fit any wallet.
pub const BATCH_DEPTH_MAX: u8 = 41;
/// A connection to a node is there in this time.
pub const BEE_CONNECT: Duration = Duration::from_secs(3);
/// A node takes a chunk in this time. Pushing into the network needs up to six attempts of several seconds.
pub const BEE_WRITE: Duration = Duration::from_secs(60);
/// A chunk is fetched in the background in this time: a node needs up to half a minute to give up.
pub const BEE_VERIFY: Duration = Duration::from_secs(45);
/// A node answers about itself in this time; a list of buckets has two megabytes.
pub const BEE_ASK: Duration = Duration::from_secs(10);
/// A purchase is mined in this time.
pub const BEE_CHAIN: Duration = Duration::from_secs(600);
/// A purchase whose answer was lost is looked for so long: it is mined and noticed in half of it.
pub const BEE_SETTLE: Duration = Duration::from_secs(180);
/// Kept connections are given up after this: nodes close them after 30 s.
pub const BEE_IDLE: Duration = Duration::from_secs(20);
/// Kept connections to one node.
pub const BEE_IDLE_CONNECTIONS: usize = 64;
/// Longest small answer of a node.
pub const BEE_JSON_MAX: usize = 64 << 10;
/// Longest list: 65 536 buckets are about 2.5 MiB.
pub const BEE_LIST_MAX: usize = 8 << 20;
/// Bytes of an answer that is no success of which anything is read: gateways send pages for people.
pub const BEE_COMPLAINT_MAX: usize = 16 << 10;
/// Characters of a node's complaint that are shown.
pub const BEE_MESSAGE_MAX: usize = 200;
/// Nodes and gateways of one pod.
pub const NODES_MAX: usize = 16;
/// Longest list of nodes, in bytes.
pub const NODES_FILE_MAX: u64 = 64 << 10;
/// Longest label of a postage batch that is bought here, in bytes.
pub const LABEL_MAX: usize = 64;
/// Pages that a rehearsal of recovery reads at once.
pub const DRILL_READS: usize = 16;
/// Days that are left of a batch when it is warned of.
pub const POSTAGE_WARNING: u64 = 30;
/// How often is looked at what is due for postage.
pub const RENT_AGAIN: Duration = Duration::from_secs(86_400);
/// Longest name of a node, in bytes.
pub const NODE_NAME_MAX: usize = 32;
/// The first and the longest pause between two questions how far something is.
pub const FOLLOW_FIRST: Duration = Duration::from_millis(250);
/// See [`FOLLOW_FIRST`].
pub const FOLLOW_MAX: Duration = Duration::from_secs(1);
