//! Replacing the keys of a pod, as the command does it: the phrase gives the keys of the next epoch and signs the card that
//! names them. The keyfile is replaced first, in one step; the daemon of the mounted pod gets the keys then.

use serde::Serialize;

use crate::control::OwnKeys;
use crate::crypto::BOX_OVERHEAD;
use crate::crypto::domain::ad;
use crate::crypto::entropy::random_bytes;
use crate::crypto::seal_box;
use crate::daemon::contacts::PeopleClient;
use crate::daemon::create::no_entropy;
use crate::daemon::enrol;
use crate::daemon::enrol::TokenReport;
use crate::daemon::enrol::WaysReport;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::identity;
use crate::daemon::keyfile;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths::PodPaths;
use crate::daemon::people::own_keys;
use crate::daemon::rekey;
use crate::daemon::rekey::GivenPhrase;
use crate::daemon::rekey::Right;
use crate::daemon::replaced::NONCE_LEN;
use crate::daemon::replaced::handover_key;
use crate::daemon::sharing::SharingClient;
use crate::format::card::SignedCard;
use crate::format::keyfile::Bundle;
use crate::format::keyfile::NewPassphrase;
use crate::format::keyfile::Opener;
use crate::format::keyfile::change_bundle;
use crate::format::keyfile::create;
use crate::format::text;

/// The keys of a pod, for people and programs.
#[derive(Clone, Debug, Serialize)]
pub struct KeysReport {
    /// What opens it.
    pub opens: WaysReport,
    /// Epoch of its keys; nothing when it is not mounted, for the keyfile says so to nobody.
    pub epoch: Option<u32>,
    /// Since when: when the card that names them was made, seconds since 1970.
    pub since: Option<i64>,
    /// Number of that card.
    pub card: Option<u64>,
    /// Fingerprint of the identity that signed it, 64 hexadecimal digits.
    pub fingerprint: Option<String>,
    /// The Ed25519 key that signs what is sent and recorded, in hexadecimal digits.
    pub sign: Option<String>,
    /// Whether a node took the card.
    pub published: bool,
    /// The identity that may follow, as others would add it: `podfs1…`; nothing when none was fixed.
    pub successor: Option<String>,
}

/// What became of a replacement.
#[derive(Clone, Debug, Serialize)]
pub struct Replacement {
    /// Epoch of the keys from now on.
    pub epoch: u32,
    /// Whether it was begun before, and is gone on with now.
    pub resumed: bool,
    /// Tokens that opened the pod, and do no more.
    pub tokens_dropped: Vec<TokenReport>,
}

/// What a replacement would do.
#[derive(Clone, Debug, Serialize)]
pub struct ReplacementPreview {
    /// Epoch of the keys now.
    pub epoch: u32,
    /// Tokens that would open the pod no more.
    pub tokens_dropped: Vec<TokenReport>,
    /// Grants that would go on with the new keys.
    pub grants: usize,
    /// Contacts, who find the new card by themselves.
    pub contacts: usize,
    /// Whether there is a card, which a new one would follow.
    pub card: bool,
}

/// What [`replace`] would do; nothing is changed.
///
/// # Errors
/// [`FaultKind::NotMounted`]; or the daemon does not tell.
pub fn preview(paths: &PodPaths, is_leaked: bool) -> Result<ReplacementPreview, Fault> {
    let mut daemon = PeopleClient::of_pod(paths)?;
    let keys = writable_keys(&mut daemon)?;
    let given = SharingClient::of_pod(paths)?.given()?;
    let tokens = enrol::report(paths)?.tokens;
    Ok(ReplacementPreview {
        epoch: keys.epoch,
        tokens_dropped: if is_leaked { tokens } else { Vec::new() },
        grants: given.iter().filter(|grant| grant.state == ACTIVE).count(),
        contacts: daemon.all()?.len(),
        card: keys.card.is_some(),
    })
}

/// State of a grant that others can open.
const ACTIVE: &str = "active";

/// What is known of the keys; of a pod that is not mounted, what opens it.
///
/// # Errors
/// When there is no pod, or the daemon does not tell.
pub fn report(paths: &PodPaths) -> Result<KeysReport, Fault> {
    let mut report = KeysReport {
        opens: enrol::report(paths)?,
        epoch: None,
        since: None,
        card: None,
        fingerprint: None,
        sign: None,
        published: false,
        successor: None,
    };
    let mut daemon = match PeopleClient::of_pod(paths) {
        Err(fault) if fault.kind == FaultKind::NotMounted => return Ok(report),
        daemon => daemon?,
    };
    let keys = identity::keys(&mut daemon)?;
    report.epoch = Some(keys.epoch);
    report.sign = Some(keys.sign.clone());
    if let Some(card) = identity::card_of(&keys) {
        let card = card.card();
        report.since = Some(card.made.secs);
        report.card = Some(card.number);
        report.fingerprint = Some(hex::encode(card.fingerprint().0));
        report.published = keys.published;
        report.successor = card.successor.as_ref().map(text::identity);
    }
    Ok(report)
}

