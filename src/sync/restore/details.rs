use std::ops::Range;
use std::sync::Arc;

use crate::crypto::Secret;
use crate::crypto::keys::ScopeId;
use crate::crypto::publish::Reference;
use crate::format::published::{Attributes, Inode, InodeKind, XattrPlace, decode_xattrs};
use crate::format::rows::{FileKind, Xattr};
use crate::format::wire::Malformed;
use crate::sync::contents::{ContentsError, contents, outline};
use crate::sync::fetch::{Family, FetchError, Fetcher, Sort};
use crate::sync::restore::RestoreError;
use crate::types::Ino;
use crate::types::limits::{PAGE, PAGE_BYTES, SPARSE_MIN, TARGET_MAX};

/// An inode that is to be fetched: its entry does not say all.
pub(in crate::sync) struct Details {
    pub(in crate::sync) attributes: Attributes,
    pub(in crate::sync) inode: Reference,
    pub(in crate::sync) family: Arc<Family>,
}

/// What it says.
pub(in crate::sync) struct Found {
    pub(in crate::sync) page: Secret<PAGE>,
    pub(in crate::sync) scope: ScopeId,
    /// Of a symlink whose target does not stand in its entry.
    pub(in crate::sync) target: Box<[u8]>,
    pub(in crate::sync) xattrs: Vec<Xattr>,
    /// Whether the attributes are not to be had, or too many.
    pub(in crate::sync) lost: bool,
    /// Where a file has pages, roughly.
    pub(in crate::sync) pages: Vec<Range<u64>>,
}

impl Details {
    /// Fetches it, with at most so many bytes of extended attributes; nothing when it is lost and held nothing but extended attributes. That of the top directory has no
    /// parity: one lost chunk must not take all names with it.
    pub(in crate::sync) async fn fetch(
        &self,
        fetcher: &Fetcher,
        xattrs_max: u64,
    ) -> Result<Option<Found>, RestoreError> {
        let (of, ino) = (&self.attributes, self.attributes.ino);
        let page = match node(ino, fetcher, &self.inode, &self.family).await {
            Err(RestoreError::Fetch(_, FetchError::Missing(_))) if of.is_dir() => return Ok(None),
            page => page?,
        };
        let malformed = |error: Malformed| RestoreError::Malformed(ino, error);
        let inode = Inode::decode(page.expose(), InodeKind::File).map_err(malformed)?;
        let long = of.kind() == FileKind::Symlink && of.target.is_empty();
        let size = if long || of.kind() == FileKind::Regular {
            of.size
        } else {
            0
        };
        if inode.size != size {
            let why = "its inode has another size than its entry";
            return Err(RestoreError::Contradiction(ino, why));
        }
        let target = if long {
            let most = u64::try_from(TARGET_MAX).unwrap_or(u64::MAX);
            let target = contents(fetcher, &inode, most).await;
            target.map_err(|error| RestoreError::of_contents(ino, error))?
        } else {
            zeroize::Zeroizing::default()
        };
        let (xattrs, lost) = match &inode.xattrs {
            XattrPlace::Inline(xattrs) => (xattrs.clone(), false),
            XattrPlace::Elsewhere { node: list, parity } => {
                let family = Family::alone(list, parity.as_ref());
                let page = node(ino, fetcher, list, &family).await?;
                let list = Inode::decode(page.expose(), InodeKind::Attributes);
                match contents(fetcher, &list.map_err(malformed)?, xattrs_max).await {
                    Ok(list) => (decode_xattrs(&list).map_err(malformed)?, false),
                    // No page has parity: one that is lost must not take all names with it, nor one file that has
                    // more than is taken.
                    Err(ContentsError::Fetch(FetchError::Missing(_)) | ContentsError::Large(_)) => {
                        (Vec::new(), true)
                    }
                    Err(error) => return Err(RestoreError::of_contents(ino, error)),
                }
            }
        };
        if !lost && xattrs.is_empty() == of.xattrs || target.contains(&0) {
            let why = "its inode contradicts its entry";
            return Err(RestoreError::Contradiction(ino, why));
        }
        let pages = if is_large(of) {
            match outline(fetcher, &inode).await {
                Ok(pages) => pages,
                // Reading tells; a part of one file that is lost must not take all names with it.
                Err(ContentsError::Fetch(FetchError::Missing(_))) => all_pages(of),
                Err(error) => return Err(RestoreError::of_contents(ino, error)),
            }
        } else {
            all_pages(of)
        };
        Ok(Some(Found {
            page,
            scope: inode.scope,
            target: target.as_slice().into(),
            xattrs,
            lost,
            pages,
        }))
    }
}

/// Whether it is so large that it is worth looking where it has pages at all.
pub(in crate::sync) fn is_large(of: &Attributes) -> bool {
    of.kind() == FileKind::Regular && of.size > SPARSE_MIN
}

/// All pages that a file can have.
pub(in crate::sync) fn all_pages(of: &Attributes) -> Vec<Range<u64>> {
    let file = of.kind() == FileKind::Regular && of.size > 0;
    Vec::from_iter(file.then(|| 0..of.size.div_ceil(PAGE_BYTES)))
}

async fn node(
    ino: Ino,
    fetcher: &Fetcher,
    reference: &Reference,
    family: &Family,
) -> Result<Secret<PAGE>, RestoreError> {
    let page = fetcher.open(Sort::Node, reference, family).await;
    page.map_err(|error| RestoreError::Fetch(ino, error))
}
