//! The published inode of a file, of a long target, of anything with extended attributes.

use crate::crypto::keys::{ConvKey, ScopeId};
use crate::crypto::publish::Reference;
use crate::format::published::{
    Contents, Inode as PublishedInode, InodeKind, Place, Shape, XattrPlace, complement_sum,
    encode_xattrs,
};
use crate::format::rows::{FileKind, Inode, Published, Xattr};
use crate::sync::changes::Touched;
use crate::sync::error::SyncError;
use crate::sync::prepare::pages::{Bytes, FilePages, Page, Pages};
use crate::sync::prepare::tree::{Old, Tree, Whose};
use crate::sync::prepare::{Preparation, RATE};
use crate::types::Ino;
use crate::types::limits::{PAGE, TARGET_INLINE_MAX};

/// Longest target that stands in the entry.
const TARGET_INLINE: u64 = TARGET_INLINE_MAX as u64;
/// Rows of kept nodes that are looked at together.
const ROWS: usize = 256;

/// What an inode is compared with.
struct Before {
    ino: Ino,
    published: Published,
    inode: Option<PublishedInode>,
}

impl Preparation<'_> {
    /// Settles what is published of an inode; afterwards its row says so. A file of which parts are lost in the network
    /// and not here is left as it was published: the others do not wait for it.
    pub(super) fn contents(&mut self, ino: Ino, touched: &Touched) -> Result<(), SyncError> {
        let settled = self.settle_contents(ino, touched);
        self.current = None;
        match settled {
            Err(error) if error.is_loss() || error.contradicts(ino) => {
                tracing::error!(%ino, %error, "a file cannot be published anew");
                Ok(())
            }
            other => other,
        }
    }

    fn settle_contents(&mut self, ino: Ino, touched: &Touched) -> Result<(), SyncError> {
        let Some(inode) = self.view.inode(ino)?.filter(|inode| inode.nlink > 0) else {
            return Ok(());
        };
        let own = self.kept.published(ino)?;
        if own
            .as_ref()
            .is_some_and(|own| own.publication == self.publication)
            && !self.has_attempts(ino)
        {
            return Ok(());
        }
        let here = self.make(ino, own.as_ref())?;
        self.current = own.clone().map(|own| (ino, own));
        let before = match own.clone() {
            Some(published) => Some((ino, published)),
            None if inode.is_dir() => None,
            None => self.lineage(ino)?,
        };
        if let Some((from, published)) = &before {
            self.keep_apart((ino, here), (*from, published))?;
        }
        let before = before.map(|(from, published)| self.before(ino, (from, published)));
        let before = before.transpose()?;
        // After a recovery only the inode tells it.
        let scope = before.as_ref().map(|before| match &before.inode {
            Some(inode) => inode.scope,
            None => before.published.scope,
        });
        let scope = self.scope(ino, scope)?;
        let xattrs = if inode.xattrs > 0 {
            self.view.xattrs(ino)?
        } else {
            Vec::new()
        };
        let contents = if needs_inode(&inode, &xattrs) {
            Some(self.inode((ino, &inode), (scope, xattrs), before.as_ref(), touched)?)
        } else {
            if own.as_ref().is_some_and(|own| own.contents.is_some()) {
                self.drop_kept(ino, |place| {
                    place == Place::INODE || place.is_behind(None) || is_of_attributes(place)
                })?;
            }
            None
        };
        // What is kept of the names of a directory is still as it was sealed.
        let of_names = own.as_ref().filter(|own| own.directory.is_some());
        let published = Published {
            publication: self.publication,
            scope,
            size: inode.size,
            contents,
            number: of_names.map_or(Some(here), |own| own.number),
            directory: own.and_then(|own| own.directory),
        };
        self.publish(ino, &published);
        self.current = None;
        self.flush_if_large()
    }

    /// What `from` published, and `ino` goes on with.
    fn before(
        &mut self,
        ino: Ino,
        (from, published): (Ino, Published),
    ) -> Result<Before, SyncError> {
        let node = published.contents.as_ref();
        let inode = match node
            .map(|node| self.published_inode(from, node))
            .transpose()
        {
            // What is sealed anew needs nothing of it when all of it is here.
            Err(error)
                if error.is_loss() && self.renews_pages(ino) && !self.view.has_remote(ino)? =>
            {
                self.drop_kept(ino, |_| true)?;
                None
            }
            read => read?,
        };
        Ok(Before {
            ino: from,
            published,
            inode,
        })
    }

    /// One that is no inode is lost: somebody else may have published it.
    fn published_inode(&self, ino: Ino, node: &Reference) -> Result<PublishedInode, SyncError> {
        let plain = self.published(ino, Place::INODE, node)?;
        let inode = PublishedInode::decode(plain.expose(), InodeKind::File);
        inode.map_err(|_| SyncError::corrupt(ino, node))
    }

    fn inode(
        &mut self,
        (ino, inode): (Ino, &Inode),
        (scope, xattrs): (ScopeId, Vec<Xattr>),
        before: Option<&Before>,
        touched: &Touched,
    ) -> Result<Reference, SyncError> {
        let conv = self.conv(ino, &scope)?;
        let (size, contents) = match inode.kind() {
            FileKind::Regular => (
                inode.size,
                self.file((ino, inode.size), &conv, before, touched)?,
            ),
            FileKind::Symlink if inode.size > TARGET_INLINE => {
                let target = &inode.target;
                let of = Whose {
                    ino,
                    lineage: before.map(|before| before.ino),
                    of_attributes: false,
                    anew: self.renews_pages(ino),
                };
                (inode.size, self.bytes(of, target, &conv)?)
            }
            FileKind::Symlink
            | FileKind::Directory
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => (0, Contents::Inline(Box::default())),
        };
        let list = encode_xattrs(&xattrs)?;
        let lineage = before.map(|before| before.ino);
        let are_inline = PublishedInode::holds_xattrs(size, RATE, list.len());
        let known = before.and_then(|before| Some(&before.inode.as_ref()?.xattrs));
        if let Some(XattrPlace::Elsewhere { .. }) = known {
            let len = u64::try_from(list.len()).unwrap_or(u64::MAX);
            let shape = Shape::of(len, RATE).filter(|_| !are_inline);
            self.drop_kept(ino, |place| {
                let behind = place.is_of_attributes() && place.of_file().is_behind(shape);
                behind || are_inline && is_of_attributes(place)
            })?;
        }
        let xattrs = if are_inline {
            XattrPlace::Inline(xattrs)
        } else {
            self.attributes((ino, lineage), &scope, &list, &conv)?
        };
        let published = PublishedInode {
            kind: InodeKind::File,
            scope,
            size,
            contents,
            xattrs,
        };
        self.settle((ino, Place::INODE), lineage, &conv, &published.encode()?)
    }

    fn file(
        &mut self,
        (ino, size): (Ino, u64),
        conv: &ConvKey,
        before: Option<&Before>,
        touched: &Touched,
    ) -> Result<Contents, SyncError> {
        // What was prepared for a cut that was given up says nothing about the base.
        let base = self.base.filter(|(_, publication)| {
            before.is_some_and(|before| {
                before.ino == ino && before.published.publication <= *publication
            })
        });
        let known = before.and_then(|before| Some(&before.inode.as_ref()?.contents));
        let (old, inline) = match (known, before) {
            (Some(Contents::Inline(bytes)), _) => (None, Some(&**bytes)),
            (
                Some(Contents::Tree {
                    shape,
                    children,
                    parity,
                }),
                Some(before),
            ) => {
                let old = Old {
                    ino: before.ino,
                    shape: *shape,
                    children: children.clone(),
                    parity: parity.clone(),
                };
                (Some(old), None)
            }
            _ => (None, None),
        };
        let mut pages = FilePages {
            ino,
            view: self.view,
            since: base
                .filter(|_| !self.renews_pages(ino))
                .map(|(base, _)| (base, touched)),
            inline,
        };
        let groups = old.as_ref().map_or(0, |old| old.parity.len());
        let Some(shape) = Shape::of(size, RATE) else {
            pages.since = None;
            let mut bytes = first_page(&pages, ino)?.to_vec();
            bytes.truncate(usize::try_from(size).unwrap_or(0));
            if old.is_some() {
                self.drop_kept(ino, |place| place.is_behind(None))?;
            }
            self.drop_groups((ino, Place::INODE), 0..groups);
            return Ok(Contents::Inline(bytes.into()));
        };
        let shrunk = old
            .as_ref()
            .is_some_and(|old| old.shape.pages() > shape.pages());
        let of = Whose {
            ino,
            lineage: before.map(|before| before.ino),
            of_attributes: false,
            anew: self.renews_pages(ino),
        };
        let contents = Tree::new(self, (of, conv), shape, old, &pages).build()?;
        if shrunk {
            self.drop_kept(ino, |place| place.is_behind(Some(shape)))?;
        }
        if let Contents::Tree { parity, .. } = &contents {
            self.drop_groups((ino, Place::INODE), parity.len()..groups);
        }
        Ok(contents)
    }

    /// Contents that no other row has: all of it is kept as it is sealed.
    fn bytes(&mut self, of: Whose, bytes: &[u8], conv: &ConvKey) -> Result<Contents, SyncError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match Shape::of(size, RATE) {
            None => Ok(Contents::Inline(bytes.into())),
            Some(shape) => Tree::new(self, (of, conv), shape, None, &Bytes(bytes)).build(),
        }
    }

    /// The inode that holds the attributes, and its parity.
    fn attributes(
        &mut self,
        (ino, lineage): (Ino, Option<Ino>),
        scope: &ScopeId,
        list: &[u8],
        conv: &ConvKey,
    ) -> Result<XattrPlace, SyncError> {
        let of = Whose {
            ino,
            lineage,
            of_attributes: true,
            anew: self.renews(ino),
        };
        let published = PublishedInode {
            kind: InodeKind::Attributes,
            scope: *scope,
            size: u64::try_from(list.len()).unwrap_or(u64::MAX),
            contents: self.bytes(of, list, conv)?,
            xattrs: XattrPlace::Inline(Vec::new()),
        };
        let plain = published.encode()?;
        let place = Place::INODE.of_attributes();
        let node = self.settle((ino, place), lineage, conv, &plain)?;
        let sum = complement_sum([plain.expose()]);
        let place = Place::parity_of_attributes();
        let parity = Some(self.settle((ino, place), lineage, conv, &sum)?);
        Ok(XattrPlace::Elsewhere { node, parity })
    }

    /// Gives up what is kept at places that are no more.
    fn drop_kept(&mut self, ino: Ino, is_gone: impl Fn(Place) -> bool) -> Result<(), SyncError> {
        let mut next = Some(0);
        while let Some(from) = next {
            let rows = self.kept.places(ino, from, ROWS)?;
            next = rows.last().map(|(bucket, _)| bucket.saturating_add(1));
            for (bucket, nodes) in rows {
                for (position, _) in &nodes.0 {
                    let place = Place::of_row(bucket, *position);
                    if is_gone(place) {
                        self.drop_place(ino, place);
                    }
                }
            }
            self.flush_if_large()?;
        }
        Ok(())
    }
}

/// Whether it belongs to attributes that find no room in the inode.
fn is_of_attributes(place: Place) -> bool {
    place.is_of_attributes() || place == Place::parity_of_attributes()
}

/// Whether there is more to tell of an inode than its entry does.
fn needs_inode(inode: &Inode, xattrs: &[Xattr]) -> bool {
    let own = match inode.kind() {
        FileKind::Regular => inode.size > 0,
        FileKind::Symlink => inode.size > TARGET_INLINE,
        FileKind::Directory
        | FileKind::Fifo
        | FileKind::Socket
        | FileKind::CharDevice
        | FileKind::BlockDevice => false,
    };
    own || !xattrs.is_empty()
}

/// The first page of a file whose contents stand in its inode.
fn first_page(pages: &FilePages<'_>, ino: Ino) -> Result<Box<[u8; PAGE]>, SyncError> {
    match pages.load(0..1)?.pop() {
        Some(Page::Data(bytes) | Page::Loose(bytes)) => Ok(bytes),
        Some(Page::Hole) | None => Ok(Box::new([0; PAGE])),
        Some(Page::Same) => {
            let why = "a page that is not here was never published";
            Err(SyncError::Contradiction(ino, why))
        }
    }
}
