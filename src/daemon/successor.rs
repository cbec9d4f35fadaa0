//! The phrase that may follow the one of a pod: fixed once on its card, kept elsewhere, and used when the other one was
//! stolen. Handing over is replacing the keys, with those of the other phrase.

use crate::control::OwnKeys;
use crate::daemon::contacts::PeopleClient;
use crate::daemon::create::FreshPhrase;
use crate::daemon::create::no_entropy;
use crate::daemon::enrol;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::identity;
use crate::daemon::identity::FIRST;
use crate::daemon::keyfile;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths::PodPaths;
use crate::daemon::people::own_keys;
use crate::daemon::rekey;
use crate::daemon::rekey::GivenPhrase;
use crate::daemon::rekey::Right;
use crate::daemon::replace;
use crate::daemon::replace::Replacement;
use crate::format::card::SignedCard;
use crate::format::keyfile::NewPassphrase;
use crate::format::keyfile::create;
use crate::format::text;

/// Refuses when a successor was fixed already, before anything is asked for.
///
/// # Errors
/// [`FaultKind::Usage`]: it is fixed; [`FaultKind::NotMounted`].
pub fn require_unfixed(paths: &PodPaths) -> Result<(), Fault> {
    let mut daemon = PeopleClient::of_pod(paths)?;
    let keys = replace::writable_keys(&mut daemon)?;
    refuse_fixed(identity::card_of(&keys).as_ref(), paths)
}

/// Fixes the identity of a phrase as the one that may follow that of the pod, on the next card, and has the node take it.
/// Gives the identity as others would add it.
///
/// # Errors
/// [`FaultKind::Usage`]: one is fixed already. [`FaultKind::Phrase`], and what is in the way of a new card.
pub fn fix(
    paths: &PodPaths,
    phrase: &GivenPhrase,
    successor: &FreshPhrase,
) -> Result<String, Fault> {
    let mut daemon = PeopleClient::of_pod(paths)?;
    let keys = replace::writable_keys(&mut daemon)?;
    let root = phrase.root();
    identity::require_own(&root, &keys)?;
    let (own, known) = (root.identity(FIRST), identity::card_of(&keys));
    let from = known.as_ref().map_or(0, |known| known.card().number);
    let before = identity::newest(&mut daemon, &keys, &own, from)?.or(known);
    refuse_fixed(before.as_ref(), paths)?;
    let owner = successor.root().identity(FIRST).owner();
    let card = identity::signed(&own, &keys, before.as_ref(), |card| {
        card.successor = Some(owner);
    })?;
    identity::take(&mut daemon, &card)?;
    Ok(text::identity(&owner))
}

fn refuse_fixed(card: Option<&SignedCard>, paths: &PodPaths) -> Result<(), Fault> {
    if card.is_none_or(|card| card.card().successor.is_none()) {
        return Ok(());
    }
    let what = "a successor is fixed already, and stays: another one could be anybody's";
    let flag = paths.pod_flag();
    Err(Fault::new(FaultKind::Usage, what).next(format!(
        "podfs keys list{flag} shows it; with its phrase: podfs keys handover{flag}"
    )))
}

/// Refuses a phrase that is not that of the successor which is fixed on the card.
fn require_successor(
    phrase: &GivenPhrase,
    keys: &OwnKeys,
    paths: &PodPaths,
) -> Result<SignedCard, Fault> {
    let flag = paths.pod_flag();
    let own = identity::card_of(keys).filter(|own| own.card().successor.is_some());
    let Some(own) = own else {
        let what = "no successor is fixed, so nobody would believe it";
        return Err(Fault::new(FaultKind::Usage, what)
            .next(format!("podfs keys successor{flag} fixes one")));
    };
    if own.card().successor == Some(phrase.root().identity(FIRST).owner()) {
        return Ok(own);
    }
    let what = "this is not the phrase of the successor that is fixed";
    Err(Fault::new(FaultKind::Phrase, what).next("it is the second one, of podfs keys successor"))
}

