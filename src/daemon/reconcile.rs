//! Rows about people and the files that carry them are made to agree when a pod is mounted.
//!
//! On this machine the row counts: a file that is missing or differs was not written to the end. A file without a row
//! comes from another machine: it becomes a row, once its contents are here. Until all of these are, nobody can say whom
//! the owner knows.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;

use crate::daemon::shelf::read_state;
use crate::daemon::shelf::read_state_here;
use crate::format::rows::Key;
use crate::pod::Pod;
use crate::pod::PodError;
use crate::share::PeopleRows;
use crate::share::ShareError;
use crate::share::file_name;
use crate::share::key_of_file;
use crate::types::limits::PEOPLE_AGAIN;
use crate::types::limits::PEOPLE_AT_ONCE;
use crate::types::limits::PEOPLE_FILE_PATIENCE;
use crate::types::limits::PEOPLE_WAIT;
use crate::types::limits::PUBLISH_STOP;
use crate::types::limits::ROW_VALUE_MAX;

/// Whether the rows are all there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// All.
    Complete,
    /// Not yet; why not is for people.
    Incomplete(String),
    /// Not all, and nothing changes that as long as this mount lasts.
    ReadOnly,
}

/// Why not all is known of other people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Incomplete {
    /// It comes.
    #[error("people are still being fetched: {0}")]
    Fetching(String),
    /// It would come with another mount.
    #[error("people were not fetched yet, and are not while the pod is mounted read-only")]
    ReadOnly,
}

/// Makes rows and files agree, once for each mount.
pub(super) struct Reconciliation {
    pod: Arc<Pod>,
    rows: Arc<PeopleRows>,
    standing: watch::Sender<Standing>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What a look at this machine alone left open.
#[derive(Default)]
struct Open {
    /// Files that become rows, and have to be fetched.
    strange: Vec<Key>,
    /// Files that have to be fetched to be compared with their rows.
    unsure: Vec<Key>,
    /// Files that could not be written.
    unwritten: bool,
}

impl Reconciliation {
    /// Nothing is known yet.
    pub(super) fn new(pod: Arc<Pod>, rows: Arc<PeopleRows>) -> Arc<Self> {
        let (standing, _) = watch::channel(Standing::Incomplete("this has just begun".to_owned()));
        Arc::new(Self {
            pod,
            rows,
            standing,
            task: Mutex::new(None),
        })
    }

    /// Begins, in the background.
    pub(super) fn start(self: &Arc<Self>, runtime: &Handle) {
        let reconciliation = Arc::clone(self);
        let task = runtime.spawn(async move { reconciliation.run().await });
        *self.task.lock() = Some(task);
    }

    /// Only looks whether anything is missing: nothing can be written.
    pub(super) fn look(&self) {
        let missing = self.files().map(|keys| {
            let row = |key: &Key| self.rows.get(key);
            keys.iter().any(|key| matches!(row(key), Ok(None)))
        });
        self.standing.send_replace(match missing {
            Ok(false) => Standing::Complete,
            Ok(true) => Standing::ReadOnly,
            Err(error) => Standing::Incomplete(error.to_string()),
        });
    }

