//! Records of grants on their way into the network.

use std::sync::atomic::Ordering;

use crate::crypto::swarm::SealedChunk;
use crate::daemon::sharing::Sharing;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::share::ShareError;
use crate::share::messages::MessageError;
use crate::store::Outage;
use crate::store::Rejection;
use crate::store::Store;
use crate::store::StoreError;
use crate::types::limits::GRANT_GAP;
use crate::types::limits::MAIL_PATIENCE;

/// What is in the way of the records of a grant.
#[derive(Default)]
pub(super) struct Held {
    /// For people.
    pub(super) why: String,
    /// Indices that were passed by since a record was sent.
    passed: u64,
}

/// Why a record was not sent.
struct NotSent {
    why: ShareError,
    /// No other would be.
    is_of_all: bool,
}

impl From<ShareError> for NotSent {
    fn from(why: ShareError) -> Self {
        Self {
            why,
            is_of_all: false,
        }
    }
}

impl Sharing {
    /// Sends the records that wait.
    pub(in crate::daemon) async fn send_now(&self) -> Result<(), MessageError> {
        self.send_records(&self.node).await
    }

    /// Records that no node took yet: first those that end something. What is in the way of one keeps no other back,
    /// unless it is in the way of all.
    pub(super) async fn send_records(&self, node: &dyn Store) -> Result<(), MessageError> {
        let mut all = self.given.all()?;
        all.sort_by_key(|given| !matches!(given.state, GivenState::Ended { .. }));
        for given in all {
            let Err(NotSent { why, is_of_all }) = self.send_record(&given, node).await else {
                self.held.lock().remove(&given.id);
                continue;
            };
            tracing::debug!(%why, "a record of a grant is not sent");
            self.held.lock().entry(given.id).or_default().why = format!("it is not sent: {why}");
            if is_of_all {
                return Ok(());
            }
        }
        if self.again.swap(false, Ordering::AcqRel) {
            self.publishing.publisher().follow_now();
            self.wake.notify_one();
        }
        Ok(())
    }

    async fn send_record(&self, given: &Given, node: &dyn Store) -> Result<(), NotSent> {
        while let Some(unsent) = self.given.unsent(given, (self.clock)())? {
            let given = &unsent.given;
            if unsent.is_version && self.is_silent(given) {
                return Ok(());
            }
            if unsent.is_first && self.goes_on(given).await? {
                self.publishing.publisher().follow_now();
                self.wake.notify_one();
                return Ok(());
            }
            match node.put(&unsent.chunk).await {
                // A node may say so of what it does not keep: it is put again until it is seen.
                Ok(_) if self.is_held(&unsent.chunk).await? => {
                    self.given.is_sent(given, unsent.index)?;
                }
                Ok(_) => return Err(ShareError::from(StoreError::NotFound).into()),
                // Nothing ever stands there; whoever follows looks behind a few that are missing.
                Err(StoreError::Rejected(Rejection::BucketFull(_))) if self.may_pass(given) => {
                    self.given.passes_by(given, unsent.index)?;
                }
                Err(error) => {
                    return Err(NotSent {
                        is_of_all: is_of_all(&error),
                        why: error.into(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether one more index may have nothing. One is left to the end, which does not wait for what comes before it.
    fn may_pass(&self, given: &Given) -> bool {
        let mut held = self.held.lock();
        let held = held.entry(given.id).or_default();
        held.passed = held.passed.saturating_add(1);
        held.passed < GRANT_GAP
    }

    async fn goes_on(&self, given: &Given) -> Result<bool, ShareError> {
        let endpoints = self.publishing.sources().now();
        in_time(self.given.goes_on(given, &endpoints)).await
    }

    async fn is_held(&self, record: &SealedChunk) -> Result<bool, ShareError> {
        let endpoints = self.publishing.sources().now();
        let there = in_time(endpoints.search(record.address())).await?;
        Ok(there.is_some())
    }
}

/// What the network says, when it says it in time.
async fn in_time<T, E: From<StoreError>>(
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let late = |_| StoreError::unavailable(Outage::Late(MAIL_PATIENCE));
    tokio::time::timeout(MAIL_PATIENCE, asked)
        .await
        .map_err(late)?
}

/// Whether no other record would fare better.
const fn is_of_all(why: &StoreError) -> bool {
    matches!(
        why,
        StoreError::Unavailable { .. }
            | StoreError::Rejected(
                Rejection::NoBatch | Rejection::BatchUnusable | Rejection::BatchUnknown
            )
    )
}
