use super::*;
use crate::crypto::Secret;
use crate::crypto::merkle::{Hash, consistency, leaf_hash, root};
use crate::format::audit::Checkpoint;
use crate::index::Rows;
use crate::share::rows::{Shelf, ShelfError};

struct NoShelf;

impl Shelf for NoShelf {
    fn put(&self, _name: &str, _bytes: &[u8]) -> Result<(), ShelfError> {
        Ok(())
    }
    fn remove(&self, _name: &str) -> Result<(), ShelfError> {
        Ok(())
    }
    fn holds(&self, _name: &str) -> Result<bool, ShelfError> {
        Ok(false)
    }
}

const BEN: Fingerprint = Fingerprint([7; 32]);

fn logs() -> SeenLogs {
    let rows = Arc::new(Rows::memory());
    SeenLogs::new(Arc::new(PeopleRows::new(rows, Arc::new(NoShelf))))
}

fn time(secs: i64) -> Timespec {
    Timespec { secs, nanos: 0 }
}

/// Leaves of a log of so many records, the first of which was this.
fn leaves(size: u64, first: u8) -> Vec<Hash> {
    let leaf = |at: u64| leaf_hash(&if at == 0 { u64::from(first) } else { at }.to_le_bytes());
    (0..size).map(leaf).collect()
}

/// A log, shown to somebody who saw it end there.
fn shown(size: u64, first: u8, since: Option<u64>) -> ShownLog {
    let leaves = leaves(size, first);
    let checkpoint = Checkpoint {
        origin: [1; 32],
        size,
        root: root(&leaves),
        time: time(0),
        previous: [u8::from(size > 1); 32],
    };
    ShownLog {
        checkpoint: checkpoint.sign(&Secret::from_bytes(&[2; 32])),
        since: since.map(|since| {
            let size = usize::try_from(since).unwrap();
            (since, consistency(&leaves, size).unwrap())
        }),
    }
}

const fn at(grant: u8, index: u64, secs: i64) -> RecordAt {
    RecordAt {
        grant: [grant; 16],
        index,
        time: Timespec { secs, nanos: 0 },
    }
}

#[test]
fn a_log_that_grows_is_no_alarm_whatever_is_met_first() {
    let logs = logs();
    let see = |at, size| logs.see(&BEN, at, &shown(size, 1, None)).unwrap();
    assert_eq!(see(at(1, 0, 10), 5), LogSeen::Higher);
    assert_eq!(see(at(1, 1, 20), 9), LogSeen::Higher);
    assert_eq!(see(at(1, 1, 20), 9), LogSeen::Known);
    // An older record of another grant, and one of the same.
    assert_eq!(see(at(2, 7, 15), 6), LogSeen::Known);
    assert_eq!(see(at(1, 0, 10), 5), LogSeen::Known);
    // One that was made before, while the clock of its owner was ahead.
    assert_eq!(see(at(3, 0, 99), 7), LogSeen::Known);
    assert_eq!(logs.trouble(&BEN).unwrap(), None);
    let mut unsigned = shown(3, 1, None);
    unsigned.checkpoint.signature[0] ^= 1;
    assert_eq!(
        logs.see(&BEN, at(1, 2, 30), &unsigned).unwrap(),
        LogSeen::Known
    );
}

#[test]
fn a_log_that_was_cut_or_written_anew_is_an_alarm_once() {
    for (where_to, size, root) in [(at(1, 2, 1), 8, 1), (at(2, 0, 1), 9, 2)] {
        let logs = logs();
        logs.see(&BEN, at(1, 1, 20), &shown(9, 1, None)).unwrap();
        assert_eq!(logs.due(time(0)).unwrap().len(), 1);
        let wrong = shown(size, root, None);
        let said = logs.see(&BEN, where_to, &wrong).unwrap();
        let (before, now) = (9, size);
        assert_eq!(said, LogSeen::Other { before, now });
        assert_eq!(logs.trouble(&BEN).unwrap(), Some(LogTrouble::Other));
        // Nothing is countersigned, and nothing more is said, until the owner has looked after it.
        let said = logs.see(&BEN, at(1, 3, 40), &shown(20, 3, None)).unwrap();
        assert_eq!(said, LogSeen::Known);
        assert_eq!(logs.due(time(0)).unwrap(), []);
        logs.people.forget_log(&BEN).unwrap();
        let said = logs.see(&BEN, at(1, 3, 40), &shown(20, 3, None)).unwrap();
        assert_eq!(said, LogSeen::Higher);
    }
}

