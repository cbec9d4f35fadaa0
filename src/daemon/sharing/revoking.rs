//! Grants that are ended: what that costs and opens no more, said before; what is sealed anew; and what is signed
//! afterwards.

use crate::control::BatchEnd;
use crate::control::LevelReport;
use crate::control::OtherGrant;
use crate::control::PreviewReport;
use crate::control::ReceiptReport;
use crate::control::Refusal;
use crate::control::SharingResponse;
use crate::crypto::keys::RenewalId;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::refused::Refused;
use crate::daemon::refused::in_time;
use crate::daemon::refused::wrong;
use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::happened;
use crate::format::grant::Ended;
use crate::format::grant::Receipt;
use crate::format::grant::Renewed;
use crate::format::grant::RevocationLevel;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::format::rows::Key;
use crate::format::rows::Revocation;
use crate::format::rows::RevocationState;
use crate::share::ShareError;
use crate::sync::Level;
use crate::sync::SyncError;
use crate::sync::Weight;
use crate::types::Ino;
use crate::types::Name;
use crate::types::Timespec;
use crate::types::limits::FETCHED_RESERVE;
use crate::types::limits::GRANTS_AT_ONCE;
use crate::types::limits::PAGE_BYTES;

type Answered = Result<SharingResponse, Refused>;

impl Sharing {
    /// Ends a grant, and has sealed anew what it opened. One that is over already can be gone further with.
    pub(super) async fn revoke(&self, id: &str, level: u8) -> Answered {
        let level = RevocationLevel::of(level).ok_or_else(|| wrong(&"levels are 0 to 3"))?;
        let given = self.given.one(id)?;
        let is_over = matches!(given.state, GivenState::Ended { .. });
        if is_over && !level.seals() {
            return Err(ShareError::IsOver.into());
        }
        // The end costs nothing, and waits for nothing.
        if !is_over {
            self.end(&given, Ended::Revoked).await?;
            self.wake.notify_one();
        }
        if level.seals() {
            self.can_be_sealed(&given, level)?;
        }
        let mut renewal = RenewalId([0; 16]);
        if level.seals() {
            getrandom::fill(&mut renewal.0)
                .map_err(|error| Refused(Refusal::State, error.to_string()))?;
        }
        let signing = self.signing.lock().await;
        let asked = self.later_than_all((self.clock)())?;
        let state = if level.seals() {
            RevocationState::Asked
        } else {
            RevocationState::Done {
                when: asked,
                renewed: Renewed::default(),
                receipt: None,
            }
        };
        self.put_revocation(&Revocation {
            grant: given.id,
            level,
            asked,
            target: given.target,
            renewal,
            state,
        })?;
        drop(signing);
        // Whoever asks for the receipt of what is done at once has it at once.
        self.sign_receipts().await?;
        self.publishing.publisher().publish_now();
        self.wake.notify_one();
        self.gave(&self.given.one(&hex::encode(given.id))?)
    }

    /// Now, or just after the last that was asked for, should the clock have gone back: the newest counts.
    fn later_than_all(&self, now: Timespec) -> Result<Timespec, ShareError> {
        let last = self.revocations()?.iter().map(|row| row.asked).max();
        let after = last.map(|last| Timespec {
            secs: last.secs.saturating_add(1),
            nanos: 0,
        });
        Ok(after.map_or(now, |after| after.max(now)))
    }

    fn can_be_sealed(&self, given: &Given, level: RevocationLevel) -> Result<(), Refused> {
        if self.path_of(given.target).is_none() {
            return Err(wrong(
                &"what was shared is there no more: nothing is left to be sealed anew",
            ));
        }
        let space = self.pod.rows().space();
        let free = space.free.saturating_sub(FETCHED_RESERVE);
        let weighed = self.publishing.publisher().remote_below(given.target);
        let fetched = weighed.map_err(|error| unknown(&error))?;
        let fetched = fetched.saturating_mul(PAGE_BYTES);
        if level == RevocationLevel::Pages && fetched > free {
            let what = format!(
                "{fetched} bytes would have to be fetched first, and this machine has room for {free}: \
                 level 2 needs only what says where pages are; the grant is ended"
            );
            return Err(Refused(Refusal::Taken, what));
        }
        Ok(())
    }

