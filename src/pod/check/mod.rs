//! Whether the rows of a pod agree with one another: for `podfs check`, and for tests after every crash.
//!
//! Nothing is repaired and nothing is locked: the pod must be still while it is checked.

mod boxes;
mod cards;
mod messages;
mod names;
mod pages;

#[cfg(test)]
mod tests;

use crate::format::rows::{FileKind, Key};
use crate::journal::Value;
use crate::pod::Pod;
use crate::pod::error::PodError;
use crate::types::Ino;

/// Findings told one by one; of those above it only the number is known.
const FINDINGS_MAX: usize = 1000;
/// Rows read at a time.
const SCAN: usize = 1024;

/// What does not agree. Names are not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// A row that cannot be read as what its key says.
    #[error("row {0:?}: {1}")]
    Malformed(Key, String),
    /// A row of an inode that is not there.
    #[error("row {0:?} belongs to an inode that is not there")]
    NoInode(Key),
    /// A row under the hash of another name.
    #[error("row {0:?} holds a name of another hash")]
    Misplaced(Key),
    /// A name that leads nowhere.
    #[error("directory {0} names inode {1}, which is not there")]
    Dangling(Ino, Ino),
    /// A name that tells another kind than the inode.
    #[error("directory {0} has the wrong kind for inode {1}")]
    WrongKind(Ino, Ino),
    /// Entries in what is no directory.
    #[error("inode {0} has entries and is no directory")]
    NotADirectory(Ino),
    /// A name without its way back, or the reverse.
    #[error("inode {0} and directory {1} do not know each other alike")]
    ParentDiffers(Ino, Ino),
    /// A link count that is not the number of names.
    #[error("inode {ino} has {found} links, and says {said}")]
    Links {
        /// The inode.
        ino: Ino,
        /// What it says.
        said: u32,
        /// What there is.
        found: u32,
    },
    /// A directory that says another number of entries.
    #[error("directory {ino} has {found} entries, and says {said}")]
    Entries {
        /// The directory.
        ino: Ino,
        /// What it says.
        said: u64,
        /// What there is.
        found: u64,
    },
    /// A directory with several names, or cut off from the root.
    #[error("directory {0} is not in the tree once")]
    NotInTree(Ino),
    /// An inode without names that nobody would delete.
    #[error("inode {0} has no name and no note that says so")]
    Lost(Ino),
    /// A page count that is not the number of pages.
    #[error("inode {ino} has {found} pages, and says {said}")]
    Pages {
        /// The inode.
        ino: Ino,
        /// What it says.
        said: u64,
        /// What there is.
        found: u64,
    },
    /// Another number of attributes.
    #[error("inode {ino} has {found} attributes, and says {said}")]
    Attributes {
        /// The inode.
        ino: Ino,
        /// What it says.
        said: u32,
        /// What there is.
        found: u32,
    },
    /// Pages in what is no regular file.
    #[error("inode {0} has pages and is no file")]
    NotAFile(Ino),
    /// Data behind the end of the file.
    #[error("inode {0} has data behind its end")]
    BehindEnd(Ino),
    /// Pages in the log that are named more or less often than counted.
    #[error(
        "{pages} pages from segment {segment:016x}, page {page} on are named {named} times, and counted {counted}"
    )]
    References {
        /// Segment.
        segment: u32,
        /// First page.
        page: u32,
        /// How many pages.
        pages: u64,
        /// Runs that name them.
        named: i64,
        /// What the count says; 1 where there is none.
        counted: i64,
    },
    /// Pages named several times by a run that is not marked as shared.
    #[error("{1} pages from segment {seg:016x}, page {page} on are shared and not marked so", seg = .0.segment, page = .0.page)]
    Unmarked(crate::format::rows::Slot, u64),
    /// A box that lies in another, or has the number of another or of one to come.
    #[error("the box of directory {0} is at odds with another one")]
    Box(Ino),
    /// A sealed page that does not open.
    #[error("inode {0}, page {1} of its contents: {2}")]
    Unreadable(Ino, u64, String),
    /// A kept node of what is published that cannot be opened.
    #[error("inode {0}: a node of what is published cannot be read: {1}")]
    KeptUnreadable(Ino, String),
}

