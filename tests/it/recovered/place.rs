use std::fmt::Write;
use std::sync::Arc;

use podfs::crypto::Phrase;
use podfs::crypto::Secret;
use podfs::crypto::keys::PodSecret;
use podfs::crypto::keys::RootKey;
use podfs::crypto::swarm::SealedChunk;
use podfs::format::rows::Dentries;
use podfs::format::rows::FileKind;
use podfs::format::rows::Inode;
use podfs::format::rows::Key;
use podfs::format::rows::SeenHeads;
use podfs::format::rows::Xattrs;
use podfs::index::Rows;
use podfs::index::RowsParts;
use podfs::store::Fault;
use podfs::store::Faults;
use podfs::store::Memory;
use podfs::store::Store;
use podfs::sync::Kept;
use podfs::sync::fetch::Fetcher;
use podfs::sync::find::FoundHead;
use podfs::sync::find::Survey;
use podfs::sync::reader::ReadError;
use podfs::sync::reader::Reader;
use podfs::sync::restore::RestoreError;
use podfs::sync::restore::RestoreParts;
use podfs::sync::restore::restore;
use podfs::types::Ino;
use podfs::types::ROOT;

use crate::published::Chunks;
use crate::published::box_secret;
use crate::support::listing::quote;

pub(super) type Stored = Fault<Memory>;

/// Of whoever recovers; shown as `-`, as the owner of the pod is.
const OWNER: (u32, u32) = (4711, 4712);

pub(super) fn pod(epoch: u32) -> PodSecret {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[0; 32]));
    let root = RootKey::derive(&phrase.seed(), None);
    root.pod(&root.pod_id(0), epoch)
}

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(future)
}

pub(super) fn stored(chunks: &Chunks) -> Arc<Stored> {
    let store = Memory::default();
    for (address, bytes) in chunks {
        let chunk = SealedChunk::verified(address, bytes).unwrap();
        wait(store.put(&chunk)).unwrap();
    }
    Arc::new(Fault::new(store, 1, Faults::default()))
}

/// A machine on which the pod was recovered.
pub(super) struct Place {
    dir: Arc<tempfile::TempDir>,
    kept: Arc<Kept>,
    store: Arc<Stored>,
    pub(super) reader: Arc<Reader>,
    pub(super) lost: u64,
    runtime: tokio::runtime::Runtime,
}

