//! Published pages and nodes.

use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};
use subtle::ConstantTimeEq;

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
pub fn seal_blocks<'a>(
    key: &ConvKey,
    attempt: u8,
    pages: impl IntoIterator<Item = &'a [u8; PAGE_LEN]>,
) -> Vec<(Reference, SealedChunk)> {
    seal_all(&BLOCK, key, attempt, pages)
}

/// Seals a node of the published tree. `attempt` as for [`seal_block`].
pub fn seal_node(key: &ConvKey, attempt: u8, node: &[u8; PAGE_LEN]) -> (Reference, SealedChunk) {
    seal(&NODE, key, attempt, node)
}

/// Seals several nodes, as [`seal_blocks`] does pages.
pub fn seal_nodes<'a>(
    key: &ConvKey,
    attempt: u8,
    nodes: impl IntoIterator<Item = &'a [u8; PAGE_LEN]>,
) -> Vec<(Reference, SealedChunk)> {
    seal_all(&NODE, key, attempt, nodes)
}

/// Whether sealing `page` with attempt 0 gives the key in `reference`: then it is the page that was published. Costs a
/// hash and no sealing. False for a page that took a later attempt, too: then only [`reseal_block`] can tell.
pub fn same_page(key: &ConvKey, reference: &Reference, page: &[u8; PAGE_LEN]) -> bool {
    let made = content_key(&BLOCK, key, 0, page);
    made.expose().ct_eq(reference.key()).into()
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

/// Makes the chunks of several published pages again, in their order: each page beside its reference. Faster than one
/// by one: their addresses are computed together.
///
/// # Errors
/// [`OpenError`] in place of each page that is not the one that was published.
pub fn reseal_blocks<'a>(
    references: &[&Reference],
    pages: impl IntoIterator<Item = &'a [u8; PAGE_LEN]>,
) -> Vec<Result<SealedChunk, OpenError>> {
    reseal_all(&BLOCK, references, pages)
}

/// Makes the chunks of several published nodes again, as [`reseal_blocks`] does those of pages.
///
/// # Errors
/// [`OpenError`] in place of each node that is not the one that was published.
pub fn reseal_nodes<'a>(
    references: &[&Reference],
    nodes: impl IntoIterator<Item = &'a [u8; PAGE_LEN]>,
) -> Vec<Result<SealedChunk, OpenError>> {
    reseal_all(&NODE, references, nodes)
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

fn seal_all<'a>(
    kind: &Kind,
    key: &ConvKey,
    attempt: u8,
    pages: impl IntoIterator<Item = &'a [u8; PAGE_LEN]>,
) -> Vec<(Reference, SealedChunk)> {
    let each = pages.into_iter().map(|page| {
        let mut sealed = *page;
        let opening = seal_in_place(kind, key, attempt, &mut sealed);
        (opening, sealed)
    });
    let (opening, sealed): (Vec<_>, Vec<_>) = each.unzip();
    opening
        .iter()
        .zip(chunks(&sealed))
        .map(|((key, tag), chunk)| (Reference::new(chunk.address(), key, *tag), chunk))
        .collect()
}

fn reseal(
    kind: &Kind,
    reference: &Reference,
    page: &[u8; PAGE_LEN],
) -> Result<SealedChunk, OpenError> {
    let mut sealed = *page;
    let same = reseal_in_place(kind, reference, &mut sealed);
    // Its address is the dear part: whoever tries a page that is another one does not pay for it.
    same.and_then(|()| referred(reference, SealedChunk::content(&sealed)))
}

fn reseal_all<'a>(
    kind: &Kind,
    references: &[&Reference],
    pages: impl IntoIterator<Item = &'a [u8; PAGE_LEN]>,
) -> Vec<Result<SealedChunk, OpenError>> {
    let each = references.iter().zip(pages).map(|(reference, page)| {
        let mut sealed = *page;
        let same = reseal_in_place(kind, reference, &mut sealed);
        (same, sealed)
    });
    let (same, sealed): (Vec<_>, Vec<_>) = each.unzip();
    references
        .iter()
        .zip(same)
        .zip(chunks(&sealed))
        .map(|((reference, same), chunk)| same.and_then(|()| referred(reference, chunk)))
        .collect()
}

/// The chunks of sealed pages.
fn chunks(sealed: &[[u8; PAGE_LEN]]) -> impl Iterator<Item = SealedChunk> {
    let addresses = page_addresses(sealed).into_iter();
    let chunks = addresses.zip(sealed);
    chunks.map(|(address, sealed)| SealedChunk::at(address, sealed))
}

/// `PRF(conv key, prefix ‖ attempt ‖ page)`: a key that seals nothing else, so the nonce is zero.
fn content_key(kind: &Kind, conv: &ConvKey, attempt: u8, page: &[u8; PAGE_LEN]) -> Secret<32> {
    prf_numbered(conv.secret(), kind.prefix, attempt, page)
}

fn seal_in_place(
    kind: &Kind,
    conv: &ConvKey,
    attempt: u8,
    page: &mut [u8; PAGE_LEN],
) -> (Secret<32>, Tag) {
    let key = content_key(kind, conv, attempt, page);
    let tag = seal_detached(&cipher(key.expose()), &Nonce::default(), kind.ad, page);
    (key, tag)
}

/// Seals `page` with the key in its reference; an error unless that gives the tag in it.
fn reseal_in_place(
    kind: &Kind,
    reference: &Reference,
    page: &mut [u8; PAGE_LEN],
) -> Result<(), OpenError> {
    let cipher = cipher(reference.key());
    let tag = seal_detached(&cipher, &Nonce::default(), kind.ad, page);
    if tag == *reference.tag() {
        Ok(())
    } else {
        Err(OpenError)
    }
}

/// The chunk, if it is the one referred to.
fn referred(reference: &Reference, chunk: SealedChunk) -> Result<SealedChunk, OpenError> {
    if chunk.address() == reference.address() {
        Ok(chunk)
    } else {
        Err(OpenError)
    }
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

fn cipher(key: &[u8; 32]) -> Aes256GcmSiv {
    Aes256GcmSiv::new(key.into())
}
