//! Reads a published pod by FORMAT.md: the phrase, chunks by address, and nothing else.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

use podfs::crypto::keys::BoxSecret;
use podfs::crypto::publish::HeadPlace;
use podfs::crypto::publish::Reference;
use podfs::crypto::publish::open_block;
use podfs::crypto::publish::open_head;
use podfs::crypto::publish::open_node;
use podfs::crypto::publish::reseal_node;
use podfs::crypto::swarm::SealedChunk;
use podfs::crypto::swarm::SocId;
use podfs::crypto::swarm::soc_address;
use podfs::format::published::*;
use podfs::format::rows::FileKind;
use podfs::types::Address;
use podfs::types::Ino;
use podfs::types::Name;
use podfs::types::ROOT;

use crate::published::Chunks;
use crate::published::box_secret;
use crate::published::found::{Family, Lost, Names, Seen, Whole};
use crate::support::listing::quote;

struct Reader<'a> {
    chunks: &'a Chunks,
    secret: BoxSecret,
    /// Whether parity is compared with what it is made of.
    strict: bool,
    seen: RefCell<BTreeMap<Address, Seen>>,
    /// The inode that is being read.
    at: Cell<Ino>,
}

impl Reader<'_> {
    fn chunk(&self, address: &Address) -> Option<SealedChunk> {
        let mut seen = self.seen.borrow_mut();
        seen.entry(*address).or_default().of.insert(self.at.get());
        drop(seen);
        SealedChunk::verified(address, self.chunks.get(address)?).ok()
    }

    /// Compares the parity of a family with its children.
    fn check(&self, family: &Family) {
        let children = || family.children.iter().map(Option::as_ref);
        for (number, parity) in family.parity.iter().enumerate().filter(|_| self.strict) {
            let members = members(children(), family.group, number);
            let members = members.iter().filter_map(|at| children().nth(*at)?);
            let pages: Vec<_> = members.map(|it| self.present(it).unwrap()).collect();
            assert_eq!(pages.is_empty(), parity.is_none());
            if let Some(parity) = parity {
                let sum = complement_sum(pages.iter().map(AsRef::as_ref));
                assert!(*self.present(parity).expect("parity") == *sum.expose());
            }
        }
    }

    fn present(&self, reference: &Reference) -> Option<Box<Page>> {
        let node = open_node(reference, &self.chunk(&reference.address())?).ok()?;
        let mut seen = self.seen.borrow_mut();
        let begin = [node.expose()[0], node.expose()[1]];
        seen.entry(reference.address()).or_default().begin = begin;
        drop(seen);
        Some(Box::new(*node.expose()))
    }

    /// A node, from its chunk or from all the others of its group.
    fn node(&self, reference: &Reference, family: &Family) -> Result<Box<Page>, Lost> {
        if let Some(node) = self.present(reference) {
            return Ok(node);
        }
        let children = || family.children.iter().map(Option::as_ref);
        for (number, parity) in family.parity.iter().enumerate() {
            let members = members(children(), family.group, number);
            let members: Vec<_> = members
                .iter()
                .filter_map(|at| children().nth(*at)?)
                .collect();
            if !members.contains(&reference) {
                continue;
            }
            let others = members.into_iter().filter(|member| *member != reference);
            let pages = others.chain(parity).map(|other| self.present(other));
            let pages: Vec<_> = pages
                .collect::<Option<_>>()
                .ok_or("a node with its group")?;
            let page = complement_sum(pages.iter().map(AsRef::as_ref));
            if reseal_node(reference, page.expose()).is_ok() {
                return Ok(Box::new(*page.expose()));
            }
        }
        Err("a node")
    }

    /// The newest head in the feed of a device: what is not there under one topic may be under the other.
    fn newest(&self, device: u16) -> Option<Head> {
        let owner = self.secret.feed_signer(device).owner();
        let topic = self.secret.feed_topic(device);
        let head = |index| {
            let place = HeadPlace {
                owner,
                topic,
                index,
            };
            [topic, self.secret.feed_replica_topic(device)]
                .into_iter()
                .find_map(|topic| {
                    let address = soc_address(&SocId::of_update(&topic, index), &owner);
                    let chunk = self.chunk(&address)?;
                    let head = open_head(&self.secret.head_keys(), &place, chunk.payload()).ok()?;
                    Some(Head::decode(head.expose()).unwrap())
                })
        };
        // Counted from 1, so that nothing is 0.
        let (mut newest, mut found) = (0, None);
        loop {
            let steps = (0..32).map(|k| 1 << k).chain(1..=16);
            let indices = steps.map(|step: u64| newest + step - 1);
            let above = indices.filter_map(head).max_by_key(|head| head.index);
            let Some(head) = above else { return found };
            newest = head.index + 1;
            found = Some(head);
        }
    }

    fn newest_of_all(&self) -> Result<Head, Lost> {
        let heads: Vec<_> = (0..10).filter_map(|device| self.newest(device)).collect();
        let superseded = |head: &&Head| {
            let adopted = heads.iter().filter_map(|other| other.adopted);
            adopted.into_iter().any(|adopted| {
                (
                    adopted.epoch,
                    adopted.box_epoch,
                    adopted.device,
                    adopted.index,
                ) == (head.epoch, head.box_epoch, head.device, head.index)
            })
        };
        let left = heads.iter().filter(|head| !superseded(head));
        left.max_by_key(|head| (head.epoch, head.box_epoch, head.time))
            .cloned()
            .ok_or("all heads")
    }

    /// Adds the names below a node of a directory; the number of them.
    fn names(&self, node: &Page, names: &mut Names) -> Result<u64, Lost> {
        if let Ok(leaf) = Leaf::decode(node) {
            let family = Family::new(leaf.references(), leaf.group, &leaf.parity);
            self.check(&family);
            let count = leaf.entries.len() as u64;
            for entry in leaf.entries {
                let found = (entry.attributes, Rc::clone(&family));
                names.insert(entry.name.as_bytes().to_vec(), found);
            }
            return Ok(count);
        }
        let inner = Inner::decode(node).map_err(|_| "the form of a directory")?;
        let children = inner.pointers.iter().map(|pointer| &pointer.node);
        let family = Family::new(children, inner.group, &inner.parity);
        self.check(&family);
        let mut count = 0;
        for pointer in &inner.pointers {
            count += self.names(&*self.node(&pointer.node, &family)?, names)?;
        }
        assert_eq!(count, inner.names);
        Ok(count)
    }

    fn directory(&self, of: &Attributes, family: &Family, head: &Head) -> Result<Names, Lost> {
        let mut names = Names::new();
        self.at.set(of.ino);
        if let Some(root) = &of.directory {
            self.names(&*self.node(root, family)?, &mut names)?;
        }
        let journal = &head.journal;
        let family = Family::new(journal.references(), journal.group, &journal.parity);
        if of.ino == ROOT {
            self.check(&family);
        }
        for change in journal.of(of.ino) {
            let name = change.name.as_bytes().to_vec();
            match &change.now {
                Some(now) => drop(names.insert(name, (now.clone(), Rc::clone(&family)))),
                None => drop(names.remove(&name)),
            }
        }
        assert_eq!(
            names.len() as u64,
            of.size,
            "as many names as the directory says"
        );
        Ok(names)
    }

    fn contents(&self, inode: &Inode) -> Result<Vec<u8>, Lost> {
        let Contents::Tree {
            shape,
            children,
            parity,
        } = &inode.contents
        else {
            let Contents::Inline(bytes) = &inode.contents else {
                unreachable!()
            };
            return Ok(bytes.to_vec());
        };
        let family = Family {
            children: children.clone(),
            group: shape.rate().group(shape.level()),
            parity: parity.clone(),
        };
        self.check(&family);
        let mut file = vec![0; shape.pages() as usize * 4096];
        for (at, child) in children.iter().enumerate() {
            let first = at as u64 * shape.span(shape.level());
            self.subtree(
                (*shape, shape.level(), first),
                child.as_ref(),
                &family,
                &mut file,
            )?;
        }
        file.truncate(inode.size as usize);
        Ok(file)
    }

    fn subtree(
        &self,
        (shape, level, first): (Shape, u8, u64),
        reference: Option<&Reference>,
        family: &Family,
        file: &mut [u8],
    ) -> Result<(), Lost> {
        let Some(reference) = reference else {
            return Ok(());
        };
        if level == 0 {
            let chunk = self.chunk(&reference.address()).ok_or("a page")?;
            let page = open_block(reference, &chunk).map_err(|_| "a page that opens")?;
            file[first as usize * 4096..][..4096].copy_from_slice(&*page);
            return Ok(());
        }
        let node = TreeNode::decode(&*self.node(reference, family)?).unwrap();
        assert_eq!(
            (node.level, node.pages),
            (level, shape.covered(level, first).1)
        );
        assert_eq!(node.children.len() as u64, shape.fan(level, first));
        let family = Family {
            children: node.children,
            group: node.group,
            parity: node.parity,
        };
        self.check(&family);
        for (at, child) in family.children.iter().enumerate() {
            let first = first + at as u64 * shape.span(level - 1);
            self.subtree((shape, level - 1, first), child.as_ref(), &family, file)?;
        }
        Ok(())
    }

    /// One line of the listing, as `support::listing` has them; `-` for an owner who is the pod's.
    fn line(&self, path: &[u8], of: &Attributes, family: &Family) -> Result<String, Lost> {
        let node = |reference| self.node(reference, family);
        self.at.set(of.ino);
        let inode = of.contents.as_ref().map(node).transpose()?;
        let inode = inode.map(|node| Inode::decode(&*node, InodeKind::File).unwrap());
        let contents = inode
            .as_ref()
            .map(|inode| self.contents(inode))
            .transpose()?;
        let contents = contents.unwrap_or_default();
        let (size, what) = match of.kind() {
            FileKind::Regular => (of.size.to_string(), blake3::hash(&contents).to_string()),
            FileKind::Symlink if of.target.is_empty() => (of.size.to_string(), quote(&contents)),
            FileKind::Symlink => (of.size.to_string(), quote(&of.target)),
            FileKind::CharDevice | FileKind::BlockDevice => ("-".into(), of.rdev.to_string()),
            FileKind::Directory | FileKind::Fifo | FileKind::Socket => ("-".into(), "-".into()),
        };
        let owner = |id: Option<u32>| id.map_or("-".into(), |id| id.to_string());
        let (uid, gid) = (owner(of.uid), owner(of.gid));
        let (mode, nlink, mtime) = (of.mode, of.nlink, of.mtime);
        let mut line = format!("{} {mode:o} {uid} {gid} {nlink} {size} ", quote(path));
        write!(line, "{}.{:09} {what}", mtime.secs, mtime.nanos).unwrap();
        let xattrs = match inode.map(|inode| inode.xattrs) {
            None => Vec::new(),
            Some(XattrPlace::Inline(xattrs)) => xattrs,
            Some(XattrPlace::Elsewhere { node, parity }) => {
                let family = Family::alone(&node, parity.as_ref());
                self.check(&family);
                let node = self.node(&node, &family)?;
                let list = Inode::decode(&*node, InodeKind::Attributes).unwrap();
                decode_xattrs(&self.contents(&list)?).unwrap()
            }
        };
        assert_eq!(of.xattrs, !xattrs.is_empty());
        for xattr in xattrs {
            write!(line, " {}={}", quote(&xattr.name), quote(&xattr.value)).unwrap();
        }
        Ok(line)
    }
}

