//! The time between mounted and unmounted: requests of the control socket, signals, idleness, watchdogs.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use sd_notify::NotifyState;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::control::Request;
use crate::control::Response;
use crate::control::Server;
use crate::control::Task;
use crate::daemon::boxes;
use crate::daemon::build::Activity;
use crate::daemon::build::House;
use crate::daemon::config::ServeConfig;
use crate::daemon::failures::Failures;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::leave::Left;
use crate::daemon::leave::leave;
use crate::daemon::mounted::Mounted;
use crate::daemon::network;
use crate::daemon::openings::Openings;
use crate::daemon::report;
use crate::daemon::serve::notify;
use crate::types::limits::CONTROL_TASKS_MAX;
use crate::types::limits::DAEMON_TICK;

/// Lets the socket answer from now on; the requests come out of the receiver.
pub(super) fn listen(server: Server) -> mpsc::Receiver<Task> {
    let (tasks, inbox) = mpsc::channel(CONTROL_TASKS_MAX);
    tokio::spawn(server.run(tasks));
    inbox
}

/// Why a mount ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A signal.
    Signal,
    /// A command, now and with open files.
    Asked,
    /// The mount is gone: a command, idleness, or somebody else's umount.
    Unmounted,
}

/// Everything an answer needs; cheap to clone.
#[derive(Clone)]
pub(super) struct Live {
    config: Arc<ServeConfig>,
    point: PathBuf,
    house: House,
    activity: Activity,
    since: Instant,
    leave: Arc<Notify>,
    failures: Arc<Failures>,
    openings: Arc<Openings>,
}

impl Live {
    pub(super) fn new(
        config: &ServeConfig,
        point: &Path,
        house: &House,
        mounted: &Mounted,
    ) -> Self {
        let activity = mounted.activity();
        let watched = activity.clone();
        let publisher = house.publishing().publisher();
        publisher.watch_folder(move || watched.requests());
        Self {
            config: Arc::new(config.clone()),
            point: point.to_owned(),
            house: house.clone(),
            activity,
            since: Instant::now(),
            leave: Arc::new(Notify::new()),
            failures: Arc::new(Failures::of_reads()),
            openings: Arc::new(Openings::of_files()),
        }
    }

    /// Returns when the mount is gone or has to go.
    pub(super) async fn until_the_end(
        &self,
        mut signals: Signals,
        mut inbox: mpsc::Receiver<Task>,
        ended: &mut oneshot::Receiver<()>,
    ) -> Why {
        let mut tick = tokio::time::interval(DAEMON_TICK);
        let mut idle = Idle::new(self.config.idle);
        let mut watchdog = Watchdog::new();
        loop {
            tokio::select! {
                () = signals.any() => return Why::Signal,
                () = self.leave.notified() => return Why::Asked,
                _ = &mut *ended => return Why::Unmounted,
                Some(task) = inbox.recv() => self.answer(task),
                _ = tick.tick() => {
                    self.activity.log_slow_requests();
                    if watchdog.is_due() {
                        self.feed_the_watchdog();
                    }
                    if idle.is_over(self.activity.requests()) {
                        tracing::info!("idle for long: unmounting");
                        self.unmount_when_free();
                    }
                }
            }
        }
    }

    fn answer(&self, task: Task) {
        let live = self.clone();
        tokio::spawn(async move {
            let asked = live.clone();
            let response = match task.request {
                Request::Status => {
                    let report = tokio::task::spawn_blocking(move || {
                        Response::Status(Box::new(asked.report()))
                    });
                    report.await
                }
                Request::Sync => {
                    let synced =
                        move || asked.house.sync().map_or_else(failed, |()| Response::Done);
                    tokio::task::spawn_blocking(synced).await
                }
                Request::Nodes => Ok(network::nodes(&live.house, &live.config.paths)),
                Request::Weigh => {
                    tokio::task::spawn_blocking(move || network::weight(&asked.house)).await
                }
                Request::Publish => Ok(network::publish(&live.house)),
                Request::Progress { path } => Ok(network::progress(&live.house, &path)),
                Request::Scrub { all } => Ok(network::scrub(&live.house, all)),
                Request::Pin { path, on } => Ok(network::pin(&live.house, &path, on)),
                Request::People(request) => Ok(Response::People(
                    live.house.sharing().answer_people(request).await,
                )),
                Request::Audit(request) => Ok(Response::Audit(
                    live.house.people().audit_answer(request).await,
                )),
                Request::Sharing(request) => Ok(Response::Sharing(
                    live.house.sharing().answer(request).await,
                )),
                Request::Box(request) => {
                    let house = (&live.house, &live.config);
                    Ok(Response::Box(boxes::answer(house, request).await))
                }
                Request::Messages(request) => Ok(Response::Messages(
                    live.house.people().mail().answer(request).await,
                )),
                Request::Keys { sealed } => {
                    let replaced = live.house.replace_keys(&sealed).await;
                    Ok(replaced.map_or_else(failed, |()| Response::Done))
                }
                Request::Unmount { lazy } => Ok(live.unmount(lazy).await),
            };
            let response = response.unwrap_or_else(|error| Response::Failed {
                what: error.to_string(),
            });
            if task.answer.send(response).is_err() {
                tracing::debug!("nobody waits for the answer");
            }
        });
    }

