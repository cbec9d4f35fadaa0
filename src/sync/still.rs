//! Where a publisher publishes, and how it is made to pause.

use tokio::sync::RwLockWriteGuard;

use crate::sync::network::Network;
use crate::sync::progress::Part;
use crate::sync::publisher::Publisher;

/// Where it is to publish.
#[derive(Default)]
pub(super) struct Wanted {
    network: Option<Network>,
    /// Nowhere as long as something is done beside which nothing may be sent.
    is_still: bool,
}

impl Wanted {
    pub(super) fn now(&self) -> Option<Network> {
        self.network.clone().filter(|_| !self.is_still)
    }
}

/// As long as it is held, it publishes nowhere. Ends also when whoever waits for that waits no more.
struct Hush<'a>(&'a Publisher);

impl Drop for Hush<'_> {
    fn drop(&mut self) {
        self.0.set_wanted(|wanted| wanted.is_still = false);
    }
}

/// As long as it is held, nothing is sent and nothing is looked for. What waited for a node was let go.
pub(super) struct Still<'a> {
    _busy: RwLockWriteGuard<'a, ()>,
    _hush: Hush<'a>,
}

impl Publisher {
    /// From now on it publishes there, or nowhere.
    pub fn set_network(&self, network: Option<Network>) {
        self.set_wanted(|wanted| wanted.network = network);
    }

    /// Waits until nothing is under way. Afterwards it goes on, in the network that is wanted then.
    pub(super) async fn still(&self) -> Still<'_> {
        self.set_wanted(|wanted| wanted.is_still = true);
        let hush = Hush(self);
        Still {
            _busy: self.busy.write().await,
            _hush: hush,
        }
    }

    fn set_wanted(&self, set: impl FnOnce(&mut Wanted)) {
        self.standing.forget();
        self.network.send_modify(set);
        self.progress.is_well(Part::Sending);
        self.progress.is_well(Part::Looking);
        self.changed.notify_waiters();
    }

    pub(super) fn network(&self) -> Option<Network> {
        self.network.borrow().now()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::keys::PodSecret;
    use crate::index::Rows;
    use crate::store::Memory;
    use crate::store::endpoints::{Endpoint, Endpoints, Patience, Role};
    use crate::sync::boxes::BoxSecrets;
    use crate::sync::fetch::Fetcher;
    use crate::sync::heads::OwnFeed;
    use crate::sync::kept::Kept;
    use crate::sync::publisher::PublisherParts;
    use crate::sync::reader::Reader;
    use crate::types::system_clock;

    fn publisher() -> Arc<Publisher> {
        let kept = Arc::new(Kept::new(Arc::new(Rows::memory())).unwrap());
        let secret = PodSecret::restore(Secret::from_bytes(&[1; 32]));
        Publisher::new(PublisherParts {
            reader: Reader::new(Arc::clone(&kept), Fetcher::new(Arc::new(Memory::default()))),
            kept,
            feed: OwnFeed::new(secret.box_secret(0, 0), 0, 0),
            boxes: BoxSecrets::new(&secret),
            clock: system_clock(),
            owner: (0, 0),
        })
    }

    fn network(name: &str) -> Network {
        let store = Arc::new(Memory::default());
        let writer = Endpoint::new(name, Role::Own, Arc::clone(&store));
        let endpoints = Endpoints::new(vec![Arc::clone(&writer)], Patience::default());
        Network::of_store(endpoints, &writer, store)
    }

    fn name(publisher: &Publisher) -> Option<String> {
        let network = publisher.network();
        network.map(|network| network.writer.name().to_owned())
    }

    #[tokio::test]
    async fn who_pauses_goes_on_in_the_network_that_is_wanted_by_then() {
        let publisher = publisher();
        publisher.set_network(Some(network("old")));
        let still = publisher.still().await;
        assert_eq!(name(&publisher), None);
        publisher.set_network(Some(network("new")));
        assert_eq!(name(&publisher), None);
        drop(still);
        assert_eq!(name(&publisher), Some("new".to_owned()));
    }

    #[tokio::test]
    async fn who_does_not_wait_for_the_pause_leaves_none() {
        let publisher = publisher();
        publisher.set_network(Some(network("old")));
        let busy = publisher.busy.read().await;
        let still = tokio::time::timeout(std::time::Duration::ZERO, publisher.still());
        assert!(still.await.is_err());
        drop(busy);
        assert_eq!(name(&publisher), Some("old".to_owned()));
    }
}
