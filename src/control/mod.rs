//! The daemon's local socket: what may be said over it, who may say it, and both ends.
//!
//! One line of JSON asks, one line answers, both at most [`CONTROL_LINE_MAX`](crate::types::limits::CONTROL_LINE_MAX) bytes. The socket is mode 0600
//! and the daemon checks the peer's user besides, because a folder may be shared by mistake.
//! A connection that asked for the end stays open until the daemon is gone: end of file is the news.

mod address;
mod audit;
mod boxes;
mod client;
mod message;
mod messages;
mod network;
mod people;
mod raw_path;
mod revocation;
mod server;
mod sharing;

pub use audit::{AuditEvidence, AuditFile, AuditRequest, AuditResponse};
pub use boxes::{BoxRefusal, BoxReport, BoxRequest, BoxResponse};
pub use client::{Client, ClientError};
pub use message::{Holder, Request, Response, StatusReport};
pub use messages::{CollectReport, MessageReport, MessageWay, MessagesRequest, MessagesResponse};
pub use network::{Blocked, Level, MigrationReport, NetworkReport, NodeLight, ScrubReport};
pub use people::{BlockedReport, ContactReport, OwnKeys, PeopleRequest, PeopleResponse, Refusal};
pub use revocation::{BatchEnd, LevelReport, OtherGrant, PreviewReport, ReceiptReport};
pub use server::{Deliveries, Server, Task};
pub use sharing::{GivenReport, ReceivedReport, SharingRequest, SharingResponse};
