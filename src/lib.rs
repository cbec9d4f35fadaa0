//! podfs.
