//! Keys of a later epoch in an open pod: taken while the folder stays mounted, or gone on with at the next start.
//!
//! The keyfile decides: since it was replaced, the keys are the new ones. Whatever is still to be done then is found in it
//! (the secret of the epoch before, and the signed card), and done here, in an order in which each step can be the last.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::crypto::BoxKey;
use crate::crypto::LocalPurpose;
use crate::crypto::Secret;
use crate::crypto::domain::ad;
use crate::crypto::keys::PodSecret;
use crate::crypto::local_key;
use crate::crypto::open_box;
use crate::daemon::build::House;
use crate::daemon::create::no_entropy;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::keyfile::system_entropy;
use crate::daemon::messages::message_keys;
use crate::daemon::publishing::OWN_BOX;
use crate::format::audit::Kind;
use crate::format::card::Card;
use crate::format::card::SignedCard;
use crate::format::keyfile::Bundle;
use crate::format::keyfile::Replaced;
use crate::index::Rows;
use crate::share::Contacts;
use crate::share::GrantKeys;
use crate::share::ShareError;
use crate::share::audit::Happening;
use crate::share::messages::Collected;
use crate::sync::Beginning;
use crate::sync::BoxSecrets;
use crate::sync::EpochFeeds;
use crate::sync::OwnFeed;
use crate::sync::settled;
use crate::types::Clock;
use crate::types::limits::KEYS_PATIENCE;
use crate::types::limits::PUBLISH_TICK;
use zeroize::Zeroizing;

/// Bytes of the nonce before a bundle that is handed over.
pub(super) const NONCE_LEN: usize = 12;

/// Which keys an open pod has.
pub(super) struct HeldKeys {
    /// Opens bundles that are handed over.
    handover: BoxKey,
    device_secret: Secret<32>,
    device: u16,
    /// Held while they are replaced.
    epoch: Mutex<u32>,
    /// That they took the place of others; a start records it when nobody has.
    replaced: Option<Happening>,
}

/// Seals what is handed to the daemon of a pod: only who has opened its keyfile can.
pub(super) fn handover_key(device_secret: &Secret<32>) -> BoxKey {
    BoxKey::new(local_key(device_secret, LocalPurpose::Handover))
}

/// The feeds of a pod with the keys in a bundle.
fn feeds(secret: &PodSecret, epoch: u32, device: u16) -> EpochFeeds {
    let (number, of_box) = OWN_BOX;
    let feed = OwnFeed::new(secret.box_secret(number, of_box), epoch, device);
    (feed, BoxSecrets::new(secret))
}

/// The keys of which what is shared is made.
pub(super) fn grant_keys(bundle: &Bundle) -> GrantKeys {
    let (number, epoch) = OWN_BOX;
    let of = |pod: &PodSecret| pod.box_secret(number, epoch);
    GrantKeys {
        epoch: bundle.epoch,
        secret: of(&bundle.pod_secret),
        before: bundle.replaced.as_ref().map(|it| of(&it.pod_secret)),
    }
}

fn beginning(clock: &Clock) -> Result<Beginning, Fault> {
    let mut nonce = [0; 16];
    system_entropy(&mut nonce).map_err(no_entropy)?;
    Ok((nonce, clock()))
}

/// The feed that the log goes on with, and the keys as they are held from now on. When the log was left in the epoch
/// before, it goes on in the one of the keyfile.
pub(super) fn settle(
    rows: &Rows,
    bundle: &Bundle,
    clock: &Clock,
    read_only: bool,
) -> Result<(OwnFeed, HeldKeys), Fault> {
    let now = feeds(&bundle.pod_secret, bundle.epoch, bundle.device);
    let before = bundle.replaced.as_ref();
    let before = before.and_then(|replaced| {
        let epoch = bundle.epoch.checked_sub(1)?;
        Some(feeds(&replaced.pod_secret, epoch, bundle.device))
    });
    let settled = settled(rows, (now, before), beginning(clock)?, read_only);
    let (feed, is_begun) = settled.map_err(|error| not_replaced(&error))?;
    if is_begun {
        tracing::info!(
            epoch = bundle.epoch,
            "goes on with the keys that replaced others"
        );
    }
    let replaced = bundle.replaced.as_ref();
    let keys = HeldKeys {
        handover: handover_key(&bundle.device_secret),
        device_secret: Secret::from_bytes(bundle.device_secret.expose()),
        device: bundle.device,
        epoch: Mutex::new(bundle.epoch),
        replaced: replaced.map(|replaced| happened(bundle, replaced)),
    };
    Ok((feed, keys))
}

/// The card that names the keys is the pod's own from now on, unless it has a later one.
pub(super) fn settle_card(contacts: &Contacts, bundle: &Bundle) -> Result<(), ShareError> {
    let card = bundle.replaced.as_ref().and_then(|it| it.card.as_ref());
    let Some(card) = card else { return Ok(()) };
    let card = SignedCard::read(card.as_slice())?;
    let is_known =
        |own: &Card| own.identity == card.card().identity && own.number >= card.card().number;
    if contacts.own()?.is_some_and(|(own, _)| is_known(own.card())) {
        return Ok(());
    }
    contacts.use_own(&card)
}

fn happened(bundle: &Bundle, replaced: &Replaced) -> Happening {
    let kind = if replaced.leaked {
        Kind::KeysReplaced
    } else {
        Kind::KeysRotated
    };
    let happening = Happening::new(kind).of(format!("epoch {}", bundle.epoch).as_bytes());
    let card = replaced.card.as_ref();
    let card = card.and_then(|card| SignedCard::read(card.as_slice()).ok());
    if card.is_some_and(|card| card.card().number == 0) {
        return happening.because("handed over to the successor");
    }
    happening
}

