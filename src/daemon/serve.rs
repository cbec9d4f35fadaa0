//! One mount from beginning to end, in the order that keeps every promise: lock, folder, keys, log, mount,
//! socket, news; and back.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::runtime::Runtime;

use crate::control::Server;
use crate::daemon::build;
use crate::daemon::build::House;
use crate::daemon::config::ServeConfig;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::handoff::News;
use crate::daemon::harden;
use crate::daemon::live;
use crate::daemon::live::Live;
use crate::daemon::live::Signals;
use crate::daemon::lock::PodLock;
use crate::daemon::mount;
use crate::daemon::mounted::Mounted;
use crate::daemon::mountpoint::Mountpoint;
use crate::daemon::options::Access;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::stale;
use crate::daemon::tenancy;
use crate::pod::Desk;
use crate::types::limits::AUDIT_LAST;
use crate::types::limits::CONTROL_DELIVERY;
use crate::types::limits::POD_CLOSE;
use crate::types::limits::START_EXTEND_US;

/// Hidden first argument of the process that asks the new mount for an answer; it ends by itself in time.
pub const PROBE_ARGUMENT: &str = "__probe";

/// Serves the pod until it is unmounted. `tell` gets the news; when it answers `false`, nobody waits for
/// the mount any more and it is taken down.
pub fn serve(
    config: &ServeConfig,
    passphrase: Passphrase,
    tell: &mut dyn FnMut(News) -> bool,
) -> Result<(), Fault> {
    let memory = harden::daemon();
    tracing::info!(pod = config.paths.name, %memory, "starting");
    let program = std::env::current_exe()
        .map_err(|error| Fault::io(FaultKind::Daemon, "cannot find the own program", &error))?;
    let lock = PodLock::acquire(&config.paths.state, Some(&config.mountpoint))?;
    let places = [Some(config.mountpoint.as_path()), lock.left_at()];
    stale::clear_mounts_at(&places.into_iter().flatten().collect::<Vec<_>>());
    let point = Mountpoint::prepare(&config.mountpoint, &config.paths.state)?;
    let house = build::open(config, passphrase, &mut |what| {
        let extend = NotifyState::ExtendTimeoutUsec(START_EXTEND_US);
        notify(&[NotifyState::Status(what), extend]);
        tell(News::Progress(what.to_owned()));
    })?;
    let runtime = runtime()?;
    let stage = Stage {
        config,
        point: &point,
        house: &house,
        runtime: &runtime,
        program,
    };
    let outcome = stage.mount_and_live(tell);
    let closed = close(house);
    if let Err(error) = std::fs::remove_file(&config.paths.socket) {
        tracing::debug!(%error, "control socket file stays");
    }
    // Connections end after the lock: whoever waits for the end may start the next daemon at once.
    drop(lock);
    runtime.shutdown_background();
    tracing::info!("ended");
    outcome.and(closed)
}

/// All that is there before the mount, and still when it is gone.
struct Stage<'a> {
    config: &'a ServeConfig,
    point: &'a Mountpoint,
    house: &'a House,
    runtime: &'a Runtime,
    program: PathBuf,
}

