use std::ffi::OsStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fuser::{Errno, INodeNo, OpenAccMode, OpenFlags, Request};
use tokio::runtime::Handle;

use crate::fuse::answer::Answer;
use crate::fuse::errno::errno;
use crate::fuse::mounts::Mount;
use crate::fuse::told::Shared;
use crate::fuse::wait::Waiting;
use crate::fuse::watchdog::Running;
use crate::pod::{Opening, Pod, PodError};
use crate::types::Ino;

/// The kernel's side of a pod. Every operation is the same: translate, call, answer.
pub(super) struct Adapter {
    pub(super) pod: Arc<Pod>,
    pub(super) mount: Arc<Mount>,
    pub(super) running: Arc<Running>,
    /// Where requests wait for the network.
    pub(super) runtime: Handle,
    /// What is told, as long as it is open.
    pub(super) told: Shared,
    /// Whether somebody wants to know who opens files.
    pub(super) tells_opened: bool,
}

impl Adapter {
    /// The inode that the kernel calls by a number.
    pub(super) fn ino(&self, node: INodeNo) -> Ino {
        self.pod.meant(self.mount.ino(node))
    }

    /// Does `work` and answers.
    pub(super) fn run<T, R: Answer<T>>(
        &self,
        op: &'static str,
        node: INodeNo,
        reply: R,
        work: impl FnOnce(&Pod, Ino) -> Result<T, PodError>,
    ) {
        let ino = self.mount.ino(node);
        serve(&self.running, (op, ino.0), reply, || {
            work(&self.pod, self.pod.meant(ino))
        });
    }

