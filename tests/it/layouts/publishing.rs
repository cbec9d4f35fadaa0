//! Rows of what is published, of its queue, and of heads.

use podfs::crypto::keys::ScopeId;
use podfs::crypto::publish::Reference;
use podfs::format::rows::*;

use crate::layouts::Named;
use crate::layouts::wrong::{Changed, Cut};

fn reference(byte: u8) -> Reference {
    Reference::from_bytes(&[byte; 80]).unwrap()
}

fn kept(page: u32) -> KeptNode {
    KeptNode {
        slot: Slot { segment: 3, page },
        number: 700 + u64::from(page),
        tag: [9; 16],
        reference: reference(7),
    }
}

fn seen(device: u16) -> SeenHead {
    SeenHead {
        epoch: 0,
        box_epoch: 0,
        device,
        index: 5,
        hash: [6; 32],
    }
}

pub(super) fn good() -> Named {
    let published = Published {
        publication: 12,
        scope: ScopeId([4; 16]),
        size: 300_000,
        contents: Some(reference(1)),
        directory: None,
        number: None,
    };
    let of_box = Published {
        number: Some(7),
        ..published.clone()
    };
    let own = OwnHead {
        publication: 12,
        confirmed: 10,
        index: 3,
        state: HeadState::Sent,
        payload: Box::new([0xa5; 4096]),
    };
    let queued = Queued { unsent: 6, sent: 9 };
    vec![
        ("rows-published-good", published.encode()),
        ("rows-published-boxed", of_box.encode()),
        (
            "rows-nodes-good",
            KeptNodes(vec![(0, kept(1)), (31, kept(2))]).encode(),
        ),
        ("rows-queue-good", queued.encode()),
        ("rows-own-head-good", own.encode()),
        (
            "rows-seen-heads-good",
            SeenHeads(vec![seen(0), seen(2)]).encode(),
        ),
    ]
}

pub(super) const CHANGED: [Changed; 6] = [
    ("rows-nodes-wrong-order", "rows-nodes-good", 0, 32),
    ("rows-nodes-wrong-position", "rows-nodes-good", 113, 32),
    ("rows-queue-wrong-both", "rows-queue-good", 4, 15),
    ("rows-own-head-wrong-state", "rows-own-head-good", 24, 3),
    ("rows-seen-heads-wrong-order", "rows-seen-heads-good", 8, 3),
    ("rows-seen-heads-wrong-twice", "rows-seen-heads-good", 58, 0),
];

pub(super) const CUT: [Cut; 4] = [
    (
        "rows-published-wrong-longer",
        "rows-published-good",
        192,
        b"\0",
    ),
    ("rows-nodes-wrong-empty", "rows-nodes-good", 0, b""),
    ("rows-queue-wrong-empty", "rows-queue-good", 0, &[0; 8]),
    (
        "rows-own-head-wrong-shorter",
        "rows-own-head-good",
        4000,
        b"",
    ),
];

pub(super) fn written_again(kind: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match kind {
        "rows-published" => Published::decode(bytes).ok()?.encode(),
        "rows-nodes" => KeptNodes::decode(bytes).ok()?.encode(),
        "rows-queue" => Queued::decode(bytes).ok()?.encode(),
        "rows-own-head" => OwnHead::decode(bytes).ok()?.encode(),
        "rows-seen-heads" => SeenHeads::decode(bytes).ok()?.encode(),
        _ => return None,
    })
}
