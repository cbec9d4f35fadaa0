//! What is recorded of grants.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::crypto::identity::Fingerprint;
use crate::format::audit::Kind;
use crate::format::audit::Outcome;
use crate::format::grant::Ended;
use crate::format::grant::Renewed;
use crate::format::grant::RevocationLevel;
use crate::format::grant::Terms;
use crate::format::rows::Given;
use crate::format::rows::Received;
use crate::share::audit::Happening;

/// Something is shared.
pub(super) fn granted(given: &Given, path: &Path) -> Happening {
    let happening = of_given(Kind::Granted, given).of(path.as_os_str().as_bytes());
    agreed(happening, &given.terms)
}

/// A grant that the owner gave is over.
pub(super) fn ended(given: &Given, why: Ended) -> Happening {
    let kind = match why {
        Ended::Revoked => Kind::GrantRevoked,
        Ended::Expired | Ended::Gone => Kind::GrantExpired,
    };
    let happening = of_given(kind, given).of(given.name.as_bytes());
    match why {
        Ended::Gone => happening.because("what was shared is gone"),
        Ended::Revoked | Ended::Expired => happening,
    }
}

/// What they could open was sealed anew for everybody else.
pub(super) fn sealed_anew(given: &Given, level: RevocationLevel, renewed: &Renewed) -> Happening {
    let what = format!(
        "level {}: {} names, {} chunks; {} names could not be",
        level.number(),
        renewed.names,
        renewed.nodes.saturating_add(renewed.pages),
        renewed.left
    );
    of_given(Kind::SealedAnew, given)
        .of(given.name.as_bytes())
        .because(&what)
}

/// Somebody shares something; `name` is what the owner calls them.
pub(super) fn received(received: &Received, name: &str) -> Happening {
    of_received(Kind::GrantReceived, received, name)
}

/// The owner takes it.
pub(super) fn accepted(received: &Received, name: &str) -> Happening {
    of_received(Kind::GrantAccepted, received, name)
}

/// What somebody shares is over.
pub(super) fn over(received: &Received, why: Ended, name: &str) -> Happening {
    let kind = match why {
        Ended::Revoked => Kind::RevocationReceived,
        Ended::Expired | Ended::Gone => Kind::GrantExpired,
    };
    of_received(kind, received, name)
}

/// The audit log of somebody had more records, or others, when it was seen before.
pub(super) fn rolled_back(who: &Fingerprint, name: &str, (before, now): (u64, u64)) -> Happening {
    let why = format!(
        "their audit log was seen with {before} records, and {now} are not of the same log"
    );
    let happening = Happening::new(Kind::RollbackAlarm).with(who.0, name);
    happening.went(Outcome::Refused).because(&why)
}

/// Somebody saw records of the log of this pod that are not in it any more.
pub(super) fn is_another(who: &Fingerprint, name: &str, size: u64) -> Happening {
    let why = format!("they have seen {size} records of this log, and these are not they");
    let happening = Happening::new(Kind::RollbackAlarm).with(who.0, name);
    happening.went(Outcome::Failed).because(&why)
}

/// Somebody did something to what the owner shares with them; `path` is what it is now.
pub(super) fn done(kind: Kind, given: &Given, path: &Path) -> Happening {
    of_given(kind, given).of(path.as_os_str().as_bytes())
}

fn of_given(kind: Kind, given: &Given) -> Happening {
    Happening::new(kind)
        .with(given.contact.0, given.contact_name.as_str())
        .under(given.id)
}

fn of_received(kind: Kind, received: &Received, name: &str) -> Happening {
    let happening = Happening::new(kind)
        .with(received.contact.0, name)
        .under(received.id)
        .of(received.terms.name.as_bytes());
    agreed(happening, &received.terms)
}

fn agreed(happening: Happening, terms: &Terms) -> Happening {
    let happening = happening.because(terms.purpose.as_str());
    match terms.until {
        Some(until) => happening.until(until),
        None => happening,
    }
}
