//! Rows of what was done, or is being done, when the owner ended a grant; and of what is to be sealed anew because it was
//! given back.

use crate::crypto::keys::RenewalId;
use crate::format::grant::{
    RECEIPT_LEN, Renewed, RevocationLevel, SignedReceipt, put_renewed, take_renewed,
};
use crate::format::published::{put_time, take_time};
use crate::format::rows::Key;
use crate::format::wire::{Malformed, Reader};
use crate::types::{Ino, Timespec};

const WHAT: &str = "row of a revocation";
const ASKED: u8 = 0;
const DONE: u8 = 1;
const SIGNED: u8 = 2;
const WAITING: u8 = 3;

/// In place of a renewal where there is none.
const NO_RENEWAL: RenewalId = RenewalId([0; 16]);

/// Value of a `W` row: how far the owner went when a grant was ended, the last time that it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The grant; of what was given back, something random.
    pub grant: [u8; 16],
    /// How far.
    pub level: RevocationLevel,
    /// When it was asked for.
    pub asked: Timespec,
    /// What was shared, or was given back.
    pub target: Ino,
    /// Random; what is sealed anew, and all that is first published afterwards, has scopes of the newest one. Zeros for
    /// what was given back: nobody should open less than before.
    pub renewal: RenewalId,
    /// What became of it.
    pub state: RevocationState,
}

/// What became of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are few of these, and most are signed"
)]
pub enum RevocationState {
    /// The next publication seals anew.
    Asked,
    /// It waits for room: what has to be fetched for the level 3 finds none on this machine.
    Waiting,
    /// All of it was handed to a node.
    Done {
        /// When.
        when: Timespec,
        /// What was sealed anew.
        renewed: Renewed,
        /// What the owner signed, once that was recorded.
        receipt: Option<SignedReceipt>,
    },
}

impl Revocation {
    /// What somebody else published until now is to be sealed as the pod's own, pages too. There is such a row until that
    /// is done.
    pub fn adopted(target: Ino, asked: Timespec, id: [u8; 16]) -> Self {
        Self {
            grant: id,
            level: RevocationLevel::Pages,
            asked,
            target,
            renewal: NO_RENEWAL,
            state: RevocationState::Asked,
        }
    }

    /// Whether it is such a row.
    pub fn is_of_adopted(&self) -> bool {
        self.level.seals() && self.renewal == NO_RENEWAL
    }

    /// Bytes of the row: grant 16, level u8, asked 12, target u64, renewal 16, state u8; of one that is done, when 12
    /// and four numbers u64; of one that is signed, the receipt.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.grant.to_vec();
        out.push(self.level.number());
        put_time(&mut out, Some(self.asked));
        out.extend_from_slice(&self.target.0.to_le_bytes());
        out.extend_from_slice(&self.renewal.0);
        match &self.state {
            RevocationState::Asked => out.push(ASKED),
            RevocationState::Waiting => out.push(WAITING),
            RevocationState::Done {
                when,
                renewed,
                receipt,
            } => {
                out.push(if receipt.is_some() { SIGNED } else { DONE });
                put_time(&mut out, Some(*when));
                put_renewed(&mut out, renewed);
                out.extend(receipt.iter().flat_map(|receipt| receipt.0));
            }
        }
        out
    }

    /// Reads a row.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let grant = reader.array()?;
        let level = RevocationLevel::of(reader.u8()?).ok_or(reader.malformed())?;
        let asked = take_time(&mut reader)?;
        let target = Ino(reader.u64()?);
        let renewal = RenewalId(reader.array()?);
        let state = match reader.u8()? {
            ASKED => RevocationState::Asked,
            WAITING => RevocationState::Waiting,
            state @ (DONE | SIGNED) => RevocationState::Done {
                when: take_time(&mut reader)?,
                renewed: take_renewed(&mut reader)?,
                receipt: (state == SIGNED)
                    .then(|| SignedReceipt::read(reader.bytes(RECEIPT_LEN)?))
                    .transpose()?,
            },
            _ => return Err(reader.malformed()),
        };
        let malformed = reader.malformed();
        reader.end()?;
        let row = Self {
            grant,
            level,
            asked,
            target,
            renewal,
            state,
        };
        // Below, nothing is sealed, so there is nothing to wait for.
        let is_sound = match row.state {
            RevocationState::Asked => level.seals(),
            RevocationState::Waiting => level == RevocationLevel::Pages,
            RevocationState::Done { .. } => true,
        };
        if is_sound { Ok(row) } else { Err(malformed) }
    }

    /// Whether the next publication has to seal anew for it.
    pub fn is_asked(&self) -> bool {
        self.state == RevocationState::Asked
    }
}

/// Whether these are key and value of such a row.
///
/// # Errors
/// When they are not.
pub fn check_revocation_row(key: &Key, value: &[u8]) -> Result<(), Malformed> {
    let row = Revocation::decode(value)?;
    if *key == Key::revocation(&row.grant) {
        Ok(())
    } else {
        Err(Malformed(WHAT))
    }
}