/// Puts keys of the next epoch in the place of those of a mounted pod. With a `new` passphrase somebody else may have the
/// old ones: then nothing but that passphrase and the phrase opens the pod. Without, what opens it stays the same.
///
/// # Errors
/// [`FaultKind::Phrase`], [`FaultKind::NotMounted`], and what is in the way of a new card. Before the keyfile is replaced,
/// nothing was done; afterwards the next mount goes on.
pub fn replace(
    paths: &PodPaths,
    phrase: &GivenPhrase,
    new: Option<&Passphrase>,
) -> Result<Replacement, Fault> {
    let mut daemon = PeopleClient::of_pod(paths)?;
    let keys = writable_keys(&mut daemon)?;
    let root = phrase.root();
    identity::require_own(&root, &keys)?;
    let right = Right::Phrase(phrase);
    let now = rekey::open(paths, &right)?;
    if keys.epoch.checked_add(1) == Some(now.epoch) {
        hand_over(paths, &now)?;
        require_same(paths, &now, new)?;
        return Ok(Replacement {
            epoch: now.epoch,
            resumed: true,
            tokens_dropped: Vec::new(),
        });
    }
    if keys.epoch != now.epoch {
        let what = "the pod is mounted with other keys than those in its keyfile";
        return Err(Fault::new(FaultKind::State, what).next("unmount it and mount it again"));
    }
    let entropy = &mut keyfile::system_entropy;
    let mut next = now
        .next(&root, new.is_some(), entropy)
        .map_err(no_entropy)?;
    let card = identity::next_card(&mut daemon, &root, (&keys, &own_keys(&next)))?;
    if let Some(replaced) = &mut next.replaced {
        replaced.card = card.as_ref().and_then(bytes_of);
    }
    let ways = enrol::report(paths)?;
    let file = paths.keyfile();
    let recovery = root.recovery(&now.pod_id);
    let changed = if let Some(passphrase) = new {
        let new = NewPassphrase {
            passphrase: passphrase.expose(),
            cost: keyfile::calibrate(),
        };
        create(&next, &new, &recovery, entropy)
    } else {
        let bytes = keyfile::load(&file)?;
        change_bundle(&bytes, Opener::Recovery(&recovery), &next, entropy)
    };
    let changed = changed.map_err(|error| keyfile::fault(&file, error))?;
    keyfile::store(&file, &changed)?;
    hand_over(paths, &next)?;
    Ok(Replacement {
        epoch: next.epoch,
        resumed: false,
        tokens_dropped: if new.is_some() {
            ways.tokens
        } else {
            Vec::new()
        },
    })
}

/// What was begun before is done, and may be something else than what is asked for now: whoever has the old keys opens
/// the pod as before, with what opened it then.
fn require_same(paths: &PodPaths, now: &Bundle, new: Option<&Passphrase>) -> Result<(), Fault> {
    let Some(new) = new else { return Ok(()) };
    let was_leaked = now.replaced.as_ref().is_some_and(|it| it.leaked);
    if was_leaked && rekey::open(paths, &Right::Passphrase(new)).is_ok() {
        return Ok(());
    }
    let what = "what was begun before is done now, and it was something else: tokens or another passphrase still open the pod, \
                and this passphrase does not";
    Err(Fault::new(FaultKind::State, what).next("run this command again"))
}

/// The public keys of a pod that can be changed.
pub(super) fn writable_keys(daemon: &mut PeopleClient) -> Result<OwnKeys, Fault> {
    let keys = identity::keys(daemon)?;
    if keys.writable {
        return Ok(keys);
    }
    let what = "the pod is mounted read-only, and its keys stay as they are";
    Err(Fault::new(FaultKind::State, what).next("unmount it and mount it without -o ro"))
}

pub(super) fn hand_over(paths: &PodPaths, bundle: &Bundle) -> Result<(), Fault> {
    let nonce = random_bytes::<NONCE_LEN>(&mut keyfile::system_entropy).map_err(no_entropy)?;
    let mut sealed = bundle.encode(BOX_OVERHEAD);
    let key = handover_key(&bundle.device_secret);
    seal_box(&key, nonce, ad::BUNDLE, &mut sealed);
    let bytes = [nonce.as_slice(), &sealed].concat();
    // The daemon does not wait for a passphrase to be stretched.
    let handed = PeopleClient::of_pod(paths);
    let handed = handed.and_then(|mut daemon| daemon.replace_keys(hex::encode(bytes)));
    handed.map_err(|fault| {
        let what = format!(
            "the keyfile has the new keys, and the mounted pod goes on with the old ones: {}",
            fault.what
        );
        let next = "run this command again, or unmount the pod and mount it again";
        Fault::new(fault.kind, what).next(next)
    })
}

pub(super) fn bytes_of<const N: usize>(card: &SignedCard) -> Option<Box<[u8; N]>> {
    card.bytes().try_into().ok().map(Box::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::keys::RootKey;
    use crate::crypto::phrase::Phrase;
    use zeroize::Zeroizing;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::from_bytes(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn what_was_begun_before_is_not_taken_for_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let paths = PodPaths::of(folder.path().to_str().unwrap()).unwrap();
        let phrase = Phrase::from_entropy(&Secret::from_bytes(&[1; 32]));
        let root = RootKey::derive(&phrase.seed(), None);
        let entropy = &mut keyfile::system_entropy;
        let first = Bundle::enrol(&root, 0, 0, 0, entropy).unwrap();
        let begun = passphrase("begun");
        let new = NewPassphrase {
            passphrase: begun.expose(),
            cost: keyfile::calibrate(),
        };
        let recovery = root.recovery(&first.pod_id);
        for leaked in [false, true] {
            let next = first.next(&root, leaked, entropy).unwrap();
            let bytes = create(&next, &new, &recovery, entropy).unwrap();
            keyfile::store(&paths.keyfile(), &bytes).unwrap();
            let is_same = |given| require_same(&paths, &next, given).is_ok();
            assert!(is_same(None));
            assert_eq!(is_same(Some(&begun)), leaked);
            assert!(!is_same(Some(&passphrase("another"))));
        }
    }
}