    fn path_of(&self, target: Ino) -> Option<Vec<Name>> {
        self.publishing.reader().path_of(target)
    }

    fn put_revocation(&self, row: &Revocation) -> Result<(), ShareError> {
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
        if self.revocations()?.contains(asked) {
            self.put_revocation(&Revocation {
                state: RevocationState::Done {
                    when: (self.clock)(),
                    renewed,
                    receipt: None,
                },
                ..asked.clone()
            })?;
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Records what was done, and signs it.
    pub(super) async fn sign_receipts(&self) -> Result<(), ShareError> {
        let _one = self.signing.lock().await;
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
        let row = row.ok_or_else(|| wrong(&"podfs revoke did not end this grant"))?;
        let mut report = ReceiptReport {
            id: hex::encode(given.id),
            with: self.with(&given)?,
            fingerprint: hex::encode(given.contact.0),
            level: row.level.number(),
            state: "sealing".to_owned(),
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

    /// What ending a grant would do.
    pub(super) async fn preview(&self, id: &str) -> Answered {
        let given = self.given.one(id)?;
        let publisher = self.publishing.publisher();
        let weight = if self.path_of(given.target).is_some() {
            let weighed = in_time(publisher.weigh(given.target)).await?;
            Some(weighed.map_err(|error| unknown(&error))?)
        } else {
            None
        };
        let level = publisher.level().map_err(|error| unknown(&error))?;
        let batches = publisher.batches().into_iter();
        let (others, more_others) = self.others(&given)?;
        let report = PreviewReport {
            grant: self.given_report(&given)?,
            handed_over: given.state != GivenState::Waiting,
            records: self.given.told(&given)?,
            names: weight.map(|weight| weight.published.names),
            complete: level >= Level::OnNode,
            levels: levels(weight),
            batches: batches
                .map(|batch| BatchEnd {
                    id: hex::encode(batch.id),
                    ends: batch.expires,
                })
                .collect(),
            others,
            more_others,
        };
        Ok(SharingResponse::Preview(Box::new(report)))
    }

    /// Other grants that are not over and open any of the same, and whether there are more than an answer holds.
    fn others(&self, given: &Given) -> Result<(Vec<OtherGrant>, bool), Refused> {
        let added = self.added_to_others()?;
        let Some(path) = self.path_of(given.target) else {
            return Ok((Vec::new(), false));
        };
        let mut others = Vec::new();
        for other in self.given.all()? {
            let is_over = matches!(other.state, GivenState::Ended { .. });
            if is_over || other.id == given.id || added.contains(&other.id) {
                continue;
            }
            let theirs = self.path_of(other.target);
            if theirs.is_none_or(|theirs| !theirs.starts_with(&path) && !path.starts_with(&theirs))
            {
                continue;
            }
            if others.len() == GRANTS_AT_ONCE {
                return Ok((others, true));
            }
            let report = self.given_report(&other)?;
            others.push(OtherGrant {
                id: report.id,
                with: report.with,
                path: report.path,
                snapshot: report.snapshot,
                same_person: other.contact == given.contact,
            });
        }
        Ok((others, false))
    }
}

/// What each level costs. The first two end a feed with one chunk.
fn levels(weight: Option<Weight>) -> Vec<LevelReport> {
    let costs = RevocationLevel::ALL.into_iter().filter_map(|level| {
        let (chunks, fetched) = match (level, weight) {
            (RevocationLevel::Feed | RevocationLevel::Others, _) => (1, 0),
            (_, None) => return None,
            (RevocationLevel::Nodes, Some(weight)) => (weight.published.nodes, 0),
            (RevocationLevel::Pages, Some(weight)) => {
                let Renewed { nodes, pages, .. } = weight.published;
                (nodes.saturating_add(pages), weight.remote)
            }
        };
        Some(LevelReport {
            level: level.number(),
            chunks,
            bytes: chunks.saturating_mul(PAGE_BYTES),
            fetched_bytes: fetched.saturating_mul(PAGE_BYTES),
        })
    });
    costs.collect()
}

fn unknown(error: &SyncError) -> Refused {
    Refused(Refusal::State, error.to_string())
}
