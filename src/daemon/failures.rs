//! Reads that failed, for the audit log.

use crate::daemon::lately::Besides;
use crate::daemon::lately::Lately;
use crate::format::audit::Kind;
use crate::format::audit::Outcome;
use crate::pod::PodError;
use crate::share::audit::Happening;
use crate::types::Ino;
use crate::types::Timespec;
use crate::types::limits::FAILURES_TOLD;

/// What failed lately, by the file.
pub(super) type Failures = Lately<Ino>;

impl Failures {
    pub(super) const fn of_reads() -> Self {
        Self::new(FAILURES_TOLD, besides)
    }

    /// A read failed.
    pub(super) fn failed(&self, ino: Ino, error: &PodError, now: Timespec) {
        let kind = if matches!(error, PodError::Corrupt(_)) {
            Kind::IntegrityFailure
        } else {
            Kind::ReadFailed
        };
        self.note(ino, ino, |_| happening(kind, &error.to_string()), now);
    }
}

fn besides(besides: &Besides) -> Option<Happening> {
    let more = besides.again.saturating_add(besides.beyond);
    let what = format!("{more} more reads failed until then");
    (more > 0).then(|| happening(Kind::ReadFailed, &what))
}

fn happening(kind: Kind, why: &str) -> Happening {
    Happening::new(kind).went(Outcome::Failed).because(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::limits::LATELY_WINDOW;

    #[test]
    fn few_are_recorded_and_the_others_counted() {
        let failures = Failures::of_reads();
        let at = |secs| Timespec { secs, nanos: 0 };
        let error = PodError::Corrupt("page".to_owned());
        for n in 0..1000 {
            failures.failed(Ino(n % 100), &error, at(5));
        }
        let told = failures.new_ones().len();
        assert_eq!(told, FAILURES_TOLD);
        let later = at(5 + LATELY_WINDOW.as_secs().cast_signed());
        let silence = PodError::Unreachable("silence".to_owned());
        failures.failed(Ino(7), &silence, later);
        let more = 1000 - u64::try_from(told).unwrap();
        let counted = format!("{more} more reads failed until then");
        let expected = [
            (None, happening(Kind::ReadFailed, &counted)),
            (
                Some(Ino(7)),
                happening(Kind::ReadFailed, &silence.to_string()),
            ),
        ];
        assert_eq!(failures.new_ones(), expected);
        assert_eq!(failures.last(), [], "nothing besides");
    }
}
