//! The file system: the meaning of every operation. It knows no FUSE.

pub mod rows;
