//! A reader who keeps every key that a grant ever opened, and asks the network alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use podfs::crypto::Phrase;
use podfs::crypto::keys::{BoxSecret, RootKey};
use podfs::crypto::publish::{RecordPlace, Reference, open_block, open_node, open_record};
use podfs::crypto::swarm::SealedChunk;
use podfs::format::grant::{GrantRecord, RecordState};
use podfs::format::published::{
    Attributes, Contents, Inner, Inode, InodeKind, Leaf, TreeNode, XattrPlace,
};
use podfs::types::Address;

use crate::node::Network;
use crate::support::pod::Pod;

/// What a reference is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Node,
    /// A page of a list of attributes.
    List,
    /// A page of the contents of a file.
    Page,
}

/// Every key that was found below what a record of a grant shares.
pub(super) struct Hoard {
    network: Network,
    /// What the record itself refers to.
    pub(super) roots: Vec<Address>,
    pub(super) keys: BTreeMap<Address, (Sort, Reference)>,
}

/// What stands at the next index of the feed of a grant, up to the last one, as whoever has its key reads it.
pub(super) fn records(owner: &Pod, grant: &str, network: &Network) -> Vec<GrantRecord> {
    let mut id = [0; 16];
    hex::decode_to_slice(grant, &mut id).unwrap();
    let secret = box_of(owner).grant(&id);
    let (feed, cap) = (secret.feed(), secret.cap_key());
    let at = |index| {
        let place = RecordPlace { feed, index };
        let chunk = bytes(network, &place.address())?;
        let plain = open_record(&cap, &place, &chunk[chunk.len() - 4096..]).unwrap();
        Some(GrantRecord::decode(plain.expose()).unwrap())
    };
    (0..).map_while(at).collect()
}

fn box_of(owner: &Pod) -> BoxSecret {
    let phrase = fs::read_to_string(owner.path("phrase")).unwrap();
    let root = RootKey::derive(&Phrase::parse(&phrase).unwrap().seed(), None);
    root.pod(&root.pod_id(0), 0).box_secret(0, 0)
}

/// What the network has at an address, as long as it is paid for.
fn bytes(network: &Network, address: &Address) -> Option<Vec<u8>> {
    Some(network.world().get(address)?.read())
}

impl Hoard {
    /// All that the newest record of a grant opens now.
    pub(super) fn of(owner: &Pod, grant: &str, network: &Network) -> Self {
        let newest = records(owner, grant, network).pop().unwrap();
        let RecordState::Live(entry) = newest.state else {
            panic!("the grant is over");
        };
        let mut hoard = Self {
            network: network.clone(),
            roots: Vec::new(),
            keys: BTreeMap::new(),
        };
        let of = &entry.attributes;
        let roots = of.contents.iter().chain(&of.directory);
        hoard.roots = roots.map(Reference::address).collect();
        hoard.entry(of);
        hoard
    }

    /// What of it can be opened now, and is what it was.
    pub(super) fn opens(&self) -> BTreeSet<Address> {
        let all = self.keys.iter();
        let open = all.filter(|(_, (sort, reference))| self.open(*sort, reference).is_some());
        open.map(|(address, _)| *address).collect()
    }

    pub(super) fn addresses(&self) -> BTreeSet<Address> {
        self.keys.keys().copied().collect()
    }

    pub(super) fn pages(&self) -> BTreeSet<Address> {
        let pages = self
            .keys
            .iter()
            .filter(|(_, (sort, _))| *sort == Sort::Page);
        pages.map(|(address, _)| *address).collect()
    }

    fn open(&self, sort: Sort, reference: &Reference) -> Option<Vec<u8>> {
        let chunk = bytes(&self.network, &reference.address())?;
        let chunk = SealedChunk::verified(&reference.address(), &chunk).unwrap();
        Some(match sort {
            Sort::List | Sort::Page => open_block(reference, &chunk).ok()?.to_vec(),
            Sort::Node => open_node(reference, &chunk).ok()?.expose().to_vec(),
        })
    }

    fn entry(&mut self, of: &Attributes) {
        if let Some(contents) = &of.contents {
            self.inode(contents, InodeKind::File);
        }
        if let Some(names) = &of.directory {
            self.names(names);
        }
    }

    fn node(&mut self, reference: &Reference) -> Vec<u8> {
        let kept = (Sort::Node, reference.clone());
        self.keys.insert(reference.address(), kept);
        self.open(Sort::Node, reference).unwrap()
    }

    fn parity<'r>(&mut self, parity: impl IntoIterator<Item = &'r Reference>) {
        for reference in parity {
            self.node(reference);
        }
    }

    fn names(&mut self, reference: &Reference) {
        let plain = self.node(reference);
        let plain = plain.as_slice();
        if let Ok(leaf) = Leaf::decode(plain) {
            self.parity(&leaf.parity);
            for entry in &leaf.entries {
                self.entry(&entry.attributes);
            }
        } else {
            let inner = Inner::decode(plain).unwrap();
            self.parity(&inner.parity);
            for pointer in &inner.pointers {
                self.names(&pointer.node);
            }
        }
    }

    fn inode(&mut self, reference: &Reference, kind: InodeKind) {
        let plain = self.node(reference);
        let inode = Inode::decode(&plain, kind).unwrap();
        if let Contents::Tree {
            shape,
            children,
            parity,
        } = &inode.contents
        {
            self.parity(parity.iter().flatten());
            for child in children.iter().flatten() {
                self.below(child, shape.level(), kind);
            }
        }
        if let XattrPlace::Elsewhere { node, parity } = &inode.xattrs {
            self.parity(parity);
            self.inode(node, InodeKind::Attributes);
        }
    }

    fn below(&mut self, reference: &Reference, level: u8, kind: InodeKind) {
        if level == 0 {
            let sort = if kind == InodeKind::File {
                Sort::Page
            } else {
                Sort::List
            };
            let kept = (sort, reference.clone());
            self.keys.insert(reference.address(), kept);
            return;
        }
        let plain = self.node(reference);
        let node = TreeNode::decode(&plain).unwrap();
        self.parity(node.parity.iter().flatten());
        for child in node.children.iter().flatten() {
            self.below(child, level - 1, kind);
        }
    }
}
