//! Reads that failed, on their way into the audit log: few of them, however many there are.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::daemon::build::House;
use crate::format::audit::Kind;
use crate::format::audit::Outcome;
use crate::pod::PodError;
use crate::share::audit::Happening;
use crate::types::Ino;
use crate::types::Timespec;
use crate::types::limits::FAILURES_TOLD;
use crate::types::limits::FAILURES_WINDOW;

/// What failed lately.
#[derive(Default)]
pub(super) struct Failures {
    lately: Mutex<Lately>,
    came: Notify,
}

#[derive(Default)]
struct Lately {
    since: Option<Timespec>,
    files: BTreeSet<Ino>,
    /// Those that are not recorded yet.
    new: Vec<(Option<Ino>, Kind, String)>,
    /// Failures besides.
    more: u64,
}

impl Failures {
    /// A read failed. Of each file the first time in an hour is recorded, of a few files; the others are counted.
    pub(super) fn note(&self, ino: Ino, error: &PodError, now: Timespec) {
        let kind = if matches!(error, PodError::Corrupt(_)) {
            Kind::IntegrityFailure
        } else {
            Kind::ReadFailed
        };
        let mut lately = self.lately.lock();
        let window = FAILURES_WINDOW.as_secs();
        let is_over = |since: Timespec| now.secs.abs_diff(since.secs) >= window;
        if lately.since.is_none_or(is_over) {
            let more = lately.more;
            let new = std::mem::take(&mut lately.new);
            *lately = Lately {
                since: Some(now),
                new,
                ..Lately::default()
            };
            if more > 0 {
                let what = format!("{more} more reads failed until then");
                lately.new.push((None, Kind::ReadFailed, what));
            }
        }
        if lately.files.len() < FAILURES_TOLD && lately.files.insert(ino) {
            lately.new.push((Some(ino), kind, error.to_string()));
            self.came.notify_one();
        } else {
            lately.more = lately.more.saturating_add(1);
        }
    }

    /// Records them as long as the mount lasts.
    pub(super) async fn record(self: Arc<Self>, house: House) {
        loop {
            self.came.notified().await;
            let new = std::mem::take(&mut self.lately.lock().new);
            for (ino, kind, why) in new {
                let mut happening = Happening::new(kind).went(Outcome::Failed).because(&why);
                let names = ino.and_then(|ino| house.publishing().reader().path_of(ino));
                if let Some(names) = names {
                    let parts = names.iter().map(|name| OsStr::from_bytes(name.as_bytes()));
                    let path: PathBuf = parts.collect();
                    happening = happening.of(path.as_os_str().as_bytes());
                }
                if let Err(fault) = house.people().audit().record(&happening).await {
                    tracing::warn!(%fault, "a read that failed is not in the audit log");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_recorded_and_the_others_counted() {
        let failures = Failures::default();
        let at = |secs| Timespec { secs, nanos: 0 };
        let error = PodError::Corrupt("page".to_owned());
        for n in 0..1000 {
            failures.note(Ino(n % 100), &error, at(5));
        }
        let told = failures.lately.lock().new.len();
        assert_eq!(told, FAILURES_TOLD);
        let later = at(5 + FAILURES_WINDOW.as_secs().cast_signed());
        failures.note(Ino(7), &PodError::Unreachable("silence".to_owned()), later);
        let lately = failures.lately.lock();
        let [.., counted, last] = lately.new.as_slice() else {
            panic!("nothing is told");
        };
        let more = 1000 - u64::try_from(told).unwrap();
        assert_eq!(counted.2, format!("{more} more reads failed until then"));
        assert_eq!((last.0, last.1), (Some(Ino(7)), Kind::ReadFailed));
        assert_eq!(lately.more, 0);
    }
}
