//! A pod on which anything may happen, through its own interface, and what it says of itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use podfs::pod::{Attr, Caller, FileKind, Pod};
use podfs::types::{Ino, ROOT};

use crate::published::Chunks;
use crate::published::found::Whole;
use crate::published::read::whole;
use crate::publishing::evicted::Copies;
use crate::support::listing::listing;
use crate::support::pod::{read_files, write_files};
use crate::support::random::Random;
use crate::support::sample;

pub const OWNER: Caller = Caller { uid: 5, gid: 6 };
/// Sizes at which something of the published form changes: in the inode, pages of an inode, of a node, of two.
const EDGES: [u64; 18] = [
    0,
    1,
    3599,
    3600,
    3601,
    4096,
    4097,
    43 << 12,
    44 << 12,
    45 << 12,
    50 << 12,
    51 << 12,
    52 << 12,
    102 << 12,
    103 << 12,
    816 << 12,
    2091 << 12,
    2092 << 12,
];
/// Bytes of a file, holes left out, about.
pub(super) const DENSE: u64 = 400_000;

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of some test"
)]
pub struct World {
    pub dir: tempfile::TempDir,
    pod: Option<Pod>,
    pub random: Random,
    pub(super) names: BTreeMap<(Ino, Vec<u8>), (Ino, FileKind)>,
    pub(super) opened: Vec<Ino>,
    /// Whether pages are copied, so that some are in several places.
    pub copies: bool,
    /// Whether no file has more than a few pages.
    pub small: bool,
    /// Whether directories become boxes, and ordinary ones again.
    pub boxes: bool,
    pub remote: Arc<Copies>,
}

/// The names at some moment.
pub struct Mark(BTreeMap<(Ino, Vec<u8>), (Ino, FileKind)>);

impl World {
    pub fn new(test: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        sample::make(dir.path());
        let remote = Arc::new(Copies::default());
        Self {
            pod: Some(sample::open_with(dir.path(), Arc::<Copies>::clone(&remote))),
            remote,
            small: false,
            boxes: false,
            dir,
            random: Random::new(test),
            names: BTreeMap::new(),
            opened: Vec::new(),
            copies: true,
        }
    }

    pub fn pod(&self) -> &Pod {
        self.pod.as_ref().unwrap()
    }

    pub fn state(&self) -> &Path {
        self.dir.path()
    }

    /// Ends the pod, cleanly or not, and opens it again.
    pub fn reopen(&mut self, cleanly: bool) {
        let pod = self.pod.take().unwrap();
        if cleanly {
            pod.rows().close(true).unwrap();
        }
        drop(pod);
        self.opened.clear();
        let remote = Arc::<Copies>::clone(&self.remote);
        self.pod = Some(sample::open_with(self.dir.path(), remote));
    }

    /// All that is there of a kind.
    pub fn all(&self, kind: FileKind) -> Vec<Ino> {
        let found = self.names.values().filter(|it| it.1 == kind);
        found.map(|it| it.0).collect()
    }

    pub fn mark(&self) -> Mark {
        Mark(self.names.clone())
    }

    /// Takes away every name that was not there then.
    pub fn undo(&mut self, mark: &Mark) {
        let before = self.names.len();
        let new = self.names.clone().into_iter();
        for ((dir, name), (_, kind)) in new.filter(|(place, _)| !mark.0.contains_key(place)) {
            let removed = if kind == FileKind::Directory {
                self.pod().rmdir(dir, &name)
            } else {
                self.pod().unlink(dir, &name)
            };
            if removed.is_ok() {
                self.names.remove(&(dir, name));
            }
        }
        // Directories that were not empty.
        if self.names.len() < before {
            self.undo(mark);
        }
    }

    /// Copies the state to `to`, as a crash would leave it.
    pub fn duplicate(&self, to: &Path) {
        let mut files = Vec::new();
        read_files(self.state(), Path::new(""), &mut files);
        write_files(to, &files);
    }

    /// What the chunks say must be what the pod says.
    #[track_caller]
    pub fn compare(&self, chunks: &Chunks) -> Whole {
        let published = whole(chunks);
        let live = listing(self.pod());
        let (mut one, mut other) = (published.listing.lines(), live.lines());
        loop {
            match (one.next(), other.next()) {
                (None, None) => break,
                (published, live) => assert_eq!(published, live, "published, and the pod's own"),
            }
        }
        for (path, attributes) in &published.entries {
            let attr = self.attr(path);
            let times = (attributes.atime, attributes.ctime, attributes.btime);
            assert_eq!(times, (attr.atime, attr.ctime, attr.btime));
            assert_eq!(attributes.ino, attr.ino);
        }
        published
    }

    /// Number of the box that an inode with a name is in; 0 for the pod's own.
    pub fn box_of(&self, ino: Ino) -> u32 {
        let boxes = self.pod().boxes().into_iter();
        let boxes: BTreeMap<_, _> = boxes.map(|(dir, it)| (dir, it.number)).collect();
        let mut at = ino;
        while at != ROOT {
            if let Some(number) = boxes.get(&at) {
                return *number;
            }
            let mut names = self.names.iter();
            at = names.find(|(_, it)| it.0 == at).unwrap().0.0;
        }
        0
    }

    fn attr(&self, path: &[u8]) -> Attr {
        let names = path.split(|byte| *byte == b'/').filter(|it| *it != b".");
        let root = self.pod().getattr(ROOT).unwrap();
        names.fold(root, |dir, name| self.pod().lookup(dir.ino, name).unwrap())
    }

    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.index(of.len())]
    }

    pub(super) fn pick(
        &mut self,
        wanted: impl Fn(FileKind) -> bool,
    ) -> Option<((Ino, Vec<u8>), Ino)> {
        let all: Vec<_> = self.names.iter().filter(|(_, it)| wanted(it.1)).collect();
        let (place, found) = *all.get(self.random.index(all.len().max(1)))?;
        Some((place.clone(), found.0))
    }

    pub(super) fn file(&mut self) -> Option<Ino> {
        Some(self.pick(|kind| kind == FileKind::Regular)?.1)
    }

    pub(super) fn directory(&mut self) -> Ino {
        let inner = self.random.below(5) > 0;
        let found = self.pick(|kind| inner && kind == FileKind::Directory);
        found.map_or(ROOT, |(_, ino)| ino)
    }

    /// A place for a name; often one that is or was taken.
    pub(super) fn place(&mut self) -> (Ino, Vec<u8>) {
        let dir = self.directory();
        let name = match self.random.below(40) {
            0 => vec![b'n'; 255],
            1 => b"\xff\xfe".to_vec(),
            _ => format!("name {}", self.random.below(60)).into_bytes(),
        };
        (dir, name)
    }

    pub(super) fn size(&mut self) -> u64 {
        match self.random.below(8) {
            0..4 => EDGES[self.random.index(if self.small { 13 } else { EDGES.len() })],
            7 if self.small => self.random.below(DENSE),
            4..7 => self.random.below(9000),
            _ => self.random.below(DENSE * 5),
        }
    }
}
