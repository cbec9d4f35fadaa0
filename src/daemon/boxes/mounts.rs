//! Mounts of boxes alone. They end with the daemon, and hold up what ends it politely.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::daemon::build::House;
use crate::daemon::config::ServeConfig;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::leave::Left;
use crate::daemon::leave::leave;
use crate::daemon::mounted::Mounted;
use crate::daemon::mountinfo;
use crate::daemon::mountpoint::Mountpoint;
use crate::daemon::serve::protect;
use crate::pod::BoxError;
use crate::types::Ino;

/// The mounts of boxes that one daemon serves.
#[derive(Default)]
pub(in crate::daemon) struct BoxMounts(Mutex<Vec<BoxMount>>);

struct BoxMount {
    /// The directory of the box.
    dir: Ino,
    point: PathBuf,
    mounted: Mounted,
}

/// Why a box is not mounted.
pub(super) enum NotMounted {
    Box(BoxError),
    Fault(Fault),
}

impl BoxMounts {
    /// Mounts the box of a directory at `point`. Gives what could not be had. For a thread that may block.
    pub(super) fn mount(
        self: &Arc<Self>,
        (house, config): (&House, &ServeConfig),
        dir: Ino,
        point: &Path,
        runtime: &Handle,
    ) -> Result<Vec<String>, NotMounted> {
        let attached = house.pod().box_at(dir).map_err(NotMounted::Box)?;
        let point = prepared(config, point).map_err(NotMounted::Fault)?;
        let pod = house.pod();
        pod.set_mounted(dir, true).map_err(NotMounted::Box)?;
        let mut of_box = config.clone();
        of_box.source = format!("{}:box{}", config.source, attached.number);
        let (mounts, after) = (Arc::clone(self), house.clone());
        let ended = move || {
            mounts.0.lock().retain(|mount| mount.dir != dir);
            // It is a box as long as it is mounted.
            drop(after.pod().set_mounted(dir, false));
        };
        let mounted = Mounted::of_box(&of_box, &point, (house, runtime), (dir, ended));
        let mut mounted = mounted.map_err(|fault| {
            drop(pod.set_mounted(dir, false));
            NotMounted::Fault(fault)
        })?;
        let notes = protect(&point);
        let mut mounts = self.0.lock();
        if !mounted.has_ended() {
            let point = point.path.clone();
            mounts.push(BoxMount {
                dir,
                point,
                mounted,
            });
        }
        Ok(notes)
    }

    /// Where the box of a directory is mounted.
    pub(super) fn point_of(&self, dir: Ino) -> Option<PathBuf> {
        let mounts = self.0.lock();
        let mount = mounts.iter().find(|mount| mount.dir == dir);
        mount.map(|mount| mount.point.clone())
    }

    /// The directory of the box that is mounted there.
    pub(super) fn box_at(&self, point: &Path) -> Option<Ino> {
        let mounts = self.0.lock();
        let mount = mounts.iter().find(|mount| mount.point == point);
        mount.map(|mount| mount.dir)
    }

    /// Whether a box is mounted there.
    pub(super) fn has(&self, point: &Path) -> bool {
        self.box_at(point).is_some()
    }

    /// Takes all of them away that nobody uses; [`Left::Gone`] when there is none any more.
    pub(in crate::daemon) async fn leave_all(&self) -> Left {
        let points: Vec<_> = self.0.lock().iter().map(|it| it.point.clone()).collect();
        for point in points {
            let left = leave(point).await;
            if !matches!(left, Left::Gone) {
                return left;
            }
        }
        Left::Gone
    }

    /// Takes one away, whoever uses it.
    pub(super) async fn cut(&self, point: &Path) {
        let taken = {
            let mut mounts = self.0.lock();
            let at = mounts.iter().position(|mount| mount.point == point);
            at.map(|at| mounts.swap_remove(at))
        };
        if let Some(taken) = taken {
            taken.mounted.cut().await;
        }
    }

    /// Takes all of them away, whoever uses them.
    pub(in crate::daemon) async fn cut_all(&self) {
        let mounts = std::mem::take(&mut *self.0.lock());
        for mount in mounts {
            mount.mounted.cut().await;
        }
    }
}

/// A folder that is fit, and not in the pod itself: neither could be unmounted before the other.
fn prepared(config: &ServeConfig, point: &Path) -> Result<Mountpoint, Fault> {
    if mountinfo::is_below(point, &config.mountpoint) {
        let what = format!("cannot mount on {}: it lies in the pod", Quoted(point));
        return Err(Fault::new(FaultKind::Mountpoint, what).next("mount on another folder"));
    }
    Mountpoint::prepare(point, &config.paths.state)
}
