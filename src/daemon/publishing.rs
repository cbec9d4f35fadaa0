//! Publishing, as the daemon runs it: begun with the mount, given its nodes, ended with the mount.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::control::NodeLight;
use crate::control::ScrubReport;
use crate::daemon::carrier::Carrier;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::network::light;
use crate::daemon::nodes;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::index::Rows;
use crate::journal::JournalError;
use crate::store::Store;
use crate::sync::BoxSecrets;
use crate::sync::Kept;
use crate::sync::Network;
use crate::sync::OwnFeed;
use crate::sync::Publisher;
use crate::sync::PublisherParts;
use crate::sync::Sources;
use crate::sync::fetch::Fetcher;
use crate::sync::reader::Reader;
use crate::types::Clock;
use crate::types::limits::PUBLISH_STOP;

/// How long the rate of sending is measured.
const METER: Duration = Duration::from_millis(900);

/// Number of the pod's own box, and the only epoch that it has.
pub(super) const OWN_BOX: (u32, u32) = (0, 0);

/// The publisher of one mount, and what runs for it.
pub(super) struct Publishing {
    publisher: Arc<Publisher>,
    reader: Arc<Reader>,
    sources: Arc<Sources>,
    /// What runs as long as the mount does.
    running: Mutex<Vec<JoinHandle<()>>>,
    /// The node that is written to, and what runs as long as it is the one.
    carrier: Mutex<Option<(Arc<Carrier>, JoinHandle<()>)>>,
    meter: Mutex<Meter>,
    scrub: Mutex<Option<ScrubReport>>,
}

/// Chunks a second, between two looks.
struct Meter {
    at: Instant,
    sent: u64,
    rate: u64,
}

impl Publishing {
    /// Nothing runs yet.
    pub(super) fn new(
        rows: &Arc<Rows>,
        (feed, boxes): (OwnFeed, BoxSecrets),
        clock: Clock,
        owner: (u32, u32),
    ) -> Result<Self, JournalError> {
        let kept = Arc::new(Kept::new(Arc::clone(rows))?);
        let sources = Arc::new(Sources::default());
        let store = Arc::clone(&sources) as Arc<dyn Store>;
        let reader = Reader::new(Arc::clone(&kept), Fetcher::new(store));
        let publisher = Publisher::new(PublisherParts {
            kept,
            reader: Arc::clone(&reader),
            feed,
            boxes,
            clock,
            owner,
        });
        Ok(Self {
            publisher,
            reader,
            sources,
            running: Mutex::default(),
            carrier: Mutex::default(),
            meter: Mutex::new(Meter {
                at: Instant::now(),
                sent: 0,
                rate: 0,
            }),
            scrub: Mutex::default(),
        })
    }

    /// The publisher.
    pub(super) const fn publisher(&self) -> &Arc<Publisher> {
        &self.publisher
    }

    /// What is read of what is published.
    pub(super) const fn reader(&self) -> &Arc<Reader> {
        &self.reader
    }

    /// The nodes that are read from.
    pub(super) const fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// Publishes from now on, on this runtime, to the nodes of the pod. A list that cannot be read is told, and
    /// nothing is published: the folder works all the same.
    pub(super) fn start(&self, runtime: &Handle, paths: &PodPaths) -> Result<(), Fault> {
        let publisher = Arc::clone(&self.publisher);
        self.running.lock().push(runtime.spawn(publisher.run()));
        self.use_nodes(runtime, paths)
    }

