use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fuser::{Errno, INodeNo};

use crate::fuse::answer::Answer;
use crate::fuse::errno::errno;
use crate::fuse::watchdog::Running;
use crate::pod::{Pod, PodError};
use crate::types::Ino;

thread_local! {
    /// What an event loop read last: the next read needs no new memory.
    pub(super) static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The kernel's side of a pod. Every operation is the same: translate, call, answer.
pub(super) struct Adapter {
    pub(super) pod: Arc<Pod>,
    pub(super) running: Arc<Running>,
}

impl Adapter {
    pub(super) fn run<T, R: Answer<T>>(
        &self,
        op: &'static str,
        node: INodeNo,
        reply: R,
        work: impl FnOnce(&Pod, Ino) -> Result<T, PodError>,
    ) {
        serve(&self.running, (op, node.0), reply, || {
            work(&self.pod, Ino(node.0))
        });
    }
}

/// Does `work` and answers. A panic answers `EIO` for this request alone.
fn serve<T, R: Answer<T>>(
    running: &Running,
    (op, ino): (&'static str, u64),
    reply: R,
    work: impl FnOnce() -> Result<T, PodError>,
) {
    let _turn = running.begin(op, ino);
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => reply.give(value),
        Ok(Err(error)) => {
            if matches!(
                error,
                PodError::Corrupt(_) | PodError::Io(_) | PodError::Busy
            ) {
                tracing::error!(op, ino, %error, "request failed");
            }
            reply.fail(errno(&error));
        }
        Err(_) => {
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
        let running = Running::new();
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
        let running = Running::new();
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
