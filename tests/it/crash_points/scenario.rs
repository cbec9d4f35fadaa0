//! The life of a small pod, always the same: every kind of step that changes its state on the disk.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use podfs::crypto::Secret;
use podfs::index::{Rows, RowsParts};
use podfs::pod::{
    Attr, Caller, FileKind, Nowhere, Pod, PodError, PodParts, SetAttr, Taken, XattrMode,
};
use podfs::types::{Ino, ROOT, Timespec};

const OWNER: Caller = Caller { uid: 0, gid: 0 };
const MIB: usize = 1 << 20;
/// Writes of 1 MiB: more than a log segment holds.
const BIG_WRITES: usize = 70;
const REGULAR: u32 = 0o100_644;

type Change = Box<dyn Fn(&Pod) -> Result<(), PodError>>;

/// One step. Only a change is an operation of the file system; the others leave the tree as it is.
pub(super) enum Step {
    Change(Change),
    Sync,
    Checkpoint,
    /// What deletions left to do.
    Reap,
    /// The pod is closed and opened again.
    Close,
    /// The pod is dropped in the middle of its work and opened again.
    Drop,
    /// As `Drop`, and the index goes.
    Rebuild,
}

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// Nothing is accepted any more.
    Stopped,
}

pub(super) struct Life {
    dir: PathBuf,
    pub(super) pod: Option<Pod>,
}

impl Life {
    /// Makes a pod.
    pub(super) fn begin(dir: &Path) -> Result<Self, PodError> {
        Rows::create(&parts(dir))?;
        Self::resume(dir)
    }

    /// Opens a pod.
    pub(super) fn resume(dir: &Path) -> Result<Self, PodError> {
        let mut life = Self {
            dir: dir.to_owned(),
            pod: None,
        };
        life.open()?;
        Ok(life)
    }

    fn open(&mut self) -> Result<(), PodError> {
        let pod = Pod::over(PodParts {
            rows: Arc::new(Rows::open(&parts(&self.dir))?),
            remote: Arc::new(Nowhere),
            clock: Arc::new(|| Timespec { secs: 1, nanos: 2 }),
            device: 0,
            owner: OWNER,
        })?;
        self.pod = Some(pod);
        Ok(())
    }

    pub(super) fn pod(&self) -> &Pod {
        self.pod.as_ref().unwrap()
    }

    fn attempt(&mut self, step: &Step) -> Result<(), PodError> {
        match step {
            Step::Change(change) => change(self.pod()),
            Step::Sync => self.pod().fsync(),
            Step::Checkpoint => Ok(self.pod().rows().checkpoint()?),
            Step::Reap => self.pod().reap_all(),
            Step::Close | Step::Drop | Step::Rebuild => {
                let pod = self.pod.take();
                if let (Some(pod), Step::Close) = (&pod, step) {
                    pod.rows().close(true)?;
                }
                drop(pod);
                if matches!(step, Step::Rebuild) {
                    std::fs::remove_dir_all(self.dir.join("index")).ok();
                }
                self.open()
            }
        }
    }

    /// Does a step; one that fails because of the disk is done once more, for the disk is well again then.
    pub(super) fn perform(&mut self, step: &Step) -> End {
        let Err(error) = self.attempt(step) else {
            return End::Done;
        };
        println!("failed: {error}");
        if self
            .pod
            .as_ref()
            .is_some_and(|pod| pod.rows().journal().broken().is_some())
        {
            let refused = self.pod().mkdir(ROOT, b"refused", 0o700, OWNER);
            assert!(matches!(refused, Err(PodError::ReadOnly)), "{refused:?}");
            return End::Stopped;
        }
        self.attempt(step).unwrap();
        End::Done
    }
}

fn parts(dir: &Path) -> RowsParts {
    RowsParts {
        dir: dir.to_owned(),
        secret: Secret::from_bytes(&[9; 32]),
        budget: Some(1 << 30),
        read_only: false,
    }
}

fn find(pod: &Pod, path: &str) -> Result<Attr, PodError> {
    let mut attr = pod.getattr(ROOT)?;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        attr = pod.lookup(attr.ino, name.as_bytes())?;
    }
    Ok(attr)
}

/// Bytes that are another in every page.
fn bytes(seed: usize, len: usize) -> Vec<u8> {
    (0..len.div_ceil(8))
        .flat_map(|at| (seed * 1_000_003 + at).to_le_bytes())
        .take(len)
        .collect()
}

fn change(make: impl Fn(&Pod) -> Result<(), PodError> + 'static) -> Step {
    Step::Change(Box::new(make))
}

