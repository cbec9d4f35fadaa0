//! What was done when grants were ended: receipts, and the rows that keep them.

use podfs::crypto::Secret;
use podfs::crypto::identity::Fingerprint;
use podfs::crypto::keys::RenewalId;
use podfs::format::audit::Checkpoint;
use podfs::format::grant::{Receipt, Renewed, RevocationLevel, SignedReceipt};
use podfs::format::rows::{Revocation, RevocationState};
use podfs::types::{Ino, Timespec};

use crate::layouts::Named;
use crate::layouts::wrong::{Changed, Cut};

const ID: [u8; 16] = [0x1d; 16];
const RENEWED: Renewed = Renewed {
    names: 70,
    nodes: 90,
    pages: 110,
    left: 1,
};

const fn time(secs: i64, nanos: u32) -> Timespec {
    Timespec { secs, nanos }
}

fn receipt() -> SignedReceipt {
    let receipt = Receipt {
        grant: ID,
        who: Fingerprint([0xf1; 32]),
        level: RevocationLevel::Pages,
        asked: time(1_795_000_000, 5),
        done: time(1_795_000_060, 6),
        renewed: RENEWED,
        checkpoint: Checkpoint {
            origin: [9; 32],
            size: 2,
            root: [3; 32],
            time: time(1_795_000_061, 7),
            previous: [4; 32],
        },
    };
    receipt.sign(&Secret::from_bytes(&[1; 32])).unwrap()
}

fn row(state: &RevocationState) -> Vec<u8> {
    let row = Revocation {
        grant: ID,
        level: RevocationLevel::Pages,
        asked: time(1_795_000_000, 5),
        target: Ino::new(1, 77),
        renewal: RenewalId([0x5e; 16]),
        state: *state,
    };
    row.encode()
}

fn done(receipt: Option<&SignedReceipt>) -> Vec<u8> {
    row(&RevocationState::Done {
        when: time(1_795_000_060, 6),
        renewed: RENEWED,
        receipt: receipt.copied(),
    })
}

pub(super) fn good() -> Named {
    vec![
        ("grant-receipt-good", receipt().0.to_vec()),
        ("rows-revocation-asked", row(&RevocationState::Asked)),
        ("rows-revocation-done", done(None)),
        ("rows-revocation-waiting", row(&RevocationState::Waiting)),
        ("rows-revocation-signed", done(Some(&receipt()))),
        (
            "rows-revocation-adopted",
            Revocation::adopted(Ino::new(1, 77), time(1_795_000_000, 5), ID).encode(),
        ),
    ]
}

pub(super) const CHANGED: [Changed; 9] = [
    ("grant-receipt-wrong-version", "grant-receipt-good", 0, 2),
    ("grant-receipt-wrong-level", "grant-receipt-good", 50, 4),
    ("grant-receipt-wrong-nanos", "grant-receipt-good", 62, 0x40),
    (
        "grant-receipt-wrong-checkpoint",
        "grant-receipt-good",
        107,
        2,
    ),
    ("grant-receipt-wrong-key", "grant-receipt-good", 230, 0),
    (
        "rows-revocation-wrong-level",
        "rows-revocation-asked",
        16,
        1,
    ),
    (
        "rows-revocation-wrong-state",
        "rows-revocation-asked",
        53,
        4,
    ),
    (
        "rows-revocation-wrong-wait",
        "rows-revocation-waiting",
        16,
        2,
    ),
    (
        "rows-revocation-wrong-receipt",
        "rows-revocation-signed",
        98,
        2,
    ),
];

pub(super) const CUT: [Cut; 2] = [
    (
        "grant-receipt-wrong-longer",
        "grant-receipt-good",
        320,
        b"\0",
    ),
    (
        "rows-revocation-wrong-longer",
        "rows-revocation-done",
        98,
        b"\0",
    ),
];

pub(super) fn written_again(kind: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    if kind == "rows-revocation" {
        return Some(Revocation::decode(bytes).ok()?.encode());
    }
    let receipt = SignedReceipt::read(bytes).ok()?;
    receipt.is_signed().then(|| receipt.0.to_vec())
}
