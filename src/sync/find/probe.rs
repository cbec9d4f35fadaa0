use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::crypto::keys::BoxSecret;
use crate::store::{Outage, Store, StoreError};
use crate::sync::find::head::Door;
use crate::sync::find::{Feed, FindError, FoundHead};
use crate::types::limits::FIND_READS_MAX;

/// Largest step upwards, as a power of two: five years of a head every ten seconds.
const REACH: u32 = 24;
/// Indices right above a head that are all asked for: more than a writer gives up in a row.
const NEAR: u64 = 16;
/// First indices of a feed that are asked for under both topics to learn whether there is any head.
const FIRST: u64 = 4;

/// An index, and whether it is asked for under the replica's topic.
type Question = (u64, bool);

/// The newest head of a feed, if it has any.
///
/// # Errors
/// [`FindError::Unavailable`]: nothing is known.
pub async fn newest(
    store: &Arc<dyn Store>,
    secret: &BoxSecret,
    feed: Feed,
) -> Result<Option<FoundHead>, FindError> {
    climb(store, &Arc::new(Door::new(secret, feed)), None).await
}

/// The same for a feed that most likely is empty: a third of the questions. One that has heads is found by the first
/// of them; when these expired, by one of those that are asked for far behind.
pub(super) async fn newest_if_any(
    store: &Arc<dyn Store>,
    door: &Arc<Door>,
) -> Result<Option<FoundHead>, FindError> {
    let far = (FIRST.ilog2() + 1..=REACH).map(|power| ((1 << power) - 1, false));
    let questions = both_topics(0..FIRST).into_iter().chain(far);
    match highest(store, door, questions.collect()).await? {
        Some(found) => climb(store, door, Some(found)).await,
        None => Ok(None),
    }
}

/// A head of a feed at `from` or right behind, the highest of those there; for who knows the feed up to there.
///
/// # Errors
/// [`FindError::Unavailable`]: nothing is known.
pub async fn newer(
    store: &Arc<dyn Store>,
    secret: &BoxSecret,
    feed: Feed,
    from: u64,
) -> Result<Option<FoundHead>, FindError> {
    let door = Arc::new(Door::new(secret, feed));
    highest(store, &door, both_topics(steps(from, NEAR.ilog2()))).await
}

/// The head of a feed at `index`, if one is there.
///
/// # Errors
/// [`FindError::Unavailable`]: nothing is known.
pub async fn at(
    store: &Arc<dyn Store>,
    secret: &BoxSecret,
    feed: Feed,
    index: u64,
) -> Result<Option<FoundHead>, FindError> {
    let door = Arc::new(Door::new(secret, feed));
    highest(store, &door, both_topics([index])).await
}

/// Goes up from head to head, the first being `found`. Behind a step of `2^k` that led to one, steps of up to
/// `2^(k + 2)` are tried first, since what is not there answers slowly; that there is nothing above, only all steps
/// together tell. So the nearest indices are asked for twice before anything depends on them.
pub(super) async fn climb(
    store: &Arc<dyn Store>,
    door: &Arc<Door>,
    mut found: Option<FoundHead>,
) -> Result<Option<FoundHead>, FindError> {
    let reach_of = |step: u64| (step.ilog2() + 2).min(REACH - 1);
    let mut reach = found
        .as_ref()
        .map_or(REACH, |found| reach_of(found.head.index + 1));
    loop {
        let base = found.as_ref().map_or(0, |found| found.head.index + 1);
        let questions = both_topics(steps(base, reach));
        match highest(store, door, questions).await? {
            Some(higher) => {
                reach = reach_of(higher.head.index - base + 1);
                found = Some(higher);
            }
            None if reach < REACH => reach = REACH,
            None => return Ok(found),
        }
    }
}

fn both_topics(indices: impl IntoIterator<Item = u64>) -> Vec<Question> {
    let questions = indices.into_iter();
    questions
        .flat_map(|index| [(index, true), (index, false)])
        .collect()
}

/// The indices to ask for when everything below `base` is settled, in ascending order.
fn steps(base: u64, reach: u32) -> Vec<u64> {
    let far = (0..=reach).map(|power| 1 << power);
    let indices = (1..=NEAR).chain(far);
    let indices = indices.filter_map(|step: u64| base.checked_add(step - 1));
    // The last number of all is no index.
    let mut indices: Vec<_> = indices.filter(|index| *index != u64::MAX).collect();
    indices.sort_unstable();
    indices.dedup();
    indices
}

/// The highest head that one of the questions, in ascending order, leads to. From the top down: below a head nothing
/// matters.
async fn highest(
    store: &Arc<dyn Store>,
    door: &Arc<Door>,
    mut queue: Vec<Question>,
) -> Result<Option<FoundHead>, FindError> {
    let (mut asked, mut pending) = (JoinSet::new(), BTreeMap::new());
    let mut best: Option<FoundHead> = None;
    loop {
        while pending.len() < FIND_READS_MAX
            && let Some((index, replica)) = queue.pop()
        {
            let (store, door) = (Arc::clone(store), Arc::clone(door));
            let task = async move {
                let answer = door.ask(&*store, index, replica).await;
                ((index, replica), answer)
            };
            pending.insert((index, replica), asked.spawn(task));
        }
        if pending.is_empty() {
            return Ok(best);
        }
        match asked.join_next().await {
            Some(Ok((place, answer))) => {
                pending.remove(&place);
                let Some(head) = answer? else { continue };
                let index = head.head.index;
                if best.as_ref().is_none_or(|best| best.head.index < index) {
                    best = Some(head);
                }
                queue.retain(|(waiting, _)| *waiting > index);
                let above = pending.split_off(&(index + 1, false));
                for task in pending.into_values() {
                    task.abort();
                }
                pending = above;
            }
            Some(Err(error)) if error.is_cancelled() => {}
            _ => return Err(FindError::Unavailable(StoreError::unavailable(Outage::Cut))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_steps_are_powers_of_two_less_one_and_the_first_indices() {
        let first = steps(0, REACH);
        assert_eq!(
            first[..18],
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 31, 63]
        );
        assert_eq!(first.last(), Some(&((1 << 24) - 1)));
        assert_eq!(first.len(), 36);
        assert_eq!(steps(100, 5).last(), Some(&131));
        assert_eq!(steps(u64::MAX - 2, REACH), [u64::MAX - 2, u64::MAX - 1]);
    }
}
