//! Grants that their owner ends, by whatever way: what is left of it, and what has to wait.

use super::*;
use crate::control::ReceiptReport;
use crate::control::Refusal;
use crate::control::SharingResponse;
use crate::daemon::refused::Refused;
use crate::format::rows::Bucket;
use crate::format::rows::Revocation;
use crate::format::rows::Run;
use crate::format::rows::RunKind;
use crate::pod::Taken;
use crate::types::limits::BUCKET_PAGES;
use crate::types::limits::FETCHED_RESERVE;

const OWNER: Caller = Caller { uid: 0, gid: 0 };
const MIB: u64 = 1 << 20;
const BUCKET: u64 = BUCKET_PAGES as u64 * 4096;

impl Machine {
    /// Shares a file with Ben of which so many bytes are in the network alone.
    fn shares_file(&self, id: u8, bytes: u64) -> Given {
        self.shares_kind(FileKind::Directory, id, bytes)
    }

    fn shares_kind(&self, kind: FileKind, id: u8, bytes: u64) -> Given {
        let name = format!("file {id}");
        let made = self.pod().mknod(ROOT, name.as_bytes(), (0o600, 0), OWNER);
        let given = Given {
            target: made.unwrap().ino,
            name: Name::parse(name.as_bytes()).unwrap(),
            ..Self::grant_of(id, Terms { kind, ..terms() })
        };
        self.sharing.given.give(&given).unwrap();
        self.sharing.given.is_offered(&given).unwrap();
        self.has_remote(&given, bytes);
        given
    }

    fn has_remote(&self, given: &Given, bytes: u64) {
        let mut batch = Batch::new(Class::Meta);
        for number in 0..bytes.div_ceil(BUCKET) {
            let run = Run {
                start: 0,
                count: u8::try_from(BUCKET_PAGES).unwrap(),
                kind: RunKind::Remote,
            };
            let bucket = Bucket { runs: vec![run] };
            batch.put(Key::extent(given.target, number), bucket.encode());
        }
        self.pod().rows().append(batch, None).unwrap();
    }

    fn has_no_remote(&self, given: &Given, bytes: u64) {
        let mut batch = Batch::new(Class::Meta);
        for number in 0..bytes.div_ceil(BUCKET) {
            batch.delete(Key::extent(given.target, number));
        }
        self.pod().rows().append(batch, None).unwrap();
    }

    fn pod(&self) -> &Pod {
        &self.sharing.pod
    }

    async fn revokes(&self, id: u8, level: u8) -> Result<(), Refused> {
        let id = hex::encode([id; 16]);
        self.sharing.revoke(&id, level).await.map(drop)
    }

    fn receipt_of(&self, id: u8) -> ReceiptReport {
        let answer = self.sharing.receipt(&hex::encode([id; 16]));
        match answer {
            Ok(SharingResponse::Receipt(report)) => *report,
            Ok(other) => panic!("{other:?}"),
            Err(Refused(_, what)) => panic!("{what}"),
        }
    }

    fn row_of(&self, id: u8) -> Revocation {
        let row = self.pod().rows().get(&Key::revocation(&[id; 16]));
        Revocation::decode(&row.unwrap().unwrap()).unwrap()
    }
}

fn with_room_for(bytes: u64) -> Machine {
    Machine::over(Rows::memory_of(Some(FETCHED_RESERVE + bytes)), true)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_sealed_anew_has_to_find_room_together() {
    let anna = with_room_for(128 * MIB);
    anna.shares_file(1, 70 * MIB);
    anna.shares_file(2, 70 * MIB);
    assert!(anna.revokes(1, 3).await.is_ok());
    let Err(Refused(why, what)) = anna.revokes(2, 3).await else {
        panic!("there is no room for both");
    };
    assert_eq!(why, Refusal::Taken);
    assert!(what.contains("the grant is ended"), "{what}");
    // It is, and signed.
    let receipt = anna.receipt_of(2);
    assert_eq!((receipt.level, &*receipt.state), (0, "sealing"));
    assert_eq!(receipt.asked, 10);
    anna.sharing.sign_receipts().await.unwrap();
    assert_eq!(anna.receipt_of(2).state, "done");
    assert_eq!(anna.says(2).0, "revoked");
    // The same twice is fetched once.
    assert!(anna.revokes(1, 3).await.is_ok());
    assert!(anna.revokes(2, 2).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_room_is_asked_for_again_when_there_is_some() {
    let anna = with_room_for(64 * MIB);
    let given = anna.shares_file(1, MIB);
    assert!(anna.revokes(1, 3).await.is_ok());
    assert_eq!(anna.receipt_of(1).state, "sealing");
    anna.has_remote(&given, 70 * MIB);
    anna.sharing.has_too_little_room(&anna.row_of(1)).unwrap();
    assert_eq!(anna.receipt_of(1).state, "waiting");
    assert!(anna.sharing.ask_again().await.is_ok());
    assert_eq!(anna.receipt_of(1).state, "waiting");
    anna.has_no_remote(&given, 70 * MIB);
    assert!(anna.sharing.ask_again().await.is_ok());
    assert_eq!(anna.receipt_of(1).state, "sealing");
    assert!(anna.row_of(1).is_asked());
}

/// The process can end between the end of a grant and the note of it.
#[tokio::test(flavor = "multi_thread")]
async fn every_end_by_the_owner_leaves_a_receipt() {
    let anna = with_room_for(MIB);
    let (given, gone) = (anna.shares_file(1, 0), anna.shares_file(2, 0));
    // What is in the log is signed with the receipt.
    anna.shares_file(3, 0);
    assert!(anna.revokes(3, 0).await.is_ok());
    anna.sharing
        .given
        .end(&given, Ended::Revoked, at(7))
        .unwrap();
    anna.sharing.given.end(&gone, Ended::Gone, at(7)).unwrap();
    anna.sharing.sign_receipts().await.unwrap();
    let receipt = anna.receipt_of(1);
    assert_eq!((receipt.level, &*receipt.state), (0, "done"));
    assert_eq!((receipt.asked, receipt.done), (7, Some(7)));
    assert!(anna.sharing.receipt(&hex::encode([2; 16])).is_err());
}

/// What was saved through another file goes on with the keys that are to be of no use any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_took_the_place_of_a_shared_file_is_what_is_sealed_anew() {
    let anna = with_room_for(MIB);
    let given = anna.shares_kind(FileKind::Regular, 1, 0);
    assert!(anna.revokes(1, 0).await.is_ok());
    let saved = anna.pod().create(ROOT, b"new", 0o600, OWNER).unwrap();
    let (from, to) = ((ROOT, &b"new"[..]), (ROOT, given.name.as_bytes()));
    anna.pod().rename(from, to, Taken::Replace).unwrap();
    anna.pod().release(saved.ino).unwrap();
    assert!(anna.revokes(1, 2).await.is_ok());
    assert_eq!(anna.row_of(1).target, saved.ino);
    anna.pod().unlink(ROOT, given.name.as_bytes()).unwrap();
    let Err(Refused(_, what)) = anna.revokes(1, 3).await else {
        panic!("there is nothing");
    };
    assert!(what.contains("there no more"), "{what}");
}