#[test]
fn one_is_countersigned_at_once_and_then_once_a_day() {
    let logs = logs();
    let first = shown(5, 1, None);
    logs.see(&BEN, at(1, 0, 0), &first).unwrap();
    let due = logs.due(time(1000)).unwrap();
    assert_eq!(due[0].newest, first.checkpoint);
    logs.is_told(&due[0], time(1000)).unwrap();
    assert_eq!(logs.due(time(1_000_000)).unwrap(), []);
    logs.see(&BEN, at(1, 1, 1), &shown(6, 1, Some(5))).unwrap();
    assert_eq!(logs.due(time(1000 + 86_399)).unwrap(), []);
    assert_eq!(logs.due(time(1000 + 86_400)).unwrap().len(), 1);
    // Also when the clock was wrong then.
    assert_eq!(logs.due(time(1000 - 86_400)).unwrap().len(), 1);
}

#[test]
fn what_did_not_reach_them_is_not_missed() {
    const DAY: i64 = 86_400;
    let logs = logs();
    logs.see(&BEN, at(1, 0, 0), &shown(5, 1, None)).unwrap();
    let due = logs.due(time(0)).unwrap();
    logs.is_told(&due[0], time(0)).unwrap();
    let see = |index, day: i64| {
        let log = shown(6 + index, 1, None);
        logs.see(&BEN, at(1, index, day * DAY), &log).unwrap()
    };
    see(1, 0);
    assert_eq!(logs.waiting(time(DAY - 1)).unwrap(), []);
    assert_eq!(logs.waiting(time(DAY)).unwrap().len(), 1);
    // It waits for nodes for a month, and is not known for another week.
    (1..=30).for_each(|day| logs.is_untold(&BEN, time(day * DAY)).unwrap());
    let is_again = |said: i64, now: i64| {
        let seen = logs.of(&BEN).unwrap().unwrap();
        logs.is_told_again(&seen, time(said * DAY), time(now * DAY))
    };
    for (index, day, again) in [(2, 30, false), (3, 32, true), (4, 37, true)] {
        see(index, day);
        assert_eq!(logs.trouble(&BEN).unwrap(), None);
        assert_eq!(is_again(day - 1, day), again, "{day}");
        assert!(!is_again(day, day));
    }
    see(5, 38);
    assert_eq!(logs.trouble(&BEN).unwrap(), Some(LogTrouble::NotShown));
    assert!(!is_again(37, 38));
}

#[test]
fn what_does_not_go_on_where_it_was_countersigned_is_an_alarm() {
    let told = |logs: &SeenLogs| {
        logs.see(&BEN, at(1, 0, 0), &shown(5, 1, None)).unwrap();
        let due = logs.due(time(0)).unwrap();
        logs.is_told(&due[0], time(0)).unwrap();
    };
    let later = time(1_000_000);
    let logs_of_ben = logs();
    told(&logs_of_ben);
    // Nothing is countersigned before it is shown to be the same log.
    let see = |index, log| logs_of_ben.see(&BEN, at(1, index, 1), &log).unwrap();
    assert_eq!(see(1, shown(7, 1, None)), LogSeen::Higher);
    assert_eq!(see(2, shown(8, 1, Some(3))), LogSeen::Higher);
    assert_eq!(logs_of_ben.due(later).unwrap(), []);
    assert_eq!(logs_of_ben.trouble(&BEN).unwrap(), None);
    let late = at(1, 2, 8 * 86_400);
    let log = shown(9, 1, Some(3));
    assert_eq!(logs_of_ben.see(&BEN, late, &log).unwrap(), LogSeen::Higher);
    let trouble = logs_of_ben.trouble(&BEN).unwrap();
    assert_eq!(trouble, Some(LogTrouble::NotShown));
    assert_eq!(see(3, shown(9, 1, Some(5))), LogSeen::Higher);
    assert_eq!(see(3, shown(9, 1, Some(5))), LogSeen::Known);
    assert_eq!(logs_of_ben.due(later).unwrap().len(), 1);
    // Written anew from the first record on, and grown.
    let other = LogSeen::Other { before: 9, now: 11 };
    assert_eq!(see(4, shown(11, 2, Some(5))), other);
    assert_eq!(logs_of_ben.trouble(&BEN).unwrap(), Some(LogTrouble::Other));
}
