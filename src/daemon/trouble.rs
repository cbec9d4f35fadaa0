//! What is in the way of publishing, in words: what it is about, and what to do next. And whether a person has to do it.

use crate::control::Blocked;
use crate::daemon::carrier::BatchLight;
use crate::daemon::carrier::Lease;
use crate::journal::JournalError;
use crate::store::Outage;
use crate::store::Rejection;
use crate::store::StoreError;
use crate::sync::Part;
use crate::sync::SyncError;
use crate::sync::fetch::FetchError;
use crate::sync::find::FindError;
use crate::sync::reader::ReadError;

/// What is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// What it is, and what it is about.
    pub(super) what: String,
    /// The next command to type or thing to do; nothing when it goes by itself.
    pub(super) next: Option<String>,
    /// Why waiting does not help; nothing when it may.
    pub(super) blocked: Option<Blocked>,
}

/// Where a pod is carried, as far as it is told of.
pub(super) struct Place<'a> {
    /// Name of the node that is written to.
    pub(super) node: &'a str,
    /// Names of the nodes that do not answer.
    pub(super) down: Vec<&'a str>,
    /// The batches that pay, as they were when they were last looked at.
    pub(super) batches: &'a [BatchLight],
    /// ` --pod NAME`, or nothing.
    pub(super) flag: &'a str,
}

impl Trouble {
    fn passing(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            next: None,
            blocked: None,
        }
    }

    fn next(self, next: impl Into<String>) -> Self {
        Self {
            next: Some(next.into()),
            ..self
        }
    }

    fn blocks(self, why: Blocked) -> Self {
        Self {
            blocked: Some(why),
            ..self
        }
    }

    /// What a failure of publishing to `place` means.
    pub(super) fn of(part: Part, error: &SyncError, place: &Place<'_>) -> Self {
        match part {
            Part::Sending => Self::of_sending(error, place),
            Part::Looking => Self::of_looking(error, place),
        }
    }

    /// Whoever can tell whether the network has something was asked, not the writer alone. What is sent goes on.
    fn of_looking(error: &SyncError, place: &Place<'_>) -> Self {
        if matches!(error, SyncError::Store(StoreError::Rejected(_))) {
            let what = format!("a node that is asked for what was sent: {error}");
            return Self::passing(what).next(format!("podfs node test{}", place.flag));
        }
        let trouble = Self::of_sending(error, place);
        let blocked = trouble.blocked.filter(|why| *why == Blocked::Overtaken);
        Self { blocked, ..trouble }
    }

    fn of_sending(error: &SyncError, place: &Place<'_>) -> Self {
        let flag = place.flag;
        match error {
            SyncError::Store(error)
            | SyncError::Find(FindError::Unavailable(error))
            | SyncError::Read(ReadError::Fetch(_, FetchError::Unavailable(_, error))) => {
                of_node(error, place)
            }
            SyncError::Journal(error) | SyncError::Read(ReadError::Journal(error)) => of_log(error),
            SyncError::Read(_) | SyncError::Find(_) => {
                Self::passing(error.to_string()).next(format!("podfs node test{flag}"))
            }
            SyncError::Behind { .. } | SyncError::Forked => {
                let next = "podfs recover --pod NEW --node URL makes a fresh copy; then copy over what only this one has";
                Self::passing(error.to_string())
                    .next(next)
                    .blocks(Blocked::Overtaken)
            }
            SyncError::BatchFull => full(place),
            SyncError::Malformed(_) | SyncError::Damaged(_) | SyncError::Contradiction(..) => {
                Self::passing(error.to_string())
                    .next(format!("podfs unmount DIR; podfs check{flag}"))
                    .blocks(Blocked::Damaged)
            }
            SyncError::NoRoom => Self::passing(error.to_string()).next(
                "free some space on the disk of the state folder, or mount it with a larger --budget",
            ),
            SyncError::Interrupted => Self::passing(error.to_string()),
        }
    }
}

fn of_log(error: &JournalError) -> Trouble {
    let trouble = Trouble::passing(error.to_string());
    match error {
        JournalError::NoSpace => {
            trouble.next("free some space on the disk of the state folder, or give the pod more")
        }
        JournalError::Corrupt(_) | JournalError::Damaged(_) | JournalError::ReadOnly(_) => trouble
            .next("podfs unmount DIR; podfs check")
            .blocks(Blocked::Damaged),
        JournalError::Io(..) => trouble.next("podfs doctor"),
        JournalError::Busy => trouble,
    }
}

