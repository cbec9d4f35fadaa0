use zeroize::Zeroizing;

use crate::crypto::Secret;
use crate::crypto::keys::{CapKey, GrantFeed, Topic};
use crate::crypto::scalar::Owner;
use crate::format::grant::Terms;
use crate::format::wire::{Malformed, Reader};
use crate::types::limits::GRANT_MAX;

const WHAT: &str = "grant";
const VERSION: u16 = 1;

/// What a message carries that shares something. It opens all that the feed of the grant ever tells, so there is neither
/// `Debug` nor `Clone`.
pub struct Grant {
    /// Random; names the grant for good.
    pub id: [u8; 16],
    /// What was agreed on.
    pub terms: Terms,
    /// Where its records stand.
    pub feed: GrantFeed,
    /// Opens them.
    pub cap: CapKey,
}

impl Grant {
    /// Version u16, id 16, owner 20, topic 32, cap key 32, terms; at most [`GRANT_MAX`].
    ///
    /// # Errors
    /// When the terms contradict each other.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Malformed> {
        // Room for all of it: a vector that grew would leave a copy of the key behind.
        let mut out = Zeroizing::new(Vec::with_capacity(GRANT_MAX));
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.id);
        put_cap(&mut out, &self.feed, &self.cap);
        self.terms.put(&mut out)?;
        Ok(out)
    }

    /// Reads a grant.
    ///
    /// # Errors
    /// When it is none, or one of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        if reader.u16()? != VERSION {
            return Err(reader.malformed());
        }
        let id = reader.array()?;
        let (feed, cap) = take_cap(&mut reader)?;
        let terms = Terms::take(&mut reader)?;
        reader.end()?;
        Ok(Self {
            id,
            terms,
            feed,
            cap,
        })
    }
}

/// Adds owner, topic and cap key.
pub(in crate::format) fn put_cap(out: &mut Vec<u8>, feed: &GrantFeed, cap: &CapKey) {
    out.extend_from_slice(&feed.owner.0);
    out.extend_from_slice(&feed.topic.0);
    out.extend_from_slice(cap.secret().expose());
}

/// Reads owner, topic and cap key.
pub(in crate::format) fn take_cap(
    reader: &mut Reader<'_>,
) -> Result<(GrantFeed, CapKey), Malformed> {
    let feed = GrantFeed {
        owner: Owner(reader.array()?),
        topic: Topic(reader.array()?),
    };
    let cap = Secret::from_slice(reader.bytes(32)?).ok_or(reader.malformed())?;
    Ok((feed, CapKey::restore(cap)))
}
