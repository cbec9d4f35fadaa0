use std::ops::Range;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use crate::fuse::answer::Answer;
use crate::fuse::mounts::Mount;
use crate::fuse::serve::{Effect, answer, tell_failure};
use crate::fuse::watchdog::Turn;
use crate::pod::{Pod, PodError};
use crate::types::Ino;
use crate::types::limits::READ_DEADLINE;

/// How often an operation is done again. What it needs is known in a few turns, unless it goes again each time.
const TURNS_MAX: usize = 32;

/// A request that waits for the network, with all that it takes to do it again.
pub(super) struct Waiting<W> {
    pub(super) pod: Arc<Pod>,
    pub(super) mount: Arc<Mount>,
    pub(super) turn: Turn,
    pub(super) effect: Effect,
    pub(super) work: W,
}

impl<W> Waiting<W> {
    /// Fetches `pages` of `ino`, does the work again, until it needs nothing more or the request is too old; answers.
    pub(super) async fn answer<T, R>(self, ino: Ino, pages: Range<u64>, reply: R)
    where
        T: Send + 'static,
        R: Answer<T>,
        W: Fn(&Pod, Ino) -> Result<T, PodError> + Send + Sync + 'static,
    {
        let deadline = Instant::from_std(self.turn.since()) + READ_DEADLINE;
        let node = Ino(self.turn.at().1);
        let work = Arc::new(self.work);
        let mut absent = (ino, pages);
        let mut outcome = Some(Err(unreachable("pages went again before they were used")));
        for _ in 0..TURNS_MAX {
            let fetching = self.pod.fetch(absent.0, absent.1);
            let fetched = timeout_at(deadline, fetching).await;
            if let Err(error) = fetched.unwrap_or_else(|_| Err(unreachable("no answer in time"))) {
                outcome = Some(Err(error));
                break;
            }
            let (pod, work) = (Arc::clone(&self.pod), Arc::clone(&work));
            let done = tokio::task::spawn_blocking(move || work(&pod, pod.meant(node)));
            match done.await.ok() {
                Some(Err(PodError::Absent { ino, pages })) => absent = (ino, pages),
                done => {
                    outcome = done;
                    break;
                }
            }
        }
        self.effect.tell(&self.mount, node, outcome.as_ref());
        tell_failure(&self.pod, self.turn.at(), outcome.as_ref());
        answer(self.turn.at(), reply, outcome);
    }
}

