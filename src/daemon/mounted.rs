//! A mount that is served, and how it ends: politely, else lazily, else for good.

use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::daemon::build::Activity;
use crate::daemon::build::House;
use crate::daemon::config::ServeConfig;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::mount;
use crate::daemon::mount::Detach;
use crate::daemon::mountpoint::Mountpoint;
use crate::daemon::mountpoint::mounted_at;
use crate::types::Ino;
use crate::types::ROOT;
use crate::types::limits::UNMOUNT_CUT;
use crate::types::limits::UNMOUNT_DRAIN;

/// The mount, and the threads that serve it.
pub(super) struct Mounted {
    point: PathBuf,
    /// Number of the FUSE connection.
    minor: Option<String>,
    ended: oneshot::Receiver<()>,
    activity: Activity,
}

impl Mounted {
    /// Mounts the pod and starts to serve.
    pub(super) fn new(
        config: &ServeConfig,
        point: &Mountpoint,
        house: &House,
        runtime: &Handle,
    ) -> Result<Self, Fault> {
        Self::attach(config, point, (house, runtime), (ROOT, || ()))
    }

    /// The same with the box of a directory. `after` is done when nobody is served any more.
    pub(super) fn of_box(
        config: &ServeConfig,
        point: &Mountpoint,
        house: (&House, &Handle),
        top: (Ino, impl FnOnce() + Send + 'static),
    ) -> Result<Self, Fault> {
        Self::attach(config, point, house, top)
    }

    fn attach(
        config: &ServeConfig,
        point: &Mountpoint,
        house: (&House, &Handle),
        top: (Ino, impl FnOnce() + Send + 'static),
    ) -> Result<Self, Fault> {
        let device = mount::attach(point, &config.request())?;
        let started = Self::start(config, point, house, device, top);
        if started.is_err() {
            detach(&point.path);
        }
        started
    }

    fn start(
        config: &ServeConfig,
        point: &Mountpoint,
        (house, runtime): (&House, &Handle),
        device: std::os::fd::OwnedFd,
        (top, after): (Ino, impl FnOnce() + Send + 'static),
    ) -> Result<Self, Fault> {
        let minor = mounted_at(&point.path)?
            .and_then(|mount| Some(mount.device.split_once(':')?.1.to_owned()));
        let session = house.serve(device, config, runtime, top)?;
        let activity = session.activity();
        let (over, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("fuse-join".into())
            .spawn(move || {
                session.join();
                drop(over);
                after();
            })
            .map_err(|error| Fault::io(FaultKind::Other, "cannot start a thread", &error))?;
        Ok(Self {
            point: point.path.clone(),
            minor,
            ended,
            activity,
        })
    }

    /// What goes through the mount.
    pub(super) fn activity(&self) -> Activity {
        self.activity.clone()
    }

    /// Resolves (to an error, by design of the channel) when nobody is served any more.
    pub(super) fn ended(&mut self) -> &mut oneshot::Receiver<()> {
        &mut self.ended
    }

    /// Takes the mount away if it is still there, and waits for those who serve it.
    pub(super) async fn cut(mut self) {
        if self.has_ended() {
            return;
        }
        let point = self.point.clone();
        if tokio::task::spawn_blocking(move || detach(&point))
            .await
            .is_err()
        {
            tracing::warn!("the mount cannot be taken away");
        }
        if self.wait(UNMOUNT_DRAIN).await {
            return;
        }
        tracing::warn!("programs still use the folder; their access ends now");
        // Without fusectl the kernel cuts it when this process ends, which is soon.
        let cut = self.minor.as_deref().map(mount::abort);
        if matches!(cut, Some(Ok(()))) && !self.wait(UNMOUNT_CUT).await {
            tracing::warn!("threads that serve the mount do not end");
        }
    }

    /// Whether nobody is served any more.
    pub(super) fn has_ended(&mut self) -> bool {
        self.ended.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    async fn wait(&mut self, limit: Duration) -> bool {
        tokio::time::timeout(limit, &mut self.ended).await.is_ok()
    }
}

fn detach(point: &std::path::Path) {
    let gone = mount::detach(point, Detach::Polite).or_else(|_| mount::detach(point, Detach::Lazy));
    if let Err(fault) = gone
        && fault.kind != FaultKind::NotMounted
    {
        tracing::warn!(%fault, "mount not taken away");
    }
}
