//! A file system as POSIX describes it, in plain maps: what the pod is compared with.

use std::collections::{BTreeMap, HashMap};

use podfs::format::rows::FileKind;
use podfs::pod::{Attr, Caller, Taken};
use podfs::types::{Ino, ROOT, Timespec};

/// Name of the error that the pod has to answer with.
pub type Refusal = &'static str;

const SUID: u32 = 0o4000;
const SGID: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;

/// What anything in the file system is.
pub struct Node {
    pub kind: FileKind,
    pub perm: u32,
    pub owner: (u32, u32),
    pub rdev: u32,
    pub nlink: u32,
    /// Contents of a file, target of a symlink.
    pub bytes: Vec<u8>,
    pub entries: BTreeMap<Vec<u8>, Ino>,
    pub parent: Ino,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Access, modification, change, birth.
    pub times: [Timespec; 4],
    pub opens: u32,
}

/// The whole of it.
pub struct Reference {
    pub nodes: HashMap<Ino, Node>,
    pub now: Timespec,
}

/// What is asked to be made.
pub struct New<'a> {
    pub kind: FileKind,
    pub perm: u32,
    pub rdev: u32,
    pub target: &'a [u8],
    pub caller: Caller,
}

impl Node {
    fn touch(&mut self, now: Timespec) {
        self.times[1] = now;
        self.times[2] = now;
    }

    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// Whether `stat` shows what it should.
    pub fn agrees(&self, attr: &Attr) -> bool {
        let size = self.is_dir() || attr.size == self.bytes.len() as u64;
        size && attr.kind == self.kind
            && u32::from(attr.perm) == self.perm
            && (attr.uid, attr.gid) == self.owner
            && attr.nlink == self.nlink
            && attr.rdev == self.rdev
            && [attr.atime, attr.mtime, attr.ctime, attr.btime] == self.times
    }
}

impl Reference {
    /// Only a root, which is what `root` shows.
    pub fn new(root: &Attr) -> Self {
        let node = Node {
            kind: FileKind::Directory,
            perm: u32::from(root.perm),
            owner: (root.uid, root.gid),
            rdev: 0,
            nlink: 2,
            bytes: Vec::new(),
            entries: BTreeMap::new(),
            parent: ROOT,
            xattrs: BTreeMap::new(),
            times: [root.btime; 4],
            opens: 0,
        };
        Self {
            nodes: HashMap::from([(ROOT, node)]),
            now: root.btime,
        }
    }

    pub fn node(&mut self, ino: Ino) -> &mut Node {
        self.nodes
            .get_mut(&ino)
            .expect("the test knows what there is")
    }

    /// All inodes for which `wanted` holds, in a fixed order.
    pub fn inos(&self, wanted: impl Fn(&Node) -> bool) -> Vec<Ino> {
        let mut inos: Vec<Ino> = self
            .nodes
            .iter()
            .filter(|(_, node)| wanted(node))
            .map(|(ino, _)| *ino)
            .collect();
        inos.sort_unstable();
        inos
    }

    pub fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino, Refusal> {
        self.nodes[&dir]
            .entries
            .get(name)
            .copied()
            .ok_or("NotFound")
    }

    /// Whether something may be made there.
    pub fn may_make(&self, dir: Ino, name: &[u8]) -> Result<(), Refusal> {
        match self.lookup(dir, name) {
            Ok(_) => Err("Exists"),
            Err(_) => Ok(()),
        }
    }

    pub fn make(&mut self, dir: Ino, name: &[u8], ino: Ino, new: &New<'_>) {
        let now = self.now;
        let is_dir = new.kind == FileKind::Directory;
        let parent = self.node(dir);
        let inherits = parent.perm & SGID != 0;
        let gid = if inherits {
            parent.owner.1
        } else {
            new.caller.gid
        };
        parent.entries.insert(name.to_vec(), ino);
        parent.nlink += u32::from(is_dir);
        parent.touch(now);
        let perm = new.perm & 0o7777 | if inherits && is_dir { SGID } else { 0 };
        let node = Node {
            kind: new.kind,
            perm,
            owner: (new.caller.uid, gid),
            rdev: new.rdev,
            nlink: 1 + u32::from(is_dir),
            bytes: new.target.to_vec(),
            entries: BTreeMap::new(),
            parent: dir,
            xattrs: BTreeMap::new(),
            times: [now; 4],
            opens: 0,
        };
        assert!(
            self.nodes.insert(ino, node).is_none(),
            "an inode number came twice"
        );
    }

    pub fn link(&mut self, ino: Ino, dir: Ino, name: &[u8]) -> Result<(), Refusal> {
        self.may_make(dir, name)?;
        if self.nodes[&ino].is_dir() {
            return Err("NotPermitted");
        }
        if self.nodes[&ino].nlink == 0 {
            return Err("NotFound");
        }
        let now = self.now;
        let node = self.node(ino);
        node.nlink += 1;
        node.times[2] = now;
        let parent = self.node(dir);
        parent.entries.insert(name.to_vec(), ino);
        parent.touch(now);
        Ok(())
    }

    pub fn remove(&mut self, dir: Ino, name: &[u8], directory: bool) -> Result<(), Refusal> {
        let ino = self.lookup(dir, name)?;
        match (self.nodes[&ino].is_dir(), directory) {
            (true, false) => return Err("IsADirectory"),
            (false, true) => return Err("NotADirectory"),
            (true, true) if !self.nodes[&ino].entries.is_empty() => return Err("NotEmpty"),
            _ => {}
        }
        self.take_name(dir, name);
        self.unname(ino);
        Ok(())
    }