impl HeldKeys {
    /// Opens a bundle that was handed over, of this pod and machine.
    fn opened(&self, sealed: &str) -> Option<Bundle> {
        let bytes = hex::decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        open_box(&self.handover, *nonce, ad::BUNDLE, &mut bytes).ok()?;
        let bundle = Bundle::decode(&bytes).ok()?;
        // Another id is that of the same pod under the phrase of the successor.
        let is_ours =
            bundle.device == self.device && bundle.device_secret.eq_ct(&self.device_secret);
        is_ours.then_some(bundle)
    }
}

impl House {
    /// Takes keys of the next epoch, sealed for this pod. The folder stays mounted.
    pub(super) async fn replace_keys(&self, sealed: &str) -> Result<(), Fault> {
        let refused = |what: &str| {
            let next = "unmount the pod and mount it again, with what opens it now";
            Err(Fault::new(FaultKind::State, what).next(next))
        };
        let keys = self.keys();
        let Some(bundle) = keys.opened(sealed) else {
            return refused("what was handed over are no keys of this pod");
        };
        let mut epoch = keys.epoch.lock().await;
        if *epoch == bundle.epoch {
            return Ok(());
        }
        let Some(replaced) = bundle.replaced.as_ref() else {
            return refused("the keys that were handed over replace none");
        };
        if epoch.checked_add(1) != Some(bundle.epoch) {
            return refused("the keys that were handed over are not the next ones");
        }
        if !self.publishing().is_running() {
            return refused("the pod is mounted read-only, and its keys stay as they are");
        }
        self.end_epoch().await;
        self.turn_to(&bundle, replaced, &mut epoch).await?;
        drop(epoch);
        let happened = happened(&bundle, replaced);
        if let Err(fault) = self.people().audit().record(&happened).await {
            // They are replaced all the same; the next start records it.
            tracing::warn!(%fault, "that the keys were replaced is not in the audit log yet");
        }
        self.begin_epoch().await;
        Ok(())
    }

    /// That keys took the place of others is in the audit log, should the pod have been killed before that.
    pub(super) fn record_replaced(&self, runtime: &Handle) {
        let Some(happening) = self.keys().replaced.clone() else {
            return;
        };
        let audit = Arc::clone(self.people().audit());
        runtime.spawn(async move {
            if let Err(fault) = audit.record_once(&happening).await {
                tracing::warn!(%fault, "that the keys were replaced is not in the audit log");
            }
        });
    }

    /// What others wrote with the old keys is read, and what was said in the feeds of grants is sent, as far as the nodes
    /// answer soon.
    async fn end_epoch(&self) {
        let (mail, mut all) = (self.people().mail(), Collected::default());
        let read = tokio::time::timeout(KEYS_PATIENCE, mail.round(&mut all, true)).await;
        let told = tokio::time::timeout(KEYS_PATIENCE, self.sharing().send_now()).await;
        if !matches!((read, told), (Ok(Ok(())), Ok(Ok(())))) {
            tracing::info!("the last of what was written with the old keys is not read or sent");
        }
    }

    async fn turn_to(
        &self,
        bundle: &Bundle,
        replaced: &Replaced,
        epoch: &mut u32,
    ) -> Result<(), Fault> {
        let messages = self.people().mail().messages();
        let still = messages.still().await;
        let feeds = feeds(&bundle.pod_secret, bundle.epoch, bundle.device);
        let begun = beginning(self.clock())?;
        let publisher = self.publishing().publisher();
        let turned = publisher.begin_epoch(feeds, begun).await;
        turned.map_err(|error| not_replaced(&error))?;
        // From here on it is done: a start would go on the same way, and what fails is done again.
        *epoch = bundle.epoch;
        self.people().replace_keys(bundle);
        self.people().audit().replace_key(&bundle.sign_seed);
        messages.replace_keys(message_keys(bundle), &still);
        self.sharing().replace_keys(grant_keys(bundle));
        if settle_card(self.people().contacts(), bundle).is_err() {
            tracing::warn!("the card with the new keys is not the pod's own yet");
        }
        tracing::info!(
            epoch = bundle.epoch,
            leaked = replaced.leaked,
            "keys replaced"
        );
        if self.sharing().move_grants().is_err() {
            tracing::warn!("not all grants go on with the new keys yet");
        }
        Ok(())
    }

    /// The new head is sent, then the card, as far as the nodes answer soon; the rest follows by itself.
    async fn begin_epoch(&self) {
        let publisher = self.publishing().publisher();
        publisher.publish_now();
        self.people().mail().wake();
        let sent = async {
            while publisher
                .figures()
                .is_ok_and(|figures| figures.on_node.is_none())
            {
                tokio::time::sleep(PUBLISH_TICK).await;
            }
            self.people().publish_replaced().await
        };
        match tokio::time::timeout(KEYS_PATIENCE, sent).await {
            Ok(Ok(_)) => {}
            Ok(Err(refused)) => {
                tracing::info!(why = ?refused.0, "the new card is not published yet");
            }
            Err(_) => tracing::info!("the new head is not sent yet"),
        }
        self.sharing().wake();
    }
}

fn not_replaced(why: &dyn std::fmt::Display) -> Fault {
    let what = format!("the keys are not replaced everywhere: {why}");
    Fault::new(FaultKind::State, what).next("unmount the pod and mount it again: it goes on then")
}
