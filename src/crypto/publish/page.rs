//! Published pages and nodes.

use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};

use crate::crypto::derive::prf_numbered;
use crate::crypto::domain::{Prefix, ad};
use crate::crypto::keys::ConvKey;
use crate::crypto::publish::reference::Reference;
use crate::crypto::seal::{OpenError, PAGE_LEN, Tag, open_detached, seal_detached};
use crate::crypto::secret::Secret;
use crate::crypto::swarm::{SealedChunk, page_addresses};

/// What a page is. It decides about its key and its associated data, so that one never opens as the other.
#[derive(Clone, Copy)]
struct Kind {
    prefix: Prefix,
    ad: &'static [u8],
}

const BLOCK: Kind = Kind {
    prefix: Prefix::Block,
    ad: ad::BLOCK,
};
const NODE: Kind = Kind {
    prefix: Prefix::Node,
    ad: ad::NODE,
};

/// Seals a page of a file. `attempt` is 0, and the next number when no stamp could be had for the chunk's address:
/// it gives the same page another key, another chunk and another address.
pub fn seal_block(key: &ConvKey, attempt: u8, page: &[u8; PAGE_LEN]) -> (Reference, SealedChunk) {
    seal(&BLOCK, key, attempt, page)
}

/// Seals several pages of one file, in their order. Faster than one by one: their addresses are computed together.
pub fn seal_blocks(
    key: &ConvKey,
    attempt: u8,
    pages: &[[u8; PAGE_LEN]],
) -> Vec<(Reference, SealedChunk)> {
    let mut sealed = pages.to_vec();
    let opening: Vec<_> = sealed
        .iter_mut()
        .map(|page| seal_in_place(&BLOCK, key, attempt, page))
        .collect();
    let addresses = page_addresses(&sealed);
    let chunks = addresses.into_iter().zip(&sealed);
    opening
        .iter()
        .zip(chunks)
        .map(|((key, tag), (address, sealed))| {
            let reference = Reference::new(address, key, *tag);
            (reference, SealedChunk::at(address, sealed))
        })
        .collect()
}

/// Seals a node of the published tree. `attempt` as for [`seal_block`].
pub fn seal_node(key: &ConvKey, attempt: u8, node: &[u8; PAGE_LEN]) -> (Reference, SealedChunk) {
    seal(&NODE, key, attempt, node)
}

/// Opens a page of a file.
///
/// # Errors
/// [`OpenError`] when the chunk is not the one referred to, or was not sealed as a page.
pub fn open_block(
    reference: &Reference,
    chunk: &SealedChunk,
) -> Result<Box<[u8; PAGE_LEN]>, OpenError> {
    let mut page = Box::new([0; PAGE_LEN]);
    open(&BLOCK, reference, chunk, &mut page)?;
    Ok(page)
}

/// Opens a node. It holds keys, so it is wiped when dropped.
///
/// # Errors
/// [`OpenError`] when the chunk is not the one referred to, or was not sealed as a node.
pub fn open_node(
    reference: &Reference,
    chunk: &SealedChunk,
) -> Result<Secret<PAGE_LEN>, OpenError> {
    Secret::try_fill_with(|node| open(&NODE, reference, chunk, node))
}

/// Makes the chunk of a published page again, from the page as it is on this machine.
///
/// # Errors
/// [`OpenError`] when the page is not the one that was published.
pub fn reseal_block(
    reference: &Reference,
    page: &[u8; PAGE_LEN],
) -> Result<SealedChunk, OpenError> {
    reseal(&BLOCK, reference, page)
}

/// Makes the chunk of a published node again.
///
/// # Errors
/// [`OpenError`] when the node is not the one that was published.
pub fn reseal_node(reference: &Reference, node: &[u8; PAGE_LEN]) -> Result<SealedChunk, OpenError> {
    reseal(&NODE, reference, node)
}

fn seal(
    kind: &Kind,
    key: &ConvKey,
    attempt: u8,
    page: &[u8; PAGE_LEN],
) -> (Reference, SealedChunk) {
    let mut sealed = *page;
    let (key, tag) = seal_in_place(kind, key, attempt, &mut sealed);
    let chunk = SealedChunk::content(&sealed);
    (Reference::new(chunk.address(), &key, tag), chunk)
}

/// Seals `page` under `PRF(conv key, prefix ‖ attempt ‖ page)`: a key that seals nothing else, so the nonce is zero.
fn seal_in_place(
    kind: &Kind,
    conv: &ConvKey,
    attempt: u8,
    page: &mut [u8; PAGE_LEN],
) -> (Secret<32>, Tag) {
    let key = prf_numbered(conv.secret(), kind.prefix, attempt, page);
    let tag = seal_detached(&cipher(key.expose()), &Nonce::default(), kind.ad, page);
    (key, tag)
}

fn open(
    kind: &Kind,
    reference: &Reference,
    chunk: &SealedChunk,
    page: &mut [u8; PAGE_LEN],
) -> Result<(), OpenError> {
    let sealed: &[u8; PAGE_LEN] = chunk.payload().try_into().map_err(|_| OpenError)?;
    if chunk.is_single_owner() || chunk.address() != reference.address() {
        return Err(OpenError);
    }
    *page = *sealed;
    let cipher = cipher(reference.key());
    open_detached(&cipher, &Nonce::default(), kind.ad, page, reference.tag())
}

fn reseal(
    kind: &Kind,
    reference: &Reference,
    page: &[u8; PAGE_LEN],
) -> Result<SealedChunk, OpenError> {
    let mut sealed = *page;
    let cipher = cipher(reference.key());
    let tag = seal_detached(&cipher, &Nonce::default(), kind.ad, &mut sealed);
    if tag != *reference.tag() {
        return Err(OpenError);
    }
    let chunk = SealedChunk::content(&sealed);
    if chunk.address() == reference.address() {
        Ok(chunk)
    } else {
        Err(OpenError)
    }
}

fn cipher(key: &[u8; 32]) -> Aes256GcmSiv {
    Aes256GcmSiv::new(key.into())
}
