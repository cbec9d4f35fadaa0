//! The heads of this device's own feed.

use crate::crypto::keys::{BoxSecret, FeedSigner, HeadKeys, Topic};
use crate::crypto::publish::{HEAD_LEN, HeadPlace, open_head, seal_head};
use crate::crypto::swarm::{SealedChunk, SocId};
use crate::crypto::{OpenError, Secret};
use crate::format::published::{Adopted, Batch, Head, Ring};
use crate::format::rows::{Attached, HeadState, Key, OwnHead};
use crate::format::wire::Malformed;
use crate::index::Rows;
use crate::sync::audited::{with_checkpoint, without_checkpoint};
use crate::sync::boxes::BoxSecrets;
use crate::sync::error::SyncError;
use crate::sync::find::{Feed, next_known};
use crate::sync::kept::damaged;
use crate::sync::prepare::Draft;
use crate::types::Timespec;
use crate::types::limits::HEADS_SKIPPED_MAX;

/// The feed that this device writes to, and the keys of its box.
pub struct OwnFeed {
    secret: BoxSecret,
    /// Number of the box; 0 is the pod's own.
    number: u32,
    /// Whether the box has one scope for all its files.
    one_scope: bool,
    epoch: u32,
    device: u16,
    keys: HeadKeys,
    signer: FeedSigner,
    primary: Topic,
    replica: Topic,
}

/// What a head says beside the draft.
pub(super) struct Circumstances {
    /// Number of the publication.
    pub(super) publication: u64,
    /// The wall clock.
    pub(super) now: Timespec,
    /// Counter of the next inode.
    pub(super) next_ino: u64,
    /// The postage batches in use, in ascending order.
    pub(super) batches: Vec<Batch>,
    /// Checkpoint of the audit log; that of the head before without.
    pub(super) checkpoint: Option<Box<[u8]>>,
    /// Random; taken for the first head of the feed.
    pub(super) nonce: [u8; 16],
}

impl OwnFeed {
    /// The feed of `device` in the pod's own box.
    pub fn new(secret: BoxSecret, epoch: u32, device: u16) -> Self {
        Self {
            keys: secret.head_keys(),
            signer: secret.feed_signer(device),
            primary: secret.feed_topic(device),
            replica: secret.feed_replica_topic(device),
            secret,
            number: 0,
            one_scope: false,
            epoch,
            device,
        }
    }

    /// That of a box which is attached to a directory, on this device.
    pub(super) fn of_box(&self, secrets: &BoxSecrets, attached: Attached) -> Self {
        Self {
            number: attached.number,
            one_scope: attached.one_scope,
            ..Self::new(secrets.of(attached.number), self.epoch, self.device)
        }
    }

    /// Keys of the box.
    pub const fn secret(&self) -> &BoxSecret {
        &self.secret
    }

    /// Its device.
    pub const fn device(&self) -> u16 {
        self.device
    }

    /// As it is found.
    pub(super) const fn feed(&self) -> Feed {
        Feed {
            epoch: self.epoch,
            box_epoch: 0,
            device: self.device,
        }
    }

    fn place(&self, index: u64) -> HeadPlace {
        HeadPlace {
            owner: self.signer.owner(),
            topic: self.primary,
            index,
        }
    }

    /// The newest head of the feed, as it stands in the log.
    pub(super) fn last(&self, rows: &Rows) -> Result<Option<(OwnHead, Head)>, SyncError> {
        let Some(row) = rows.get(&Key::own_head())? else {
            return Ok(None);
        };
        let own = OwnHead::decode(&row)?;
        let opened = self.open(own.index, own.payload.as_slice());
        let head = Head::decode(opened.map_err(damaged)?.expose())?;
        Ok(Some((own, head)))
    }

    /// The newest head of a box, as it stands in the log; nothing of an epoch that is over.
    pub(super) fn last_of_box(&self, rows: &Rows) -> Result<Option<(OwnHead, Head)>, SyncError> {
        let Some(row) = rows.get(&Key::box_head(self.number))? else {
            return Ok(None);
        };
        let own = OwnHead::decode(&row)?;
        let Ok(opened) = self.open(own.index, own.payload.as_slice()) else {
            return Ok(None);
        };
        let head = Head::decode(opened.expose())?;
        Ok(Some((own, head)))
    }

    fn open(&self, index: u64, payload: &[u8]) -> Result<Secret<HEAD_LEN>, OpenError> {
        open_head(&self.keys, &self.place(index), payload)
    }

