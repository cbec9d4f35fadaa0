use super::*;
use crate::crypto::merkle::{leaf_hash, root as root_of};
use crate::format::audit::{Checkpoint, Kind, SignedCheckpoint, Witness};
use crate::format::grant::ShownLog;
use crate::format::rows::RecordAt;
use crate::share::audit::WITNESSES;
use crate::share::messages::Way;

const DAY: i64 = 86_400;

/// A log of Ben's, shown to somebody who is not known to have countersigned any.
fn shown(size: u64) -> ShownLog {
    let leaves: Vec<_> = (0..size).map(|at| leaf_hash(&at.to_le_bytes())).collect();
    let checkpoint = Checkpoint {
        origin: [1; 32],
        size,
        root: root_of(&leaves),
        time: at(0),
        previous: [u8::from(size > 1); 32],
    };
    ShownLog {
        checkpoint: checkpoint.sign(&Secret::from_bytes(&[2; 32])),
        since: None,
    }
}

impl Machine {
    fn sees(&self, index: u64, day: i64) {
        let at = RecordAt {
            grant: [1; 16],
            index,
            time: at(day * DAY),
        };
        let seen = &self.sharing.seen_logs;
        seen.see(&print(BEN), at, &shown(3 + index)).unwrap();
    }

    /// At that day, and sends what there is to be said.
    async fn countersigns(&self, day: i64, is_sent: bool) {
        self.now.store(day * DAY, Ordering::Relaxed);
        self.sharing.countersign().unwrap();
        if is_sent {
            let (messages, now) = (&self.sharing.messages, at(day * DAY));
            let sending = messages.send(&self.endpoints(), &*self.node, now).await;
            assert_eq!(sending.unwrap().waiting, 0);
        }
    }

    fn said(&self) -> Vec<(i64, u64)> {
        let sent = self.sharing.messages.all(Way::Sent, 0, 99).unwrap();
        let said = sent.into_iter().map(|kept| {
            let MessageBody::Witness(witness) = kept.row.message.body else {
                panic!("another message");
            };
            (kept.row.since.secs / DAY, witness.seen.checkpoint.size)
        });
        said.collect()
    }

    fn is_troubled(&self) -> bool {
        self.sharing.log_trouble(&print(BEN)).is_some()
    }
}

/// Nobody is blamed for what they could not know of; and who was told is told again before.
#[tokio::test]
async fn a_log_that_is_not_shown_is_an_alarm_only_once_its_owner_knows_what_to_show() {
    let anna = Machine::new();
    anna.sees(0, 0);
    for day in 0..30 {
        anna.countersigns(day, false).await;
        anna.sees(1 + u64::try_from(day).unwrap(), day);
        assert!(!anna.is_troubled(), "{day}");
    }
    assert_eq!(anna.said(), [(0, 3)]);
    for day in 30..=36 {
        anna.countersigns(day, true).await;
        anna.sees(1 + u64::try_from(day).unwrap(), day);
        assert!(!anna.is_troubled(), "{day}");
    }
    assert_eq!(anna.said(), [(36, 3)]);
    anna.sees(99, 38);
    assert!(anna.is_troubled());
    anna.countersigns(38, true).await;
    assert_eq!(anna.said(), [(36, 3)]);
}

#[tokio::test]
async fn a_log_is_not_missed_while_its_owner_is_blocked() {
    let anna = Machine::new();
    anna.sees(0, 0);
    anna.countersigns(0, true).await;
    let contacts = anna.sharing.people.contacts();
    // The first time nothing more was seen before.
    for (index, month) in [(1, 0), (2, 1)] {
        contacts.block(&print(BEN), at(0)).unwrap();
        for day in 1..30 {
            anna.countersigns(30 * month + day, true).await;
        }
        contacts.unblock(&print(BEN)).unwrap();
        anna.sees(index, 30 * month + 30);
        assert!(!anna.is_troubled());
    }
    assert_eq!(anna.said(), [(0, 3)]);
}

/// It was signed with the key of the card that opened it, whatever card is pinned by now.
#[tokio::test]
async fn what_was_countersigned_before_keys_were_replaced_is_kept() {
    let mut anna = Machine::new();
    let happening = Happening::new(Kind::Granted);
    let newest = anna.sharing.people.audit().recorded(&happening).await;
    let seen: SignedCheckpoint = newest.unwrap().sign(&Secret::from_bytes(&[9; 32]));
    let older = Witness::sign(seen, print(BEN).0, &Secret::from_bytes(&[0x77; 32]));
    anna.writes(BEN, MessageBody::Witness(Box::new(older)));
    anna.sharing.take_grants().await.unwrap();
    let pod = &anna.sharing.pod;
    let (_, size) = pod.state_file(WITNESSES).unwrap().unwrap();
    assert_eq!(size, older.encode().len() as u64);
    assert!(
        anna.sharing
            .messages
            .all(Way::Received, 0, 9)
            .unwrap()
            .is_empty()
    );
}
