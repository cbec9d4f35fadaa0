//! Sealing of what is published: pages and nodes under keys made from their own content, heads under keys of the
//! box, records of a grant under the key of the grant.
//!
//! A page or node is sealed once and for ever: its key is a keyed hash of its bytes, so under one key there is only one
//! plaintext and the nonce can be zero; the same bytes of the same file give the same chunk. The key travels in the
//! [`Reference`], and readers trust a page by its tag **and** by its address: the tag alone does not bind whoever
//! knows the key. Heads and records are not found through a reference, so they carry a commitment to their key themselves.

mod grant;
mod head;
mod page;
mod payload;
mod reference;
#[cfg(test)]
mod tests;

pub use grant::{RecordPlace, open_record, record_chunk, seal_record};
pub use head::{HeadPlace, open_head, seal_head};
pub use page::{
    open_block, open_node, reseal_block, reseal_blocks, reseal_node, reseal_nodes, same_page,
    seal_block, seal_blocks, seal_node, seal_nodes,
};
pub use payload::HEAD_LEN;
pub use reference::{HOLE, REFERENCE_LEN, Reference};
