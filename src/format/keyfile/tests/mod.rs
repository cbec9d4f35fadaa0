#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths and offsets of a test"
)]

mod golden;
mod token;

use super::*;
use crate::crypto::keys::RootKey;
use crate::crypto::{Phrase, Secret};

const CHEAP: Cost = Cost {
    memory_kib: 32,
    passes: 1,
    lanes: 4,
};
/// Bounds that let a test try thousands of files. Nothing outside the tests can hand bounds in.
const CHEAP_BOUNDS: CostBounds = CostBounds {
    floor: Cost {
        memory_kib: 32,
        passes: 1,
        lanes: 4,
    },
    ceiling: Cost {
        memory_kib: 33,
        passes: 2,
        lanes: 4,
    },
};
const FLOOR: Cost = Cost {
    memory_kib: 64 << 10,
    passes: 3,
    lanes: 4,
};
const WORD: &[u8] = b"correct horse battery staple";

/// Bytes that are the same in every run.
fn entropy(label: &str) -> impl FnMut(&mut [u8]) -> Result<(), EntropyError> {
    let mut output = blake3::Hasher::new()
        .update(label.as_bytes())
        .finalize_xof();
    move |bytes| {
        output.fill(bytes);
        Ok(())
    }
}

fn root() -> RootKey {
    RootKey::derive(
        &Phrase::from_entropy(&Secret::from_bytes(&[0; 32])).seed(),
        None,
    )
}

fn recovery() -> RecoveryKey {
    root().recovery(&root().pod_id(0))
}

fn bundle() -> Bundle {
    Bundle::enrol(&root(), 0, 2, 258, &mut entropy("bundle")).unwrap()
}

fn new(passphrase: &[u8], cost: Cost) -> NewPassphrase<'_> {
    NewPassphrase { passphrase, cost }
}

fn keyfile(label: &str, cost: Cost) -> Vec<u8> {
    let bounds = if cost == CHEAP {
        CHEAP_BOUNDS
    } else {
        CostBounds::RELEASED
    };
    create_within(
        &bounds,
        &bundle(),
        &new(WORD, cost),
        &recovery(),
        &mut entropy(label),
    )
    .unwrap()
}

fn unlock_cheap(bytes: &[u8], passphrase: &[u8]) -> Result<Bundle, KeyfileError> {
    unlock_within(&CHEAP_BOUNDS, bytes, Opener::Passphrase(passphrase))
}

fn change_cheap(
    bytes: &[u8],
    opener: Opener<'_>,
    passphrase: &[u8],
) -> Result<Vec<u8>, KeyfileError> {
    change_within(
        &CHEAP_BOUNDS,
        bytes,
        opener,
        &new(passphrase, CHEAP),
        &mut entropy("change"),
    )
}

fn same(one: &Bundle, other: &Bundle) -> bool {
    one.encode(0) == other.encode(0)
}

/// The keyfile with `edit` made to it by somebody who holds the file key.
fn edited(bytes: &[u8], bounds: &CostBounds, edit: impl FnOnce(&mut Layout, &FileKey)) -> Vec<u8> {
    let mut layout = Layout::decode(bytes).unwrap();
    let key = open(bounds, &layout, Opener::Recovery(&recovery()))
        .ok()
        .unwrap()
        .file_key;
    edit(&mut layout, &key);
    layout.mac = key.authenticate(&layout.encode_before_mac());
    layout.encode()
}

fn with_unknown_slot(bytes: &[u8]) -> Vec<u8> {
    edited(bytes, &CostBounds::RELEASED, |layout, _| {
        layout.slots.insert(
            1,
            Slot::Unknown {
                kind: 77,
                body: b"of a later version".to_vec(),
            },
        );
    })
}

