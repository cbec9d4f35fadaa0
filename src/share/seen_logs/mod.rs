//! Checkpoints of the audit logs of others, as the records of their grants bring them: the highest is kept, so that a
//! log that was cut or written anew is met again, and is countersigned now and then, so that its owner can show it.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;

use crate::crypto::identity::Fingerprint;
use crate::crypto::merkle::is_consistent;
use crate::format::grant::ShownLog;
use crate::format::rows::{Key, RecordAt, SeenLog, ToldLog};
use crate::share::error::ShareError;
use crate::share::rows::PeopleRows;
use crate::types::Timespec;
use crate::types::limits::{WITNESS_AGAIN, WITNESS_PATIENCE};

/// What a checkpoint is to those that were seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSeen {
    /// The highest so far.
    Higher,
    /// Nothing new.
    Known,
    /// Not of the log that was seen before: that was cut, or written anew. Said once.
    Other {
        /// Records that the log had before.
        before: u64,
        /// Records that it has now.
        now: u64,
    },
}

/// Why the log of somebody is not countersigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTrouble {
    /// Another one was seen.
    Other,
    /// For long it was not shown that it goes on where it was countersigned last.
    NotShown,
}

/// What was seen of the audit logs of others. There is one of these for a pod.
pub struct SeenLogs {
    people: Arc<PeopleRows>,
    /// Held from reading a row to writing it.
    writing: Mutex<()>,
}

impl SeenLogs {
    /// Those among the rows of a pod.
    pub fn new(people: Arc<PeopleRows>) -> Self {
        let writing = Mutex::new(());
        Self { people, writing }
    }

    /// A record in the feed of a grant of this contact shows this of their log.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn see(
        &self,
        contact: &Fingerprint,
        at: RecordAt,
        shown: &ShownLog,
    ) -> Result<LogSeen, ShareError> {
        let newest = shown.checkpoint;
        if !newest.is_signed() {
            return Ok(LogSeen::Known);
        }
        let _writing = self.writing.lock();
        let Some(before) = self.of(contact)? else {
            self.note(&SeenLog {
                contact: *contact,
                newest,
                at,
                is_shown: true,
                told: None,
                alarm: None,
            })?;
            return Ok(LogSeen::Higher);
        };
        if before.alarm.is_some() {
            return Ok(LogSeen::Known);
        }
        let (had, has) = (&before.newest.checkpoint, &newest.checkpoint);
        let is_other = had.origin != has.origin || had.size == has.size && had.hash() != has.hash();
        let goes_on = goes_on(&before, shown);
        if is_other || is_back(&before, &at, has.size) || goes_on == Some(false) {
            let alarm = Some(has.hash());
            self.put(&SeenLog { alarm, ..before })?;
            return Ok(LogSeen::Other {
                before: had.size,
                now: has.size,
            });
        }
        let is_shown = goes_on == Some(true) || before.is_shown && had.size == has.size;
        if has.size < had.size || had.size == has.size && is_shown == before.is_shown {
            return Ok(LogSeen::Known);
        }
        let mut told = before.told;
        if before.is_shown && !is_shown {
            // They published nothing since; or it was not looked at.
            told = told.map(|told| ToldLog {
                when: told.when.max(at.time),
                ..told
            });
        }
        self.note(&SeenLog {
            newest,
            at,
            is_shown,
            told,
            ..before
        })?;
        Ok(LogSeen::Higher)
    }

    /// What is to be countersigned now: at once what was seen first of somebody, and then no more often than once a day.
    ///
    /// # Errors
    /// When the log of the pod does not give it.
    pub fn due(&self, now: Timespec) -> Result<Vec<SeenLog>, ShareError> {
        let mut all = self.all()?;
        all.retain(|seen| {
            let is_due = seen.told.is_none_or(|told| {
                let is_other = told.size != seen.newest.checkpoint.size;
                is_other && is_a_day(told.when, now)
            });
            is_due && seen.is_shown && seen.alarm.is_none()
        });
        Ok(all)
    }

    /// Those that are not shown to go on where they were countersigned, a day ago or longer.
    ///
    /// # Errors
    /// When the log of the pod does not give it.
    pub fn waiting(&self, now: Timespec) -> Result<Vec<SeenLog>, ShareError> {
        let mut all = self.all()?;
        all.retain(|seen| {
            let is_told = seen.told.is_some_and(|told| is_a_day(told.when, now));
            is_told && !seen.is_shown && seen.alarm.is_none()
        });
        Ok(all)
    }

    /// Whether what was countersigned is said once more, a day after it was said last: what they published since does not
    /// know of it. Once that is worth a word, it is up to people.
    pub fn is_told_again(&self, seen: &SeenLog, last: Timespec, now: Timespec) -> bool {
        let silent = i64::try_from(WITNESS_AGAIN.as_secs()).unwrap_or(i64::MAX);
        is_a_day(last, now) && lateness(seen) > silent && !is_late(seen)
    }

    /// What was countersigned did not reach them yet: they have until now had nothing to show.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn is_untold(&self, contact: &Fingerprint, now: Timespec) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let Some(row) = self.of(contact)? else {
            return Ok(());
        };
        let told = row.told.map(|told| ToldLog { when: now, ..told });
        self.note(&SeenLog { told, ..row })
    }

    fn all(&self) -> Result<Vec<SeenLog>, ShareError> {
        let (from, to) = Key::all_seen_logs();
        let rows = self.people.scan(&from, &to, usize::MAX)?;
        let all = rows.iter().map(|(_, row)| SeenLog::decode(row));
        all.collect::<Result<_, _>>().map_err(ShareError::NoRow)
    }

    /// It was countersigned.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn is_told(&self, seen: &SeenLog, now: Timespec) -> Result<(), ShareError> {
        let _writing = self.writing.lock();
        let Some(row) = self.of(&seen.contact)? else {
            return Ok(());
        };
        let countersigned = &seen.newest.checkpoint;
        self.put(&SeenLog {
            is_shown: row.is_shown && row.newest == seen.newest,
            told: Some(ToldLog {
                size: countersigned.size,
                root: countersigned.root,
                when: now,
            }),
            ..row
        })
    }

    /// What is wrong with the log of this contact.
    ///
    /// # Errors
    /// When the log of the pod does not give it.
    pub fn trouble(&self, contact: &Fingerprint) -> Result<Option<LogTrouble>, ShareError> {
        let Some(seen) = self.of(contact)? else {
            return Ok(None);
        };
        if seen.alarm.is_some() {
            return Ok(Some(LogTrouble::Other));
        }
        Ok(is_late(&seen).then_some(LogTrouble::NotShown))
    }

    fn of(&self, contact: &Fingerprint) -> Result<Option<SeenLog>, ShareError> {
        let row = self.people.get(&Key::seen_log(contact))?;
        let row = row.map(|row| SeenLog::decode(&row)).transpose();
        let row = row.map_err(ShareError::NoRow)?;
        Ok(row.filter(|row| row.contact == *contact))
    }

    fn note(&self, seen: &SeenLog) -> Result<(), ShareError> {
        let key = Key::seen_log(&seen.contact);
        self.people.note(key, seen.encode())
    }

    fn put(&self, seen: &SeenLog) -> Result<(), ShareError> {
        let key = Key::seen_log(&seen.contact);
        self.people.put(key, seen.encode())
    }
}

