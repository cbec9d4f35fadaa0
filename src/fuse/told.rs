//! What podfs tells and is told through the mount: files that are made as they are opened, and attributes that share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fuser::{FileHandle, FopenFlags, INodeNo, ReplyData, ReplyEmpty, ReplyOpen, ReplyXattr};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::fuse::answer::{Answer, Probe};
use crate::fuse::errno::errno;
use crate::fuse::serve::{Adapter, answer};
use crate::pod::{Caller, Doing, Pod, PodError, ShareWish, Told, XattrMode, contact_of};
use crate::types::limits::{READ_DEADLINE, TOLD_OPEN_MAX};
use crate::types::{Ino, ROOT};

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

    /// An attribute that is kept, or one that podfs answers itself.
    pub(super) fn get_attribute(
        &self,
        node: INodeNo,
        (name, room): (&[u8], u32),
        asked: Caller,
        reply: ReplyXattr,
    ) {
        self.run("getxattr", node, reply, |pod, ino| {
            let shared = if self.is_whole() {
                pod.share_attribute(ino, name, asked)?
            } else {
                None
            };
            let bytes = shared.map_or_else(|| pod.getxattr(ino, name), Ok)?;
            Ok(Probe { bytes, room })
        });
    }

    /// Sets an attribute, or shares what it says.
    pub(super) fn set_attribute(
        &self,
        node: INodeNo,
        (name, value, mode): (&[u8], &[u8], XattrMode),
        asked: Caller,
        reply: ReplyEmpty,
    ) {
        if let Some(who) = self.shares_with(name) {
            let wish = ShareWish::new(who, value, mode);
            return self.share(node, wish, asked, reply);
        }
        self.change(("setxattr", node), &[], reply, |pod, ino| {
            pod.setxattr(pod.to_change(ino)?, name, value, mode)
        });
    }

    /// Removes an attribute, or shares it no more.
    pub(super) fn remove_attribute(
        &self,
        node: INodeNo,
        name: &[u8],
        asked: Caller,
        reply: ReplyEmpty,
    ) {
        if let Some(who) = self.shares_with(name) {
            return self.unshare(node, who.to_owned(), asked, reply);
        }
        self.change(("removexattr", node), &[], reply, |pod, ino| {
            pod.removexattr(pod.to_change(ino)?, name)
        });
    }

    /// Who sees a box alone neither learns nor says with whom anything is shared.
    fn is_whole(&self) -> bool {
        self.mount.top() == ROOT
    }

    fn shares_with<'a>(&self, attribute: &'a [u8]) -> Option<&'a str> {
        contact_of(attribute).filter(|_| self.is_whole())
    }

    /// Shares what an attribute says.
    fn share(
        &self,
        node: INodeNo,
        wish: Result<ShareWish, PodError>,
        asked: Caller,
        reply: ReplyEmpty,
    ) {
        let ino = self.ino(node);
        self.run_long(("setxattr", node), reply, move |pod| {
            Box::pin(async move { pod.desk()?.share(ino, wish?, asked).await })
        });
    }

    /// Shares it no more.
    fn unshare(&self, node: INodeNo, who: String, asked: Caller, reply: ReplyEmpty) {
        let ino = self.ino(node);
        self.run_long(("removexattr", node), reply, move |pod| {
            Box::pin(async move { pod.desk()?.unshare(ino, who, asked).await })
        });
    }

    /// Does work that waits for others in a task, and answers.
    fn run_long<T, R>(
        &self,
        (op, node): (&'static str, INodeNo),
        reply: R,
        work: impl FnOnce(Arc<Pod>) -> Doing<'static, T>,
    ) where
        T: Send + 'static,
        R: Answer<T> + Send + 'static,
    {
        let turn = self.running.begin(op, self.mount.ino(node).0);
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