#[test]
fn keys_of_the_next_epoch_are_kept_with_what_leads_to_them() {
    let mut next = bundle().next(&root(), true, &mut entropy("next")).unwrap();
    assert_eq!((next.epoch, next.device), (3, 258));
    assert!(next.device_secret.eq_ct(&bundle().device_secret));
    assert!(!next.sign_seed.eq_ct(&bundle().sign_seed));
    for card in [None, Some(Box::new([7; _]))] {
        let replaced = next.replaced.as_mut().unwrap();
        assert!(
            replaced.leaked
                && replaced
                    .pod_secret
                    .secret()
                    .eq_ct(bundle().pod_secret.secret())
        );
        replaced.card = card;
        let bytes = next.encode(0);
        assert!(same(&Bundle::decode(&bytes).unwrap(), &next));
        for (at, wrong) in [(0, 3), (4, 0), (188 + 32, 4), (BUNDLE_LEN - 1, 1)] {
            let mut changed = bytes.to_vec();
            changed[at] = wrong;
            if at == 4 {
                changed[4..8].fill(0);
            }
            assert!(Bundle::decode(&changed).is_err(), "{at}");
        }
    }
    // What opened the file opens it still.
    let good = keyfile("good", CHEAP);
    let opener = Opener::Recovery(&recovery());
    let changed = change_bundle(&good, opener, &next, &mut entropy("other")).unwrap();
    assert!(same(&unlock_cheap(&changed, WORD).ok().unwrap(), &next));
    assert!(same(
        &unlock_with_phrase(&changed, &recovery()).ok().unwrap(),
        &next
    ));
    assert!(unlock_cheap(&changed, b"another").is_err());
}

#[test]
fn opens_with_the_passphrase_and_with_the_phrase() {
    let bytes = keyfile("good", CHEAP);
    assert!(bytes.len() <= KEYFILE_LEN_MAX);
    assert!(same(&unlock_cheap(&bytes, WORD).ok().unwrap(), &bundle()));
    assert!(same(
        &unlock_with_phrase(&bytes, &recovery()).ok().unwrap(),
        &bundle()
    ));
    assert_eq!(pod_id(&bytes), Ok(bundle().pod_id));
}

#[test]
fn refuses_what_does_not_belong() {
    let bytes = keyfile("good", CHEAP);
    for word in [
        b"".as_slice(),
        b"correct horse battery stapl",
        b"correct horse battery staple\n",
    ] {
        assert_eq!(
            unlock_cheap(&bytes, word).err(),
            Some(KeyfileError::NotOpened)
        );
    }
    let other_pod = root().recovery(&root().pod_id(1));
    assert_eq!(
        unlock_with_phrase(&bytes, &other_pod).err(),
        Some(KeyfileError::NotOpened)
    );
    assert_eq!(unlock_cheap(b"", WORD).err(), Some(KeyfileError::NotOpened));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (bytes, recovery) = (keyfile("good", CHEAP), recovery());
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            unlock_cheap(&bad, WORD).err(),
            Some(KeyfileError::NotOpened),
            "bit {bit}"
        );
        let opened = unlock_with_phrase(&bad, &recovery);
        assert_eq!(opened.err(), Some(KeyfileError::NotOpened), "bit {bit}");
    }
}

#[test]
fn every_truncation_and_every_byte_more_is_noticed() {
    let mut bytes = keyfile("good", CHEAP);
    for len in 0..bytes.len() {
        let opened = unlock_cheap(&bytes[..len], WORD);
        assert_eq!(opened.err(), Some(KeyfileError::NotOpened), "{len} bytes");
    }
    bytes.push(0);
    assert_eq!(
        unlock_cheap(&bytes, WORD).err(),
        Some(KeyfileError::NotOpened)
    );
}

#[test]
fn a_slot_of_another_file_is_noticed() {
    let (one, other) = (keyfile("good", CHEAP), keyfile("other", CHEAP));
    let foreign = Layout::decode(&other).unwrap().slots[0].clone();
    let mut swapped = Layout::decode(&one).unwrap();
    swapped.slots[0] = foreign.clone();
    assert_eq!(
        unlock_cheap(&swapped.encode(), WORD).err(),
        Some(KeyfileError::NotOpened)
    );
    let mut added = Layout::decode(&one).unwrap();
    added.slots.push(foreign);
    assert_eq!(
        unlock_cheap(&added.encode(), WORD).err(),
        Some(KeyfileError::NotOpened)
    );
    let mut reordered = Layout::decode(&one).unwrap();
    reordered.slots.reverse();
    assert_eq!(
        unlock_cheap(&reordered.encode(), WORD).err(),
        Some(KeyfileError::NotOpened)
    );
}

