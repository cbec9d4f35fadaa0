use crate::crypto::Secret;
use crate::crypto::keys::ScopeId;
use crate::crypto::publish::REFERENCE_LEN;
use crate::crypto::publish::Reference;
use crate::format::published::header::{self, Header, Kind};
use crate::format::published::parity::{fits, parity_len};
use crate::format::published::reference::{put, put_slot, take, take_slot, take_slots};
use crate::format::published::shape::{Rate, Shape};
use crate::format::published::xattr::{decode_xattrs, encode_xattrs};
use crate::format::rows::Xattr;
use crate::format::wire::{Malformed, Reader};
use crate::types::limits::{FILE_SIZE_MAX, INLINE_MAX, PAGE};

/// Value of the length of the attributes that says: they stand in a node of their own.
const ELSEWHERE: u16 = u16::MAX;
/// Bytes before the contents: header, scope, two groups, two zeros.
const HEAD: usize = 36;

/// What the inode is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InodeKind {
    /// A file, a long symlink (its contents are the target), or any other thing that has attributes.
    File,
    /// The extended attributes of another inode: its contents are their encoding, and it has none itself.
    Attributes,
}

/// Where the contents are.
#[derive(Clone, PartialEq, Eq)]
pub enum Contents {
    /// Here: at most [`INLINE_MAX`] bytes.
    Inline(Box<[u8]>),
    /// In pages.
    Tree {
        /// The shape that the size gives.
        shape: Shape,
        /// Its topmost nodes, or the pages themselves, holes included.
        children: Vec<Option<Reference>>,
        /// One for each group of children; a hole when all of the group are holes.
        parity: Vec<Option<Reference>>,
    },
}

/// Where the extended attributes are.
#[derive(Clone, PartialEq, Eq)]
pub enum XattrPlace {
    /// Here, in the order of their names; they fit.
    Inline(Vec<Xattr>),
    /// In an inode of kind [`InodeKind::Attributes`].
    Elsewhere {
        /// That inode.
        node: Reference,
        /// Its parity, alone in its group.
        parity: Option<Reference>,
    },
}

/// Contents and extended attributes. It holds no mode, owner, time or name: the directory entry is the authority, so
/// that a file which is renamed or touched keeps its inode.
#[derive(Clone, PartialEq, Eq)]
pub struct Inode {
    /// What it is of.
    pub kind: InodeKind,
    /// Lineage under whose key the file was sealed; who writes it next goes on with it.
    pub scope: ScopeId,
    /// Bytes.
    pub size: u64,
    /// The contents.
    pub contents: Contents,
    /// The extended attributes.
    pub xattrs: XattrPlace,
}

impl Inode {
    /// Whether attributes that encode to `bytes` stand in an inode whose contents have this size.
    pub fn holds_xattrs(size: u64, rate: Rate, bytes: usize) -> bool {
        let contents = match Shape::of(size, rate) {
            None => usize::try_from(size).unwrap_or(usize::MAX),
            Some(shape) => slots(shape).saturating_mul(REFERENCE_LEN),
        };
        bytes <= PAGE.saturating_sub(HEAD).saturating_sub(contents)
    }

    /// Header (level and group of the children, count: children, length: attributes, value: size), scope 16, group of
    /// pages u8, group of nodes u8, two zeros, contents, attributes, zeros.
    ///
    /// # Errors
    /// When the fields contradict each other, or the attributes do not fit.
    pub fn encode(&self) -> Result<Secret<PAGE>, Malformed> {
        self.check()?;
        let inline = match &self.xattrs {
            XattrPlace::Inline(xattrs) => Some(encode_xattrs(xattrs)?),
            XattrPlace::Elsewhere { .. } => None,
        };
        let length = inline.as_ref().map_or(ELSEWHERE, |bytes| {
            u16::try_from(bytes.len()).unwrap_or(ELSEWHERE)
        });
        let (rate, level, count) = match &self.contents {
            Contents::Inline(_) => (Rate::NONE, 0, 0),
            Contents::Tree {
                shape, children, ..
            } => (shape.rate(), shape.level(), children.len()),
        };
        let mut out = Header {
            level,
            group: rate.group(level),
            count: u16::try_from(count).unwrap_or(u16::MAX),
            length,
            value: self.size,
        }
        .begin(self.kind.node());
        out.extend_from_slice(&self.scope.0);
        out.extend_from_slice(&[rate.pages, rate.nodes, 0, 0]);
        match &self.contents {
            Contents::Inline(bytes) => out.extend_from_slice(bytes),
            Contents::Tree {
                children, parity, ..
            } => {
                for slot in children.iter().chain(parity) {
                    put_slot(&mut out, slot.as_ref());
                }
            }
        }
        if let XattrPlace::Elsewhere { node, parity } = &self.xattrs {
            put(&mut out, node);
            put_slot(&mut out, parity.as_ref());
        }
        out.extend_from_slice(&inline.unwrap_or_default());
        header::finish(out, self.kind.node().name())
    }

