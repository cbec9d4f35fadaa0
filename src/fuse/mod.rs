//! Translates between the kernel and the pod. Nothing is decided here: each operation is translated, done by the pod
//! and answered. The only room that names fuser. What programs may rely on stands in [`semantics`].

mod adapter;
mod answer;
mod attr;
mod contents;
mod errno;
mod kernel;
mod listing;
mod mounts;
mod serve;
mod session;
mod time;
mod told;
mod translate;
mod wait;
mod watchdog;

#[doc = include_str!("SEMANTICS.md")]
pub mod semantics {}

pub use mounts::Mounts;
pub use session::{Allow, ServeOptions, Serving, serve};
pub use watchdog::{Request, Running};