    /// The mounts of boxes first: they end with the daemon.
    async fn unmount(&self, lazy: bool) -> Response {
        let mut left = Left::Gone;
        if !lazy {
            left = self.house.box_mounts().leave_all().await;
        }
        if matches!(left, Left::Gone) {
            left = leave(self.point.clone()).await;
        }
        match left {
            Left::Gone => Response::Done,
            Left::Busy(_) | Left::Failed(_) if lazy => {
                self.leave.notify_one();
                Response::Done
            }
            Left::Busy(holders) => Response::Busy { holders },
            Left::Failed(fault) => failed(fault),
        }
    }

    fn unmount_when_free(&self) {
        let live = self.clone();
        tokio::spawn(async move {
            let mut left = live.house.box_mounts().leave_all().await;
            if matches!(left, Left::Gone) {
                left = leave(live.point).await;
            }
            if !matches!(left, Left::Gone) {
                tracing::info!("stays mounted");
            }
        });
    }

    /// From a thread that has just been through the pod: a daemon that only looks alive gets no food.
    fn feed_the_watchdog(&self) {
        let house = self.house.clone();
        tokio::task::spawn_blocking(move || match house.sync() {
            Ok(()) => notify(&[NotifyState::Watchdog]),
            Err(fault) => tracing::error!(%fault, "the pod does not sync"),
        });
    }

    /// Reads that failed.
    pub(super) const fn failures(&self) -> &Arc<Failures> {
        &self.failures
    }

    /// Files that were opened.
    pub(super) const fn openings(&self) -> &Arc<Openings> {
        &self.openings
    }

    /// Records what is not recorded yet, for the mount ends.
    pub(super) async fn record_last(&self) {
        if !self.config.read_only() {
            self.failures.record_last(&self.house).await;
            self.openings.record_last(&self.house).await;
        }
    }

    pub(super) const fn house(&self) -> &House {
        &self.house
    }

    pub(super) fn config(&self) -> &ServeConfig {
        &self.config
    }

    pub(super) fn report(&self) -> crate::control::StatusReport {
        let mut report = report::of_disk(&self.config.paths);
        self.house.fill(&mut report);
        let network = network::report(&self.house);
        report.network = report::network_line(&network);
        report.network_report = Some(network);
        report.pid = Some(std::process::id());
        report.mountpoint = Some(self.point.clone());
        report.mounted_seconds = Some(self.since.elapsed().as_secs());
        report.idle_seconds = self.config.idle.map(|idle| idle.as_secs());
        report
    }
}

fn failed(fault: Fault) -> Response {
    Response::Failed { what: fault.what }
}

/// Counts the time without requests.
struct Idle {
    limit: Option<Duration>,
    requests: u64,
    since: Instant,
}

impl Idle {
    fn new(limit: Option<Duration>) -> Self {
        Self {
            limit: limit.filter(|limit| !limit.is_zero()),
            requests: 0,
            since: Instant::now(),
        }
    }

    /// `true` once per stretch of quiet as long as the limit; a busy folder gets another stretch.
    fn is_over(&mut self, requests: u64) -> bool {
        let Some(limit) = self.limit else {
            return false;
        };
        let over = requests == self.requests && self.since.elapsed() >= limit;
        if over || requests != self.requests {
            self.requests = requests;
            self.since = Instant::now();
        }
        over
    }
}

/// When systemd expects a sign of life.
struct Watchdog {
    every: Option<Duration>,
    last: Instant,
}

impl Watchdog {
    fn new() -> Self {
        Self {
            every: sd_notify::watchdog_enabled().map(|limit| limit / 3),
            last: Instant::now(),
        }
    }

    fn is_due(&mut self) -> bool {
        let due = self.every.is_some_and(|every| self.last.elapsed() >= every);
        if due {
            self.last = Instant::now();
        }
        due
    }
}

/// The signals that mean "end".
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Fault> {
        let listen = |kind| {
            let what = "cannot listen for signals";
            signal(kind).map_err(|error| Fault::io(FaultKind::Other, what, &error))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idleness_needs_quiet_and_a_limit() {
        assert!(!Idle::new(None).is_over(0));
        assert!(!Idle::new(Some(Duration::ZERO)).is_over(0));
        let mut idle = Idle::new(Some(Duration::from_nanos(1)));
        assert!(!idle.is_over(7), "a request was seen");
        assert!(idle.is_over(7));
        assert!(!idle.is_over(8));
    }
}
