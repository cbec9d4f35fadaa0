//! Heads of the boxes that are attached to directories: whoever has the secret of a box, and nothing else, reads the box
//! from these. The heads of the pod tell of all of it, and recovery rests on them alone.

use crate::format::rows::{Attached, HeadState, Key, OwnHead};
use crate::index::Rows;
use crate::journal::{Change, Class};
use crate::store::{Rejection, StoreError};
use crate::sync::boxes::BoxSecrets;
use crate::sync::edit::KeptEdit;
use crate::sync::epoch::Beginning;
use crate::sync::error::SyncError;
use crate::sync::heads::{Circumstances, OwnFeed};
use crate::sync::network::Freight;
use crate::sync::prepare::Draft;
use crate::sync::publisher::Publisher;
use crate::sync::upload::Upload;

/// What the head of a box says.
pub(super) struct BoxDraft {
    pub(super) attached: Attached,
    pub(super) draft: Draft,
}

impl Publisher {
    /// Writes the heads of boxes that say something new, to be sent.
    pub(super) fn make_box_heads(
        &self,
        drafts: Vec<BoxDraft>,
        publication: u64,
    ) -> Result<(), SyncError> {
        let mut edit = KeptEdit::new(Class::Meta);
        let mut are_new = false;
        for BoxDraft { attached, draft } in drafts {
            let feed = self.feed().of_box(&self.boxes.read(), attached);
            let last = feed.last_of_box(self.kept.rows())?;
            let is_told = last.as_ref().is_some_and(|(_, head)| {
                head.root == draft.root
                    && head.journal == draft.journal
                    && head.one_scope == attached.one_scope
            });
            if is_told {
                continue;
            }
            let mut nonce = [0; 16];
            getrandom::fill(&mut nonce).map_err(|_| SyncError::Interrupted)?;
            let said = Circumstances {
                publication,
                now: (self.clock)(),
                next_ino: self.kept.rows().next_ino(),
                batches: self.batches.read().clone(),
                checkpoint: None,
                nonce,
            };
            let head = feed.make(last.as_ref(), draft, said)?;
            put(&mut edit, attached.number, &head);
            are_new = true;
        }
        if are_new {
            self.write_box_heads(edit)?;
        }
        Ok(())
    }

    /// Sends those that were not sent yet. When the batch has room at neither address, the index is given up.
    pub(super) async fn send_box_heads(&self, upload: &Upload) -> Result<(), SyncError> {
        for (number, mut head) in self.box_heads()? {
            let any = Attached {
                number,
                one_scope: false,
            };
            let feed = self.feed().of_box(&self.boxes.read(), any);
            // One of an epoch that is over belongs into no feed of this one.
            if head.state == HeadState::Made && !feed.is_of(&head) {
                continue;
            }
            while head.state == HeadState::Made {
                let (mut taken, mut refusal) = (false, None);
                for chunk in feed.chunks(&head)? {
                    match upload.send(Freight::Node, &chunk).await {
                        Ok(()) => taken = true,
                        Err(error) => refusal = Some(error),
                    }
                }
                match refusal {
                    Some(StoreError::Rejected(Rejection::BucketFull(_))) if !taken => {
                        head = feed.skip(&head)?;
                    }
                    Some(error) if !taken => return Err(error.into()),
                    _ => head.state = HeadState::Sent,
                }
                let mut edit = KeptEdit::new(Class::Meta);
                put(&mut edit, number, &head);
                self.write_box_heads(edit)?;
            }
        }
        Ok(())
    }

    /// All of them are to be sent once more, to a network that may have no older ones.
    pub(super) fn move_box_heads(&self, edit: &mut KeptEdit) -> Result<(), SyncError> {
        for (number, head) in self.box_heads()? {
            let any = Attached {
                number,
                one_scope: false,
            };
            // One of an epoch that is over stands where it is looked for by nobody.
            if let Ok(moved) = self.feed().of_box(&self.boxes.read(), any).move_on(&head) {
                put(edit, number, &moved);
            }
        }
        Ok(())
    }

    fn box_heads(&self) -> Result<Vec<(u32, OwnHead)>, SyncError> {
        let (from, to) = Key::all_box_heads();
        let rows = self.kept.rows().scan(&from, &to, usize::MAX)?;
        let heads = rows.iter().map(|(key, row)| {
            let number = u32::try_from(key.field(0).saturating_sub(1)).unwrap_or(u32::MAX);
            Ok((number, OwnHead::decode(row)?))
        });
        heads.collect()
    }

    fn write_box_heads(&self, edit: KeptEdit) -> Result<(), SyncError> {
        self.kept.write(edit)?;
        // Whoever reads them in the network must not know more than this machine after a power cut.
        Ok(self.kept.rows().sync()?)
    }
}

/// The first heads of boxes in a later epoch: each goes on from the newest one of the epoch before, as that of the pod does,
/// so that who has nothing but the secret of a box finds at once what is in it. One that is attached no more gets none.
///
/// # Errors
/// When the log does not give those before.
pub(super) fn begun_boxes(
    rows: &Rows,
    ((feed, boxes), (feed_before, boxes_before)): (
        (&OwnFeed, &BoxSecrets),
        (&OwnFeed, &BoxSecrets),
    ),
    begun: Beginning,
) -> Result<Vec<(u32, OwnHead)>, SyncError> {
    let (from, to) = Key::all_attached();
    let mut heads = Vec::new();
    for (_, row) in rows.scan(&from, &to, usize::MAX)? {
        let attached = Attached::decode(&row)?;
        let before = feed_before.of_box(boxes_before, attached);
        if let Some((own, head)) = before.last_of_box(rows)? {
            let later = feed.of_box(boxes, attached);
            let first = later.begin(&before, (&own, head), begun)?;
            heads.push((attached.number, first));
        }
    }
    Ok(heads)
}

fn put(edit: &mut KeptEdit, number: u32, head: &OwnHead) {
    let value = head.encode().into();
    edit.row(Key::box_head(number), Change::Put(value));
}
