use crate::format::audit::{Event, Kind, Outcome};
use crate::share::audit::tail::Circumstances;
use crate::types::limits::{AUDIT_NAME_MAX, AUDIT_OBJECT_MAX, AUDIT_TEXT_MAX};

/// Something to be recorded. What is not said is empty; what is too long is cut, and control characters are replaced:
/// an event is recorded however others spelt it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening(Event);

impl Happening {
    /// That this happened.
    pub fn new(kind: Kind) -> Self {
        Self(Event {
            number: 0,
            kind,
            outcome: Outcome::Done,
            time: crate::types::Timespec::default(),
            device: 0,
            object: Vec::new(),
            who: None,
            name: String::new(),
            grant: None,
            text: String::new(),
            until: None,
        })
    }

    /// With whom: the fingerprint of their identity, and what they are called now.
    #[must_use]
    pub fn with(mut self, who: [u8; 32], name: &str) -> Self {
        self.0.who = Some(who);
        self.0.name = plain(name, AUDIT_NAME_MAX);
        self
    }

    /// With what: a path from the top of the pod, or a name.
    #[must_use]
    pub fn of(mut self, object: &[u8]) -> Self {
        let object = object.get(..AUDIT_OBJECT_MAX).unwrap_or(object);
        self.0.object = object.to_vec();
        self
    }

    /// Under which grant.
    #[must_use]
    pub const fn under(mut self, grant: [u8; 16]) -> Self {
        self.0.grant = Some(grant);
        self
    }

    /// Why: a purpose or a reason.
    #[must_use]
    pub fn because(mut self, text: &str) -> Self {
        self.0.text = plain(text, AUDIT_TEXT_MAX);
        self
    }

    /// Until when: seconds since 1970.
    #[must_use]
    pub const fn until(mut self, until: i64) -> Self {
        self.0.until = Some(until);
        self
    }

    /// How it went, when it was not simply done.
    #[must_use]
    pub const fn went(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// What happened.
    pub const fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether this event tells of it: of the same kind, with the same thing.
    pub fn is_told_by(&self, event: &Event) -> bool {
        (event.kind, &event.object) == (self.0.kind, &self.0.object)
    }

    pub(super) fn event(&self, number: u64, said: &Circumstances) -> Event {
        Event {
            number,
            time: said.time,
            device: said.device,
            ..self.0.clone()
        }
    }
}

/// The beginning of a text, without control characters.
fn plain(text: &str, max: usize) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        let letter = if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        };
        if plain.len().saturating_add(letter.len_utf8()) > max {
            break;
        }
        plain.push(letter);
    }
    plain
}
