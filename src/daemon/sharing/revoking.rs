//! Grants that are ended: what is sealed anew, and what is signed afterwards.

use std::collections::BTreeSet;

use crate::control::ReceiptReport;
use crate::control::Refusal;
use crate::control::SharingResponse;
use crate::crypto::keys::RenewalId;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::refused::Refused;
use crate::daemon::refused::wrong;
use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::happened;
use crate::format::grant::Ended;
use crate::format::grant::Receipt;
use crate::format::grant::Renewed;
use crate::format::grant::RevocationLevel;
use crate::format::rows::FileKind;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::format::rows::Key;
use crate::format::rows::Revocation;
use crate::format::rows::RevocationState;
use crate::share::ShareError;
use crate::sync::SyncError;
use crate::types::Ino;
use crate::types::Name;
use crate::types::Timespec;
use crate::types::limits::PAGE_BYTES;

type Answered = Result<SharingResponse, Refused>;

/// Why nothing is sealed anew.
const WAITS_FOR_ROOM: &str =
    "sealing it anew waits for room on this machine: what has to be fetched first finds none";

impl Sharing {
    /// Ends a grant, and has sealed anew what it opened. One that is over already can be gone further with.
    pub(super) async fn revoke(&self, id: &str, level: u8) -> Answered {
        let level = RevocationLevel::of(level).ok_or_else(|| wrong(&"levels are 0 to 3"))?;
        let given = self.given.one(id)?;
        let is_over = matches!(given.state, GivenState::Ended { .. });
        if is_over && !level.seals() {
            return Err(ShareError::IsOver.into());
        }
        if !is_over {
            self.take_back(&given, level).await?;
        }
        if level.seals() {
            self.can_be_sealed(&given, level)?;
            let _one = self.signing.lock().await;
            self.put_revocation(&self.asked_for(&given, level)?)?;
        }
        // Whoever asks for the receipt of what is done at once has it at once.
        self.sign_receipts().await?;
        self.publishing.publisher().publish_now();
        self.wake.notify_one();
        self.gave(&self.given.one(&hex::encode(given.id))?)
    }

    /// Ends a grant because its owner says so, and notes that for its receipt, however far they want to go. It costs
    /// nothing, and waits for nothing.
    pub(super) async fn take_back(
        &self,
        given: &Given,
        level: RevocationLevel,
    ) -> Result<(), Refused> {
        self.end(given, Ended::Revoked).await?;
        self.wake.notify_one();
        // What is added to things of others is given back in grants that nobody sees, and that need no receipts.
        if self.added_to_others()?.contains(&given.id) {
            return Ok(());
        }
        let level = if level.seals() {
            RevocationLevel::Feed
        } else {
            level
        };
        let _one = self.signing.lock().await;
        Ok(self.put_revocation(&self.asked_for(given, level)?)?)
    }

    /// What is asked for now.
    fn asked_for(&self, given: &Given, level: RevocationLevel) -> Result<Revocation, Refused> {
        let now = (self.clock)();
        let ended = ended(given, level, now);
        if !level.seals() {
            return Ok(ended);
        }
        let mut renewal = RenewalId([0; 16]);
        getrandom::fill(&mut renewal.0)
            .map_err(|error| Refused(Refusal::State, error.to_string()))?;
        Ok(Revocation {
            target: self.what_is_shared(given).unwrap_or(given.target),
            asked: self.later_than_all(now)?,
            renewal,
            state: RevocationState::Asked,
            ..ended
        })
    }

    /// Now, or just after the last that is to be sealed anew, should the clock have gone back: the newest counts.
    fn later_than_all(&self, now: Timespec) -> Result<Timespec, ShareError> {
        let mut sealing = self.revocations()?;
        sealing.retain(|row| row.level.seals());
        let last = sealing.iter().map(|row| row.asked).max();
        let after = last.map(|last| Timespec {
            secs: last.secs.saturating_add(1),
            nanos: 0,
        });
        Ok(after.map_or(now, |after| after.max(now)))
    }

    fn can_be_sealed(&self, given: &Given, level: RevocationLevel) -> Result<(), Refused> {
        let Some(target) = self.what_is_shared(given) else {
            return Err(wrong(
                &"what was shared is there no more: nothing is left to be sealed anew",
            ));
        };
        if level != RevocationLevel::Pages {
            return Ok(());
        }
        let mut targets = self.to_be_sealed()?;
        targets.insert(target);
        let (fetched, room) = self.to_be_fetched(&targets)?;
        if fetched > room {
            let what = format!(
                "{fetched} bytes would have to be fetched first, with what was asked for before, and this machine has \
                 room for {room}: level 2 needs only what says where pages are; the grant is ended"
            );
            return Err(Refused(Refusal::Taken, what));
        }
        Ok(())
    }

