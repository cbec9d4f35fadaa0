//! Checkpoints of the own log that others countersigned: which of them are kept.

use std::collections::BTreeMap;

use crate::format::audit::{Witness, records};
use crate::format::wire::Malformed;
use crate::share::audit::Tail;
use crate::types::limits::WITNESSES_MAX;

/// What becomes of what somebody countersigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countersigned {
    /// The log has this checkpoint: these are kept from now on, in place of all that were.
    Agrees(Vec<Witness>),
    /// The log does not have it, though one of its keys signed it: it was cut, or written anew. Kept as well.
    Differs(Vec<Witness>),
    /// It is kept already.
    Known,
    /// None of the keys of the log signed it: it shows nothing.
    Foreign,
}

/// What to keep of `held` and `new`, which are of this log and signed as they have to be: of each person the newest that
/// the log has, and the first that it has not, which shows what became of it. `own` is the key of this machine.
///
/// # Errors
/// When a record cannot be read.
pub fn countersigned(
    (origin, log): ([u8; 32], &[u8]),
    held: Vec<Witness>,
    new: Witness,
    own: [u8; 32],
) -> Result<Countersigned, Malformed> {
    if held.contains(&new) {
        return Ok(Countersigned::Known);
    }
    let sizes = held.iter().chain([&new]);
    let mut passed: BTreeMap<u64, Option<[u8; 32]>> =
        sizes.map(|it| (it.seen.checkpoint.size, None)).collect();
    let (mut tail, mut is_ours) = (Tail::new(origin), new.seen.key == own);
    for record in records(log) {
        let behind = tail.follow(&record?)?;
        is_ours |= behind.key == new.seen.key;
        if let Some(hash) = passed.get_mut(&behind.checkpoint.size) {
            *hash = Some(behind.checkpoint.hash());
        }
    }
    if !is_ours {
        return Ok(Countersigned::Foreign);
    }
    let agrees = |it: &Witness| {
        let passed = passed.get(&it.seen.checkpoint.size);
        passed == Some(&Some(it.seen.checkpoint.hash()))
    };
    let has_new = agrees(&new);
    let mut good: BTreeMap<[u8; 32], Witness> = BTreeMap::new();
    let mut bad = good.clone();
    for witness in held.into_iter().chain([new]) {
        let size = |it: &Witness| it.seen.checkpoint.size;
        let (kept, is_better): (_, fn(u64, u64) -> bool) = if agrees(&witness) {
            (&mut good, |new, old| new > old)
        } else {
            (&mut bad, |new, old| new < old)
        };
        let before = kept.get(&witness.who).map(size);
        if before.is_none_or(|before| is_better(size(&witness), before)) {
            kept.insert(witness.who, witness);
        }
    }
    let mut good: Vec<Witness> = good.into_values().collect();
    good.sort_by_key(|it| std::cmp::Reverse(it.seen.checkpoint.size));
    let mut all: Vec<Witness> = bad.into_values().chain(good).collect();
    all.truncate(WITNESSES_MAX);
    Ok(if has_new {
        Countersigned::Agrees(all)
    } else {
        Countersigned::Differs(all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::identity::sign_public_key;
    use crate::format::audit::{Kind, SignedCheckpoint};
    use crate::share::audit::{Circumstances, Happening};
    use crate::types::Timespec;

    const ORIGIN: [u8; 32] = [3; 32];

    fn seed(byte: u8) -> Secret<32> {
        Secret::from_bytes(&[byte; 32])
    }

    /// A log of so many records, with the checkpoints behind them; from record `from` on something else happened.
    fn log(count: u8, from: u8) -> (Vec<u8>, Vec<SignedCheckpoint>) {
        let (mut tail, mut log, mut behind) = (Tail::new(ORIGIN), Vec::new(), Vec::new());
        for number in 0..count {
            let why = if number < from { "one" } else { "other" };
            let happening = Happening::new(Kind::Granted).because(why);
            let said = Circumstances {
                time: Timespec::default(),
                device: 0,
                salt: [number; 16],
            };
            log.extend(tail.append(&happening, &said, &seed(1)).unwrap());
            behind.push(*tail.newest().unwrap());
        }
        (log, behind)
    }

    fn by(who: u8, seen: SignedCheckpoint) -> Witness {
        Witness::sign(seen, [who; 32], &seed(who))
    }

    fn given(log: &[u8], held: Vec<Witness>, new: &Witness) -> Countersigned {
        countersigned((ORIGIN, log), held, *new, sign_public_key(&seed(1))).unwrap()
    }

    #[test]
    fn of_each_person_the_newest_is_kept() {
        let (log, behind) = log(9, 9);
        let held = vec![by(7, behind[2]), by(8, behind[5])];
        let said = given(&log, held.clone(), &by(7, behind[4]));
        let kept = vec![by(8, behind[5]), by(7, behind[4])];
        assert_eq!(said, Countersigned::Agrees(kept.clone()));
        // An older one comes late.
        let said = given(&log, kept.clone(), &by(7, behind[3]));
        assert_eq!(said, Countersigned::Agrees(kept.clone()));
        assert_eq!(given(&log, kept, &by(7, behind[4])), Countersigned::Known);
    }

    #[test]
    fn what_shows_that_the_log_was_written_anew_is_kept_for_ever() {
        let ((_, before), (log, after)) = (log(9, 9), log(7, 3));
        let held = vec![by(7, before[4])];
        // It grew again, and is countersigned again.
        let said = given(&log, held, &by(7, after[6]));
        let kept = vec![by(7, before[4]), by(7, after[6])];
        assert_eq!(said, Countersigned::Agrees(kept.clone()));
        // A later one that differs shows no more than the first.
        let said = given(&log, kept.clone(), &by(7, before[8]));
        assert_eq!(said, Countersigned::Differs(kept.clone()));
        let first = by(7, before[3]);
        let said = given(&log, kept, &first);
        assert_eq!(said, Countersigned::Differs(vec![first, by(7, after[6])]));
    }

    #[test]
    fn nobody_makes_up_a_checkpoint() {
        let (log, behind) = log(3, 3);
        let forged = behind[2].checkpoint.sign(&seed(7));
        assert_eq!(given(&log, vec![], &by(7, forged)), Countersigned::Foreign);
    }
}