    /// Reads the list of nodes and goes on with those.
    pub(super) fn use_nodes(&self, runtime: &Handle, paths: &PodPaths) -> Result<(), Fault> {
        let nodes = Nodes::read(paths)?;
        let endpoints = nodes::endpoints(&nodes)?;
        self.leave_carrier();
        self.sources.set(endpoints.clone());
        let writer = endpoints.writer().cloned();
        let batch = nodes
            .writer()
            .and_then(|node| Some((node.batch?, node.node_batch)));
        let (Some(writer), Some((pages, for_nodes))) = (writer, batch) else {
            self.publisher.set_network(None);
            return Ok(());
        };
        let batches = (pages, for_nodes.unwrap_or(pages));
        let network = Network::of_node(endpoints, &writer, batches).map_err(|error| {
            let what = format!("cannot publish through {}: {error}", writer.name());
            Fault::new(FaultKind::NodeRefused, what).next("podfs node test")
        })?;
        let migration = nodes.writer().and_then(|node| node.migration);
        let network = network.of_whole_pod(migration);
        self.publisher.set_network(Some(network));
        let flag = paths.pod_flag();
        let carrier = Carrier::new(self.sources.now(), (pages, for_nodes), flag).map(Arc::new);
        *self.carrier.lock() = carrier.map(|carrier| {
            let attending = Arc::clone(&carrier).attend(Arc::clone(&self.publisher));
            (carrier, runtime.spawn(attending))
        });
        Ok(())
    }

    fn leave_carrier(&self) {
        if let Some((_, attending)) = self.carrier.lock().take() {
            attending.abort();
        }
    }

    /// The node that is written to; nothing when there is none.
    pub(super) fn carrier(&self) -> Option<Arc<Carrier>> {
        let carrier = self.carrier.lock();
        carrier.as_ref().map(|(carrier, _)| Arc::clone(carrier))
    }

    /// Whether it runs: nothing is published of a pod that cannot be changed.
    pub(super) fn is_running(&self) -> bool {
        !self.running.lock().is_empty()
    }

    /// Chunks that are sent in a second, as far as `sent` of them now tell.
    pub(super) fn rate(&self, sent: u64) -> u64 {
        let mut meter = self.meter.lock();
        let passed = meter.at.elapsed();
        if passed >= METER {
            let more = sent.saturating_sub(meter.sent) * 1000;
            let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
            *meter = Meter {
                at: Instant::now(),
                sent,
                rate: more / millis.max(1),
            };
        }
        meter.rate
    }

    /// What is kept of what is published.
    pub(super) fn kept(&self) -> &Kept {
        self.publisher.kept()
    }

    /// How the nodes are.
    pub(super) fn lights(&self) -> Vec<NodeLight> {
        let endpoints = self.sources.now();
        endpoints.list().iter().map(|it| light(it)).collect()
    }

    /// How far the newest scrub is.
    pub(super) fn scrubbed(&self) -> Option<ScrubReport> {
        self.scrub.lock().clone()
    }

    /// Begins a scrub; false when one is under way.
    pub(super) fn begin_scrub(&self, all: bool) -> bool {
        let mut scrub = self.scrub.lock();
        if scrub.as_ref().is_some_and(|scrub| !scrub.done) {
            return false;
        }
        *scrub = Some(ScrubReport {
            all,
            ..ScrubReport::default()
        });
        true
    }

    /// How far the scrub is.
    pub(super) fn note_scrub(&self, report: ScrubReport) {
        *self.scrub.lock() = Some(report);
    }

    /// The scrub did not come to its end.
    pub(super) fn end_scrub(&self) {
        if let Some(scrub) = &mut *self.scrub.lock() {
            scrub.done = true;
        }
    }

    /// Ends what runs. What is under way is gone on with at the next mount.
    pub(super) fn stop(&self, runtime: &Runtime) {
        self.publisher.stop();
        self.leave_carrier();
        for task in std::mem::take(&mut *self.running.lock()) {
            let ended = runtime.block_on(async { tokio::time::timeout(PUBLISH_STOP, task).await });
            if ended.is_err() {
                tracing::warn!("publishing did not end in time");
            }
        }
        let settled = self.reader.settled();
        if runtime
            .block_on(async { tokio::time::timeout(PUBLISH_STOP, settled).await })
            .is_err()
        {
            tracing::warn!("what was fetched was not written in time");
        }
    }
}