/// Goes on with what was begun before, when it was: then the keyfile is that of the successor already. Else refuses another
/// phrase than that of the successor before anything is asked for.
///
/// # Errors
/// [`FaultKind::Phrase`]; [`FaultKind::Usage`]: none is fixed; [`FaultKind::NotMounted`].
pub fn go_on(paths: &PodPaths, phrase: &GivenPhrase) -> Result<Option<Replacement>, Fault> {
    let mut daemon = PeopleClient::of_pod(paths)?;
    let keys = replace::writable_keys(&mut daemon)?;
    let begun = rekey::open(paths, &Right::Phrase(phrase)).ok();
    let begun = begun.filter(|now| keys.epoch.checked_add(1) == Some(now.epoch));
    let Some(now) = begun else {
        return require_successor(phrase, &keys, paths).map(|_| None);
    };
    replace::hand_over(paths, &now)?;
    Ok(Some(Replacement {
        epoch: now.epoch,
        resumed: true,
        tokens_dropped: Vec::new(),
    }))
}

/// Has the node take the card that fixes the successor, when none took it yet: afterwards only that of the successor is
/// sent, and whoever was shown no other follows nobody.
///
/// # Errors
/// As [`identity::publish`].
pub fn publish_fixed(paths: &PodPaths) -> Result<(), Fault> {
    let mut daemon = PeopleClient::of_pod(paths)?;
    if identity::keys(&mut daemon)?.published {
        return Ok(());
    }
    identity::publish(&mut daemon)
}

/// Hands a mounted pod over: keys of the next epoch from the phrase of the successor, a card of its identity, and a
/// keyfile that only this phrase and the `new` passphrase open. `right` opens the one so far.
///
/// # Errors
/// As [`go_on`], and with [`replace::replace`]. Before the keyfile is replaced, nothing was done; afterwards the next mount
/// goes on.
pub fn hand_over(
    paths: &PodPaths,
    (phrase, right): (&GivenPhrase, &Right<'_>),
    new: &Passphrase,
) -> Result<Replacement, Fault> {
    let mut daemon = PeopleClient::of_pod(paths)?;
    let keys = replace::writable_keys(&mut daemon)?;
    let own = require_successor(phrase, &keys, paths)?;
    let now = rekey::open(paths, right)?;
    if keys.epoch != now.epoch {
        let what = "the pod is mounted with other keys than those in its keyfile";
        return Err(Fault::new(FaultKind::State, what).next("unmount it and mount it again"));
    }
    let root = phrase.root();
    let identity = root.identity(FIRST);
    if identity::newest(&mut daemon, &keys, &identity, 0)?.is_some() {
        let what = "the successor has a card already: the pod was handed over on another machine";
        return Err(Fault::new(FaultKind::CardChanged, what)
            .next("with its phrase, on a new machine: podfs recover"));
    }
    // Another machine may have made it: from here on the pod says which audit log it has.
    identity::take(&mut daemon, &own)?;
    let entropy = &mut keyfile::system_entropy;
    let mut next = now.next(&root, true, entropy).map_err(no_entropy)?;
    let card = identity::signed(&identity, &own_keys(&next), None, |card| {
        card.previous = own.card().fingerprint().0;
    })?;
    if let Some(replaced) = &mut next.replaced {
        replaced.card = replace::bytes_of(&card);
    }
    let tokens_dropped = enrol::report(paths)?.tokens;
    let new = NewPassphrase {
        passphrase: new.expose(),
        cost: keyfile::calibrate(),
    };
    let file = paths.keyfile();
    let changed = create(&next, &new, &root.recovery(&next.pod_id), entropy);
    let changed = changed.map_err(|error| keyfile::fault(&file, error))?;
    keyfile::store(&file, &changed)?;
    replace::hand_over(paths, &next)?;
    Ok(Replacement {
        epoch: next.epoch,
        resumed: false,
        tokens_dropped,
    })
}
