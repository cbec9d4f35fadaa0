//! One change of a folder, small enough to be one request: there wholly or not at all.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::FallocateFlags;
use rustix::fs::XattrFlags;

use crate::support::random::Random;
use crate::support::tree::Kind;
use crate::support::tree::Seen;
use crate::support::tree::Tree;

/// The one attribute that the operations set.
pub const XATTR: &str = "user.test";

/// Names in a tree, bytes in a file, at most.
const NAMES_MAX: usize = 60;
const FILE_MAX: u64 = 600 << 10;

/// A change, or a request to make changes durable.
#[derive(Clone, Debug)]
pub enum Operation {
    Create {
        name: String,
        mode: u32,
    },
    Write {
        name: String,
        at: u64,
        len: usize,
        seed: u64,
    },
    Truncate {
        name: String,
        len: u64,
    },
    Punch {
        name: String,
        at: u64,
        len: u64,
    },
    Mkdir {
        name: String,
    },
    Symlink {
        name: String,
        target: String,
    },
    Link {
        from: String,
        to: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Unlink {
        name: String,
    },
    Rmdir {
        name: String,
    },
    Chmod {
        name: String,
        mode: u32,
    },
    SetXattr {
        name: String,
        len: usize,
        seed: u64,
    },
    Sync {
        name: String,
    },
}

impl Operation {
    /// One that is valid now.
    pub fn choose(tree: &Tree, random: &mut Random) -> Self {
        loop {
            if let Some(operation) = Self::attempt(tree, random) {
                return operation;
            }
        }
    }

    fn attempt(tree: &Tree, random: &mut Random) -> Option<Self> {
        let file = |random: &mut Random| tree.pick(random, |kind| matches!(kind, Kind::File(_)));
        let room = tree.names.len() < NAMES_MAX;
        Some(match random.below(100) {
            0..12 if room => Self::Create {
                name: fresh(tree, random),
                mode: 0o600 | (0o100 & mode(random)),
            },
            12..52 => {
                let (name, (at, len)) = (file(random)?, range(random));
                Self::Write {
                    name,
                    at,
                    len,
                    seed: random.next(),
                }
            }
            52..57 => Self::Truncate {
                name: file(random)?,
                len: range(random).0,
            },
            57..60 => {
                let (name, (at, len)) = (file(random)?, range(random));
                Self::Punch {
                    name,
                    at,
                    len: len as u64,
                }
            }
            60..63 if room => Self::Mkdir {
                name: fresh(tree, random),
            },
            63..66 if room => Self::Symlink {
                name: fresh(tree, random),
                target: "x".repeat(1 + random.index(150)),
            },
            66..69 if room => Self::Link {
                from: file(random)?,
                to: fresh(tree, random),
            },
            69..79 => {
                let from = tree.pick(random, |kind| *kind != Kind::Folder)?;
                let over = file(random).filter(|_| random.below(2) == 0);
                let to = over.unwrap_or_else(|| fresh(tree, random));
                // rename(2): nothing happens between two names of one inode; nothing to learn from it.
                (tree.names.get(&from) != tree.names.get(&to))
                    .then_some(Self::Rename { from, to })?
            }
            79..85 => Self::Unlink {
                name: tree.pick(random, |kind| *kind != Kind::Folder)?,
            },
            85..86 => {
                let name = tree.pick(random, |kind| *kind == Kind::Folder)?;
                let below = format!("{name}/");
                (!tree.names.keys().any(|other| other.starts_with(&below)))
                    .then_some(Self::Rmdir { name })?
            }
            86..90 => Self::Chmod {
                name: file(random)?,
                mode: 0o600 | (0o77 & mode(random)),
            },
            90..94 => Self::SetXattr {
                name: file(random)?,
                len: random.index(900),
                seed: random.next(),
            },
            94..97 => Self::Sync {
                name: tree.pick(random, |kind| !matches!(kind, Kind::Symlink(_)))?,
            },
            _ => return None,
        })
    }

    /// Applies it; tells whether this, or a part of it that a crash may leave, is what was found. The kernel sends a
    /// write that begins inside a page as two requests: up to the end of that page, and the rest.
    pub fn ends_here(&self, tree: &mut Tree, seen: &Seen) -> bool {
        if let Self::Write {
            name,
            at,
            len,
            seed,
        } = self
        {
            let head = 4096 - usize::try_from(at % 4096).unwrap();
            if head < *len {
                Self::Write {
                    name: name.clone(),
                    at: *at,
                    len: head,
                    seed: *seed,
                }
                .apply(tree);
                if tree.compare(seen).is_ok() {
                    return true;
                }
            }
        }
        self.apply(tree);
        tree.compare(seen).is_ok()
    }

