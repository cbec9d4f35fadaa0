//! The mounts of a pod: it as a whole, and boxes of it alone.
//!
//! Each kernel keeps names, attributes and pages until it is told that somebody else changed them. What comes through
//! one mount is such a change for the others, and what podfs itself does is one for all. They are told by a thread of
//! its own: a kernel may take a notice only when requests of its own are answered, and who answers them must not wait.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fuser::INodeNo;
use parking_lot::{Condvar, Mutex};

use crate::pod::{Kernel, Pod, PodError};
use crate::types::limits::NOTICES_MAX;
use crate::types::{Ino, ROOT};

/// Who changes what comes through no mount: numbers of mounts begin at one.
const NO_MOUNT: u64 = 0;

/// The mounts of one pod.
#[derive(Default)]
pub struct Mounts {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether there are several.
    are_several: AtomicBool,
}

#[derive(Default)]
struct State {
    mounts: Vec<(u64, Arc<dyn Kernel>)>,
    /// Number of the next mount.
    next: u64,
    /// What the others are to be told of, and the mount that knows it.
    pending: BTreeSet<(u64, Notice)>,
    /// Some found no room since there were none last: that was said.
    are_left_out: bool,
    is_telling: bool,
}

/// What is no more as it was.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Notice {
    Name(Ino, Box<[u8]>),
    Inode(Ino),
}

/// A mount, as its requests see it: where in the pod it begins, and how the other mounts hear of changes.
pub(super) struct Mount {
    mounts: Arc<Mounts>,
    number: u64,
    top: Ino,
    /// What programs have open through the mount of a box: it may end before the pod does.
    opened: Option<Mutex<HashMap<Ino, u32>>>,
}

impl Mounts {
    /// A mount that begins at `top`; its kernel is told from [`Mounts::begin`] on.
    pub(super) fn mount(self: &Arc<Self>, top: Ino) -> Mount {
        let mut state = self.state.lock();
        state.next += 1;
        Mount {
            mounts: Arc::clone(self),
            number: state.next,
            top,
            opened: (top != ROOT).then(Mutex::default),
        }
    }

    /// The kernel of a mount is told from now on what others change.
    pub(super) fn begin(
        self: &Arc<Self>,
        mount: &Mount,
        kernel: Arc<dyn Kernel>,
    ) -> std::io::Result<()> {
        let mut state = self.state.lock();
        if !state.is_telling {
            let this = Arc::clone(self);
            let telling = std::thread::Builder::new().name("fuse-tell".into());
            // It looks for mounts once the lock is free.
            telling.spawn(move || this.tell_all())?;
            state.is_telling = true;
        }
        state.mounts.push((mount.number, kernel));
        let are_several = state.mounts.len() > 1;
        self.are_several.store(are_several, Ordering::Release);
        Ok(())
    }

    /// A mount is gone.
    pub(super) fn end(&self, mount: &Mount) {
        let mut state = self.state.lock();
        state.mounts.retain(|(number, _)| *number != mount.number);
        let are_several = state.mounts.len() > 1;
        self.are_several.store(are_several, Ordering::Release);
        drop(state);
        self.changed.notify_all();
    }

