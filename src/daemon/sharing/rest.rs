//! What is left of something that is taken over, and why.

use std::collections::BTreeSet;

use crate::format::rows::FileKind;
use crate::pod::Attr;
use crate::pod::PodError;
use crate::types::Ino;
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

/// What came and is not taken over yet: it may be what was renamed, and what it was renamed from stays as long.
#[derive(Default)]
struct Waiting {
    /// Whether it may be anything.
    is_any: bool,
    /// How large the files are that took the place of others. When they were changed says nothing: either one may be
    /// touched.
    sizes: BTreeSet<u64>,
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

    /// This is not taken over yet. What has no note is new, and may be something that was renamed and changed since.
    pub(super) fn waits(&mut self, attr: &Attr, note: Option<Ino>) {
        if attr.kind == FileKind::Regular && note.is_some() {
            self.waiting.sizes.insert(attr.size);
        } else {
            self.waiting.is_any = true;
        }
    }

    /// Whether it is known of everything that came what it is.
    pub(super) const fn is_known(&self) -> bool {
        !self.waiting.is_any
    }

    /// Whether it is to be looked at again.
    pub(super) const fn is_left(&self) -> bool {
        self.is_later || self.why.is_some()
    }

    /// Whether what the owner has may have got another name there, under which it is not here yet. A rename keeps the
    /// size; which version it was nobody can tell, for theirs is sealed with other keys.
    pub(super) fn may_be_renamed(&self, there: &Attr) -> bool {
        self.waiting.is_any || self.waiting.sizes.contains(&there.size)
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
