//! What podfs tells programs: `.pod` in the top directory, which is found by name and not listed, with files that are
//! made as they are opened. Nothing of it is in the log; what podfs keeps under the same name is never shown.

use std::pin::Pin;
use std::sync::{Arc, Weak};

use crate::format::rows::FileKind;
use crate::pod::attr::Attr;
use crate::pod::dir::Entry;
use crate::pod::error::PodError;
use crate::pod::state::is_reserved;
use crate::pod::xattr::XattrMode;
use crate::pod::{Caller, Pod};
use crate::types::{Ino, ROOT, TOLD, Timespec};

/// Under this, with the name of a contact behind it, stands what an inode is shared with them for.
const SHARE: &[u8] = b"user.pod.share.";
/// All of these.
const SHARES: &[u8] = b"user.pod.shares";
/// Items that are read at a time.
const SCAN: usize = 128;
/// Cookie of the first item of a listing is one more than its place and this.
const FIRST: u64 = 16;
/// Numbers of items begin here; every other one is of the second directory.
const ITEMS: u64 = 1 << 8;

/// A file that is made as it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// `status`: how the pod is, as `podfs status --json` says it.
    Status,
    /// `audit.jsonl`: the audit log, as `podfs audit --json` says it.
    Audit,
    /// In a directory, at a place.
    Item(Drawer, u64),
}

/// A directory of such files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawer {
    /// `inbox`: messages that came.
    Inbox,
    /// `requests`: what was asked for, here and by others.
    Requests,
}

/// A file in one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its place in the order of the directory, below 2⁴⁴: never that of another one.
    pub place: u64,
    /// Its name.
    pub name: String,
    /// Since when it is there.
    pub since: Timespec,
}

/// What takes a while.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, PodError>> + Send + 'a>>;

/// Who knows what to tell, and shares what a program says.
pub trait Desk: Send + Sync {
    /// Up to `limit` items of a directory behind a place, in order. Prompt.
    fn items(
        &self,
        drawer: Drawer,
        behind: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Item>, PodError>;

    /// The item of that name. Prompt.
    fn find(&self, drawer: Drawer, name: &str) -> Result<Option<Item>, PodError>;

    /// What is to be read.
    fn read(&self, told: Told) -> Doing<'_, Vec<u8>>;

    /// The rights under which an inode is shared with a contact. Prompt.
    fn shared_with(&self, ino: Ino, who: &str, asked: Caller) -> Result<Option<String>, PodError>;

    /// All contacts that an inode is shared with, a line each: rights, a tab, the name. Prompt.
    fn all_shared_with(&self, ino: Ino, asked: Caller) -> Result<String, PodError>;

    /// Shares an inode with a contact, under these rights.
    fn share(&self, ino: Ino, wish: ShareWish, asked: Caller) -> Doing<'_, ()>;

    /// A file could not be read. Prompt.
    fn failed(&self, ino: Ino, error: &PodError);

    /// A program opened a file. Prompt.
    fn opened(&self, ino: Ino, opening: Opening);

    /// Shares it no more.
    fn unshare(&self, ino: Ino, who: String, asked: Caller) -> Doing<'_, ()>;
}

/// How a program opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The thread that does, 0 when it cannot be seen from here.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Whether it may write.
    pub writes: bool,
}

/// What a program wants to be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareWish {
    /// Name of the contact.
    pub who: String,
    /// Rights, as `podfs share --rights` takes them.
    pub rights: String,
    /// Whether it must be new, or must be there.
    pub mode: XattrMode,
}

impl ShareWish {
    /// As an attribute says it.
    ///
    /// # Errors
    /// [`PodError::InvalidArgument`]: the value is no text.
    pub fn new(who: &str, value: &[u8], mode: XattrMode) -> Result<Self, PodError> {
        // Editors of attributes put a line end or a NUL behind what is typed.
        let value = value.trim_ascii_end();
        let value = value.strip_suffix(b"\0").unwrap_or(value);
        let rights = str::from_utf8(value).map_err(|_| PodError::InvalidArgument)?;
        Ok(Self {
            who: who.to_owned(),
            rights: rights.to_owned(),
            mode,
        })
    }
}

/// The name of the contact in the name of an attribute that says what is shared with them.
pub fn contact_of(attribute: &[u8]) -> Option<&str> {
    let who = str::from_utf8(attribute.strip_prefix(SHARE)?).ok()?;
    Some(who).filter(|who| !who.is_empty())
}