fn unreachable(why: &str) -> PodError {
    PodError::Unreachable(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuse::contents::Contents;
    use crate::fuse::mounts::Mounts;
    use crate::fuse::serve::{Adapter, Effect};
    use crate::fuse::watchdog::Running;
    use crate::pod::Caller;
    use crate::pod::fake::{Fake, Network};
    use crate::types::ROOT;
    use fuser::{Errno, INodeNo};
    use std::time::Duration;
    use tokio::sync::oneshot;

    /// Stands for a reply; tells what was answered, and on which thread.
    struct Told(oneshot::Sender<(Result<Vec<u8>, i32>, std::thread::ThreadId)>);

    impl Told {
        fn tell(self, what: Result<Vec<u8>, i32>) {
            self.0.send((what, std::thread::current().id())).unwrap();
        }
    }

    impl Answer<Contents> for Told {
        fn give(self, contents: Contents) {
            self.tell(Ok(contents.as_slice().to_vec()));
        }
        fn fail(self, errno: Errno) {
            self.tell(Err(errno.code()));
        }
    }

    impl Answer<u32> for Told {
        fn give(self, written: u32) {
            self.tell(Ok(written.to_le_bytes().to_vec()));
        }
        fn fail(self, errno: Errno) {
            self.tell(Err(errno.code()));
        }
    }

    struct Bench {
        adapter: Adapter,
        fake: Arc<Fake>,
        ino: Ino,
    }

    impl Bench {
        /// A file of ten pages, all of them remote.
        fn new() -> Self {
            let fake = Arc::new(Fake::default());
            let pod = Pod::in_memory_with(Arc::<Fake>::clone(&fake));
            let owner = Caller { uid: 0, gid: 0 };
            let ino = pod.create(ROOT, b"f", 0o600, owner).unwrap().ino;
            pod.write(ino, 0, &vec![7; 10 * 4096], false).unwrap();
            fake.take(&pod, ino);
            let adapter = Adapter {
                pod: Arc::new(pod),
                mount: Arc::new(Arc::new(Mounts::default()).mount(ROOT)),
                running: Arc::new(Running::default()),
                runtime: tokio::runtime::Handle::current(),
                told: Arc::default(),
                tells_opened: false,
            };
            Self { adapter, fake, ino }
        }

        fn read(
            &self,
            size: u32,
        ) -> oneshot::Receiver<(Result<Vec<u8>, i32>, std::thread::ThreadId)> {
            let (told, answer) = oneshot::channel();
            let work = move |pod: &Pod, ino| Contents::read(pod, ino, 0, size);
            let node = INodeNo(self.ino.0);
            self.adapter
                .run_far(("read", node, Effect::Reads), Told(told), work, || work);
            answer
        }

        fn running(&self) -> usize {
            self.adapter.running.overdue(Duration::ZERO).len()
        }
    }

    #[tokio::test]
    async fn what_is_elsewhere_is_answered_by_a_task() {
        let bench = Bench::new();
        let mut answer = bench.read(5000);
        assert!(answer.try_recv().is_err(), "nobody waited here");
        assert_eq!(bench.running(), 1, "the watchdog sees it");
        assert_eq!(answer.await.unwrap().0, Ok(vec![7; 5000]));
        assert_eq!(bench.running(), 0);
        assert_eq!(bench.fake.forget(), [(0, 2)]);
        bench
            .adapter
            .pod
            .write(bench.ino, 0, &[8; 4096], false)
            .unwrap();
        let mut answer = bench.read(4096);
        let (read, thread) = answer.try_recv().unwrap();
        assert_eq!(
            (read, thread),
            (Ok(vec![8; 4096]), std::thread::current().id())
        );
    }

    #[tokio::test]
    async fn a_write_is_done_again_with_data_of_its_own() {
        let bench = Bench::new();
        let (told, answer) = oneshot::channel();
        let node = INodeNo(bench.ino.0);
        {
            // Gone before the task gets to it.
            let data = vec![9; 30_000];
            let write = |pod: &Pod, ino, data: &[u8]| pod.write(ino, 100, data, false);
            let work = |pod: &Pod, ino| write(pod, ino, &data);
            bench
                .adapter
                .run_far(("write", node, Effect::Changes), Told(told), work, || {
                    let data = data.clone();
                    move |pod: &Pod, ino| write(pod, ino, &data)
                });
        }
        let written = answer.await.unwrap().0.unwrap();
        assert_eq!(written, 30_000_u32.to_le_bytes());
        assert_eq!(bench.fake.forget(), [(0, 8)]);
        let read = bench.read(40_000).await.unwrap().0.unwrap();
        let expected = [vec![7; 100], vec![9; 30_000], vec![7; 9_900]].concat();
        assert!(read == expected);
    }

    #[tokio::test]
    async fn what_the_network_does_not_give_is_an_error() {
        let bench = Bench::new();
        bench.fake.set(Network::Down);
        assert_eq!(bench.read(1).await.unwrap().0, Err(libc::EIO));
        assert_eq!(bench.running(), 0);
        bench.fake.set(Network::Good);
        assert_eq!(bench.read(1).await.unwrap().0, Ok(vec![7]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_no_longer_than_the_deadline() {
        let bench = Bench::new();
        bench.fake.set(Network::Silent);
        let before = Instant::now();
        assert_eq!(bench.read(1).await.unwrap().0, Err(libc::EIO));
        let waited = before.elapsed();
        assert!(waited > READ_DEADLINE / 2 && waited < READ_DEADLINE * 2);
        assert_eq!(bench.running(), 0);
    }

    #[tokio::test]
    async fn a_panic_in_a_task_is_the_end_of_one_request_only() {
        let bench = Bench::new();
        let (told, answer) = oneshot::channel::<_>();
        let node = INodeNo(bench.ino.0);
        let absent =
            |_: &Pod, ino| -> Result<u32, PodError> { Err(PodError::Absent { ino, pages: 0..1 }) };
        let again = |_: &Pod, _: Ino| -> Result<u32, PodError> { panic!("on purpose") };
        bench
            .adapter
            .run_far(("write", node, Effect::Changes), Told(told), absent, || {
                again
            });
        assert_eq!(answer.await.unwrap().0, Err(libc::EIO));
        let (told, answer) = oneshot::channel();
        bench
            .adapter
            .run_far(("write", node, Effect::Changes), Told(told), absent, || {
                absent
            });
        assert_eq!(answer.await.unwrap().0, Err(libc::EIO), "it has an end");
        assert_eq!(bench.running(), 0);
    }
}