    fn note(&self, from: u64, notices: impl IntoIterator<Item = Notice>) {
        let mut state = self.state.lock();
        if state.mounts.is_empty() {
            return;
        }
        for notice in notices {
            if state.pending.len() >= NOTICES_MAX {
                if !std::mem::replace(&mut state.are_left_out, true) {
                    tracing::warn!("a mount of the pod may show what was for a while");
                }
                break;
            }
            state.pending.insert((from, notice));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Tells as long as there are mounts.
    fn tell_all(&self) {
        let mut state = self.state.lock();
        while !state.mounts.is_empty() {
            let Some((from, notice)) = state.pending.pop_first() else {
                state.are_left_out = false;
                self.changed.wait(&mut state);
                continue;
            };
            let others = state.mounts.iter().filter(|(number, _)| *number != from);
            let others: Vec<_> = others.map(|(_, kernel)| Arc::clone(kernel)).collect();
            drop(state);
            for kernel in others {
                notice.tell(kernel.as_ref());
            }
            state = self.state.lock();
        }
        state.pending.clear();
        state.is_telling = false;
    }
}

impl Notice {
    fn tell(&self, kernel: &dyn Kernel) {
        match self {
            Self::Name(dir, name) => kernel.name_changed(*dir, name),
            Self::Inode(ino) => kernel.inode_changed(*ino),
        }
    }
}

/// What comes through no mount is told to all.
impl Kernel for Mounts {
    fn name_changed(&self, dir: Ino, name: &[u8]) {
        self.note(NO_MOUNT, [Notice::Name(dir, name.into())]);
    }

    fn inode_changed(&self, ino: Ino) {
        self.note(NO_MOUNT, [Notice::Inode(ino)]);
    }
}

impl Mount {
    /// Where it begins.
    pub(super) const fn top(&self) -> Ino {
        self.top
    }

    /// The inode that the kernel of this mount calls by a number: the topmost is 1 everywhere.
    pub(super) fn ino(&self, node: INodeNo) -> Ino {
        if node == INodeNo::ROOT {
            self.top
        } else {
            Ino(node.0)
        }
    }

    /// What is named now, for the others to be told of if it is named no more.
    pub(super) fn named(&self, pod: &Pod, names: &[(INodeNo, &OsStr)]) -> Vec<Ino> {
        if !self.mounts.are_several.load(Ordering::Acquire) {
            return Vec::new();
        }
        let found = names.iter().filter_map(|(dir, name)| {
            let found = pod.lookup(self.ino(*dir), name.as_bytes());
            found.ok().map(|attr| attr.ino)
        });
        found.collect()
    }

    /// These names changed, and `inodes`.
    pub(super) fn changed(&self, names: &[(INodeNo, &OsStr)], inodes: &[Ino]) {
        if !self.mounts.are_several.load(Ordering::Acquire) {
            return;
        }
        let of_names = names.iter().flat_map(|(dir, name)| {
            let dir = self.ino(*dir);
            [
                Notice::Name(dir, name.as_bytes().into()),
                Notice::Inode(dir),
            ]
        });
        let of_inodes = inodes.iter().map(|ino| Notice::Inode(*ino));
        self.mounts.note(self.number, of_names.chain(of_inodes));
    }

    /// Counts an open of a file.
    pub(super) fn open(&self, pod: &Pod, node: INodeNo) -> Result<(), PodError> {
        pod.open_meant(self.ino(node))?;
        self.opens(self.ino(node));
        Ok(())
    }

    /// One that was made is open.
    pub(super) fn opens(&self, ino: Ino) {
        if let Some(opened) = &self.opened {
            *opened.lock().entry(ino).or_default() += 1;
        }
    }

    /// Takes back one open.
    pub(super) fn release(&self, pod: &Pod, node: INodeNo) -> Result<(), PodError> {
        let ino = self.ino(node);
        if let Some(opened) = &self.opened {
            let mut opened = opened.lock();
            if let Some(count) = opened.get_mut(&ino) {
                *count -= 1;
                if *count == 0 {
                    opened.remove(&ino);
                }
            }
        }
        pod.release_meant(ino)
    }

    /// It is gone: whatever was open through it is not any more.
    pub(super) fn ended(&self, pod: &Pod) {
        self.mounts.end(self);
        let opened = self
            .opened
            .as_ref()
            .map(|opened| std::mem::take(&mut *opened.lock()));
        for (ino, count) in opened.into_iter().flatten() {
            for _ in 0..count {
                if let Err(error) = pod.release_meant(ino) {
                    tracing::debug!(%error, "what was open in the mount of a box");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    /// A kernel that takes a notice only once a request of its own was answered.
    struct Waits {
        answered: Mutex<mpsc::Receiver<()>>,
        taken: mpsc::Sender<String>,
    }

    impl Waits {
        fn take(&self, notice: &str) {
            let answered = self.answered.lock();
            let is_answered = answered.recv_timeout(Duration::from_secs(10)).is_ok();
            let said = if is_answered { "" } else { "unanswered: " };
            self.taken.send(format!("{said}{notice}")).unwrap();
        }
    }

    impl Kernel for Waits {
        fn name_changed(&self, dir: Ino, name: &[u8]) {
            self.take(&format!("{dir} {}", String::from_utf8_lossy(name)));
        }
        fn inode_changed(&self, ino: Ino) {
            self.take(&ino.to_string());
        }
    }

    #[test]
    fn who_tells_the_kernel_does_not_wait_for_it() {
        let mounts = Arc::new(Mounts::default());
        let ((answer, answered), (taken, told)) = (mpsc::channel(), mpsc::channel());
        mounts.inode_changed(Ino(5));
        let mount = mounts.mount(ROOT);
        let answered = Mutex::new(answered);
        let kernel = Arc::new(Waits { answered, taken });
        mounts.begin(&mount, kernel).unwrap();
        // In a request: it is answered only afterwards.
        mounts.name_changed(Ino(7), b"a");
        mounts.inode_changed(Ino(8));
        mounts.inode_changed(Ino(8));
        answer.send(()).unwrap();
        answer.send(()).unwrap();
        let mut all = [told.recv().unwrap(), told.recv().unwrap()];
        all.sort();
        assert_eq!(all, [format!("{} a", Ino(7)), Ino(8).to_string()]);
        mounts.end(&mount);
        drop(mounts);
        assert!(told.recv().is_err(), "nobody tells any more");
    }
}