/// What a number of what is told stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Top,
    Drawer(Drawer),
    File(Told),
}

const DRAWERS: [(Drawer, &str, u64); 2] = [
    (Drawer::Inbox, "inbox", 1),
    (Drawer::Requests, "requests", 2),
];
const FILES: [(Told, &str, u64); 2] =
    [(Told::Status, "status", 3), (Told::Audit, "audit.jsonl", 4)];

impl Node {
    fn of(ino: Ino) -> Option<Self> {
        let number = ino.0.checked_sub(TOLD.0).filter(|_| ino.is_told())?;
        if number == 0 {
            return Some(Self::Top);
        }
        if let Some(item) = number.checked_sub(ITEMS) {
            let drawer = if item & 1 == 0 {
                Drawer::Inbox
            } else {
                Drawer::Requests
            };
            return Some(Self::File(Told::Item(drawer, item >> 1)));
        }
        let drawer = DRAWERS.iter().find(|(_, _, at)| *at == number);
        let file = FILES.iter().find(|(_, _, at)| *at == number);
        drawer
            .map(|(drawer, _, _)| Self::Drawer(*drawer))
            .or(file.map(|(file, _, _)| Self::File(*file)))
    }

    fn ino(self) -> Ino {
        let second = |drawer| u64::from(drawer == Drawer::Requests);
        let number = match self {
            Self::Top => 0,
            Self::Drawer(drawer) => second(drawer) + 1,
            Self::File(Told::Status) => 3,
            Self::File(Told::Audit) => 4,
            Self::File(Told::Item(drawer, place)) => ITEMS + (place << 1 | second(drawer)),
        };
        Ino(TOLD.0 | number)
    }

    const fn kind(self) -> FileKind {
        match self {
            Self::Top | Self::Drawer(_) => FileKind::Directory,
            Self::File(_) => FileKind::Regular,
        }
    }
}

/// The file that has this number, if it is one that is made as it is opened.
pub fn told(ino: Ino) -> Option<Told> {
    match Node::of(ino)? {
        Node::File(told) => Some(told),
        Node::Top | Node::Drawer(_) => None,
    }
}

impl Pod {
    /// A program could not read a file, as it was told.
    pub fn tell_failure(&self, ino: Ino, error: &PodError) {
        let is_failure = matches!(
            error,
            PodError::Corrupt(_) | PodError::Io(_) | PodError::Unreachable(_)
        );
        if let Ok(desk) = self.desk()
            && is_failure
            && !ino.is_told()
        {
            desk.failed(ino, error);
        }
    }

    /// A program opened a file.
    pub fn tell_opened(&self, ino: Ino, opening: Opening) {
        if let Ok(desk) = self.desk() {
            desk.opened(ino, opening);
        }
    }

    /// From now on there is something to tell. Said once, when the pod is mounted.
    pub fn set_desk(&self, desk: Weak<dyn Desk>) {
        if self.desk.set(desk).is_err() {
            tracing::warn!("the pod is mounted twice");
        }
    }

    /// Whether a name is one of what is told: it may come and go by itself.
    pub fn tells(&self, dir: Ino, name: &[u8]) -> bool {
        dir.is_told() || is_reserved(dir, name)
    }

    /// Who tells.
    ///
    /// # Errors
    /// [`PodError::NotFound`]: nobody does.
    pub fn desk(&self) -> Result<Arc<dyn Desk>, PodError> {
        let desk = self.desk.get().and_then(Weak::upgrade);
        desk.ok_or(PodError::NotFound)
    }

    /// What an attribute says about whom an inode is shared with; nothing when it is another attribute.
    ///
    /// # Errors
    /// [`PodError::NoData`]: it is not shared so, or whoever asks is not the owner.
    pub fn share_attribute(
        &self,
        ino: Ino,
        name: &[u8],
        asked: Caller,
    ) -> Result<Option<Box<[u8]>>, PodError> {
        let who = contact_of(name);
        if who.is_none() && name != SHARES {
            return Ok(None);
        }
        if ino.is_told() {
            return Err(PodError::NoData);
        }
        self.inode(ino)?;
        let said = match (self.desk().ok(), who) {
            (None, _) => None,
            (Some(desk), Some(who)) => desk.shared_with(ino, who, asked)?,
            (Some(desk), None) => Some(desk.all_shared_with(ino, asked)?),
        };
        let said = said.filter(|said| !said.is_empty());
        said.map_or(Err(PodError::NoData), |said| {
            Ok(Some(said.into_bytes().into()))
        })
    }