fn of_node(error: &StoreError, place: &Place<'_>) -> Trouble {
    let (node, flag) = (place.node, place.flag);
    let refused = match error {
        StoreError::Rejected(refused) => refused,
        StoreError::Unavailable { why, .. } => return silence(error, why, place),
        StoreError::NotFound | StoreError::Corrupt => {
            return Trouble::passing(format!("the node {node}: {error}"))
                .next(format!("podfs node test{flag}"));
        }
    };
    match refused {
        Rejection::BatchUnusable | Rejection::BatchUnknown => batch(place),
        Rejection::BucketFull(_) => full(place),
        Rejection::NoBatch => Trouble::passing(format!("the node {node} has no batch of the pod"))
            .next(format!("podfs node add URL --batch ID{flag}"))
            .blocks(Blocked::NoNode),
        Rejection::OutOfFunds => {
            Trouble::passing(format!("the wallet of the node {node} has not enough"))
                .next("send xBZZ to it")
                .blocks(Blocked::Funds)
        }
        Rejection::TagUnknown => Trouble::passing(format!("the node {node}: {error}")),
        Rejection::NoSpace => {
            Trouble::passing(format!("the node {node}: {error}")).next("free some space there")
        }
        Rejection::NoChain
        | Rejection::Unsupported
        | Rejection::Forbidden
        | Rejection::Redirected
        | Rejection::Size
        | Rejection::Invalid(_) => Trouble::passing(format!("the node {node}: {error}"))
            .next(format!("podfs node test {node} --write{flag}"))
            .blocks(Blocked::Node),
    }
}

/// Nobody answered. It may have been another node than the one that is written to: those that are down are named.
fn silence(error: &StoreError, why: &Outage, place: &Place<'_>) -> Trouble {
    let who = match place.down.as_slice() {
        [] => format!("the node {}", place.node),
        [one] => format!("the node {one}"),
        all => format!("the nodes {}", all.join(", ")),
    };
    let trouble = Trouble::passing(format!("{who}: {error}"));
    match why {
        Outage::Busy(_) => trouble,
        Outage::Unreachable(_)
        | Outage::Late(_)
        | Outage::Cut
        | Outage::Failed(..)
        | Outage::Garbled(_)
        | Outage::Unsettled
        | Outage::Down
        | Outage::Nobody
        | Outage::Disk(_) => trouble.next(format!("podfs node test{}", place.flag)),
    }
}

/// The node refuses a batch: which of them, and why, is known once they were looked at.
fn batch(place: &Place<'_>) -> Trouble {
    let (node, flag) = (place.node, place.flag);
    let of_lease = |lease| place.batches.iter().find(|batch| batch.lease == lease);
    let another =
        format!("podfs stamp buy --depth D --days N{flag}; podfs node add URL --batch ID{flag}");
    if let Some(batch) = of_lease(Lease::Ended) {
        return Trouble::passing(format!(
            "the batch {} of the node {node} has ended",
            batch.id
        ))
        .next(another)
        .blocks(Blocked::Batch);
    }
    if let Some(batch) = of_lease(Lease::Unknown) {
        let what = format!(
            "the node {node} does not know the batch {}: it has ended, or is another node's",
            batch.id
        );
        return Trouble::passing(what).next(another).blocks(Blocked::Batch);
    }
    if let Some(batch) = of_lease(Lease::Young) {
        let what = format!(
            "the batch {} of the node {node} is new: it takes chunks in a minute",
            batch.id
        );
        return Trouble::passing(what);
    }
    let ids: Vec<String> = place.batches.iter().map(|it| it.id.to_string()).collect();
    let what = format!(
        "the node {node} refuses the batch {}: it is new, or has ended",
        ids.join(" or ")
    );
    Trouble::passing(what).next(format!("podfs rent{flag}"))
}