    /// The head that ends a publication. It goes into the log before it is sent.
    pub(super) fn make(
        &self,
        last: Option<&(OwnHead, Head)>,
        draft: Draft,
        said: Circumstances,
    ) -> Result<OwnHead, SyncError> {
        let index = last.map_or(0, |(own, _)| own.index + 1);
        let previous =
            last.map(|(own, _)| (own.index, *blake3::hash(own.payload.as_slice()).as_bytes()));
        let parts = last.map_or_else(Vec::new, |(_, head)| head.skippable.clone());
        let mut head = Head {
            one_scope: self.one_scope,
            device: self.device,
            epoch: self.epoch,
            box_number: self.number,
            box_epoch: 0,
            index,
            previous,
            nonce: last.map_or(said.nonce, |(_, head)| head.nonce),
            time: said.now,
            next_ino: said.next_ino,
            root: draft.root,
            adopted: last.and_then(|(_, head)| head.adopted),
            journal: draft.journal,
            batches: said.batches,
            skippable: with_checkpoint(parts, said.checkpoint),
        };
        if head.encode().is_err() {
            // Other things fill it: the next one has the checkpoint.
            head.skippable = without_checkpoint(head.skippable);
        }
        let confirmed = last.map_or(0, |(own, _)| own.confirmed);
        self.seal(&head, (said.publication, confirmed))
    }

    /// The first head of this feed, which goes on from one of another: it says the same.
    ///
    /// # Errors
    /// When the head does not fit its layout.
    pub fn adopt(
        &self,
        found: Head,
        adopted: Adopted,
        (publication, nonce, now): (u64, [u8; 16], Timespec),
    ) -> Result<OwnHead, SyncError> {
        let head = Head {
            device: self.device,
            index: 0,
            previous: None,
            nonce,
            time: now,
            next_ino: 1,
            adopted: Some(adopted),
            ..found
        };
        // All that it says came from the network.
        self.seal(&head, (publication, publication))
    }

    /// The first head of this feed, which goes on from the newest one of the same device in the epoch before: it says the
    /// same, and who has the keys of this epoch opens with it what was published before.
    ///
    /// # Errors
    /// When it does not fit its layout.
    pub(super) fn begin(
        &self,
        before: &Self,
        (own, head): (&OwnHead, Head),
        (nonce, now): ([u8; 16], Timespec),
    ) -> Result<OwnHead, SyncError> {
        let Feed {
            epoch,
            box_epoch,
            device,
        } = before.feed();
        let ring = Ring::seal(&self.secret, &before.secret, (epoch, box_epoch));
        let mut first = Head {
            epoch: self.epoch,
            index: 0,
            previous: None,
            nonce,
            time: now,
            adopted: Some(Adopted {
                epoch,
                box_epoch,
                device,
                index: own.index,
                hash: *blake3::hash(own.payload.as_slice()).as_bytes(),
            }),
            ..head
        }
        .with_ring(&ring);
        if first.encode().is_err() {
            first.skippable = without_checkpoint(first.skippable);
        }
        // What it tells of was sent, and seen, as it was before.
        self.seal(&first, (own.publication, own.confirmed))
    }

    /// Whether a head was sealed for this feed.
    pub(super) fn is_of(&self, head: &OwnHead) -> bool {
        self.open(head.index, head.payload.as_slice()).is_ok()
    }

    /// The same head at the next index.
    ///
    /// # Errors
    /// [`SyncError::BatchFull`] when so many indices were given up in a row that nobody would look behind them.
    pub(super) fn skip(&self, head: &OwnHead) -> Result<OwnHead, SyncError> {
        let opened = self.open(head.index, head.payload.as_slice());
        let before = Head::decode(opened.map_err(damaged)?.expose())?;
        let first = before
            .previous
            .map_or(0, |(index, _)| index.saturating_add(1));
        if head.index.saturating_sub(first) >= HEADS_SKIPPED_MAX {
            return Err(SyncError::BatchFull);
        }
        let next = Head {
            index: head.index + 1,
            ..before
        };
        self.seal(&next, (head.publication, head.confirmed))
    }

    /// The same head behind its place where a search finds it without any other: for a network that has no older ones.
    pub(super) fn move_on(&self, head: &OwnHead) -> Result<OwnHead, SyncError> {
        let opened = self.open(head.index, head.payload.as_slice());
        let before = Head::decode(opened.map_err(damaged)?.expose())?;
        let next = Head {
            index: next_known(head.index),
            ..before
        };
        self.seal(&next, (head.publication, head.confirmed))
    }

