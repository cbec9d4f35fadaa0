//! A circuit breaker: remembers that an endpoint is down, so that nobody waits for it again and again.
//!
//! Time is a parameter. One failure without any answer meanwhile is enough to open it: a dead node must cost one
//! deadline, not one for each reader. In exchange it is looked at again at once, by a pulse that moves no data; only
//! a pulse that is not answered makes it wait, twice as long each time. A request that runs late while others are
//! answered says something about one chunk, not about the endpoint, and opens nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::store::{Outage, StoreError};
use crate::types::limits::{BREAKER_FIRST, BREAKER_MAX, PULSE_DEADLINE};

/// What is known of one endpoint.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    /// When it last answered anything at all.
    answered: Option<Instant>,
    /// How long it is left alone after the next failure.
    wait: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Requests pass.
    Closed,
    /// A pulse was answered after an outage. Requests pass; the first that fails opens it for longer.
    Trial,
    /// Nobody is asked before this moment.
    Open(Instant),
    /// Somebody feels the pulse, from this moment on.
    Probing(Instant),
}

/// Whether a request may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Pass,
    /// It may not, but whoever got this answer, and nobody else, feels the pulse and reports to [`Breaker::felt`].
    Probe,
    /// Somebody feels the pulse, and has since this moment.
    Wait(Instant),
    /// It is down, for at least so long.
    Refuse(Duration),
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed,
            answered: None,
            wait: Duration::ZERO,
        }
    }
}

impl Breaker {
    /// May a request go out `now`?
    pub fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Closed | State::Trial => Admission::Pass,
            State::Open(until) if now < until => Admission::Refuse(until.duration_since(now)),
            State::Probing(since) if now < since + PULSE_DEADLINE => Admission::Wait(since),
            State::Open(_) | State::Probing(_) => {
                self.state = State::Probing(now);
                Admission::Probe
            }
        }
    }

    /// Takes note of how a request went that began at `began`. Returns whether the endpoint is down from now on.
    pub fn note(&mut self, failure: Option<&StoreError>, began: Instant, now: Instant) -> bool {
        let silent = failure.is_some_and(is_silence);
        if !silent {
            self.answered = Some(now);
            if failure.is_none() {
                self.state = State::Closed;
                self.wait = Duration::ZERO;
            }
            return false;
        }
        let passing = matches!(self.state, State::Closed | State::Trial);
        if !passing || self.answered.is_some_and(|answered| answered > began) {
            return false;
        }
        self.open(now);
        true
    }

    /// Takes note of the pulse. Returns whether the endpoint is up again.
    pub fn felt(&mut self, alive: bool, now: Instant) -> bool {
        if !matches!(self.state, State::Probing(_)) {
            return false;
        }
        if alive {
            self.state = State::Trial;
            // Whatever began before says nothing of the endpoint as it is now.
            self.answered = Some(now);
        } else {
            self.open(now);
        }
        alive
    }

    /// Whether requests pass.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed | State::Trial)
    }

    fn open(&mut self, now: Instant) {
        self.state = State::Open(now + self.wait);
        self.wait = (self.wait * 2).clamp(BREAKER_FIRST, BREAKER_MAX);
    }
}

/// Whether the endpoint as a whole did not answer. A refusal, a missing chunk, even wrong bytes are answers; what to
/// think of them is another matter.
pub(in crate::store) fn is_silence(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable { why, .. } => match why {
            Outage::Unreachable(_) | Outage::Late(_) | Outage::Cut | Outage::Disk(_) => true,
            Outage::Failed(status, _) => matches!(status, 502 | 504),
            Outage::Busy(_)
            | Outage::Garbled(_)
            | Outage::Unsettled
            | Outage::Down
            | Outage::Nobody => false,
        },
        StoreError::NotFound | StoreError::Rejected(_) | StoreError::Corrupt => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late() -> StoreError {
        StoreError::unavailable(Outage::Late(Duration::from_secs(12)))
    }

    #[test]
    fn one_silent_deadline_opens_and_a_pulse_is_felt_at_once() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        assert_eq!(breaker.admit(start), Admission::Pass);
        let now = start + Duration::from_secs(12);
        assert!(breaker.note(Some(&late()), start, now));
        assert_eq!(breaker.admit(now), Admission::Probe);
        assert_eq!(breaker.admit(now), Admission::Wait(now));
        breaker.felt(false, now);
        assert_eq!(breaker.admit(now), Admission::Refuse(BREAKER_FIRST));
        let mut waits = Vec::new();
        let mut now = now;
        for _ in 0..12 {
            let Admission::Refuse(wait) = breaker.admit(now) else {
                panic!("open")
            };
            waits.push(wait);
            now += wait;
            assert_eq!(breaker.admit(now), Admission::Probe);
            breaker.felt(false, now);
        }
        assert!(
            waits.is_sorted() && waits.last() == Some(&BREAKER_MAX),
            "{waits:?}"
        );
    }

    #[test]
    fn a_late_chunk_among_answered_ones_opens_nothing() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        let middle = start + Duration::from_secs(5);
        assert!(!breaker.note(None, start, middle));
        let end = start + Duration::from_secs(12);
        assert!(!breaker.note(Some(&late()), start, end));
        assert_eq!(breaker.admit(end), Admission::Pass);
        let missing = StoreError::NotFound;
        assert!(!breaker.note(Some(&missing), end, end));
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_trial_that_fails_opens_for_longer_and_one_that_works_closes() {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert!(breaker.note(Some(&late()), now, now + second));
        now += second;
        assert_eq!(breaker.admit(now), Admission::Probe);
        breaker.felt(true, now);
        assert_eq!(breaker.admit(now), Admission::Pass);
        assert!(breaker.note(Some(&late()), now, now + second));
        now += second;
        assert_eq!(breaker.admit(now), Admission::Refuse(BREAKER_FIRST));
        now += BREAKER_FIRST;
        assert_eq!(breaker.admit(now), Admission::Probe);
        breaker.felt(true, now);
        assert!(!breaker.note(None, now, now));
        assert!(breaker.note(Some(&late()), now, now + second));
        assert_eq!(breaker.admit(now + second), Admission::Probe, "forgiven");
    }

    #[test]
    fn a_prober_that_vanishes_is_replaced() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        assert!(breaker.note(Some(&late()), now, now));
        assert_eq!(breaker.admit(now), Admission::Probe);
        assert_eq!(breaker.admit(now + PULSE_DEADLINE), Admission::Probe);
    }
}
