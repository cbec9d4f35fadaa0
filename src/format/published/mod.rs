//! What is published to Swarm, as plain bytes: nodes of files and directories, inodes, and the body of a head.
//!
//! Everything but the head is a *node* of exactly 4096 bytes: a header of 16, what the kind says, zeros. The bytes
//! depend on nothing but the values, so the same pod published twice is the same chunks. Decoders refuse whatever the
//! encoders would have written otherwise: no two nodes mean the same. Sealing is [`crate::crypto::publish`]'s.

mod attributes;
mod entry;
mod head;
mod header;
mod inner;
mod inode;
mod journal;
mod leaf;
mod parity;
mod place;
mod reference;
mod ring;
mod sections;
mod shape;
mod split;
#[cfg(test)]
mod tests;
mod tree;
mod xattr;

pub use attributes::Attributes;
pub(in crate::format) use attributes::{put_time, take_time};
pub use entry::Entry;
pub(in crate::format) use entry::{put_name, take_name};
pub use head::Head;
pub use header::Page;
pub use inner::{Inner, Pointer};
pub use inode::{Contents, Inode, InodeKind, XattrPlace};
pub use journal::{Change, Journal};
pub use leaf::Leaf;
pub use parity::{complement_sum, members, parity_len};
pub use place::{Parts, Place};
pub use ring::Ring;
pub use sections::{Adopted, Batch, BatchUse, Root, Skippable};
pub use shape::{Rate, Shape};
pub use split::{Item, Splitter, split};
pub use tree::TreeNode;
pub use xattr::{decode_xattrs, encode_xattrs};