fn small(steps: &mut Vec<Step>, from: usize, count: usize) {
    for nth in from..from + count {
        let dir = format!("d{}", nth % 3);
        let name = format!("f{}", nth % 7);
        let path = format!("{dir}/{name}");
        steps.push(match nth % 6 {
            0 | 1 => change(move |pod| {
                let parent = find(pod, &dir)?.ino;
                match pod.lookup(parent, name.as_bytes()) {
                    Ok(_) => pod.unlink(parent, name.as_bytes()),
                    Err(_) => pod
                        .mknod(parent, name.as_bytes(), (REGULAR, 0), OWNER)
                        .map(drop),
                }
            }),
            2 => change(move |pod| {
                let Ok(file) = find(pod, &path) else {
                    return Ok(());
                };
                pod.write(file.ino, nth as u64 * 100, &bytes(nth, 3000), false)
                    .map(drop)
            }),
            3 => change(move |pod| {
                let parent = find(pod, &dir)?.ino;
                pod.setxattr(parent, b"user.n", &bytes(nth, 50), XattrMode::Either)
            }),
            4 => change(move |pod| {
                let (from, to) = (find(pod, &dir)?.ino, find(pod, "d0")?.ino);
                let Ok(_) = find(pod, &path) else {
                    return Ok(());
                };
                pod.rename((from, name.as_bytes()), (to, b"moved"), Taken::Replace)
            }),
            _ => change(move |pod| {
                let Ok(file) = find(pod, &path) else {
                    return Ok(());
                };
                let size = Some(nth as u64 * 777);
                let set = SetAttr {
                    size,
                    ..SetAttr::default()
                };
                pod.setattr(file.ino, &set, OWNER).map(drop)
            }),
        });
    }
}

/// The whole life.
pub(super) fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    for name in ["d0", "d1", "d2"] {
        steps.push(change(move |pod| {
            pod.mkdir(ROOT, name.as_bytes(), 0o755, OWNER).map(drop)
        }));
    }
    steps.push(change(|pod| {
        pod.symlink(ROOT, b"link", b"d1/f2", OWNER).map(drop)
    }));
    small(&mut steps, 0, 24);
    steps.push(Step::Sync);
    steps.push(change(|pod| {
        pod.mknod(ROOT, b"big", (REGULAR, 0), OWNER).map(drop)
    }));
    for nth in 0..BIG_WRITES {
        // Again and again over what was there, which is dead then.
        let at = (nth % 9) as u64 * MIB as u64;
        steps.push(change(move |pod| {
            pod.write(find(pod, "big")?.ino, at, &bytes(nth, MIB), false)
                .map(drop)
        }));
    }
    steps.push(Step::Checkpoint);
    small(&mut steps, 30, 12);
    steps.push(Step::Drop);
    small(&mut steps, 42, 6);
    steps.push(Step::Sync);
    steps.push(change(|pod| pod.unlink(ROOT, b"big")));
    steps.extend([Step::Reap, Step::Checkpoint]);
    small(&mut steps, 50, 6);
    steps.push(Step::Close);
    small(&mut steps, 60, 6);
    steps.push(Step::Rebuild);
    small(&mut steps, 70, 6);
    steps.extend([Step::Checkpoint, Step::Close]);
    steps
}

/// What a pod holds, in 32 bytes.
pub(super) fn digest(pod: &Pod) -> Result<blake3::Hash, PodError> {
    let mut hasher = blake3::Hasher::new();
    let mut dirs = vec![ROOT];
    let mut out = Vec::new();
    while let Some(dir) = dirs.pop() {
        let mut names = Vec::new();
        pod.readdir(dir, 2, |entry| {
            names.push(entry.name.to_vec());
            true
        })?;
        names.sort();
        for name in names {
            let attr = pod.lookup(dir, &name)?;
            let said = format!(
                "{:?} {:o} {} {}",
                attr.kind, attr.perm, attr.nlink, attr.size
            );
            hasher.update(&name).update(b"\0").update(said.as_bytes());
            attributes(pod, attr.ino, &mut hasher)?;
            if attr.kind == FileKind::Directory {
                dirs.push(attr.ino);
            } else if attr.kind == FileKind::Symlink {
                hasher.update(&pod.readlink(attr.ino)?);
            } else {
                for at in (0..attr.size).step_by(MIB) {
                    pod.read(attr.ino, at, MIB as u32, &mut out)?;
                    hasher.update(&out);
                }
            }
        }
    }
    Ok(hasher.finalize())
}

fn attributes(pod: &Pod, ino: Ino, hasher: &mut blake3::Hasher) -> Result<(), PodError> {
    let list = pod.listxattr(ino)?;
    for name in list
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        hasher.update(name).update(&pod.getxattr(ino, name)?);
    }
    Ok(())
}

/// Lives in `dir`; each step that was answered adds a byte to `answers`.
pub(super) fn live(dir: &Path, mut answers: File) {
    let mut life = match Life::begin(dir) {
        Ok(life) => life,
        Err(error) => {
            println!("not even made: {error}");
            return;
        }
    };
    answers.write_all(b".").unwrap();
    for step in steps() {
        if life.perform(&step) == End::Stopped {
            return;
        }
        answers.write_all(b".").unwrap();
    }
}