    /// Ends. What is left is done at the next mount.
    pub(super) fn stop(&self, runtime: &Runtime) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
            let ended = runtime.block_on(async { tokio::time::timeout(PUBLISH_STOP, task).await });
            if ended.is_err() {
                tracing::warn!("what was fetched of people was not written in time");
            }
        }
    }

    /// Returns when all rows are there, or that will not be soon.
    pub(super) async fn complete(&self) -> Result<(), Incomplete> {
        let mut standing = self.standing.subscribe();
        let decided = standing.wait_for(|now| !matches!(now, Standing::Incomplete(_)));
        if tokio::time::timeout(PEOPLE_WAIT, decided).await.is_err() {
            tracing::debug!("people are not all known yet");
        }
        let now = standing.borrow().clone();
        match now {
            Standing::Complete => Ok(()),
            Standing::ReadOnly => Err(Incomplete::ReadOnly),
            Standing::Incomplete(why) => Err(Incomplete::Fetching(why)),
        }
    }

    /// Returns when all rows are there, however long that takes.
    pub(super) async fn completed(&self) {
        let mut standing = self.standing.subscribe();
        // It is told for as long as this waits.
        drop(standing.wait_for(|now| *now == Standing::Complete).await);
    }

    async fn run(self: Arc<Self>) {
        let (mut pause, longest) = PEOPLE_AGAIN;
        while let Err(why) = self.once().await {
            tracing::info!(%why, "rows about people and their files do not agree yet");
            self.standing.send_if_modified(|standing| {
                let complete = *standing == Standing::Complete;
                if !complete {
                    *standing = Standing::Incomplete(why);
                }
                !complete
            });
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(longest);
        }
    }

    /// Once through everything. An error leaves the rest for the next time.
    async fn once(self: &Arc<Self>) -> Result<(), String> {
        let open = self.agree_here();
        let open = open.map_err(|error| error.to_string())?;
        self.each(open.strange, Self::adopt_far).await?;
        self.standing.send_replace(Standing::Complete);
        self.each(open.unsure, Self::compare_far).await?;
        if open.unwritten {
            return Err("files could not be written".to_owned());
        }
        Ok(())
    }

    /// Does what needs nothing from the network.
    fn agree_here(&self) -> Result<Open, Failed> {
        let mut open = Open::default();
        for key in self.files()? {
            if self.rows.get(&key)?.is_some() {
                continue;
            }
            if self.is_too_long(&key)? {
                continue;
            }
            match read_state_here(&self.pod, &file_name(&key)) {
                Ok(Some(bytes)) => self.adopt(key, &bytes)?,
                Ok(None) => {}
                Err(PodError::Absent { .. }) => open.strange.push(key),
                Err(error @ PodError::Corrupt(_)) => left_out(&key, &error),
                Err(error) => return Err(error.into()),
            }
        }
        for key in self.rows.keys()? {
            let Some(row) = self.rows.get(&key)? else {
                continue;
            };
            // One of another length need not be fetched to be another.
            let (name, len) = (file_name(&key), row.len() as u64);
            let file = self.pod.state_file(&name)?;
            let read = match file.filter(|(_, size)| *size == len) {
                Some(_) => read_state_here(&self.pod, &name),
                None => Ok(None),
            };
            match read {
                Ok(Some(bytes)) if **bytes == *row => {}
                Err(PodError::Absent { .. }) => open.unsure.push(key),
                Ok(_) | Err(PodError::Corrupt(_)) => open.unwritten |= !self.renew(&key),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(open)
    }

    /// The keys of the rows that the files carry.
    fn files(&self) -> Result<Vec<Key>, PodError> {
        let names = self.pod.state_names()?;
        Ok(names.iter().filter_map(|name| key_of_file(name)).collect())
    }

    /// Whether a file cannot be a row.
    fn is_too_long(&self, key: &Key) -> Result<bool, PodError> {
        let file = self.pod.state_file(&file_name(key))?;
        Ok(file.is_some_and(|(_, size)| size > ROW_VALUE_MAX as u64))
    }

    /// A file that is none of ours is left as it is.
    fn adopt(&self, key: Key, bytes: &[u8]) -> Result<(), ShareError> {
        match self.rows.adopt(key, bytes) {
            Err(error @ ShareError::NoRow(_)) => {
                left_out(&key, &error);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Whether the file of a row could be written. That it could not keeps nobody from what this machine knows.
    fn renew(&self, key: &Key) -> bool {
        let renewed = self.rows.renew(key);
        if let Err(error) = &renewed {
            let kind = char::from(key.kind());
            tracing::warn!(%kind, %error, "a file about people cannot be written");
        }
        renewed.is_ok()
    }

    /// Does `work` for each key, several at once; gives an error of one of them when all are done.
    async fn each<W>(
        self: &Arc<Self>,
        keys: Vec<Key>,
        work: impl Fn(Arc<Self>, Key) -> W,
    ) -> Result<(), String>
    where
        W: Future<Output = Result<(), Failed>> + Send + 'static,
    {
        let mut running = JoinSet::new();
        let mut outcome = Ok(());
        let mut left = keys.into_iter();
        loop {
            if running.len() < PEOPLE_AT_ONCE
                && let Some(key) = left.next()
            {
                running.spawn(work(Arc::clone(self), key));
                continue;
            }
            match running.join_next().await {
                None => return outcome,
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => outcome = Err(error.to_string()),
                Some(Err(error)) => outcome = Err(error.to_string()),
            }
        }
    }

    async fn adopt_far(self: Arc<Self>, key: Key) -> Result<(), Failed> {
        let read = read_state(&self.pod, &file_name(&key), PEOPLE_FILE_PATIENCE).await?;
        if let Some(bytes) = read {
            self.adopt(key, &bytes)?;
        }
        Ok(())
    }

    async fn compare_far(self: Arc<Self>, key: Key) -> Result<(), Failed> {
        let read = read_state(&self.pod, &file_name(&key), PEOPLE_FILE_PATIENCE).await?;
        let row = self.rows.get(&key)?;
        if let Some(row) = row
            && read.is_none_or(|bytes| **bytes != *row)
        {
            self.rows.renew(&key)?;
        }
        Ok(())
    }
}

/// The name of a file is a secret; its kind is not.
fn left_out(key: &Key, error: &dyn std::fmt::Display) {
    let kind = char::from(key.kind());
    tracing::warn!(%kind, %error, "a file about people is left out");
}

/// Why a row and its file were not made to agree.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    File(#[from] PodError),
    #[error("{0}")]
    Row(#[from] ShareError),
}