impl Stage<'_> {
    fn mount_and_live(&self, tell: &mut dyn FnMut(News) -> bool) -> Result<(), Fault> {
        let server = listen(self.config, self.runtime)?;
        let mut mounted = Mounted::new(self.config, self.point, self.house, self.runtime.handle())?;
        let mut notes = protect(self.point);
        notes.extend(
            self.house
                .broken()
                .map(|why| format!("nothing can be changed: {why}")),
        );
        if self.config.access == Access::Recorded && self.config.read_only() {
            notes.push("who opens files is not recorded: nothing can be changed".to_owned());
        }
        notes.extend(self.house.publish(self.runtime.handle(), self.config));
        let outcome = self
            .runtime
            .block_on(self.live(&mut mounted, server, notes, tell));
        notify(&[
            NotifyState::Stopping,
            NotifyState::Status("closing the pod"),
        ]);
        self.runtime.block_on(async {
            self.house.box_mounts().cut_all().await;
            mounted.cut().await;
        });
        self.house.people().reconciliation().stop(self.runtime);
        self.house.people().mail().stop(self.runtime);
        self.house.sharing().stop(self.runtime);
        self.house.publishing().stop(self.runtime);
        outcome
    }

    async fn live(
        &self,
        mounted: &mut Mounted,
        server: Server,
        notes: Vec<String>,
        tell: &mut dyn FnMut(News) -> bool,
    ) -> Result<(), Fault> {
        let signals = Signals::new()?;
        let live = Live::new(self.config, &self.point.path, self.house, mounted);
        let desk: Arc<dyn Desk> = Arc::new(live.clone());
        self.house.pod().set_desk(Arc::downgrade(&desk));
        let deliveries = server.deliveries();
        let inbox = live::listen(server);
        if !self.config.read_only() {
            // It ends with the runtime: what is paid was taken down before.
            tokio::spawn(tenancy::settle_daily(self.config.paths.clone()));
            tokio::spawn(Arc::clone(self.house.people().audit()).watch());
            tokio::spawn(Arc::clone(live.failures()).record(self.house.clone()));
            tokio::spawn(Arc::clone(live.openings()).record(self.house.clone()));
        }
        let (program, path) = (self.program.clone(), self.point.path.clone());
        let probing = tokio::task::spawn_blocking(move || probe(&program, &path)).await;
        probing.map_err(|_| Fault::new(FaultKind::Other, "the probe failed"))??;
        if let Err(error) = mount::widen_read_ahead(&self.point.path) {
            tracing::debug!(%error, "read-ahead stays as the kernel has it");
        }
        if !tell(News::Ready(notes)) {
            let what = "nobody waits for the mount any more";
            return Err(Fault::new(FaultKind::Interrupted, what));
        }
        notify(&[NotifyState::Ready, NotifyState::Status("mounted")]);
        let why = live.until_the_end(signals, inbox, mounted.ended()).await;
        tracing::info!(?why, "ending");
        drop(desk);
        let last = tokio::time::timeout(AUDIT_LAST, live.record_last()).await;
        if last.is_err() {
            tracing::warn!("what happened last is not in the audit log");
        }
        if tokio::time::timeout(CONTROL_DELIVERY, deliveries.done())
            .await
            .is_err()
        {
            tracing::debug!("an answer was not taken in time");
        }
        Ok(())
    }
}

fn listen(config: &ServeConfig, runtime: &Runtime) -> Result<Server, Fault> {
    let _inside = runtime.enter();
    config.paths.make_private_folders().map_err(|error| {
        Fault::io(
            FaultKind::State,
            "cannot make the folders of socket and log",
            &error,
        )
    })?;
    Server::bind(&config.paths.socket).map_err(|error| {
        let what = format!("cannot listen on {}", Quoted(&config.paths.socket));
        Fault::io(FaultKind::Daemon, what, &error)
    })
}

/// Closes the bare folder under the mount; says so when that cannot be had.
pub(super) fn protect(point: &Mountpoint) -> Vec<String> {
    let Err(error) = point.protect() else {
        return Vec::new();
    };
    tracing::warn!(%error, "the bare folder could not be closed");
    vec![format!(
        "the bare folder {} could not be closed, it takes files while nothing is mounted: {error}",
        Quoted(&point.path)
    )]
}

/// Asks the new mount for its numbers, from a process of its own: the daemon must never wait for itself.
fn probe(program: &Path, point: &Path) -> Result<(), Fault> {
    let silent = |why: String| {
        let what = format!("the mount at {} does not answer: {why}", Quoted(point));
        Fault::new(FaultKind::Fuse, what).next("podfs doctor")
    };
    let asked = Command::new(program)
        .arg(PROBE_ARGUMENT)
        .arg(point)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match asked {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(silent(status.to_string())),
        Err(error) => Err(silent(error.to_string())),
    }
}

fn close(house: House) -> Result<(), Fault> {
    let (done, outcome) = std::sync::mpsc::channel();
    let closing = std::thread::Builder::new()
        .name("close".into())
        .spawn(move || {
            if done.send(house.close()).is_err() {
                tracing::warn!("closed after the deadline");
            }
        });
    if let Err(error) = closing {
        return Err(Fault::io(FaultKind::Other, "cannot start a thread", &error));
    }
    outcome.recv_timeout(POD_CLOSE).unwrap_or_else(|_| {
        tracing::warn!(
            "closing takes too long; the log holds everything and is replayed at the next start"
        );
        Ok(())
    })
}

fn runtime() -> Result<Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("podfs-runtime")
        .enable_all()
        .build()
        .map_err(|error| Fault::io(FaultKind::Other, "cannot start the runtime", &error))
}

/// Tells systemd, when it listens.
pub(super) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd not told");
    }
}
