//! What a node has been asked: tests count here, never at the client.

use std::collections::{BTreeMap, HashMap, HashSet};

use podfs::types::Address;

use crate::node::route::Route;

#[derive(Clone, Debug, Default)]
pub struct Counts {
    requests: BTreeMap<Route, u64>,
    answers: BTreeMap<(Route, u16), u64>,
    puts: HashMap<Address, u64>,
    taken: HashSet<Address>,
    gets: HashMap<Address, u64>,
    pub connections: u64,
    /// Requests that were being answered at one time, at most.
    pub in_flight_max: u64,
    in_flight: u64,
}

impl Counts {
    /// Requests to a route, answered or not.
    pub fn requests(&self, route: Route) -> u64 {
        self.requests.get(&route).copied().unwrap_or(0)
    }

    pub fn all_requests(&self) -> u64 {
        self.requests.values().sum()
    }

    /// Replies with this status that a route gave, faults included.
    pub fn answers(&self, route: Route, status: u16) -> u64 {
        self.answers.get(&(route, status)).copied().unwrap_or(0)
    }

    /// How often a chunk was sent here, whatever became of it.
    pub fn puts(&self, address: &Address) -> u64 {
        self.puts.get(address).copied().unwrap_or(0)
    }

    /// Whether the reply was given that a chunk was taken.
    pub fn is_taken(&self, address: &Address) -> bool {
        self.taken.contains(address)
    }

    /// How often a chunk was asked for here.
    pub fn gets(&self, address: &Address) -> u64 {
        self.gets.get(address).copied().unwrap_or(0)
    }

    /// Different chunks that were sent here.
    pub fn chunks_put(&self) -> usize {
        self.puts.len()
    }

    /// Chunks that were sent here more than once.
    pub fn put_again(&self) -> Vec<Address> {
        let again = self.puts.iter().filter(|(_, times)| **times > 1);
        again.map(|(address, _)| *address).collect()
    }

    /// All chunks that were sent here, and how often.
    pub fn all_puts(&self) -> &HashMap<Address, u64> {
        &self.puts
    }

    pub(in crate::node) fn asked(&mut self, route: Route) {
        *self.requests.entry(route).or_default() += 1;
        self.in_flight += 1;
        self.in_flight_max = self.in_flight_max.max(self.in_flight);
    }

    pub(in crate::node) fn answered(&mut self, route: Route, status: u16) {
        *self.answers.entry((route, status)).or_default() += 1;
    }

    pub(in crate::node) fn left(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(in crate::node) fn put(&mut self, address: Address) {
        *self.puts.entry(address).or_default() += 1;
    }

    pub(in crate::node) fn taken(&mut self, address: Address) {
        self.taken.insert(address);
    }

    pub(in crate::node) fn got(&mut self, address: Address) {
        *self.gets.entry(address).or_default() += 1;
    }

    /// Starts counting anew; what is under way still counts as under way.
    pub(in crate::node) fn reset(&mut self) {
        *self = Self {
            in_flight: self.in_flight,
            ..Self::default()
        };
    }
}
