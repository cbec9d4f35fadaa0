//! What the owner signs when a grant was ended: what was done about it, and where the audit log has that.

use crate::crypto::Secret;
use crate::crypto::audit::{SIGNATURE_LEN, is_signed, receipt_hash, sign};
use crate::crypto::identity::{Fingerprint, sign_public_key};
use crate::format::audit::{CHECKPOINT_LEN, Checkpoint};
use crate::format::published::{put_time, take_time};
use crate::format::wire::{Malformed, Reader};
use crate::types::Timespec;

const WHAT: &str = "receipt";
const VERSION: u16 = 1;
/// Bytes before the signature.
const SIGNED_LEN: usize = 2 + 16 + 32 + 1 + 12 + 12 + 4 * 8 + CHECKPOINT_LEN + 32;
/// Bytes of a receipt.
pub const RECEIPT_LEN: usize = SIGNED_LEN + SIGNATURE_LEN;

/// How far away what was shared is moved from whoever could open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevocationLevel {
    /// Their feed ends.
    Feed,
    /// The feeds of all others move. Each has one of their own, which nobody else knows: there is nothing to move.
    Others,
    /// All nodes are sealed anew: names, attributes, and what says where pages are.
    Nodes,
    /// The pages too.
    Pages,
}

impl RevocationLevel {
    /// All of them, the lowest first.
    pub const ALL: [Self; 4] = [Self::Feed, Self::Others, Self::Nodes, Self::Pages];

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Feed => 0,
            Self::Others => 1,
            Self::Nodes => 2,
            Self::Pages => 3,
        }
    }

    /// The level of this number.
    pub fn of(number: u8) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|level| level.number() == number)
    }

    /// Whether anything is sealed anew.
    pub fn seals(self) -> bool {
        self >= Self::Nodes
    }
}

/// What was sealed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Files and directories, and whatever else has a name.
    pub names: u64,
    /// Their nodes, parity counted: chunks.
    pub nodes: u64,
    /// Their pages: chunks.
    pub pages: u64,
    /// Files and directories that could not be sealed anew: parts of them are lost.
    pub left: u64,
}

/// What was done when a grant was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The grant.
    pub grant: [u8; 16],
    /// Whom it was given to.
    pub who: Fingerprint,
    /// How far it went.
    pub level: RevocationLevel,
    /// When it was asked for.
    pub asked: Timespec,
    /// When it was done.
    pub done: Timespec,
    /// What was sealed anew.
    pub renewed: Renewed,
    /// Behind the record of it in the audit log.
    pub checkpoint: Checkpoint,
}

/// A receipt as it is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedReceipt(pub [u8; RECEIPT_LEN]);

impl Receipt {
    /// Bytes of it: version u16, grant 16, who 32, level u8, asked 12, done 12, names, nodes, pages, left u64,
    /// checkpoint 117, key 32; and the signature 64.
    ///
    /// # Errors
    /// When a figure has no place.
    pub fn sign(&self, seed: &Secret<32>) -> Result<SignedReceipt, Malformed> {
        let mut out = VERSION.to_le_bytes().to_vec();
        out.extend_from_slice(&self.grant);
        out.extend_from_slice(&self.who.0);
        out.push(self.level.number());
        put_time(&mut out, Some(self.asked));
        put_time(&mut out, Some(self.done));
        put_renewed(&mut out, &self.renewed);
        out.extend_from_slice(&self.checkpoint.encode());
        out.extend_from_slice(&sign_public_key(seed));
        let signature = sign(seed, &receipt_hash(&out));
        out.extend_from_slice(&signature);
        out.try_into()
            .map(SignedReceipt)
            .map_err(|_| Malformed(WHAT))
    }
}

impl SignedReceipt {
    /// Reads a receipt. Whether it is signed is another question.
    ///
    /// # Errors
    /// When it is none, or one of a later version.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let receipt = Self(bytes.try_into().map_err(|_| Malformed(WHAT))?);
        receipt.says()?;
        Ok(receipt)
    }

    /// What it says.
    ///
    /// # Errors
    /// When it says nothing that makes sense.
    pub fn says(&self) -> Result<Receipt, Malformed> {
        let mut reader = Reader::new(&self.0, WHAT);
        if reader.u16()? != VERSION {
            return Err(reader.malformed());
        }
        let (grant, who) = (reader.array()?, Fingerprint(reader.array()?));
        let level = RevocationLevel::of(reader.u8()?).ok_or(reader.malformed())?;
        let (asked, done) = (take_time(&mut reader)?, take_time(&mut reader)?);
        let renewed = take_renewed(&mut reader)?;
        Ok(Receipt {
            grant,
            who,
            level,
            asked,
            done,
            renewed,
            checkpoint: Checkpoint::take(&mut reader)?,
        })
    }

    /// The key that it says it is signed with.
    pub fn key(&self) -> [u8; 32] {
        let (signed, _) = self.0.split_at(SIGNED_LEN);
        signed.last_chunk().copied().unwrap_or_default()
    }

    /// Whether the key in it signed it. Whose key that is, a card tells.
    pub fn is_signed(&self) -> bool {
        let (signed, signature) = self.0.split_at(SIGNED_LEN);
        let key = signed.last_chunk::<32>();
        let signature = signature.first_chunk::<SIGNATURE_LEN>();
        key.zip(signature)
            .is_some_and(|(key, signature)| is_signed(key, &receipt_hash(signed), signature))
    }
}

/// Four numbers u64.
pub(in crate::format) fn put_renewed(out: &mut Vec<u8>, renewed: &Renewed) {
    let Renewed {
        names,
        nodes,
        pages,
        left,
    } = renewed;
    for number in [names, nodes, pages, left] {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// Reads them.
pub(in crate::format) fn take_renewed(reader: &mut Reader<'_>) -> Result<Renewed, Malformed> {
    Ok(Renewed {
        names: reader.u64()?,
        nodes: reader.u64()?,
        pages: reader.u64()?,
        left: reader.u64()?,
    })
}
