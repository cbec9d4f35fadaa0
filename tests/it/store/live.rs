//! The node of the live tests, and a batch of its own; without one, they buy one.

use std::sync::Arc;
use std::time::Duration;

use podfs::store::bee::{Batch, BatchId, Bee, Deadlines, Plur};

use crate::support::wait_until;

/// What a live test requires.
pub const URL: &str = "$PODFS_TEST_BEE_URL";
const BATCH: &str = "PODFS_TEST_BATCH";

/// Where the node is.
pub fn url() -> String {
    std::env::var(URL.trim_start_matches('$')).unwrap()
}

/// The node.
pub fn node() -> Arc<Bee> {
    Arc::new(Bee::new(url().parse().unwrap(), Deadlines::default()).unwrap())
}

/// Its batch.
pub async fn batch(bee: &Bee) -> BatchId {
    match std::env::var(BATCH) {
        Ok(batch) => batch.parse().unwrap(),
        Err(_) => bought(bee).await,
    }
}

/// The same, as the command line takes it.
pub fn batch_id() -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(batch(&node())).to_string()
}

/// A small batch for two days that can be used.
async fn bought(bee: &Bee) -> BatchId {
    let two_days = Duration::from_secs(2 * 86_400);
    let chain = bee.chain().await.unwrap_or_default();
    let amount = chain.amount_for(two_days).unwrap_or(Plur(10_000_000));
    let id = bee.buy(amount, 18, "podfs-tests").await.unwrap();
    let usable = |batch: Batch| batch.usable;
    let limit = Duration::from_secs(180);
    let handle = tokio::runtime::Handle::current();
    let there = wait_until(limit, || {
        tokio::task::block_in_place(|| handle.block_on(bee.batch(id)).is_ok_and(usable))
    });
    assert!(there, "the batch does not become usable");
    id
}