/// No room is left where some chunk belongs: in the fullest batch, as far as that is known.
fn full(place: &Place<'_>) -> Trouble {
    let (node, flag) = (place.node, place.flag);
    let fullest = place.batches.iter().max_by_key(|batch| batch.fill_percent);
    let id = fullest.map_or("ID".to_owned(), |batch| batch.id.to_string());
    let known = fullest.filter(|batch| batch.depth > 0);
    let depth = known.map_or("D".to_owned(), |batch| (batch.depth + 1).to_string());
    Trouble::passing(format!(
        "the batch {id} of the node {node} has no room left for some chunks"
    ))
    .next(format!("podfs stamp dilute {id} --depth {depth}{flag}"))
    .blocks(Blocked::Batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bee::BatchId;
    use crate::types::Address;
    use crate::types::Ino;

    fn light(lease: Lease) -> BatchLight {
        BatchLight {
            id: BatchId([0xab; 32]),
            lease,
            depth: 20,
            days_left: None,
            fill_percent: 100,
        }
    }

    fn told(error: impl Into<SyncError>, lease: Lease) -> Trouble {
        let place = Place {
            node: "home",
            down: vec!["attic"],
            batches: &[light(lease)],
            flag: "",
        };
        Trouble::of(Part::Sending, &error.into(), &place)
    }

    fn refused(why: Rejection) -> StoreError {
        StoreError::Rejected(why)
    }

    #[test]
    fn a_batch_is_named_with_what_helps() {
        let id = "ab".repeat(32);
        for (error, lease, blocked, next) in [
            (
                Rejection::BatchUnusable,
                Lease::Ended,
                true,
                "podfs stamp buy",
            ),
            (
                Rejection::BatchUnknown,
                Lease::Unknown,
                true,
                "podfs node add URL --batch ID",
            ),
            (Rejection::BatchUnusable, Lease::Good, false, "podfs rent"),
            (Rejection::BatchUnusable, Lease::Young, false, ""),
            (
                Rejection::BucketFull(Address([1; 32])),
                Lease::Good,
                true,
                "--depth 21",
            ),
        ] {
            let trouble = told(refused(error.clone()), lease);
            assert!(
                trouble.what.contains(&id) && trouble.what.contains("home"),
                "{trouble:?}"
            );
            assert_eq!(
                trouble.blocked,
                blocked.then_some(Blocked::Batch),
                "{trouble:?}"
            );
            assert!(trouble.next.unwrap_or_default().contains(next), "{error:?}");
        }
        let full = told(SyncError::BatchFull, Lease::Good);
        assert_eq!(
            full.next,
            Some(format!("podfs stamp dilute {id} --depth 21"))
        );
    }

    #[test]
    fn what_passes_by_itself_blocks_nobody() {
        for why in [
            Outage::Down,
            Outage::Busy(429),
            Outage::Busy(503),
            Outage::Cut,
        ] {
            let trouble = told(StoreError::unavailable(why), Lease::Good);
            assert_eq!(trouble.blocked, None);
            assert!(trouble.what.starts_with("the node attic: "), "{trouble:?}");
        }
        let late = FindError::Unavailable(StoreError::unavailable(Outage::Down));
        assert_eq!(told(late, Lease::Good).next.unwrap(), "podfs node test");
        assert_eq!(told(JournalError::NoSpace, Lease::Good).blocked, None);
    }

    #[test]
    fn a_node_that_does_not_tell_keeps_nobody_from_sending() {
        let place = Place {
            node: "home",
            down: Vec::new(),
            batches: &[],
            flag: "",
        };
        let looking = |error: SyncError| Trouble::of(Part::Looking, &error, &place);
        let refusal = looking(refused(Rejection::Forbidden).into());
        assert_eq!(refusal.blocked, None);
        assert!(!refusal.what.contains("home"), "{refusal:?}");
        assert_eq!(looking(SyncError::Forked).blocked, Some(Blocked::Overtaken));
    }

    #[test]
    fn whatever_needs_a_person_says_what_for() {
        for error in [
            SyncError::Forked,
            SyncError::Behind {
                known: None,
                newest: 3,
            },
            SyncError::Damaged(Ino(7)),
            SyncError::Contradiction(Ino(7), "on purpose"),
            JournalError::ReadOnly("a sync failed".to_owned()).into(),
            refused(Rejection::Forbidden).into(),
            refused(Rejection::OutOfFunds).into(),
            refused(Rejection::NoBatch).into(),
        ] {
            let trouble = told(error, Lease::Good);
            assert!(
                trouble.blocked.is_some() && trouble.next.is_some(),
                "{trouble:?}"
            );
        }
    }
}