/// 4 TiB would give `OutOfMemory` if anybody tried to have them.
#[test]
fn cost_outside_the_bounds_is_refused_before_memory_is_taken() {
    let bytes = keyfile("good", CHEAP);
    assert_eq!(unlock(&bytes, WORD).err(), Some(KeyfileError::NotOpened));
    let with = |edit: fn(&mut Cost)| {
        let mut layout = Layout::decode(&bytes).unwrap();
        if let Slot::Passphrase { cost, .. } = &mut layout.slots[0] {
            *cost = FLOOR;
            edit(cost);
        }
        unlock(&layout.encode(), WORD).err()
    };
    assert_eq!(
        with(|cost| cost.memory_kib = u32::MAX),
        Some(KeyfileError::NotOpened)
    );
    assert_eq!(
        with(|cost| cost.memory_kib = (4 << 20) + 1),
        Some(KeyfileError::NotOpened)
    );
    assert_eq!(
        with(|cost| cost.passes = u32::MAX),
        Some(KeyfileError::NotOpened)
    );
    assert_eq!(with(|cost| cost.lanes = 17), Some(KeyfileError::NotOpened));
    let created = create(
        &bundle(),
        &new(WORD, CHEAP),
        &recovery(),
        &mut entropy("weak"),
    );
    assert_eq!(created.err(), Some(KeyfileError::Cost));
}

#[test]
fn a_changed_passphrase_replaces_the_old_one() {
    let old = keyfile("good", CHEAP);
    let bytes = change_cheap(&old, Opener::Passphrase(WORD), b"new").unwrap();
    assert_eq!(
        unlock_cheap(&bytes, WORD).err(),
        Some(KeyfileError::NotOpened)
    );
    assert!(same(&unlock_cheap(&bytes, b"new").ok().unwrap(), &bundle()));
    assert!(unlock_with_phrase(&bytes, &recovery()).is_ok());
    assert_eq!(bytes.len(), old.len());
    let refused = change_cheap(&old, Opener::Passphrase(b"wrong"), b"new");
    assert_eq!(refused.err(), Some(KeyfileError::NotOpened));
}

#[test]
fn a_forgotten_passphrase_is_replaced_with_the_phrase() {
    let bytes = change_cheap(
        &keyfile("good", CHEAP),
        Opener::Recovery(&recovery()),
        b"new",
    )
    .unwrap();
    assert!(unlock_cheap(&bytes, b"new").is_ok());
    assert_eq!(
        unlock_cheap(&bytes, WORD).err(),
        Some(KeyfileError::NotOpened)
    );
    assert!(unlock_with_phrase(&bytes, &recovery()).is_ok());
}

#[test]
fn slots_of_a_later_version_are_kept() {
    let bytes = with_unknown_slot(&keyfile("good", CHEAP));
    let changed = change_cheap(&bytes, Opener::Passphrase(WORD), b"new").unwrap();
    let kept = Layout::decode(&changed).unwrap().slots;
    assert!(kept.contains(&Slot::Unknown {
        kind: 77,
        body: b"of a later version".to_vec()
    }));
    assert_eq!(kept.len(), 3);
}

#[test]
fn without_room_for_a_slot_nothing_is_lost() {
    let full = edited(&keyfile("good", CHEAP), &CHEAP_BOUNDS, |layout, _| {
        layout.slots.remove(0);
        let filler = Slot::Unknown {
            kind: 77,
            body: Vec::new(),
        };
        layout.slots.resize(SLOTS_MAX, filler);
    });
    let changed = change_cheap(&full, Opener::Recovery(&recovery()), b"new");
    assert_eq!(changed.err(), Some(KeyfileError::Full));
}

#[test]
fn without_entropy_nothing_is_written() {
    for allowed in 0..6 {
        let mut calls = 0;
        let mut failing = |bytes: &mut [u8]| {
            calls += 1;
            bytes.fill(1);
            if calls > allowed {
                Err(EntropyError)
            } else {
                Ok(())
            }
        };
        let made = create_within(
            &CHEAP_BOUNDS,
            &bundle(),
            &new(WORD, CHEAP),
            &recovery(),
            &mut failing,
        );
        assert_eq!(made.is_ok(), allowed == 5, "{allowed} calls");
    }
}
