//! podfs.
pub mod crypto;
