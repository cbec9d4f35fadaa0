//! Every byte layout that outlives the process: encode and decode, versioned. Decoders are total: any bytes give a
//! value or an error, never a panic. `FORMAT.md` beside this file is enough to write an independent reader.
#![warn(clippy::arithmetic_side_effects, clippy::as_conversions)]

pub mod audit;
pub mod base;
pub mod card;
pub mod door;
pub mod grant;
pub mod keyfile;
pub mod manifest;
pub mod message;
pub mod node;
pub mod published;
pub mod record;
pub mod rows;
pub mod segment;
pub mod text;
pub mod wire;