impl Place {
    fn open(dir: Arc<tempfile::TempDir>, store: &Arc<Stored>) -> Self {
        let parts = parts(&dir);
        let rows = Arc::new(Rows::open(&parts).unwrap());
        let kept = Arc::new(Kept::new(rows).unwrap());
        let fetcher = Fetcher::new(Arc::clone(store) as Arc<dyn Store>);
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).enable_time().build().unwrap();
        Self {
            dir,
            reader: Reader::new(Arc::clone(&kept), fetcher),
            kept,
            store: Arc::clone(store),
            lost: 0,
            runtime,
        }
    }

    pub(super) fn recover(
        store: &Arc<Stored>,
        head: &FoundHead,
        survey: &Survey,
    ) -> Result<Self, RestoreError> {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Rows::create(&parts(&dir)).unwrap();
        let mut place = Self::open(dir, store);
        let seen = survey.seen(&SeenHeads::default());
        let parts = RestoreParts {
            kept: Arc::clone(&place.kept),
            fetcher: Fetcher::new(Arc::clone(store) as Arc<dyn Store>),
            secret: &box_secret(),
            head: &head.head,
            seen: &seen,
            owner: OWNER,
        };
        place.lost = place.wait(restore(parts, &|_| ()))?.lost;
        Ok(place)
    }

    /// The same after the machine was started again.
    pub(super) fn reopened(self) -> Self {
        let Self {
            dir,
            kept,
            store,
            reader,
            runtime,
            ..
        } = self;
        drop((kept, reader, runtime));
        Self::open(dir, &store)
    }

    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(super) fn settle(&self) {
        self.wait(self.reader.settled());
    }

    fn row(&self, key: &Key) -> Option<Arc<[u8]>> {
        self.kept.rows().get(key).unwrap()
    }

    fn names(&self, dir: Ino) -> Vec<(Vec<u8>, Ino)> {
        let (from, to) = (Key::dentry(dir, 0), Key::dentry(dir, u64::MAX));
        let rows = self.kept.rows().scan(&from, &to, 100_000).unwrap();
        let entries = rows
            .iter()
            .flat_map(|(_, row)| Dentries::decode(row).unwrap().0);
        let entries = entries.map(|entry| {
            let name = entry.name.as_bytes();
            let hash = self.kept.rows().name_hash(dir, name);
            assert!(self.row(&Key::parent(entry.ino, dir, hash)).is_some());
            assert_eq!(self.inode(entry.ino).kind(), entry.kind);
            (name.to_vec(), entry.ino)
        });
        entries.collect()
    }

    fn inode(&self, ino: Ino) -> Inode {
        Inode::decode(&self.row(&Key::inode(ino)).unwrap()).unwrap()
    }

    pub(super) fn find(&self, wanted: &[u8]) -> Ino {
        let names = self.names(ROOT).into_iter();
        { names }.find(|(name, _)| name == wanted).unwrap().1
    }

    pub(super) fn kept_pages(&self, ino: Ino) -> usize {
        let rows = self.kept.places(ino, 0, 1000).unwrap();
        let pages = rows.iter().filter(|(bucket, _)| *bucket < 1 << 40);
        pages.map(|(_, nodes)| nodes.0.len()).sum()
    }

    /// Reads as the kernel does: what is here, else what is missing first.
    fn contents(&self, ino: Ino, size: u64) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        for page in 0..size.div_ceil(4096) {
            let row = self.row(&Key::extent(ino, page / 32)).unwrap();
            let left = size.div_ceil(4096) - page / 32 * 32;
            assert_eq!(row[..], [0, left.min(32) as u8, 3]);
            let mut out = [7; 4096];
            if !self.reader.page(ino, page, &mut out)? {
                self.wait(self.reader.fetch(ino, page..page + 1))?;
                // What comes faster than it is written is not kept.
                self.settle();
                assert!(self.reader.page(ino, page, &mut out)?);
            }
            bytes.extend_from_slice(&out);
        }
        assert!(bytes.drain(size as usize..).all(|byte| byte == 0));
        Ok(bytes)
    }

    fn line(&self, path: &[u8], ino: Ino) -> Result<String, ReadError> {
        let of = self.inode(ino);
        let (size, what) = match of.kind() {
            FileKind::Regular => {
                assert_eq!(of.pages, of.size.div_ceil(4096));
                let contents = self.contents(ino, of.size)?;
                (of.size.to_string(), blake3::hash(&contents).to_string())
            }
            FileKind::Symlink => (of.size.to_string(), quote(&of.target)),
            FileKind::CharDevice | FileKind::BlockDevice => ("-".into(), of.rdev.to_string()),
            FileKind::Directory | FileKind::Fifo | FileKind::Socket => ("-".into(), "-".into()),
        };
        let owner = |id: u32, own: u32| {
            if id == own {
                "-".into()
            } else {
                id.to_string()
            }
        };
        let (uid, gid) = (owner(of.uid, OWNER.0), owner(of.gid, OWNER.1));
        let (mode, nlink, mtime) = (of.mode, of.nlink, of.mtime);
        let mut line = format!("{} {mode:o} {uid} {gid} {nlink} {size} ", quote(path));
        write!(line, "{}.{:09} {what}", mtime.secs, mtime.nanos).unwrap();
        let (from, to) = (Key::xattr(ino, 0), Key::xattr(ino, u64::MAX));
        let rows = self.kept.rows().scan(&from, &to, 1000).unwrap();
        let xattrs = rows
            .iter()
            .flat_map(|(_, row)| Xattrs::decode(row).unwrap().0);
        let mut xattrs: Vec<_> = xattrs.collect();
        assert_eq!(of.xattrs as usize, xattrs.len());
        xattrs.sort_by(|one, other| one.name.cmp(&other.name));
        for xattr in xattrs {
            write!(line, " {}={}", quote(&xattr.name), quote(&xattr.value)).unwrap();
        }
        Ok(line)
    }

    /// All names in the order of their paths, a line for each.
    pub(super) fn listing(&self) -> Result<String, ReadError> {
        let mut lines = vec![(b".".to_vec(), self.line(b".", ROOT)?)];
        let mut left = vec![(Vec::new(), ROOT)];
        while let Some((above, directory)) = left.pop() {
            for (name, ino) in self.names(directory) {
                let path = [&above[..], &name].concat();
                lines.push((path.clone(), self.line(&path, ino)?));
                if self.inode(ino).is_dir() {
                    left.push(([&path[..], b"/"].concat(), ino));
                }
            }
        }
        lines.sort();
        Ok(lines.into_iter().map(|(_, line)| line + "\n").collect())
    }
}

fn parts(dir: &tempfile::TempDir) -> RowsParts {
    RowsParts {
        dir: dir.path().to_owned(),
        secret: Secret::from_bytes(&[3; 32]),
        budget: None,
        read_only: false,
    }
}