    /// What it means.
    pub fn apply(&self, tree: &mut Tree) {
        match self {
            Self::Create { name, mode } => tree.add(name, Kind::File(Vec::new()), *mode),
            Self::Write {
                name,
                at,
                len,
                seed,
            } => {
                let (at, bytes) = (usize::try_from(*at).unwrap(), tree.contents(name));
                bytes.resize(bytes.len().max(at + len), 0);
                bytes[at..at + len].copy_from_slice(&Random::seeded(*seed).bytes(*len));
            }
            Self::Truncate { name, len } => tree
                .contents(name)
                .resize(usize::try_from(*len).unwrap(), 0),
            Self::Punch { name, at, len } => {
                let bytes = tree.contents(name);
                let end = usize::try_from(at + len).unwrap().min(bytes.len());
                let at = usize::try_from(*at).unwrap().min(end);
                bytes[at..end].fill(0);
            }
            Self::Mkdir { name } => tree.add(name, Kind::Folder, 0o700),
            Self::Symlink { name, target } => tree.add(name, Kind::Symlink(target.clone()), 0o777),
            Self::Link { from, to } => {
                let id = tree.names[from];
                tree.names.insert(to.clone(), id);
            }
            Self::Rename { from, to } => {
                tree.remove(to);
                let id = tree.names.remove(from).unwrap();
                tree.names.insert(to.clone(), id);
            }
            Self::Unlink { name } | Self::Rmdir { name } => tree.remove(name),
            Self::Chmod { name, mode } => tree.node_mut(name).mode = *mode,
            Self::SetXattr { name, len, seed } => {
                tree.node_mut(name).xattr = Some(Random::seeded(*seed).bytes(*len));
            }
            Self::Sync { .. } => {}
        }
    }

    /// Does it below `dir`.
    pub fn perform(&self, dir: &Path) -> io::Result<()> {
        let open = |name: &String| File::options().read(true).write(true).open(dir.join(name));
        match self {
            Self::Create { name, mode } => {
                let path = dir.join(name);
                File::options()
                    .write(true)
                    .create_new(true)
                    .mode(*mode)
                    .open(path)
                    .map(drop)
            }
            Self::Write {
                name,
                at,
                len,
                seed,
            } => {
                let bytes = Random::seeded(*seed).bytes(*len);
                let count = open(name)?.write_at(&bytes, *at)?;
                if count == *len {
                    Ok(())
                } else {
                    Err(io::Error::other(format!("wrote {count} of {len} bytes")))
                }
            }
            Self::Truncate { name, len } => open(name)?.set_len(*len),
            Self::Punch { name, at, len } => {
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                Ok(rustix::fs::fallocate(
                    open(name)?,
                    flags,
                    *at,
                    (*len).max(1),
                )?)
            }
            Self::Mkdir { name } => fs::DirBuilder::new().mode(0o700).create(dir.join(name)),
            Self::Symlink { name, target } => std::os::unix::fs::symlink(target, dir.join(name)),
            Self::Link { from, to } => fs::hard_link(dir.join(from), dir.join(to)),
            Self::Rename { from, to } => fs::rename(dir.join(from), dir.join(to)),
            Self::Unlink { name } => fs::remove_file(dir.join(name)),
            Self::Rmdir { name } => fs::remove_dir(dir.join(name)),
            Self::Chmod { name, mode } => {
                fs::set_permissions(dir.join(name), fs::Permissions::from_mode(*mode))
            }
            Self::SetXattr { name, len, seed } => {
                let value = Random::seeded(*seed).bytes(*len);
                Ok(rustix::fs::setxattr(
                    dir.join(name),
                    XATTR,
                    &value,
                    XattrFlags::empty(),
                )?)
            }
            Self::Sync { name } => File::open(dir.join(name))?.sync_all(),
        }
    }
}

fn fresh(tree: &Tree, random: &mut Random) -> String {
    let folder = tree
        .pick(random, |kind| *kind == Kind::Folder)
        .filter(|_| random.below(3) > 0);
    let name = format!("{:x}", random.next());
    folder.map_or(name.clone(), |folder| format!("{folder}/{name}"))
}

fn mode(random: &mut Random) -> u32 {
    u32::try_from(random.below(0o1000)).unwrap()
}

/// Mostly short, sometimes long, often at the edge of a page.
fn range(random: &mut Random) -> (u64, usize) {
    let len = match random.below(10) {
        0..5 => 1 + random.below(600),
        5..7 => 4096,
        7..9 => 1 + random.below(20_000),
        _ => 1 + random.below(250_000),
    };
    let at = random.below(FILE_MAX - len) >> random.below(20);
    let at = if random.below(3) == 0 { at & !4095 } else { at };
    (at, usize::try_from(len).unwrap())
}
