//! podfs: a person's files, mounted as an ordinary folder, sealed everywhere but in memory.
//!
//! Rooms, bottom up; a room names only rooms above its own line (`tests/tidy.rs` holds the arrows):
//!
//! | room | charter |
//! |---|---|
//! | [`types`] | ids, names, time, limits: words everybody uses |
//! | [`crypto`] | pure functions over bytes: derive, seal, open |
//! | [`format`](mod@format) | every byte layout that outlives the process; total decoders |
//! | [`store`] | where sealed chunks are: memory, disk, Swarm; retry, verify, faults |
//! | [`journal`] | the truth on this machine: one append-only sealed log, replay, checkpoints, space |
//! | `index` | the view on this machine: sled; rebuildable |
//! | [`pod`] | the file system: the meaning of every operation, knows no FUSE |
//! | [`sync`] | carries changes to Swarm, publishes heads, fetches, verifies, scrubs |
//! | [`share`] | other people: cards, contacts, messages, grants, the audit log |
//! | [`fuse`] | translates kernel and pod; the only room that names fuser |
//! | [`control`] | the daemon's local socket: messages, client, server |
//! | [`daemon`] | builds the house, owns the one tokio runtime, opens and shuts the mount |
//! | [`cli`] | one file per command; the only room that prints |

pub mod cli;
pub mod control;
pub mod crypto;
pub mod daemon;
pub mod format;
pub mod fuse;
pub mod index;
pub mod journal;
pub mod pod;
pub mod share;
pub mod store;
pub mod sync;
pub mod types;