    /// What was shared of which the pages are to be sealed anew.
    fn to_be_sealed(&self) -> Result<BTreeSet<Ino>, ShareError> {
        let mut rows = self.revocations()?;
        rows.retain(|row| {
            row.level == RevocationLevel::Pages
                && matches!(row.state, RevocationState::Asked | RevocationState::Waiting)
        });
        Ok(rows.iter().map(|row| row.target).collect())
    }

    fn to_be_fetched(&self, targets: &BTreeSet<Ino>) -> Result<(u64, u64), Refused> {
        let weighed = self.publishing.publisher().to_be_fetched(targets);
        weighed.map_err(|error| unknown(&error))
    }

    /// What is in the way of sealing anew what somebody had.
    pub(super) fn waits_for_room(&self, given: &Given) -> Result<Option<String>, ShareError> {
        let row = self.people.rows().get(&Key::revocation(&given.id))?;
        let row = row.map(|row| Revocation::decode(&row)).transpose();
        let row = row.map_err(ShareError::NoRow)?;
        let waits =
            row.is_some_and(|row| row.grant == given.id && row.state == RevocationState::Waiting);
        Ok(waits.then(|| WAITS_FOR_ROOM.to_owned()))
    }

    /// What waited for room is asked for again once there is enough.
    pub(super) async fn ask_again(&self) -> Result<(), Refused> {
        let mut waiting = self.revocations()?;
        waiting.retain(|row| row.state == RevocationState::Waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let (fetched, room) = self.to_be_fetched(&self.to_be_sealed()?)?;
        if fetched > room {
            return Ok(());
        }
        let _one = self.signing.lock().await;
        // Something else may have been asked for meanwhile.
        let now = self.revocations()?;
        for row in waiting.into_iter().filter(|row| now.contains(row)) {
            self.put_revocation(&Revocation {
                state: RevocationState::Asked,
                ..row
            })?;
        }
        self.publishing.publisher().publish_now();
        Ok(())
    }

    /// There is no room for what was asked for.
    pub(super) fn has_too_little_room(&self, asked: &Revocation) -> Result<(), ShareError> {
        if self.revocations()?.contains(asked) {
            self.put_revocation(&Revocation {
                state: RevocationState::Waiting,
                ..asked.clone()
            })?;
        }
        Ok(())
    }

    /// What was shared, if it is there; or the file that took its place, as when a program saves it: it goes on with the
    /// same keys.
    pub(super) fn what_is_shared(&self, given: &Given) -> Option<Ino> {
        if self.path_of(given.target).is_some() {
            return Some(given.target);
        }
        let there = self.pod.lookup(given.directory, given.name.as_bytes());
        let there = there.ok().filter(|it| it.kind == FileKind::Regular)?;
        (given.terms.kind == FileKind::Regular).then_some(there.ino)
    }

    pub(super) fn path_of(&self, target: Ino) -> Option<Vec<Name>> {
        self.publishing.reader().path_of(target)
    }

    pub(super) fn put_revocation(&self, row: &Revocation) -> Result<(), ShareError> {
        let rows = self.people.rows();
        rows.put(Key::revocation(&row.grant), row.encode())
    }

    fn revocations(&self) -> Result<Vec<Revocation>, ShareError> {
        let (from, to) = Key::all_revocations();
        let rows = self.people.rows().scan(&from, &to, usize::MAX)?;
        let rows = rows.iter().map(|(_, row)| Revocation::decode(row));
        rows.collect::<Result<_, _>>().map_err(ShareError::NoRow)
    }

    /// All of it was handed to a node.
    pub(super) fn is_renewed(
        &self,
        asked: &Revocation,
        renewed: Renewed,
    ) -> Result<(), ShareError> {
        // Perhaps it was asked for anew meanwhile: then that is still to come.
        if !self.revocations()?.contains(asked) {
            return Ok(());
        }
        if asked.is_of_adopted() {
            // Once it is done, no later publication does it again, though the row should stay.
            if let Err(error) = self.people.rows().delete(Key::revocation(&asked.grant)) {
                tracing::warn!(%error, "a request that is done stays");
            }
            return Ok(());
        }
        self.put_revocation(&Revocation {
            state: RevocationState::Done {
                when: (self.clock)(),
                renewed,
                receipt: None,
            },
            ..asked.clone()
        })?;
        self.wake.notify_one();
        Ok(())
    }

    /// Records what was done, and signs it.
    pub(super) async fn sign_receipts(&self) -> Result<(), ShareError> {
        let _one = self.signing.lock().await;
        self.note_ends()?;
        for row in self.revocations()? {
            if let RevocationState::Done {
                when,
                renewed,
                receipt: None,
            } = row.state
                && let Err(fault) = self.sign_receipt(&row, when, renewed).await
            {
                tracing::warn!(%fault, "what was done about a grant is not signed yet");
            }
        }
        Ok(())
    }

    /// Notes what was ended by its owner and not noted, as after a crash in between.
    fn note_ends(&self) -> Result<(), ShareError> {
        let noted: BTreeSet<_> = self.revocations()?.iter().map(|row| row.grant).collect();
        let added = self.added_to_others()?;
        for given in self.given.all()? {
            let GivenState::Ended { why, when } = given.state else {
                continue;
            };
            let is_hidden = added.contains(&given.id);
            if why != Ended::Revoked || is_hidden || noted.contains(&given.id) {
                continue;
            }
            self.put_revocation(&ended(&given, RevocationLevel::Feed, when))?;
        }
        Ok(())
    }

    async fn sign_receipt(
        &self,
        row: &Revocation,
        when: Timespec,
        renewed: Renewed,
    ) -> Result<(), Fault> {
        let failed = |error: ShareError| Fault::new(FaultKind::State, error.to_string());
        let given = self.given.find(&row.grant).map_err(failed)?;
        let Some(given) = given else { return Ok(()) };
        let audit = self.people.audit();
        let checkpoint = if row.level.seals() {
            audit
                .recorded(&happened::sealed_anew(&given, row.level, &renewed))
                .await?
        } else {
            audit.newest().await?
        };
        let receipt = audit.sign_receipt(&Receipt {
            grant: row.grant,
            who: given.contact,
            level: row.level,
            asked: row.asked,
            done: when,
            renewed,
            checkpoint,
        })?;
        self.put_revocation(&Revocation {
            state: RevocationState::Done {
                when,
                renewed,
                receipt: Some(receipt),
            },
            ..row.clone()
        })
        .map_err(failed)
    }

    /// What was done, or how far it is.
    pub(super) fn receipt(&self, id: &str) -> Answered {
        let given = self.given.one(id)?;
        let all = self.revocations()?;
        let row = all.into_iter().find(|row| row.grant == given.id);
        let row = row.ok_or_else(|| wrong(&"this grant was not ended by its owner"))?;
        let mut report = ReceiptReport {
            id: hex::encode(given.id),
            with: self.with(&given)?,
            fingerprint: hex::encode(given.contact.0),
            level: row.level.number(),
            state: match row.state {
                RevocationState::Waiting => "waiting",
                RevocationState::Asked | RevocationState::Done { .. } => "sealing",
            }
            .to_owned(),
            asked: row.asked.secs,
            ..ReceiptReport::default()
        };
        if let RevocationState::Done {
            when,
            renewed,
            receipt,
        } = row.state
        {
            (report.names, report.left) = (renewed.names, renewed.left);
            report.chunks = renewed.nodes.saturating_add(renewed.pages);
            report.bytes = report.chunks.saturating_mul(PAGE_BYTES);
            if let Some(receipt) = receipt {
                // Until it is signed it is not over for whoever waits.
                "done".clone_into(&mut report.state);
                report.done = Some(when.secs);
                let says = receipt.says().map_err(ShareError::NoRow)?;
                report.log_size = Some(says.checkpoint.size);
                report.key = Some(hex::encode(receipt.key()));
                report.receipt = Some(hex::encode(receipt.0));
            }
        }
        Ok(SharingResponse::Receipt(Box::new(report)))
    }

    fn with(&self, given: &Given) -> Result<String, Refused> {
        let name = self.name_of(&given.contact)?;
        Ok(if name.is_empty() {
            given.contact_name.as_str().to_owned()
        } else {
            name
        })
    }
}

pub(super) fn unknown(error: &SyncError) -> Refused {
    Refused(Refusal::State, error.to_string())
}

/// A grant that was ended, and with that all is done.
fn ended(given: &Given, level: RevocationLevel, when: Timespec) -> Revocation {
    Revocation {
        grant: given.id,
        level,
        asked: when,
        target: given.target,
        renewal: RenewalId([0; 16]),
        state: RevocationState::Done {
            when,
            renewed: Renewed::default(),
            receipt: None,
        },
    }
}