/// Whether the log is shown to go on where it was countersigned last; nothing when that is not said.
fn goes_on(before: &SeenLog, shown: &ShownLog) -> Option<bool> {
    let Some(told) = &before.told else {
        return Some(true);
    };
    let (size, path) = shown.since.as_ref()?;
    let now = &shown.checkpoint.checkpoint;
    (*size == told.size).then(|| is_consistent((*size, &told.root), (now.size, &now.root), path))
}

/// Whether the log has become smaller. A record that was made before the one with the highest checkpoint may be met
/// after it, and which of two feeds was written to first nobody can tell: clocks go back.
fn is_back(before: &SeenLog, at: &RecordAt, size: u64) -> bool {
    let is_later = at.grant == before.at.grant && at.index > before.at.index;
    is_later && size < before.newest.checkpoint.size
}

/// Seconds from what was countersigned to the newest record that does not show it.
fn lateness(seen: &SeenLog) -> i64 {
    let told = seen.told.filter(|_| !seen.is_shown);
    told.map_or(0, |told| seen.at.time.secs.saturating_sub(told.when.secs))
}

fn is_late(seen: &SeenLog) -> bool {
    lateness(seen) > i64::try_from(WITNESS_PATIENCE.as_secs()).unwrap_or(i64::MAX)
}

/// Whether it is a day from now, also by a clock that was wrong then.
const fn is_a_day(then: Timespec, now: Timespec) -> bool {
    now.secs.abs_diff(then.secs) >= WITNESS_AGAIN.as_secs()
}

impl PeopleRows {
    /// What is seen of the audit log of this contact from now on is not compared with what was seen before.
    ///
    /// # Errors
    /// When it cannot be forgotten.
    pub fn forget_log(&self, contact: &Fingerprint) -> Result<(), ShareError> {
        let key = Key::seen_log(contact);
        match self.get(&key)? {
            Some(_) => self.delete(key),
            None => Ok(()),
        }
    }
}
