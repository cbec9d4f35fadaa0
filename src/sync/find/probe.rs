use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::crypto::keys::BoxSecret;
use crate::store::{Outage, Store, StoreError};
use crate::sync::find::head::Door;
use crate::sync::find::{Feed, FindError, FoundHead};
use crate::types::Address;
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
    climb(store, &Arc::new(Door::new(secret, feed))).await
}

/// The same for a feed that most likely is empty: a third of the questions. One that has heads is found by the first
/// of them; when these expired, by one of those that are asked for far behind.
pub(super) async fn newest_if_any(
    store: &Arc<dyn Store>,
    door: &Arc<Door>,
) -> Result<Option<FoundHead>, FindError> {
    match highest(store, door, first_questions()).await? {
        Some(found) => Ok(trail(store, door, vec![found]).await?.pop()),
        None => Ok(None),
    }
}

/// Those that tell whether a feed has heads, in ascending order.
fn first_questions() -> Vec<Question> {
    let far = (FIRST.ilog2() + 1..=REACH).map(|power| ((1 << power) - 1, false));
    both_topics(0..FIRST).into_iter().chain(far).collect()
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

/// Where the heads of a feed stand that lead to its newest one, and where that one does: index, and both addresses. In
/// a network that has no others, the newest is found, and so is whatever is written behind it.
///
/// # Errors
/// [`FindError::Unavailable`]: nothing is known.
pub async fn way(
    store: &Arc<dyn Store>,
    secret: &BoxSecret,
    feed: Feed,
) -> Result<Vec<(u64, [Address; 2])>, FindError> {
    let door = Arc::new(Door::new(secret, feed));
    let first = highest(store, &door, first_questions()).await?;
    let trail = trail(store, &door, Vec::from_iter(first)).await?;
    let indices = trail.into_iter().map(|found| found.head.index);
    Ok(indices
        .map(|index| (index, door.addresses(index)))
        .collect())
}

/// Whether a search finds the head at `to`, when there are those of `known` and no others.
pub fn leads(known: &BTreeSet<u64>, to: u64) -> bool {
    let stands = |index: &u64| *index == to || known.contains(index);
    let first = first_questions().into_iter().map(|(index, _)| index);
    let Some(mut last) = first.rev().find(stands) else {
        return false;
    };
    let mut reach = reach_behind(last + 1);
    loop {
        let base = last + 1;
        match steps(base, reach).into_iter().rev().find(stands) {
            Some(index) => {
                reach = reach_behind(index - base + 1);
                last = index;
            }
            None if reach < REACH => reach = REACH,
            None => return last == to,
        }
    }
}

/// The first index behind `index` at which a search looks before it knows anything.
pub const fn next_known(index: u64) -> u64 {
    (index.saturating_add(2))
        .next_power_of_two()
        .saturating_sub(1)
}

/// How far is looked at first behind a step that led to a head.
const fn reach_behind(step: u64) -> u32 {
    let reach = step.ilog2() + 2;
    if reach < REACH { reach } else { REACH - 1 }
}

/// The newest head of a feed, searched for from its beginning on.
pub(super) async fn climb(
    store: &Arc<dyn Store>,
    door: &Arc<Door>,
) -> Result<Option<FoundHead>, FindError> {
    Ok(trail(store, door, Vec::new()).await?.pop())
}

/// The heads that lead to the newest one, and that one: who finds these finds it. Goes on behind the last of `trail`.
/// Behind a step of `2^k` that led to a head, steps of up to `2^(k + 2)` are tried first, since what is not there
/// answers slowly; that there is nothing above, only all steps together tell. So the nearest indices are asked for twice
/// before anything depends on them.
async fn trail(
    store: &Arc<dyn Store>,
    door: &Arc<Door>,
    mut trail: Vec<FoundHead>,
) -> Result<Vec<FoundHead>, FindError> {
    let behind = |found: &FoundHead| found.head.index + 1;
    let mut reach = trail
        .last()
        .map_or(REACH, |found| reach_behind(behind(found)));
    loop {
        let base = trail.last().map_or(0, behind);
        let questions = both_topics(steps(base, reach));
        match highest(store, door, questions).await? {
            Some(higher) => {
                reach = reach_behind(higher.head.index - base + 1);
                trail.push(higher);
            }
            None if reach < REACH => reach = REACH,
            None => return Ok(trail),
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
    fn the_way_leads_to_the_newest_head_and_to_what_comes_behind() {
        for newest in [0, 15, 16, 20, 40, 1000, 1023, 77_777] {
            let mut way = BTreeSet::new();
            // Each is the highest below the newest that is looked for behind the one before.
            let first = first_questions().into_iter().map(|(index, _)| index);
            let mut asked: Vec<u64> = first.collect();
            while let Some(index) = asked.into_iter().rfind(|it| *it < newest) {
                way.insert(index);
                asked = steps(index + 1, REACH);
            }
            for more in 0..70 {
                assert!(leads(&way, newest + more), "{newest} + {more}: {way:?}");
                way.insert(newest + more);
            }
            let next = next_known(newest);
            assert!(next > newest && leads(&BTreeSet::new(), next));
        }
        assert!(!leads(&BTreeSet::new(), 20) && leads(&BTreeSet::from([15]), 20));
    }

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