    /// The same for work that changes the inode, and what these names name: the other mounts hear of it.
    pub(super) fn change<T, R: Answer<T>>(
        &self,
        (op, node): (&'static str, INodeNo),
        names: &[(INodeNo, &OsStr)],
        reply: R,
        work: impl FnOnce(&Pod, Ino) -> Result<T, PodError>,
    ) {
        self.run(op, node, reply, |pod, ino| {
            let mut inodes = self.mount.named(pod, names);
            let done = work(pod, ino)?;
            inodes.extend(self.mount.named(pod, names));
            inodes.push(ino);
            self.mount.changed(names, &inodes);
            Ok(done)
        });
    }

    /// The same for work that may need pages from the network. Then the event loop goes on, and a task does what
    /// `own` makes of the work: the same, with nothing borrowed from the request.
    pub(super) fn run_far<T, R, W>(
        &self,
        (op, node, effect): (&'static str, INodeNo, Effect),
        reply: R,
        work: impl FnOnce(&Pod, Ino) -> Result<T, PodError>,
        own: impl FnOnce() -> W,
    ) where
        T: Send + 'static,
        R: Answer<T> + Send + 'static,
        W: Fn(&Pod, Ino) -> Result<T, PodError> + Send + Sync + 'static,
    {
        let ino = self.mount.ino(node);
        let turn = self.running.begin(op, ino.0);
        match caught(|| work(&self.pod, self.pod.meant(ino))) {
            Some(Err(PodError::Absent { ino, pages })) => {
                let waiting = Waiting {
                    pod: Arc::clone(&self.pod),
                    mount: Arc::clone(&self.mount),
                    turn,
                    effect,
                    work: own(),
                };
                drop(self.runtime.spawn(waiting.answer(ino, pages, reply)));
            }
            outcome => {
                effect.tell(&self.mount, ino, outcome.as_ref());
                tell_failure(&self.pod, turn.at(), outcome.as_ref());
                answer(turn.at(), reply, outcome);
            }
        }
    }

    /// A program opened a file.
    pub(super) fn tell_opened(&self, request: &Request, ino: Ino, flags: OpenFlags) {
        if self.tells_opened {
            let opening = Opening {
                pid: request.pid(),
                uid: request.uid(),
                writes: flags.acc_mode() != OpenAccMode::O_RDONLY,
            };
            self.pod.tell_opened(ino, opening);
        }
    }
}

/// What work does to the inode it is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Reads,
    /// The other mounts have to hear of it.
    Changes,
}

impl Effect {
    /// Tells the other mounts, if it was done.
    pub(super) fn tell<T>(self, mount: &Mount, ino: Ino, outcome: Option<&Result<T, PodError>>) {
        if self == Self::Changes && matches!(outcome, Some(Ok(_))) {
            mount.changed(&[], &[ino]);
        }
    }
}

/// Does `work` and answers. A panic answers `EIO` for this request alone.
fn serve<T, R: Answer<T>>(
    running: &Arc<Running>,
    (op, ino): (&'static str, u64),
    reply: R,
    work: impl FnOnce() -> Result<T, PodError>,
) {
    let turn = running.begin(op, ino);
    answer(turn.at(), reply, caught(work));
}

/// What the work gives; `None` when it panics.
fn caught<T>(work: impl FnOnce() -> Result<T, PodError>) -> Option<Result<T, PodError>> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// What could not be read is worth a record.
pub(super) fn tell_failure<T>(
    pod: &Pod,
    (op, ino): (&'static str, u64),
    outcome: Option<&Result<T, PodError>>,
) {
    if op == "read"
        && let Some(Err(error)) = outcome
    {
        pod.tell_failure(Ino(ino), error);
    }
}

/// Answers an operation on an inode with what it gave, `None` being a panic.
pub(super) fn answer<T, R: Answer<T>>(
    (op, ino): (&'static str, u64),
    reply: R,
    outcome: Option<Result<T, PodError>>,
) {
    match outcome {
        Some(Ok(value)) => reply.give(value),
        Some(Err(error)) => {
            if matches!(error, PodError::Unreachable(_)) {
                tracing::warn!(op, ino, %error, "request failed");
            } else if matches!(
                error,
                PodError::Corrupt(_) | PodError::Io(_) | PodError::Busy | PodError::Absent { .. }
            ) {
                tracing::error!(op, ino, %error, "request failed");
            }
            reply.fail(errno(&error));
        }
        None => {
            tracing::error!(op, ino, "request ended in a panic");
            reply.fail(Errno::EIO);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    /// Stands for a reply; remembers what was answered.
    struct Told(mpsc::Sender<Result<u32, i32>>);

    impl Answer<u32> for Told {
        fn give(self, value: u32) {
            self.0.send(Ok(value)).unwrap();
        }
        fn fail(self, errno: Errno) {
            self.0.send(Err(errno.code())).unwrap();
        }
    }

    #[test]
    fn a_panic_is_the_end_of_one_request_only() {
        let running = Arc::new(Running::default());
        let (told, answers) = mpsc::channel();
        let at = ("read", 1);
        serve(&running, at, Told(told.clone()), || panic!("on purpose"));
        serve(&running, at, Told(told.clone()), || Ok(7));
        serve(&running, at, Told(told), || Err(PodError::NotEmpty));
        let answers: Vec<_> = answers.iter().collect();
        assert_eq!(answers, [Err(libc::EIO), Ok(7), Err(libc::ENOTEMPTY)]);
        assert!(running.overdue(Duration::ZERO).is_empty());
    }

    #[test]
    fn the_watchdog_sees_a_request_that_was_delayed_on_purpose() {
        let running = Arc::new(Running::default());
        let (told, answers) = mpsc::channel();
        let (release, wait) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let running = &running;
            scope.spawn(move || {
                serve(running, ("write", 42), Told(told), || {
                    wait.recv().unwrap();
                    Ok(0)
                });
            });
            while running.requests() == 0 {
                std::thread::yield_now();
            }
            let limit = Duration::from_millis(20);
            while running.overdue(limit).is_empty() {
                std::thread::yield_now();
            }
            let late = running.overdue(limit);
            assert_eq!((late[0].op, late[0].ino), ("write", 42));
            assert!(late[0].since.elapsed() > limit);
            running.tell_overdue(limit);
            release.send(()).unwrap();
        });
        assert_eq!(answers.recv().unwrap(), Ok(0));
        assert!(running.overdue(Duration::ZERO).is_empty());
    }
}
