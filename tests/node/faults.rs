//! What a node does wrong, when a test says so. Each switch stands for a report about real nodes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use podfs::types::Address;

use crate::node::chain::BatchId;
use crate::node::route::Route;

/// How long a node does not ask again for a chunk that it could not get.
pub const SKIP: Duration = Duration::from_secs(60);
/// How long Bee keeps a connection that nobody uses.
const IDLE: Duration = Duration::from_secs(30);

/// One wrong doing with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status with this sentence, in Bee's form. Nothing is done.
    Say(u16, &'static str),
    /// A page of a proxy instead of a reply, with `Retry-After` in seconds. Nothing is done.
    Page(u16, Option<u32>),
    /// No reply, ever.
    Hang,
    /// The connection is closed before anything is done.
    Close,
    /// All is done, but the connection is closed instead of the reply.
    LoseReply,
    /// The reply comes as late as this (in the machine's time).
    Delay(Duration),
    /// 201, but the chunk is not stored: a shallow receipt, a lost duplicate, a batch that just ended.
    Forget,
    /// The reply names another chunk.
    WrongReference,
    /// One bit of the body is another one.
    Corrupt,
    /// The connection is closed after this many bytes of the body, although more were announced.
    Truncate(usize),
    /// So many bytes of the body at a time, with such a pause (in the machine's time) after each.
    Drip(usize, Duration),
    /// After the body come more bytes than anybody asked for.
    Swell(usize),
}

/// When a fault happens.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    route: Option<Route>,
    address: Option<Address>,
    times: Option<u64>,
    skip: u64,
    one_in: u64,
}

impl Fault {
    /// To every request of a route.
    pub fn on(self, route: Route) -> Rule {
        Rule {
            route: Some(route),
            ..self.everywhere()
        }
    }

    /// To every request.
    pub fn everywhere(self) -> Rule {
        Rule {
            fault: self,
            route: None,
            address: None,
            times: None,
            skip: 0,
            one_in: 1,
        }
    }
}

impl Rule {
    /// Only for this chunk.
    pub fn at(mut self, address: Address) -> Self {
        self.address = Some(address);
        self
    }

    /// Only so often.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Only after so many requests that would be hit have passed.
    pub fn after(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Only one request in so many, drawn by the node's seed.
    pub fn one_in(mut self, requests: u64) -> Self {
        self.one_in = requests;
        self
    }
}

/// What the node does with the chunks of tagged uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// They reach the network with the request that brings them.
    AtOnce,
    /// They wait, until this is changed: the tag is stuck and nobody else has them.
    Never,
    /// They reach the network, but the tag does not count them.
    Uncounted,
}

pub(in crate::node) struct Switches {
    rules: Vec<(u64, Rule)>,
    numbered: u64,
    random: u64,
    pub hidden: HashSet<Address>,
    pub blind: bool,
    pub views: HashMap<Address, Arc<[u8]>>,
    pub skips: bool,
    /// Chunks that are not asked for again before this time, in nanoseconds of Unix time.
    pub skipped: HashMap<Address, u64>,
    pub push: Push,
    pub full: HashSet<(BatchId, u32)>,
    pub expired_is_unusable: bool,
    pub unlisted: u64,
    pub recovers: bool,
    pub idle: Duration,
}

/// The switches of one node. Clones turn the same ones.
#[derive(Clone)]
pub struct Faults(Arc<Mutex<Switches>>);

impl Faults {
    pub(in crate::node) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Switches {
            rules: Vec::new(),
            numbered: 0,
            random: seed,
            hidden: HashSet::new(),
            blind: false,
            views: HashMap::new(),
            skips: false,
            skipped: HashMap::new(),
            push: Push::AtOnce,
            full: HashSet::new(),
            expired_is_unusable: false,
            unlisted: 0,
            recovers: false,
            idle: IDLE,
        })))
    }

    pub(in crate::node) fn switches(&self) -> MutexGuard<'_, Switches> {
        self.0.lock()
    }

    /// Adds a rule; its number takes it away again.
    pub fn add(&self, rule: Rule) -> u64 {
        let mut switches = self.0.lock();
        switches.numbered += 1;
        let number = switches.numbered;
        switches.rules.push((number, rule));
        number
    }

    pub fn remove(&self, number: u64) {
        self.0.lock().rules.retain(|(held, _)| *held != number);
    }

    /// Takes all rules away; the other switches stay.
    pub fn clear(&self) {
        self.0.lock().rules.clear();
    }

    /// Every reply of a route is so late (in the machine's time).
    pub fn set_latency(&self, route: Route, latency: Duration) -> u64 {
        self.add(Fault::Delay(latency).on(route))
    }

    /// This node does not find this chunk, whoever has it.
    pub fn hide(&self, address: Address) {
        self.0.lock().hidden.insert(address);
    }

    pub fn show(&self, address: &Address) {
        self.0.lock().hidden.remove(address);
    }

    /// This node finds no chunk at all.
    pub fn set_blind(&self, blind: bool) {
        self.0.lock().blind = blind;
    }

    /// Through this node, an address has these bytes: one of two contents of a single-owner chunk, or a lie.
    pub fn set_view(&self, address: Address, bytes: &[u8]) {
        self.0.lock().views.insert(address, bytes.into());
    }

    /// After a miss, the node says 404 for [`SKIP`] without asking anybody.
    pub fn set_skips(&self, skips: bool) {
        self.0.lock().skips = skips;
    }

    /// What happens to the chunks of tagged uploads from now on.
    pub fn set_push(&self, push: Push) {
        self.0.lock().push = push;
    }

    /// One bucket of a batch has no room at this node.
    pub fn fill_bucket(&self, batch: BatchId, bucket: u32) {
        self.0.lock().full.insert((batch, bucket));
    }

    /// An ended batch is answered with 422, as when the node has not noticed yet, instead of 404.
    pub fn set_expired_is_unusable(&self, unusable: bool) {
        self.0.lock().expired_is_unusable = unusable;
    }

    /// So many lists of the node's batches are empty: what was bought has not been noticed yet.
    pub fn set_unlisted(&self, lists: u64) {
        self.0.lock().unlisted = lists;
    }

    /// What is bought from now on is found on the chain alone, as when the buyer went away meanwhile: its label is lost.
    pub fn set_recovers(&self, recovers: bool) {
        self.0.lock().recovers = recovers;
    }

    /// How long a connection may be unused before it is closed (in the machine's time).
    pub fn set_idle(&self, idle: Duration) {
        self.0.lock().idle = idle;
    }

    /// The faults that happen to this request; rules that count, count it.
    pub(in crate::node) fn of(&self, route: Route, address: Option<Address>) -> Vec<Fault> {
        let mut switches = self.0.lock();
        if switches.rules.is_empty() {
            return Vec::new();
        }
        let mut random = switches.random;
        let mut faults = Vec::new();
        for (_, rule) in &mut switches.rules {
            let elsewhere = rule.route.is_some_and(|wanted| wanted != route)
                || rule.address.is_some_and(|wanted| Some(wanted) != address)
                || rule.times == Some(0);
            if elsewhere {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if rule.one_in > 1 && !next(&mut random).is_multiple_of(rule.one_in) {
                continue;
            }
            rule.times = rule.times.map(|times| times - 1);
            faults.push(rule.fault.clone());
        }
        switches.random = random;
        faults
    }

    /// A number that the seed and the numbers before decide.
    pub(in crate::node) fn draw(&self) -> u64 {
        next(&mut self.0.lock().random)
    }
}

/// `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
