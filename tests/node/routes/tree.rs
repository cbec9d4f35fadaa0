//! Files as trees of chunks: the splitter and the joiner, without redundancy and encryption.

use podfs::types::Address;

use crate::node::disk::Held;
use crate::node::hash::{Chunk, PAYLOAD_MAX, SPAN, content_address, span_of};

/// Children of an intermediate chunk.
const BRANCHES: usize = 128;
/// Levels of chunks in the deepest tree that Bee writes.
const LEVELS: usize = 9;

/// Splits bytes as they come, and hands out each chunk when it is whole.
pub struct Splitter<P> {
    put: P,
    leaf: Vec<u8>,
    /// Of each level, the chunks that have no parent yet: address and bytes of the file below.
    levels: Vec<Vec<(Address, u64)>>,
    any: bool,
}

impl<E, P: FnMut(Chunk) -> Result<(), E>> Splitter<P> {
    pub fn new(put: P) -> Self {
        Self {
            put,
            leaf: Vec::with_capacity(PAYLOAD_MAX),
            levels: vec![Vec::new(); LEVELS],
            any: false,
        }
    }

    pub fn add(&mut self, mut bytes: &[u8]) -> Result<(), E> {
        while !bytes.is_empty() {
            let room = PAYLOAD_MAX - self.leaf.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.leaf.extend_from_slice(now);
            bytes = later;
            if self.leaf.len() == PAYLOAD_MAX {
                self.end_leaf()?;
            }
        }
        Ok(())
    }

    fn end_leaf(&mut self) -> Result<(), E> {
        let leaf = std::mem::take(&mut self.leaf);
        self.any = true;
        self.emit(0, leaf.len() as u64, &leaf)
    }

    /// Hands out a chunk, and its parent when that is full.
    fn emit(&mut self, level: usize, span: u64, payload: &[u8]) -> Result<(), E> {
        let chunk = Chunk::content([&span.to_le_bytes(), payload].concat());
        let chunk = chunk.expect("at most 4096 bytes of payload");
        self.levels[level].push((chunk.address, span));
        (self.put)(chunk)?;
        if self.levels[level].len() == BRANCHES {
            self.wrap(level)?;
        }
        Ok(())
    }

    fn wrap(&mut self, level: usize) -> Result<(), E> {
        let children = std::mem::take(&mut self.levels[level]);
        let span = children.iter().map(|(_, span)| span).sum();
        let payload: Vec<u8> = children.iter().flat_map(|(address, _)| address.0).collect();
        self.emit(level + 1, span, &payload)
    }

    /// The root. A last child without siblings moves up as it is.
    pub fn finish(mut self) -> Result<Address, E> {
        if !self.leaf.is_empty() || !self.any {
            self.end_leaf()?;
        }
        for level in 0..LEVELS {
            let above = self.levels[level + 1..].iter().any(|held| !held.is_empty());
            match self.levels[level].len() {
                0 => {}
                1 if !above => return Ok(self.levels[level][0].0),
                1 => {
                    let lone = self.levels[level].remove(0);
                    self.levels[level + 1].push(lone);
                    if self.levels[level + 1].len() == BRANCHES {
                        self.wrap(level + 1)?;
                    }
                }
                _ => self.wrap(level)?,
            }
        }
        unreachable!("no file is that long")
    }
}

/// Why a file cannot be joined.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// A chunk was not found.
    Missing,
    /// A chunk is no part of such a tree.
    Malformed,
}

/// Reads a file from its chunks; `find` gives their bytes.
pub struct Joiner<F> {
    find: F,
    /// The chunks from the root down to the last leaf that was read: where each begins in the file, and its bytes.
    path: Vec<(u64, Vec<u8>)>,
}

impl<F: FnMut(&Address) -> Option<Held>> Joiner<F> {
    /// A joiner of the file below this root, `span ‖ payload`.
    pub fn new(root: Vec<u8>, find: F) -> Self {
        Self {
            find,
            path: vec![(0, root)],
        }
    }

    pub fn len(&self) -> u64 {
        span_of(&self.path[0].1)
    }

    /// The bytes of the leaf around `offset`, from there on.
    pub fn leaf(&mut self, offset: u64) -> Result<Vec<u8>, Broken> {
        while self.path.len() > 1 {
            let (start, bytes) = &self.path[self.path.len() - 1];
            if (*start..start + span_of(bytes)).contains(&offset) {
                break;
            }
            self.path.pop();
        }
        loop {
            let (start, bytes) = &self.path[self.path.len() - 1];
            let span = span_of(bytes);
            let payload = &bytes[SPAN..];
            if span <= PAYLOAD_MAX as u64 {
                if payload.len() as u64 != span {
                    return Err(Broken::Malformed);
                }
                let skip = usize::try_from(offset - start).unwrap();
                return Ok(payload[skip..].to_vec());
            }
            let (child, begin) = child(span, payload, offset - start)?;
            let begin = start + begin;
            let address = Address(*payload[child * 32..].first_chunk().unwrap());
            let found = (self.find)(&address).ok_or(Broken::Missing)?.read();
            let whole = content_address(&found) == Some(address);
            if !whole || self.path.len() >= LEVELS || span_of(&found) >= span {
                return Err(Broken::Malformed);
            }
            self.path.push((begin, found));
        }
    }
}

/// Which child of an intermediate chunk holds `offset`, and where that child begins.
fn child(span: u64, payload: &[u8], offset: u64) -> Result<(usize, u64), Broken> {
    let size = subtree(span);
    let children = payload.len() / 32;
    if !payload.len().is_multiple_of(32) || children as u64 != span.div_ceil(size) {
        return Err(Broken::Malformed);
    }
    let child = usize::try_from(offset / size).unwrap();
    Ok((child, child as u64 * size))
}

/// Bytes below each child but the last.
fn subtree(span: u64) -> u64 {
    let mut size = PAYLOAD_MAX as u64;
    while size.saturating_mul(BRANCHES as u64) < span {
        size *= BRANCHES as u64;
    }
    size
}

/// All chunks below a root, itself included, each shown with its bytes.
pub fn walk(
    root: &Address,
    find: &mut impl FnMut(&Address) -> Option<Held>,
    show: &mut impl FnMut(&Address, &Held),
) -> Result<(), Broken> {
    let mut left = vec![(*root, 0)];
    while let Some((address, depth)) = left.pop() {
        let held = find(&address).ok_or(Broken::Missing)?;
        let bytes = held.read();
        show(&address, &held);
        let content = content_address(&bytes) == Some(address);
        if !content || span_of(&bytes) <= PAYLOAD_MAX as u64 {
            continue;
        }
        if depth >= LEVELS {
            return Err(Broken::Malformed);
        }
        let (references, rest) = bytes[SPAN..].as_chunks::<32>();
        if !rest.is_empty() {
            return Err(Broken::Malformed);
        }
        left.extend(references.iter().map(|child| (Address(*child), depth + 1)));
    }
    Ok(())
}