    /// The directory itself.
    pub(super) fn told_top(&self) -> Result<Attr, PodError> {
        self.desk()?;
        self.told_attr(Node::Top, None)
    }

    pub(super) fn lookup_told(&self, dir: Ino, name: &[u8]) -> Result<Attr, PodError> {
        let desk = self.desk()?;
        let name = str::from_utf8(name).map_err(|_| PodError::NotFound)?;
        match Node::of(dir) {
            Some(Node::Top) => {
                let drawer = DRAWERS.iter().find(|(_, is, _)| *is == name);
                let file = FILES.iter().find(|(_, is, _)| *is == name);
                let found = drawer
                    .map(|(drawer, _, _)| Node::Drawer(*drawer))
                    .or(file.map(|(file, _, _)| Node::File(*file)));
                self.told_attr(found.ok_or(PodError::NotFound)?, None)
            }
            Some(Node::Drawer(drawer)) => {
                let item = desk.find(drawer, name)?.ok_or(PodError::NotFound)?;
                let node = Node::File(Told::Item(drawer, item.place));
                self.told_attr(node, Some(item.since))
            }
            Some(Node::File(_)) => Err(PodError::NotADirectory),
            None => Err(PodError::NotFound),
        }
    }

    pub(super) fn attr_told(&self, ino: Ino) -> Result<Attr, PodError> {
        let node = Node::of(ino).ok_or(PodError::NotFound)?;
        let mut since = None;
        if let Node::File(Told::Item(drawer, place)) = node {
            let behind = place.checked_sub(1);
            let found = self.desk()?.items(drawer, behind, 1)?.into_iter().next();
            let item = found.filter(|item| item.place == place);
            since = Some(item.ok_or(PodError::NotFound)?.since);
        }
        self.told_attr(node, since)
    }

    /// Nobody knows the size of what is not made yet. A directory is another each time: the kernel keeps what it read of
    /// one as long as that did not change, and is to read this one anew.
    fn told_attr(&self, node: Node, since: Option<Timespec>) -> Result<Attr, PodError> {
        let root = self.inode(ROOT)?;
        let (ino, since) = (node.ino(), since.unwrap_or_else(|| self.now()));
        let is_dir = node.kind() == FileKind::Directory;
        Ok(Attr {
            ino,
            size: 0,
            blocks: 0,
            atime: since,
            mtime: since,
            ctime: since,
            btime: since,
            kind: node.kind(),
            perm: if is_dir { 0o500 } else { 0o400 },
            nlink: if is_dir { 2 } else { 1 },
            uid: root.uid,
            gid: root.gid,
            rdev: 0,
        })
    }

    /// The entries of such a directory behind `cookie`.
    pub(super) fn list_told(
        &self,
        dir: Ino,
        cookie: u64,
        mut take: impl FnMut(Entry<'_>) -> bool,
    ) -> Result<(), PodError> {
        let mut give = |node: Node, name: &str, cookie| {
            take(Entry {
                ino: node.ino(),
                kind: node.kind(),
                name: name.as_bytes(),
                cookie,
            })
        };
        let drawer = match Node::of(dir) {
            Some(Node::Top) => {
                let trays = DRAWERS.map(|(drawer, name, at)| (Node::Drawer(drawer), name, at));
                let files = FILES.map(|(file, name, at)| (Node::File(file), name, at));
                let all = trays.into_iter().chain(files);
                for (node, name, at) in all.filter(|(_, _, at)| at + FIRST > cookie) {
                    if !give(node, name, at + FIRST) {
                        break;
                    }
                }
                return Ok(());
            }
            Some(Node::Drawer(drawer)) => drawer,
            Some(Node::File(_)) | None => return Err(PodError::NotADirectory),
        };
        let desk = self.desk()?;
        let mut behind = cookie.checked_sub(FIRST);
        loop {
            let items = desk.items(drawer, behind, SCAN)?;
            for item in &items {
                let node = Node::File(Told::Item(drawer, item.place));
                if !give(node, &item.name, item.place.saturating_add(FIRST)) {
                    return Ok(());
                }
            }
            behind = items.last().map(|item| item.place);
            if items.len() < SCAN {
                return Ok(());
            }
        }
    }
}
