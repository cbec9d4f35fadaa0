//! A node as it starts: empty, or with all that its folder remembers.

use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use k256::ecdsa::SigningKey;

use crate::node::chain::Batch;
use crate::node::disk::{Held, Log};
use crate::node::hash::keccak;
use crate::node::inner::{Inner, State, Waiting};
use crate::node::issuer::Issuer;
use crate::node::network::Network;
use crate::node::record::Record;
use crate::node::tags::Tag;
use crate::node::{Clock, Mode, Options};

pub fn revive(options: Options) -> Inner {
    let Some(dir) = options.dir.clone() else {
        let network = options.network.clone().unwrap_or_default();
        let key = Inner::key_of(options.seed);
        let state = State {
            funds: options.funds,
            ..State::default()
        };
        return Inner::new(options, network, key, state);
    };
    fs::create_dir_all(&dir).expect("a folder for the node");
    let identity = identity(&dir, options.network.as_ref().map(Network::clock));
    let network = options
        .network
        .clone()
        .unwrap_or_else(|| Network::at(Clock::running(), identity.genesis));
    let mut state = State {
        funds: options.funds,
        ..State::default()
    };
    let dev = options.mode == Mode::Dev;
    let log = Log::open(&dir, |record, file| {
        state.recall(record, file, &network, dev);
    });
    state.log = Some(log.expect("a log that can be read"));
    Inner::new(options, network, identity.key, state)
}

struct Identity {
    key: SigningKey,
    /// When the node's chain began, in nanoseconds of Unix time.
    genesis: u64,
}

/// The key and the birthday in the folder; made at the first start.
fn identity(dir: &Path, clock: Option<&Clock>) -> Identity {
    let path = dir.join("identity");
    if let Ok(bytes) = fs::read(&path) {
        let (key, genesis) = bytes.split_at(32);
        return Identity {
            key: SigningKey::from_slice(key).expect("a key in the identity file"),
            genesis: u64::from_le_bytes(genesis.try_into().expect("a whole identity file")),
        };
    }
    let mut entropy = [0; 32];
    rustix::rand::getrandom(&mut entropy, rustix::rand::GetRandomFlags::empty()).unwrap();
    let key = SigningKey::from_slice(&keccak(&[b"bee node", &entropy])).unwrap();
    let genesis = clock.map_or_else(|| Clock::running().now(), Clock::now);
    let temporary = dir.join("identity.new");
    let mut file = File::create(&temporary).expect("a folder that can be written");
    file.write_all(&key.to_bytes()).unwrap();
    file.write_all(&genesis.to_le_bytes()).unwrap();
    file.sync_all().unwrap();
    fs::rename(temporary, path).unwrap();
    Identity { key, genesis }
}

impl State {
    /// Takes a batch that was bought, or what became of one.
    pub fn take_batch(&mut self, batch: &Batch, label: &str, funds: u128) {
        self.funds = funds;
        if let Some(log) = &mut self.log {
            log.batch(batch, label, funds);
        }
        self.know_batch(batch, label);
    }

    fn know_batch(&mut self, batch: &Batch, label: &str) {
        let issuer = self
            .issuers
            .entry(batch.id)
            .or_insert_with(|| Issuer::new(batch, label));
        issuer.depth = batch.depth;
        issuer.amount = batch.amount;
        label.clone_into(&mut issuer.label);
    }

    /// One record of the log, as it happened.
    fn recall(&mut self, record: Record, file: &Arc<File>, network: &Network, dev: bool) {
        match record {
            Record::Chunk { .. } => self.recall_chunk(&record, file, network, dev),
            Record::Seen(tag) => {
                if let Some(tag) = self.tags.get_mut(tag) {
                    tag.split += 1;
                    tag.seen += 1;
                }
            }
            Record::Forgotten(address) => {
                self.waiting.remove(&address);
            }
            Record::Batch {
                batch,
                funds,
                label,
            } => {
                self.funds = funds;
                self.know_batch(&batch, &label);
                if !dev {
                    network.world().chain.insert(batch);
                }
            }
            Record::Tag {
                uid,
                started,
                address,
            } => {
                let before = self.tags.get(uid).cloned().unwrap_or_default();
                self.tags.insert(Tag {
                    uid,
                    address,
                    started,
                    ..before
                });
            }
            Record::TagGone(uid) => {
                self.tags.remove(uid);
            }
            Record::Pin(address, pinned) => {
                if pinned {
                    self.pins.insert(address);
                } else {
                    self.pins.remove(&address);
                }
            }
        }
    }

    fn recall_chunk(&mut self, record: &Record, file: &Arc<File>, network: &Network, dev: bool) {
        let Record::Chunk {
            address,
            slot,
            identity,
            tag,
            bytes,
        } = *record
        else {
            return;
        };
        if let Some(issuer) = self.issuers.get_mut(&slot.batch) {
            issuer.recall(identity, &slot);
        }
        if let Some(tag) = self.tags.get_mut(tag) {
            tag.split += 1;
            tag.sent += u64::from(!dev);
            tag.synced += u64::from(!dev);
        }
        let held = bytes.map(|(at, len)| Held::Disk {
            file: Arc::clone(file),
            at,
            len,
        });
        if dev {
            let before = self.waiting.get(&address).map(|held| held.bytes.clone());
            let Some(held) = before.or(held) else {
                return;
            };
            self.arrived += 1;
            let number = self.arrived;
            let waiting = self.waiting.entry(address);
            let waiting = waiting.or_insert_with(|| Waiting::new(held, tag, number));
            waiting.batches.push(slot.batch);
            waiting.slots.push(slot);
            return;
        }
        let mut world = network.world();
        let held = held.or_else(|| world.bytes(&address));
        if let Some(held) = held {
            world.keep(address, held, slot);
        }
    }
}