/// All names of the newest state in the order of their paths, a line for each.
pub fn listing(chunks: &Chunks) -> Result<String, Lost> {
    Ok(read(chunks, box_secret(), false)?.listing)
}

/// The newest state, of which nothing may be missing or wrong, parity included.
pub fn whole(chunks: &Chunks) -> Whole {
    let whole = read(chunks, box_secret(), true).expect("a pod of which nothing is missing");
    assert_eq!(whole.head.root.attributes.ino, ROOT);
    whole
}

/// The same of a box that is attached to a directory, by who has its secret and nothing else.
pub fn whole_box(chunks: &Chunks, secret: BoxSecret) -> Whole {
    read(chunks, secret, true).expect("a box of which nothing is missing")
}

fn read(chunks: &Chunks, secret: BoxSecret, strict: bool) -> Result<Whole, Lost> {
    let reader = Reader {
        chunks,
        secret,
        strict,
        seen: RefCell::default(),
        at: Cell::new(ROOT),
    };
    let head = reader.newest_of_all()?;
    reader.seen.take();
    let top = head.root.attributes.clone();
    let family = match &top.directory {
        Some(root) => Family::alone(root, head.root.parity.as_ref()),
        None => Rc::default(),
    };
    reader.check(&family);
    let mut entries = BTreeMap::from([(b".".to_vec(), top.clone())]);
    let mut lines = vec![(b".".to_vec(), reader.line(b".", &top, &family)?)];
    let mut left = vec![(Vec::new(), top, family)];
    while let Some((above, directory, family)) = left.pop() {
        for (name, (of, family)) in reader.directory(&directory, &family, &head)? {
            assert!(Name::parse(&name).is_ok());
            let path = [&above[..], &name].concat();
            lines.push((path.clone(), reader.line(&path, &of, &family)?));
            entries.insert(path.clone(), of.clone());
            if of.is_dir() {
                left.push(([&path[..], b"/"].concat(), of, family));
            }
        }
    }
    lines.sort();
    Ok(Whole {
        listing: lines.into_iter().map(|(_, line)| line + "\n").collect(),
        entries,
        head,
        chunks: reader.seen.into_inner(),
    })
}
