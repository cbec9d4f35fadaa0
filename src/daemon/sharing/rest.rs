//! What is left of something that is taken over, and why.

use crate::format::base::Base;
use crate::pod::PodError;
use crate::types::Name;

/// Whether there is more to be done, and what is in the way.
#[derive(Default)]
pub(super) struct Rest {
    is_later: bool,
    /// The first, and how many there are besides.
    why: Option<String>,
    others: usize,
    waiting: Waiting,
}

/// Files that came and are not taken over yet: each may be what was renamed, and what it was renamed from stays as long.
#[derive(Default)]
struct Waiting {
    /// Whether one of them is new, so that it may be anything.
    is_any: bool,
    /// What those are that took the place of others.
    in_place: Vec<Base>,
}

/// Why one file was not taken over now.
pub(super) enum NotNow {
    /// It may be on its way still.
    Later,
    /// Nothing is taken over any more.
    Over,
    Failed(String),
}

impl From<PodError> for NotNow {
    fn from(error: PodError) -> Self {
        // It was replaced meanwhile: what it is now is looked at next.
        if matches!(error, PodError::NotFound | PodError::Stale) {
            Self::Later
        } else {
            Self::Failed(error.to_string())
        }
    }
}

impl Rest {
    pub(super) fn later(is_later: bool) -> Self {
        Self {
            is_later,
            ..Self::default()
        }
    }

    /// One more thing was done, or not.
    pub(super) fn add(&mut self, done: Result<(), NotNow>) {
        match done {
            Ok(()) | Err(NotNow::Over) => {}
            Err(NotNow::Later) => self.is_later = true,
            Err(NotNow::Failed(_)) if self.why.is_some() => self.others += 1,
            Err(NotNow::Failed(why)) => self.why = Some(why),
        }
    }

    /// There may be more that came than is known.
    pub(super) const fn is_unknown(&mut self) {
        self.is_later = true;
        self.waiting.is_any = true;
    }

    /// One of them is not taken over yet. It took the place of what it says; one that took nobody's place may be what
    /// anything was renamed to.
    pub(super) fn waits(&mut self, in_place: Option<Base>) {
        match in_place {
            Some(base) => self.waiting.in_place.push(base),
            None => self.waiting.is_any = true,
        }
    }

    /// Whether all that may have been renamed is there under its new name.
    pub(super) const fn is_known(&self) -> bool {
        !self.waiting.is_any
    }

    /// Whether it is to be looked at again.
    pub(super) const fn is_left(&self) -> bool {
        self.is_later || self.why.is_some()
    }

    /// Whether what was this may have got another name, under which it is not there yet.
    pub(super) fn may_be_renamed(&self, base: &Base) -> bool {
        self.waiting.is_any || self.waiting.in_place.contains(base)
    }

    pub(super) fn told(self) -> Option<String> {
        let others = match self.others {
            0 => String::new(),
            others => format!(", and {others} more are not taken over"),
        };
        self.why.map(|why| why + &others)
    }
}

impl NotNow {
    /// It is of this.
    pub(super) fn of(self, name: &Name) -> Self {
        match self {
            Self::Failed(why) => {
                let name = String::from_utf8_lossy(name.as_bytes());
                Self::Failed(format!("{name:?}: {why}"))
            }
            Self::Later | Self::Over => self,
        }
    }
}
