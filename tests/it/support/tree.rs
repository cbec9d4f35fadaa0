//! What a folder must hold after a list of operations: the oracle of the crash tests.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::support::operation::Operation;
use crate::support::operation::XATTR;
use crate::support::random::Random;

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    File(Vec<u8>),
    Folder,
    Symlink(String),
}

/// An inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub kind: Kind,
    pub mode: u32,
    pub xattr: Option<Vec<u8>>,
}

/// Names and inodes below one folder; names are relative paths.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub names: BTreeMap<String, u64>,
    pub nodes: BTreeMap<u64, Node>,
    last: u64,
}

/// What was found at a name, with the number of names that its inode claims to have.
pub type Seen = BTreeMap<String, (Node, u64)>;

impl Tree {
    pub fn add(&mut self, name: &str, kind: Kind, mode: u32) {
        self.last += 1;
        self.nodes.insert(
            self.last,
            Node {
                kind,
                mode,
                xattr: None,
            },
        );
        self.names.insert(name.to_owned(), self.last);
    }

    pub fn node_mut(&mut self, name: &str) -> &mut Node {
        self.nodes.get_mut(&self.names[name]).unwrap()
    }

    pub fn contents(&mut self, name: &str) -> &mut Vec<u8> {
        match &mut self.node_mut(name).kind {
            Kind::File(bytes) => bytes,
            Kind::Folder | Kind::Symlink(_) => panic!("{name} is not a file"),
        }
    }

    /// Takes a name away; its inode goes with the last one.
    pub fn remove(&mut self, name: &str) {
        if let Some(id) = self.names.remove(name)
            && self.links(id) == 0
        {
            self.nodes.remove(&id);
        }
    }

    pub fn links(&self, id: u64) -> u64 {
        self.names.values().filter(|other| **other == id).count() as u64
    }

    /// Names that `wanted` accepts.
    pub fn select(&self, wanted: impl Fn(&Kind) -> bool) -> Vec<String> {
        let fits = |(name, id): (&String, &u64)| wanted(&self.nodes[id].kind).then(|| name.clone());
        self.names.iter().filter_map(fits).collect()
    }

    pub fn pick(&self, random: &mut Random, wanted: impl Fn(&Kind) -> bool) -> Option<String> {
        let mut all = self.select(wanted);
        if all.is_empty() {
            None
        } else {
            Some(all.swap_remove(random.index(all.len())))
        }
    }

    /// Whether exactly this was found; else the first difference.
    pub fn compare(&self, seen: &Seen) -> Result<(), String> {
        self.compare_known(seen, &BTreeSet::new())
    }

    /// The same, leaving out what could not be read and everything below it.
    pub fn compare_known(&self, seen: &Seen, unreadable: &BTreeSet<String>) -> Result<(), String> {
        let known = |name: &str| {
            Path::new(name)
                .ancestors()
                .all(|up| !unreadable.contains(up.to_str().unwrap()))
        };
        for (name, id) in self.names.iter().filter(|(name, _)| known(name)) {
            let Some((node, links)) = seen.get(name) else {
                return Err(format!("{name} is missing"));
            };
            let expected = &self.nodes[id];
            if node != expected {
                return Err(format!("{name} differs: {}", difference(expected, node)));
            }
            if matches!(expected.kind, Kind::File(_)) && *links != self.links(*id) {
                return Err(format!("{name} has {links} links, not {}", self.links(*id)));
            }
        }
        match seen.keys().find(|name| !self.names.contains_key(*name)) {
            Some(name) => Err(format!("{name} should not be there")),
            None => Ok(()),
        }
    }

    /// Applies a list of operations.
    pub fn replay(&mut self, operations: &[Operation]) {
        for operation in operations {
            operation.apply(self);
        }
    }
}

fn difference(expected: &Node, found: &Node) -> String {
    if let (Kind::File(expected), Kind::File(found)) = (&expected.kind, &found.kind)
        && expected != found
    {
        let at = expected.iter().zip(found).position(|(a, b)| a != b);
        let lengths = format!("{} bytes expected, {} found", expected.len(), found.len());
        return format!("{lengths}, first difference at {at:?}");
    }
    let short = |node: &Node| {
        format!(
            "mode {:o}, xattr {:?}",
            node.mode,
            node.xattr.as_ref().map(Vec::len)
        )
    };
    format!("expected {}, found {}", short(expected), short(found))
}

/// Reads everything below `dir`.
pub fn look(dir: &Path) -> io::Result<Seen> {
    let (seen, unreadable) = look_at_damage(dir)?;
    match unreadable.first() {
        Some(name) => Err(io::Error::other(format!("{name:?} cannot be read: EIO"))),
        None => Ok(seen),
    }
}

/// Reads what can be read below `dir`; gives the names where the answer was `EIO` too, `""` for `dir` itself.
pub fn look_at_damage(dir: &Path) -> io::Result<(Seen, BTreeSet<String>)> {
    let (mut seen, mut unreadable) = (Seen::new(), BTreeSet::new());
    let mut folders = vec![String::new()];
    while let Some(below) = folders.pop() {
        for name in list(dir, &below, &mut unreadable)? {
            let name = Path::new(&below).join(name).to_str().unwrap().to_owned();
            let Some((node, links)) =
                unless_damaged(&name, read(&dir.join(&name)), &mut unreadable)?
            else {
                continue;
            };
            if node.kind == Kind::Folder {
                folders.push(name.clone());
            }
            seen.insert(name, (node, links));
        }
    }
    Ok((seen, unreadable))
}

/// The names that can be had; a folder that broke off is unreadable.
fn list(dir: &Path, below: &str, unreadable: &mut BTreeSet<String>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    let Some(entries) = unless_damaged(below, fs::read_dir(dir.join(below)), unreadable)? else {
        return Ok(names);
    };
    for entry in entries {
        match unless_damaged(below, entry, unreadable)? {
            Some(entry) => names.push(entry.file_name()),
            None => break,
        }
    }
    Ok(names)
}

fn unless_damaged<T>(
    name: &str,
    outcome: io::Result<T>,
    unreadable: &mut BTreeSet<String>,
) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
            unreadable.insert(name.to_owned());
            Ok(None)
        }
        Err(error) => Err(io::Error::other(format!("{name:?}: {error}"))),
    }
}

fn read(path: &Path) -> io::Result<(Node, u64)> {
    let stat = fs::symlink_metadata(path)?;
    let kind = if stat.is_symlink() {
        Kind::Symlink(fs::read_link(path)?.to_str().unwrap().to_owned())
    } else if stat.is_dir() {
        Kind::Folder
    } else {
        Kind::File(fs::read(path)?)
    };
    let node = Node {
        mode: mode_of(&kind, stat.mode()),
        xattr: xattr(path, &kind)?,
        kind,
    };
    Ok((node, stat.nlink()))
}

/// Symlinks have no mode of their own.
fn mode_of(kind: &Kind, mode: u32) -> u32 {
    if matches!(kind, Kind::Symlink(_)) {
        0o777
    } else {
        mode & 0o7777
    }
}

fn xattr(path: &Path, kind: &Kind) -> io::Result<Option<Vec<u8>>> {
    if matches!(kind, Kind::Symlink(_)) {
        return Ok(None);
    }
    let mut value = vec![0; 4096];
    match rustix::fs::lgetxattr(path, XATTR, value.as_mut_slice()) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(rustix::io::Errno::NODATA) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