/// What a check saw.
#[derive(Debug, Default)]
pub struct Report {
    /// What does not agree, the first thousand.
    pub findings: Vec<Finding>,
    /// How many there are in all.
    pub found: u64,
    /// Inodes.
    pub inodes: u64,
    /// Names.
    pub names: u64,
    /// Sealed pages that files name.
    pub pages: u64,
    /// Preallocated pages.
    pub unwritten: u64,
    /// Inodes with deletions left to do.
    pub orphans: u64,
}

impl Report {
    fn add(&mut self, finding: Finding) {
        self.found += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// The decoded row, or a finding.
    fn decoded<T, E: std::fmt::Display>(&mut self, key: &Key, row: Result<T, E>) -> Option<T> {
        match row {
            Ok(row) => Some(row),
            Err(error) => {
                self.add(Finding::Malformed(*key, error.to_string()));
                None
            }
        }
    }
}

/// An inode as its row says, and as the other rows say.
struct Seen {
    ino: Ino,
    kind: FileKind,
    nlink: u32,
    size: u64,
    cut: u64,
    pages: u64,
    xattrs: u32,
    orphan: bool,
    parent: Ino,
    links: u32,
    subdirectories: u32,
    entries: u64,
    found_pages: u64,
    found_xattrs: u32,
}

/// All inodes, in the order of their numbers.
struct Inodes(Vec<Seen>);

impl Inodes {
    fn position(&self, ino: Ino) -> Option<usize> {
        self.0.binary_search_by_key(&ino, |seen| seen.ino).ok()
    }

    fn get(&mut self, ino: Ino) -> Option<&mut Seen> {
        let at = self.position(ino)?;
        self.0.get_mut(at)
    }
}

impl Pod {
    /// Compares all rows with one another; with `contents`, every sealed page is opened too. The errors are those
    /// of the journal: what merely does not agree is in the report.
    pub fn check(&self, contents: bool) -> Result<Report, PodError> {
        let mut report = Report::default();
        let mut inodes = self.check_inodes(&mut report)?;
        self.check_entries(&mut inodes, &mut report)?;
        self.check_parents(&mut inodes, &mut report)?;
        self.check_attributes(&mut inodes, &mut report)?;
        self.check_orphans(&mut inodes, &mut report)?;
        self.check_taken_over(&mut inodes, &mut report)?;
        self.check_extents(&mut inodes, &mut report, contents)?;
        self.check_boxes(&mut inodes, &mut report)?;
        self.check_cards(&mut report)?;
        self.check_messages(&mut report)?;
        names::compare(&inodes, &mut report);
        Ok(report)
    }

    /// Calls `each` with every row of a kind, in order.
    fn each_row(
        &self,
        kind: u8,
        mut each: impl FnMut(Key, Value) -> Result<(), PodError>,
    ) -> Result<(), PodError> {
        let bounds = [0, u8::MAX].map(|byte| {
            let fields = match kind {
                b'A' | b'B' | b'C' | b'F' | b'G' | b'H' | b'I' | b'K' | b'L' | b'O' | b'R'
                | b'S' | b'T' | b'U' | b'V' | b'W' | b'Y' | b'Z' => 8,
                b'P' => 24,
                _ => 16,
            };
            let mut bytes = vec![byte; fields + 1];
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            Key::parse(&bytes)
        });
        let [Some(mut from), Some(to)] = bounds else {
            return Ok(());
        };
        loop {
            let rows = self.rows.scan(&from, &to, SCAN)?;
            let next = rows.last().and_then(|(key, _)| after(key));
            let more = rows.len() == SCAN;
            for (key, row) in rows {
                each(key, row)?;
            }
            match next {
                Some(next) if more && next <= to => from = next,
                _ => return Ok(()),
            }
        }
    }
}

/// The next key of the same length.
fn after(key: &Key) -> Option<Key> {
    let mut bytes = key.as_bytes().to_vec();
    for byte in bytes.iter_mut().rev() {
        let (next, wrapped) = byte.overflowing_add(1);
        *byte = next;
        if !wrapped {
            break;
        }
    }
    Key::parse(&bytes)
}
