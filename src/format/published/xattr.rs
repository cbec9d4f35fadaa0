//! Extended attributes as they are published: all of an inode, in the order of their names.

use crate::format::rows::Xattr;
use crate::format::wire::{Malformed, Reader};
use crate::types::limits::{NAME_MAX, XATTR_LIST_MAX, XATTR_VALUE_MAX};

/// What every name begins with; something follows.
const USER: &[u8] = b"user.";
/// Names that begin so are answered by the mount. They are never stored, so no grant can carry them.
const VIRTUAL: &[u8] = b"user.pod.";
const WHAT: &str = "extended attributes";

/// Per attribute: length u8, name, length u32, value. Nothing for none.
///
/// # Errors
/// When they are not in strictly ascending order of their names, or one must not be published.
pub fn encode_xattrs(xattrs: &[Xattr]) -> Result<Vec<u8>, Malformed> {
    check(xattrs)?;
    let mut out = Vec::with_capacity(64);
    for xattr in xattrs {
        out.push(u8::try_from(xattr.name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(&xattr.name);
        crate::format::wire::put_long(&mut out, &xattr.value);
    }
    Ok(out)
}

/// Reads them all.
pub fn decode_xattrs(bytes: &[u8]) -> Result<Vec<Xattr>, Malformed> {
    let mut reader = Reader::new(bytes, WHAT);
    let mut xattrs = Vec::new();
    while !reader.is_empty() {
        let len = usize::from(reader.u8()?);
        xattrs.push(Xattr {
            name: reader.bytes(len)?.into(),
            value: reader.long()?.into(),
        });
    }
    check(&xattrs)?;
    Ok(xattrs)
}

fn check(xattrs: &[Xattr]) -> Result<(), Malformed> {
    let good = |xattr: &Xattr| {
        xattr.name.len() <= NAME_MAX
            && xattr
                .name
                .strip_prefix(USER)
                .is_some_and(|name| !name.is_empty())
            && !xattr.name.contains(&0)
            && !xattr.name.starts_with(VIRTUAL)
            && xattr.value.len() <= XATTR_VALUE_MAX
    };
    // As Linux counts them: each name with the NUL behind it.
    let listed: usize = xattrs
        .iter()
        .map(|xattr| xattr.name.len().saturating_add(1))
        .sum();
    if xattrs.iter().all(good)
        && listed <= XATTR_LIST_MAX
        && xattrs.is_sorted_by(|one, other| one.name < other.name)
    {
        Ok(())
    } else {
        Err(Malformed(WHAT))
    }
}