    /// Takes the entry out of the directory, and what it means for the directory.
    fn take_name(&mut self, dir: Ino, name: &[u8]) -> Ino {
        let now = self.now;
        let ino = self.node(dir).entries.remove(name).expect("it is there");
        let is_dir = self.nodes[&ino].is_dir();
        let parent = self.node(dir);
        parent.nlink -= u32::from(is_dir);
        parent.touch(now);
        ino
    }

    fn put_name(&mut self, dir: Ino, name: &[u8], ino: Ino) {
        let now = self.now;
        let is_dir = self.nodes[&ino].is_dir();
        let parent = self.node(dir);
        parent.entries.insert(name.to_vec(), ino);
        parent.nlink += u32::from(is_dir);
        parent.touch(now);
        let node = self.node(ino);
        node.parent = dir;
        node.times[2] = now;
    }

    /// What the loss of a name means for an inode.
    fn unname(&mut self, ino: Ino) {
        let now = self.now;
        let node = self.node(ino);
        node.times[2] = now;
        node.nlink = if node.is_dir() { 0 } else { node.nlink - 1 };
        self.bury(ino);
    }

    /// An inode that nobody names or has open is gone.
    fn bury(&mut self, ino: Ino) {
        if self.nodes[&ino].nlink == 0 && self.nodes[&ino].opens == 0 {
            self.nodes.remove(&ino);
        }
    }

    pub fn release(&mut self, ino: Ino) {
        self.node(ino).opens -= 1;
        self.bury(ino);
    }

    /// All descriptors are gone.
    pub fn crash(&mut self) {
        self.nodes.retain(|_, node| {
            node.opens = 0;
            node.nlink > 0
        });
    }

    fn is_within(&self, mut dir: Ino, above: Ino) -> bool {
        while dir != ROOT && dir != above {
            dir = self.nodes[&dir].parent;
        }
        dir == above
    }

    pub fn rename(
        &mut self,
        (from, name): (Ino, &[u8]),
        (to, new_name): (Ino, &[u8]),
        taken: Taken,
    ) -> Result<(), Refusal> {
        let moved = self.lookup(from, name)?;
        let other = self.lookup(to, new_name).ok();
        let is_dir = |ino: Ino| self.nodes[&ino].is_dir();
        if is_dir(moved) && self.is_within(to, moved) {
            return Err("Loop");
        }
        if let Some(other) = other
            && is_dir(other)
            && from != to
            && self.is_within(from, other)
        {
            return Err(match taken {
                Taken::Exchange => "Loop",
                Taken::Keep => "Exists",
                Taken::Replace => "NotEmpty",
            });
        }
        match (other, taken) {
            (Some(_), Taken::Keep) => return Err("Exists"),
            (None, Taken::Exchange) => return Err("NotFound"),
            (Some(other), _) if other == moved => return Ok(()),
            (Some(other), Taken::Exchange) => {
                self.take_name(from, name);
                self.take_name(to, new_name);
                self.put_name(from, name, other);
                self.put_name(to, new_name, moved);
                return Ok(());
            }
            (Some(other), Taken::Replace) => match (is_dir(moved), is_dir(other)) {
                (true, false) => return Err("NotADirectory"),
                (false, true) => return Err("IsADirectory"),
                (true, true) if !self.nodes[&other].entries.is_empty() => return Err("NotEmpty"),
                _ => {}
            },
            (None, _) => {}
        }
        self.take_name(from, name);
        if let Some(other) = other {
            self.take_name(to, new_name);
            self.unname(other);
        }
        self.put_name(to, new_name, moved);
        Ok(())
    }

    /// Bytes from `at` on are `data`; a gap before them is zeros.
    pub fn write(&mut self, ino: Ino, at: usize, data: &[u8], kill_priv: bool) {
        let now = self.now;
        let node = self.node(ino);
        let end = at + data.len();
        let size = node.bytes.len().max(end);
        node.bytes.resize(size, 0);
        node.bytes[at..end].copy_from_slice(data);
        node.touch(now);
        if kill_priv {
            node.perm = unprivileged(node.perm);
        }
    }

    pub fn resize(&mut self, ino: Ino, size: usize) {
        let now = self.now;
        let node = self.node(ino);
        node.bytes.resize(size, 0);
        node.touch(now);
    }

    /// Zeros in a range, which ends at the end of the file unless it grows.
    pub fn zero(&mut self, ino: Ino, (from, to): (usize, usize), grow: bool) {
        let now = self.now;
        let node = self.node(ino);
        if grow {
            let size = node.bytes.len().max(to);
            node.bytes.resize(size, 0);
        }
        let size = node.bytes.len();
        node.bytes[from.min(size)..to.min(size)].fill(0);
        node.touch(now);
    }

    pub fn chown(&mut self, ino: Ino, owner: (u32, u32)) {
        let now = self.now;
        let node = self.node(ino);
        node.owner = owner;
        node.times[2] = now;
        if !node.is_dir() {
            node.perm = unprivileged(node.perm);
        }
    }

    pub fn changed(&mut self, ino: Ino) {
        let now = self.now;
        self.node(ino).times[2] = now;
    }
}

/// Without suid, and without sgid where that means a group.
fn unprivileged(perm: u32) -> u32 {
    let group = if perm & GROUP_EXECUTE == 0 { 0 } else { SGID };
    perm & !(SUID | group)
}
