//! What podfs tells and is told through the mount: files that are made as they are opened, and attributes that share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fuser::{FileHandle, FopenFlags, INodeNo, ReplyData, ReplyEmpty, ReplyOpen};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::fuse::answer::Answer;
use crate::fuse::errno::errno;
use crate::fuse::serve::{Adapter, answer};
use crate::pod::{Caller, Doing, Pod, PodError, ShareWish, Told};
use crate::types::Ino;
use crate::types::limits::{READ_DEADLINE, TOLD_OPEN_MAX};

/// What was made for those who have it open, by handle.
#[derive(Default)]
pub(super) struct Open {
    next: u64,
    made: BTreeMap<u64, Arc<[u8]>>,
}

impl Open {
    fn keep(&mut self, bytes: Vec<u8>) -> Result<u64, PodError> {
        if self.made.len() >= TOLD_OPEN_MAX {
            return Err(PodError::TooManyOpen);
        }
        self.next = self.next.saturating_add(1);
        self.made.insert(self.next, bytes.into());
        Ok(self.next)
    }
}

/// A handle of something that was made.
struct Opened(u64);

impl Answer<Opened> for ReplyOpen {
    fn give(self, opened: Opened) {
        // Nobody knew the size: the kernel asks until there is no more, and keeps nothing.
        let flags = FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_NOFLUSH;
        self.opened(FileHandle(opened.0), flags);
    }
    fn fail(self, errno: fuser::Errno) {
        self.error(errno);
    }
}

impl Adapter {
    /// Makes what is told, and opens it.
    pub(super) fn open_told(&self, node: INodeNo, told: Told, writes: bool, reply: ReplyOpen) {
        if writes {
            reply.error(errno(&PodError::ReadOnly));
            return;
        }
        let open = Arc::clone(&self.told);
        self.run_long(("open", node), reply, move |pod| {
            Box::pin(async move {
                let made = pod.desk()?.read(told).await?;
                Ok(Opened(open.lock().keep(made)?))
            })
        });
    }

    pub(super) fn read_told(&self, file: FileHandle, offset: u64, size: u32, reply: ReplyData) {
        let made = self.told.lock().made.get(&file.0).cloned();
        let Some(made) = made else {
            reply.error(errno(&PodError::Stale));
            return;
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = made.get(from..).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        reply.data(rest.get(..size).unwrap_or(rest));
    }

    pub(super) fn release_told(&self, file: FileHandle, reply: ReplyEmpty) {
        self.told.lock().made.remove(&file.0);
        reply.ok();
    }

    /// Shares what an attribute says.
    pub(super) fn share(
        &self,
        node: INodeNo,
        wish: Result<ShareWish, PodError>,
        asked: Caller,
        reply: ReplyEmpty,
    ) {
        let ino = Ino(node.0);
        self.run_long(("setxattr", node), reply, move |pod| {
            Box::pin(async move { pod.desk()?.share(ino, wish?, asked).await })
        });
    }

    /// Shares it no more.
    pub(super) fn unshare(&self, node: INodeNo, who: String, asked: Caller, reply: ReplyEmpty) {
        let ino = Ino(node.0);
        self.run_long(("removexattr", node), reply, move |pod| {
            Box::pin(async move { pod.desk()?.unshare(ino, who, asked).await })
        });
    }

    /// Does work that waits for others in a task, and answers.
    pub(super) fn run_long<T, R>(
        &self,
        (op, node): (&'static str, INodeNo),
        reply: R,
        work: impl FnOnce(Arc<Pod>) -> Doing<'static, T>,
    ) where
        T: Send + 'static,
        R: Answer<T> + Send + 'static,
    {
        let turn = self.running.begin(op, node.0);
        let work = work(Arc::clone(&self.pod));
        drop(self.runtime.spawn(async move {
            let deadline = Instant::from_std(turn.since()) + READ_DEADLINE;
            let done = timeout_at(deadline, work).await;
            answer(turn.at(), reply, Some(done.unwrap_or(Err(PodError::Busy))));
        }));
    }
}

/// How long the kernel may keep names and attributes of this.
pub(super) const fn keeps(ino: Ino) -> Duration {
    if ino.is_told() {
        Duration::ZERO
    } else {
        crate::fuse::answer::TTL
    }
}

/// Shared by the event loops and the tasks.
pub(super) type Shared = Arc<Mutex<Open>>;
