//! What ending a grant would do: what it costs, and what it opens no more.

use crate::control::BatchEnd;
use crate::control::LevelReport;
use crate::control::OtherGrant;
use crate::control::PreviewReport;
use crate::control::SharingResponse;
use crate::daemon::refused::Refused;
use crate::daemon::refused::in_time;
use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::report::as_many_as_fit;
use crate::daemon::sharing::revoking::unknown;
use crate::format::grant::Renewed;
use crate::format::grant::RevocationLevel;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::sync::Level;
use crate::sync::Weight;
use crate::types::limits::PAGE_BYTES;

type Answered = Result<SharingResponse, Refused>;

impl Sharing {
    /// What ending a grant would do.
    pub(super) async fn preview(&self, id: &str) -> Answered {
        let given = self.given.one(id)?;
        let publisher = self.publishing.publisher();
        let weight = if let Some(target) = self.what_is_shared(&given) {
            let weighed = in_time(publisher.weigh(target)).await?;
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
        let mut others = self.given.all()?;
        others.retain(|other| {
            let is_over = matches!(other.state, GivenState::Ended { .. });
            if is_over || other.id == given.id || added.contains(&other.id) {
                return false;
            }
            let theirs = self.path_of(other.target);
            theirs.is_some_and(|theirs| theirs.starts_with(&path) || path.starts_with(&theirs))
        });
        as_many_as_fit(others.iter().map(|other| {
            let report = self.given_report(other)?;
            Ok::<_, Refused>(OtherGrant {
                id: report.id,
                with: report.with,
                path: report.path,
                snapshot: report.snapshot,
                same_person: other.contact == given.contact,
            })
        }))
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
