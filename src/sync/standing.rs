//! Whether this folder is still the one that this machine publishes from.
//!
//! A state folder can be put back as it was, or copied to another machine. Its next head would then stand where
//! another one stands already, and the pod would seem to go back. So before a mount sends anything, the places right
//! behind its newest head are looked at: whoever wrote there went on from a state that this folder does not know.

use parking_lot::Mutex;

use crate::format::rows::OwnHead;
use crate::sync::error::SyncError;
use crate::sync::find;
use crate::sync::network::Network;
use crate::sync::publisher::Publisher;

/// What is known of it, since the network was last another one.
#[derive(Default)]
pub(super) struct Standing(Mutex<State>);

#[derive(Clone, Default)]
enum State {
    #[default]
    Unknown,
    Newest,
    /// Nothing more is sent.
    Overtaken(SyncError),
}

impl Standing {
    /// It has to be looked at anew.
    pub(super) fn forget(&self) {
        *self.0.lock() = State::Unknown;
    }

    /// Somebody else went on from here.
    pub(super) fn is_overtaken(&self, error: &SyncError) {
        tracing::error!(%error, "nothing is published");
        *self.0.lock() = State::Overtaken(error.clone());
    }
}

impl Publisher {
    /// Looks once whether the own feed ends where this folder says.
    ///
    /// # Errors
    /// [`SyncError::Behind`], [`SyncError::Forked`]: nothing may be sent, now or later. [`SyncError::Find`] when nobody
    /// answers.
    pub(super) async fn look_at_feed(&self, network: &Network) -> Result<(), SyncError> {
        let known = self.standing.0.lock().clone();
        match known {
            State::Newest => return Ok(()),
            State::Overtaken(error) => return Err(error),
            State::Unknown => {}
        }
        let last = self.last_head()?.map(|(own, _)| own);
        let from = last.as_ref().map_or(0, |own| own.index);
        let (store, feed) = (network.endpoints.unhurried(), self.feed().feed());
        let found = find::newer(&store, self.feed().secret(), feed, from).await?;
        let overtaken = match (found, last) {
            (None, _) => None,
            (Some(found), Some(own)) if found.head.index == own.index => {
                let ours = blake3::hash(own.payload.as_slice()) == found.hash;
                (!ours).then_some(SyncError::Forked)
            }
            (Some(found), own) => Some(SyncError::Behind {
                known: own.map(|own| own.index),
                newest: found.head.index,
            }),
        };
        let Some(error) = overtaken else {
            *self.standing.0.lock() = State::Newest;
            return Ok(());
        };
        self.standing.is_overtaken(&error);
        Err(error)
    }

    /// Looks whether another head stands where this one goes.
    ///
    /// # Errors
    /// As [`Publisher::look_at_feed`].
    pub(super) async fn look_at_place(
        &self,
        network: &Network,
        head: &OwnHead,
    ) -> Result<(), SyncError> {
        let (store, feed) = (network.endpoints.unhurried(), self.feed().feed());
        let found = find::at(&store, self.feed().secret(), feed, head.index).await?;
        let hash = blake3::hash(head.payload.as_slice());
        if found.is_none_or(|found| hash == found.hash) {
            return Ok(());
        }
        self.standing.is_overtaken(&SyncError::Forked);
        Err(SyncError::Forked)
    }
}
