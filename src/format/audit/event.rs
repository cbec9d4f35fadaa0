use crate::format::wire::{Malformed, Reader};
use crate::types::Timespec;
use crate::types::limits::{AUDIT_NAME_MAX, AUDIT_OBJECT_MAX, AUDIT_TEXT_MAX};

const WHAT: &str = "audit event";
const VERSION: u8 = 1;
const NANOS: u32 = 1_000_000_000;

/// Which of the fields that may be absent are there.
mod has {
    pub(super) const WHO: u8 = 1;
    pub(super) const GRANT: u8 = 2;
    pub(super) const UNTIL: u8 = 4;
    pub(super) const ALL: u8 = WHO | GRANT | UNTIL;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $code:literal $name:literal,)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $variant,)+
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The byte that stands for it.
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// What it is called where programs read it. Never changed.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            const fn of(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// The owner's card was published.
    CardPublished = 1 "card-published",
    /// Somebody's card was pinned.
    ContactAdded = 2 "contact-added",
    /// A newer card of a contact took the place of the pinned one.
    ContactChanged = 3 "contact-changed",
    /// Both read the same words.
    ContactVerified = 4 "contact-verified",
    /// A card was met that the pinned one does not vouch for.
    ContactAlarm = 5 "contact-alarm",
    /// A contact was forgotten.
    ContactRemoved = 6 "contact-removed",
    /// Nothing of somebody is taken any more.
    ContactBlocked = 7 "contact-blocked",
    /// It is taken again.
    ContactUnblocked = 8 "contact-unblocked",
    /// Something was given to somebody.
    Granted = 16 "granted",
    /// Something was offered by somebody.
    GrantReceived = 17 "grant-received",
    /// What was offered was taken.
    GrantAccepted = 18 "grant-accepted",
    /// The time of a grant is over.
    GrantExpired = 19 "grant-expired",
    /// A grant was taken back.
    GrantRevoked = 20 "grant-revoked",
    /// Somebody took a grant back.
    RevocationReceived = 21 "revocation-received",
    /// What somebody could open before was sealed anew for everybody else.
    SealedAnew = 22 "sealed-anew",
    /// Somebody added something to what they may add to.
    Added = 23 "added",
    /// Somebody changed what they may change.
    Changed = 24 "changed",
    /// Somebody removed what they may change.
    Removed = 25 "removed",
    /// Somebody was asked for something.
    Requested = 32 "requested",
    /// Somebody asks for something.
    RequestReceived = 33 "request-received",
    /// What was asked for is given.
    RequestApproved = 34 "request-approved",
    /// What was asked for is not given.
    RequestDenied = 35 "request-denied",
    /// Later keys took the place of those of the pod, though nobody else had them.
    KeysRotated = 48 "keys-rotated",
    /// Later keys took the place of those of the pod, since somebody else may have them.
    KeysReplaced = 49 "keys-replaced",
    /// A folder has keys of its own.
    BoxCreated = 50 "box-created",
    /// It has those of the pod again.
    BoxRemoved = 51 "box-removed",
    /// Something could not be verified, and was not served.
    IntegrityFailure = 64 "integrity-failure",
    /// The state of this machine is older than what was published from it, or an audit log than what was seen of it.
    RollbackAlarm = 65 "rollback-alarm",
    /// This log was handed out.
    Exported = 66 "exported",
    /// A file could not be read.
    ReadFailed = 67 "read-failed",
    /// A program opened a file.
    Opened = 68 "opened",
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It was not allowed.
    Refused,
    /// It could not be done.
    Failed,
}

impl Outcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    /// What it is called where programs read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Failed => 2,
        }
    }
}

/// Something that happened. What is not known or means nothing is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the log, from 0.
    pub number: u64,
    /// What happened.
    pub kind: Kind,
    /// How it went.
    pub outcome: Outcome,
    /// When, by the clock of the machine.
    pub time: Timespec,
    /// Which machine of the pod.
    pub device: u16,
    /// With what: a path in the pod, or a name; at most 4096 bytes.
    pub object: Vec<u8>,
    /// With whom: the fingerprint of their identity.
    pub who: Option<[u8; 32]>,
    /// What they were called then; at most 64 bytes, no control characters.
    pub name: String,
    /// Under which grant.
    pub grant: Option<[u8; 16]>,
    /// Why: a purpose or a reason; at most 1024 bytes, no control characters.
    pub text: String,
    /// Until when it is allowed: seconds since 1970.
    pub until: Option<i64>,
}

