//! Builds the house, owns the one tokio runtime, opens and shuts the mount.
//!
//! One process serves one pod at one folder. A command hands over what is wanted (`handoff`), the daemon
//! takes the pod's lock, opens it, mounts, serves, and tears down in the opposite order (`serve`). Whatever
//! goes wrong is one [`Fault`]: what, why, and the next thing to type.

pub mod admit;
mod ask;
mod asked;
mod audit;
pub mod audited;
pub mod batches;
pub mod bench;
mod blocked;
pub mod boxes;
mod build;
#[cfg(test)]
mod build_tests;
mod carrier;
pub mod check;
pub mod clock;
pub mod config;
pub mod contacts;
pub mod create;
mod desk;
pub mod doctor;
mod door;
pub mod drill;
pub mod enrol;
mod failures;
pub mod fault;
pub mod follow;
mod fusermount;
pub mod handoff;
mod happened;
pub mod harden;
pub mod holders;
mod hook;
pub mod identity;
pub mod inbox;
pub mod inspect;
pub mod keyfile;
mod leave;
mod live;
pub mod lock;
pub mod log;
mod mailbox;
mod message_report;
mod messages;
pub mod migrate;
pub mod mount;
mod mounted;
pub mod mountinfo;
pub mod mountpoint;
mod network;
pub mod nodes;
pub mod options;
mod origin;
mod outgoing;
mod own_card;
pub mod passphrase;
pub mod paths;
mod people;
mod published;
mod publishing;
pub mod purchase;
pub mod quorum;
mod reconcile;
#[cfg(test)]
mod reconcile_tests;
pub mod recover;
mod refused;
pub mod rekey;
mod renewed;
pub mod rent;
mod repeats;
pub mod replace;
mod replaced;
pub mod report;
pub mod serve;
pub mod settings;
pub mod sharing;
mod shelf;
pub mod stale;
pub mod successor;
pub mod tenancy;
mod token;
pub mod trial;
mod trouble;
pub mod units;
pub mod unmount;
mod unopened;

pub use config::ServeConfig;
pub use fault::{Fault, FaultKind, Quoted};
pub use options::MountOptions;
pub use passphrase::Passphrase;
pub use paths::PodPaths;
pub use settings::Settings;
