//! A store that keeps what it was given, and a publisher that writes to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use podfs::crypto::keys::PodSecret;
use podfs::crypto::swarm::SealedChunk;
use podfs::pod::Pod;
use podfs::store::endpoints::{Endpoint, Endpoints, Patience, Role};
use podfs::store::{Answer, Pulse, Receipt, Rejection, Store, StoreError};
use podfs::sync::fetch::Fetcher;
use podfs::sync::reader::Reader;
use podfs::sync::{BoxSecrets, Kept, Level, Network, OwnFeed, Publisher, PublisherParts};
use podfs::types::{Address, system_clock};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::published::{Chunks, box_secret, pod_secret};
use crate::support::wait_until;

/// How long a publication of a small pod may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Chunks as they were put.
#[derive(Default)]
pub struct Shelf {
    pub chunks: Mutex<Chunks>,
    /// Addresses in the order in which they came, repetitions included.
    pub puts: Mutex<Vec<Address>>,
    /// Puts that are still answered; none of those after them is.
    pub left: Mutex<Option<usize>>,
    /// Whether there was such a put.
    hung: AtomicBool,
    /// Addresses at which there is no room.
    full: Mutex<Option<Full>>,
    /// Whether whoever looks for a chunk that is there waits.
    pub silent: AtomicBool,
}

type Full = Box<dyn Fn(&Address) -> bool + Send + Sync>;

impl Shelf {
    /// There is no room where `full` says so.
    pub fn fill(&self, full: impl Fn(&Address) -> bool + Send + Sync + 'static) {
        *self.full.lock() = Some(Box::new(full));
    }

    async fn speak(&self) {
        while self.silent.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Store for Shelf {
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        let address = chunk.address();
        if self.full.lock().as_ref().is_some_and(|full| full(&address)) {
            let full = StoreError::Rejected(Rejection::BucketFull(address));
            return Box::pin(std::future::ready(Err(full)));
        }
        if let Some(left) = &mut *self.left.lock() {
            if *left == 0 {
                self.hung.store(true, Ordering::Release);
                return Box::pin(std::future::pending());
            }
            *left -= 1;
        }
        self.chunks.lock().insert(address, chunk.bytes().to_vec());
        self.puts.lock().push(address);
        Box::pin(std::future::ready(Ok(Receipt::OnNode)))
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        let found = self.chunks.lock().get(&address).cloned();
        let found = found.and_then(|bytes| SealedChunk::verified(&address, &bytes).ok());
        Box::pin(async move {
            if found.is_some() {
                self.speak().await;
            }
            found.ok_or(StoreError::NotFound)
        })
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        let has = self.chunks.lock().contains_key(&address);
        Box::pin(async move {
            if has {
                self.speak().await;
            }
            Ok(has)
        })
    }
}

impl Pulse for Shelf {
    fn pulse(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A pod that is published to a shelf.
pub struct Desk {
    pub shelf: Arc<Shelf>,
    pub publisher: Arc<Publisher>,
    pub kept: Arc<Kept>,
    running: JoinHandle<()>,
    runtime: Runtime,
}

impl Desk {
    /// The publisher takes for the owner of the pod somebody who owns nothing.
    pub fn new(pod: &Pod, shelf: &Arc<Shelf>) -> Self {
        let kept = Arc::new(Kept::new(Arc::clone(pod.rows())).unwrap());
        let publisher = Publisher::new(PublisherParts {
            kept: Arc::clone(&kept),
            reader: Reader::new(
                Arc::clone(&kept),
                Fetcher::new(Arc::clone(shelf) as Arc<dyn Store>),
            ),
            feed: OwnFeed::new(box_secret(), 0, 1),
            boxes: BoxSecrets::new(&pod_secret()),
            clock: system_clock(),
            owner: (77, 77),
        });
        let writer = Endpoint::new("shelf", Role::Own, Arc::clone(shelf));
        let endpoints = Endpoints::new(vec![Arc::clone(&writer)], Patience::default());
        let store = Arc::clone(shelf) as Arc<dyn Store>;
        let network = Network::of_store(endpoints, &writer, store);
        publisher.set_network(Some(network));
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .worker_threads(2)
            .build();
        let runtime = runtime.unwrap();
        let running = runtime.spawn(Arc::clone(&publisher).run());
        Self {
            running,
            shelf: Arc::clone(shelf),
            publisher,
            kept,
            runtime,
        }
    }

    /// Publishes what changed until now, waits until it is confirmed, and gives the addresses that were put.
    pub fn publish(&self) -> Vec<Address> {
        let before = self.shelf.puts.lock().len();
        let published = self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, self.publisher.publish_and_confirm()).await
        });
        let trouble = self.publisher.progress().trouble();
        assert!(published.is_ok(), "it takes too long: {trouble:?}");
        self.shelf.puts.lock()[before..].to_vec()
    }

    /// Keys of the next epoch take the place of those so far; waits until the shelf has so many heads of it.
    pub fn turn_to(&self, (secret, epoch): (&PodSecret, u32), heads: usize) {
        let before = self.shelf.puts.lock().len();
        let feed = OwnFeed::new(secret.box_secret(0, 0), epoch, 1);
        let later = (feed, BoxSecrets::new(secret));
        let begun = ([7; 16], system_clock()());
        let turned = self.publisher.begin_epoch(later, begun);
        self.runtime.block_on(turned).unwrap();
        let put = || self.shelf.puts.lock().len() - before;
        let came = wait_until(PATIENCE, || put() >= 2 * heads);
        assert!(came, "{} chunks of heads", put());
    }

    /// Begins to publish, and waits until the shelf has taken so many puts and does not take the next, or all of it
    /// was taken.
    pub fn publish_until(&self, puts: usize) {
        self.shelf.hung.store(false, Ordering::Release);
        *self.shelf.left.lock() = Some(puts);
        self.publisher.publish_now();
        let over = wait_until(PATIENCE, || {
            let level = self.publisher.level().unwrap();
            self.shelf.hung.load(Ordering::Acquire) || level >= Level::OnNode
        });
        assert!(over, "{:?}", self.publisher.progress().trouble());
    }

    /// Ends it in the middle of whatever it does.
    pub fn stop(self) {
        self.publisher.stop();
        self.runtime.block_on(self.running).unwrap();
        self.runtime.shutdown_timeout(Duration::from_secs(5));
        *self.shelf.left.lock() = None;
    }
}