    fn seal(
        &self,
        head: &Head,
        (publication, confirmed): (u64, u64),
    ) -> Result<OwnHead, SyncError> {
        let payload = seal_head(&self.keys, &self.place(head.index), head.encode()?.expose());
        Ok(OwnHead {
            publication,
            confirmed,
            index: head.index,
            state: HeadState::Made,
            payload: Box::new(payload),
        })
    }

    /// The two chunks of a head: the same payload under both topics.
    pub(super) fn chunks(&self, head: &OwnHead) -> Result<[SealedChunk; 2], SyncError> {
        let chunk = |topic: &Topic| {
            let id = SocId::of_update(topic, head.index);
            SealedChunk::single_owner(&self.signer, &id, head.payload.as_slice())
                .map_err(|_| SyncError::from(Malformed("head")))
        };
        Ok([chunk(&self.primary)?, chunk(&self.replica)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::PodSecret;
    use crate::format::published::{Change, Skippable};
    use crate::sync::sample::{attributes, head};
    use crate::types::limits::HEAD_SKIPPABLE_MAX;
    use crate::types::{Ino, Name};

    #[test]
    fn few_indices_in_a_row_are_given_up_however_often_it_is_tried() {
        let secret = PodSecret::restore(Secret::from_bytes(&[1; 32])).box_secret(0, 0);
        let feed = OwnFeed::new(secret, 0, 0);
        let found = head(attributes(0o040_755, 1), Vec::new());
        for (index, previous) in [(0, None), (9, Some((8, [3; 32])))] {
            let first = Head {
                index,
                previous,
                ..found.clone()
            };
            let mut own = feed.seal(&first, (5, 4)).unwrap();
            for skipped in 1..=HEADS_SKIPPED_MAX {
                own = feed.skip(&own).unwrap();
                assert_eq!((own.index, own.publication), (index + skipped, 5));
            }
            assert!(matches!(feed.skip(&own), Err(SyncError::BatchFull)));
        }
    }
    fn feed() -> OwnFeed {
        let secret = PodSecret::restore(Secret::from_bytes(&[1; 32])).box_secret(0, 0);
        OwnFeed::new(secret, 0, 0)
    }

    /// The checkpoint in the head behind `last`, with so many changes beside it.
    fn headed(
        last: Option<&(OwnHead, Head)>,
        changes: u64,
        checkpoint: Option<&[u8]>,
    ) -> (Option<Vec<u8>>, (OwnHead, Head)) {
        let gone = (0..changes).map(|ino| Change {
            directory: Ino(ino + 2),
            name: Name::parse(&[b'n'; 255]).unwrap(),
            now: None,
        });
        let found = head(attributes(0o040_755, 1), gone.collect());
        let mut journal = found.journal;
        journal.group = u8::from(changes > 0);
        let draft = Draft {
            root: found.root,
            journal,
        };
        let said = Circumstances {
            publication: 5,
            now: Timespec::default(),
            next_ino: 9,
            batches: Vec::new(),
            checkpoint: checkpoint.map(Into::into),
            nonce: [1; 16],
        };
        let own = feed().make(last, draft, said).unwrap();
        let opened = feed().open(own.index, own.payload.as_slice()).unwrap();
        let head = Head::decode(opened.expose()).unwrap();
        let mut parts = head.skippable.iter();
        let found = parts.find(|part| part.kind == Head::AUDIT);
        (found.map(|part| part.bytes.to_vec()), (own, head))
    }

    #[test]
    fn a_head_has_the_newest_checkpoint_that_it_has_room_for() {
        let (found, last) = headed(None, 0, None);
        assert_eq!(found, None);
        let (found, mut last) = headed(Some(&last), 0, Some(&[1; 213]));
        assert_eq!(found, Some(vec![1; 213]));
        last.1.skippable.push(Skippable {
            kind: 255,
            bytes: [3; 8].into(),
        });
        let (found, last) = headed(Some(&last), 0, Some(&[2; 213]));
        assert_eq!(found, Some(vec![2; 213]));
        let (found, last) = headed(Some(&last), 2, None);
        assert_eq!((found, last.1.skippable.len()), (Some(vec![2; 213]), 2));
        let (found, last) = headed(Some(&last), 13, Some(&[4; HEAD_SKIPPABLE_MAX]));
        assert_eq!((found, last.1.skippable.len()), (None, 1));
        let (found, _) = headed(Some(&last), 0, Some(&[5; 213]));
        assert_eq!(found, Some(vec![5; 213]));
    }
}