impl Event {
    /// The bytes, as `FORMAT.md` has them.
    ///
    /// # Errors
    /// When a field is longer than it may be, or has control characters.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        self.check()?;
        let flag = |is, flag| if is { flag } else { 0 };
        let fields = flag(self.who.is_some(), has::WHO)
            | flag(self.grant.is_some(), has::GRANT)
            | flag(self.until.is_some(), has::UNTIL);
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.number.to_le_bytes());
        put_time(&mut out, self.time);
        out.extend_from_slice(&[self.kind.code(), self.outcome.code(), fields]);
        out.extend_from_slice(&self.device.to_le_bytes());
        out.extend_from_slice(self.who.as_ref().map_or(&[], |who| who.as_slice()));
        out.extend_from_slice(self.grant.as_ref().map_or(&[], |grant| grant.as_slice()));
        out.extend_from_slice(
            &self
                .until
                .map_or_else(Vec::new, |until| until.to_le_bytes().into()),
        );
        for field in [
            self.object.as_slice(),
            self.name.as_bytes(),
            self.text.as_bytes(),
        ] {
            let length = u16::try_from(field.len()).map_err(|_| Malformed(WHAT))?;
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(field);
        }
        Ok(out)
    }

    /// Reads an event.
    ///
    /// # Errors
    /// Anything that [`Event::encode`] does not write; also what a later podfs writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, WHAT);
        let (version, number, time) = begin(&mut reader)?;
        let [kind, outcome, fields]: [u8; 3] = reader.array()?;
        if version != VERSION || fields & !has::ALL != 0 {
            return Err(reader.malformed());
        }
        let mut outcomes = Outcome::ALL.into_iter();
        let outcome = outcomes.find(|known| known.code() == outcome);
        let event = Self {
            number,
            kind: Kind::of(kind).ok_or(Malformed(WHAT))?,
            outcome: outcome.ok_or(Malformed(WHAT))?,
            time,
            device: reader.u16()?,
            who: there(fields, has::WHO, || reader.array())?,
            grant: there(fields, has::GRANT, || reader.array())?,
            until: there(fields, has::UNTIL, || reader.i64())?,
            object: short(&mut reader)?.to_vec(),
            name: text(&mut reader)?,
            text: text(&mut reader)?,
        };
        reader.end()?;
        event.check()?;
        Ok(event)
    }

    fn check(&self) -> Result<(), Malformed> {
        let plain = |text: &str| !text.chars().any(char::is_control);
        let good = self.time.nanos < NANOS
            && self.object.len() <= AUDIT_OBJECT_MAX
            && self.name.len() <= AUDIT_NAME_MAX
            && self.text.len() <= AUDIT_TEXT_MAX
            && plain(&self.name)
            && plain(&self.text);
        if good { Ok(()) } else { Err(Malformed(WHAT)) }
    }
}

/// Number and time: the only fields that stand where they stand in every version.
pub(super) fn stamp(event: &[u8]) -> Result<(u64, Timespec), Malformed> {
    let (_, number, time) = begin(&mut Reader::new(event, WHAT))?;
    Ok((number, time))
}

fn begin(reader: &mut Reader<'_>) -> Result<(u8, u64, Timespec), Malformed> {
    Ok((reader.u8()?, reader.u64()?, take_time(reader)?))
}

/// Seconds i64, nanoseconds u32.
pub(super) fn take_time(reader: &mut Reader<'_>) -> Result<Timespec, Malformed> {
    let (secs, nanos) = (reader.i64()?, reader.u32()?);
    if nanos >= NANOS {
        return Err(reader.malformed());
    }
    Ok(Timespec { secs, nanos })
}

pub(super) fn put_time(out: &mut Vec<u8>, time: Timespec) {
    out.extend_from_slice(&time.secs.to_le_bytes());
    out.extend_from_slice(&time.nanos.to_le_bytes());
}

fn there<T>(
    fields: u8,
    flag: u8,
    read: impl FnOnce() -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    (fields & flag != 0).then(read).transpose()
}

fn short<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let length = reader.u16()?;
    reader.bytes(length.into())
}

fn text(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    let text = std::str::from_utf8(short(reader)?);
    text.map(str::to_owned).map_err(|_| Malformed(WHAT))
}
