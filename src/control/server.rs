//! The answering end: accepts, checks who asks, and hands each request on.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::control::Request;
use crate::control::Response;
use crate::control::address::ShortPath;
use crate::types::limits::CONTROL_CONNECTIONS_MAX;
use crate::types::limits::CONTROL_LINE_MAX;
use crate::types::limits::CONTROL_SILENCE_MAX;

/// A request and where its answer goes.
#[derive(Debug)]
pub struct Task {
    /// What was asked.
    pub request: Request,
    /// Takes the one answer; dropping it hangs up.
    pub answer: oneshot::Sender<Response>,
}

/// The listening socket of one daemon. Its file is removed by whoever holds the pod's lock, and only then:
/// a successor may already have put its own there.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    deliveries: Deliveries,
}

/// Answers on their way: who ends the process waits for them, or the peer never learns that its wish was done.
#[derive(Clone, Debug)]
pub struct Deliveries(Arc<Semaphore>);

impl Deliveries {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(CONTROL_CONNECTIONS_MAX)))
    }

    /// Returns when no answer is on its way.
    pub async fn done(&self) {
        let all = u32::try_from(CONTROL_CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let none_left = self.0.acquire_many(all).await;
        if none_left.is_err() {
            tracing::debug!("deliveries were closed");
        }
    }
}

impl Server {
    /// Binds `path` with mode 0600, in place of what a killed daemon left there. The caller holds the
    /// pod's lock, so nobody else can be listening. Must be called inside the runtime.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let short = ShortPath::of(path)?;
        let listener = UnixListener::bind(short.path())?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            deliveries: Deliveries::new(),
        })
    }

    /// To wait for at the end.
    pub fn deliveries(&self) -> Deliveries {
        self.deliveries.clone()
    }

    /// Accepts for ever, handing every request to `tasks`.
    pub async fn run(self, tasks: mpsc::Sender<Task>) {
        let places = Arc::new(Semaphore::new(CONTROL_CONNECTIONS_MAX));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let tasks = tasks.clone();
                    let deliveries = self.deliveries.clone();
                    tokio::spawn(async move {
                        if let Err(error) = converse(stream, tasks, &deliveries).await {
                            tracing::debug!(%error, "control connection ended");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "control socket does not accept");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }
}

async fn converse(
    stream: UnixStream,
    tasks: mpsc::Sender<Task>,
    deliveries: &Deliveries,
) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    if !may_ask(peer.uid()) {
        tracing::warn!(
            uid = peer.uid(),
            "control connection of another user refused"
        );
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut stream).take(CONTROL_LINE_MAX as u64);
        let read =
            tokio::time::timeout(CONTROL_SILENCE_MAX, limited.read_until(b'\n', &mut line)).await;
        let Ok(count) = read else { return Ok(()) };
        if count? == 0 {
            return Ok(());
        }
        let delivery = deliveries.0.acquire().await;
        let (answer, last) = answer_to(&line, &tasks).await;
        let mut bytes = serde_json::to_vec(&answer).map_err(io::Error::other)?;
        bytes.push(b'\n');
        stream.write_all(&bytes).await?;
        drop(delivery);
        if last {
            // The peer learns from the end of file that the process, with all its locks, is gone.
            std::future::pending::<()>().await;
        }
    }
}

/// The answer, and whether the daemon ends after it.
async fn answer_to(line: &[u8], tasks: &mpsc::Sender<Task>) -> (Response, bool) {
    let failed = |what: String| (Response::Failed { what }, false);
    let request = match serde_json::from_slice::<Request>(line) {
        Ok(request) => request,
        Err(error) => return failed(format!("the request cannot be read: {error}")),
    };
    let ends = matches!(request, Request::Unmount { .. });
    let (answer, answered) = oneshot::channel();
    if tasks.send(Task { request, answer }).await.is_err() {
        return failed("the daemon is ending".into());
    }
    match answered.await {
        Ok(response) => {
            let last = ends && response == Response::Done;
            (response, last)
        }
        Err(_) => failed("the daemon is ending".into()),
    }
}

fn may_ask(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::control::Client;
    use crate::control::ClientError;

    fn deep_folder() -> (tempfile::TempDir, PathBuf) {
        let top = tempfile::tempdir().unwrap();
        let deep = top.path().join("x".repeat(120)).join("y".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        (top, deep.join("main.sock"))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_request_is_answered_and_garbage_refused() {
        let (_top, path) = deep_folder();
        let (tasks, mut inbox) = mpsc::channel(1);
        let running = tokio::spawn(Server::bind(&path).unwrap().run(tasks));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let asked = tokio::task::spawn_blocking({
            let path = path.clone();
            move || {
                Client::connect(&path, CONTROL_SILENCE_MAX)
                    .unwrap()
                    .ask(&Request::Sync)
                    .unwrap()
            }
        });
        let task = inbox.recv().await.unwrap();
        assert_eq!(task.request, Request::Sync);
        task.answer.send(Response::Done).unwrap();
        assert_eq!(asked.await.unwrap(), Response::Done);

        let (tasks, _inbox) = mpsc::channel(1);
        let (answer, last) = answer_to(b"{\"ask\":\"dance\"}\n", &tasks).await;
        assert!(
            matches!(answer, Response::Failed { .. }) && !last,
            "{answer:?}"
        );
        running.abort();
    }

    #[test]
    fn nobody_listening_is_told_apart() {
        let (_top, path) = deep_folder();
        let missing = Client::connect(&path, CONTROL_SILENCE_MAX).unwrap_err();
        assert!(matches!(missing, ClientError::Absent), "{missing}");
        drop(std::os::unix::net::UnixListener::bind(ShortPath::of(&path).unwrap().path()).unwrap());
        let left_over = Client::connect(&path, CONTROL_SILENCE_MAX).unwrap_err();
        assert!(matches!(left_over, ClientError::Absent), "{left_over}");
    }
}