    /// Reads an inode of that kind.
    pub fn decode(bytes: &[u8], kind: InodeKind) -> Result<Self, Malformed> {
        let (header, mut reader) = Header::open(bytes, kind.node())?;
        let scope = ScopeId(reader.array()?);
        let [pages, nodes, zeros @ ..]: [u8; 4] = reader.array()?;
        let rate = Rate { pages, nodes };
        let shape = Shape::of(header.value, rate);
        let level = shape.map_or(0, Shape::level);
        let count = shape.map_or(0, Shape::children);
        let good = zeros == [0; 2]
            && (shape.is_some() || rate == Rate::NONE)
            && header.value <= FILE_SIZE_MAX
            && (header.level, header.group) == (level, rate.group(level))
            && u64::from(header.count) == count;
        if !good {
            return Err(reader.malformed());
        }
        let inode = Self {
            kind,
            scope,
            size: header.value,
            contents: contents(&mut reader, header, shape)?,
            xattrs: xattrs(&mut reader, header.length)?,
        };
        header::zeros(reader)?;
        inode.check()?;
        Ok(inode)
    }

    fn check(&self) -> Result<(), Malformed> {
        let contents = match &self.contents {
            Contents::Inline(bytes) => {
                self.size <= INLINE_MAX && u64::try_from(bytes.len()) == Ok(self.size)
            }
            Contents::Tree {
                shape,
                children,
                parity,
            } => {
                Shape::of(self.size, shape.rate()) == Some(*shape)
                    && u64::try_from(children.len()) == Ok(shape.children())
                    && fits(children, shape.rate().group(shape.level()), parity)
            }
        };
        let kind = self.kind == InodeKind::File
            || self.size > 0
                && matches!(&self.xattrs, XattrPlace::Inline(xattrs) if xattrs.is_empty());
        if contents && kind && self.size <= FILE_SIZE_MAX {
            Ok(())
        } else {
            Err(Malformed(self.kind.node().name()))
        }
    }
}

impl InodeKind {
    const fn node(self) -> Kind {
        match self {
            Self::File => Kind::Inode,
            Self::Attributes => Kind::Attributes,
        }
    }
}

/// References that the children of the inode and their parity take.
fn slots(shape: Shape) -> usize {
    let children = usize::try_from(shape.children()).unwrap_or(usize::MAX);
    let group = shape.rate().group(shape.level());
    children.saturating_add(parity_len(children, group))
}

fn contents(
    reader: &mut Reader<'_>,
    header: Header,
    shape: Option<Shape>,
) -> Result<Contents, Malformed> {
    let Some(shape) = shape else {
        let len = usize::try_from(header.value).map_err(|_| reader.malformed())?;
        return Ok(Contents::Inline(reader.bytes(len)?.into()));
    };
    let count = usize::from(header.count);
    Ok(Contents::Tree {
        shape,
        children: take_slots(reader, count)?,
        parity: take_slots(reader, parity_len(count, header.group))?,
    })
}

fn xattrs(reader: &mut Reader<'_>, length: u16) -> Result<XattrPlace, Malformed> {
    Ok(match length {
        ELSEWHERE => XattrPlace::Elsewhere {
            node: take(reader)?,
            parity: take_slot(reader)?,
        },
        inline => XattrPlace::Inline(decode_xattrs(reader.bytes(inline.into())?)?),
    })
}
