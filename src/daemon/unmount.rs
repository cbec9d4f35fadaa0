//! Taking a mount away: through its daemon when that answers, past it when it does not.

use std::path::Path;
use std::path::PathBuf;

use crate::control::Client;
use crate::control::ClientError;
use crate::control::Holder;
use crate::control::Request;
use crate::control::Response;
use crate::daemon::boxes::BoxClient;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::holders::holders;
use crate::daemon::lock;
use crate::daemon::mount;
use crate::daemon::mount::Detach;
use crate::daemon::mountinfo::Mount;
use crate::daemon::mountinfo::Pulse;
use crate::daemon::mountpoint;
use crate::daemon::paths;
use crate::daemon::paths::PodPaths;
use crate::daemon::report;
use crate::types::limits::CONTROL_PATIENCE;
use crate::types::limits::MOUNT_PULSE;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The daemon closed the pod and ended.
    Closed,
    /// The mount is gone; its daemon was dead already, or closes the pod by itself.
    Detached,
}

/// Unmounts the pod with these places, wherever it is mounted.
pub fn pod(paths: &PodPaths, lazy: bool) -> Result<(PathBuf, Outcome), Fault> {
    paths.require()?;
    // The daemon knows best: on a read-only disk the lock file does not tell.
    let point = report::status(paths)?.mountpoint;
    let point = point.or_else(|| mounts_of(paths)).ok_or_else(|| {
        Fault::new(
            FaultKind::NotMounted,
            format!("the pod {:?} is not mounted", paths.name),
        )
    })?;
    let outcome = through_daemon(paths, &point, lazy)?;
    Ok((point, outcome))
}

/// Unmounts what is mounted at `dir`.
pub fn folder(dir: &Path, lazy: bool) -> Result<(PathBuf, Outcome), Fault> {
    let nothing = |_| {
        let what = format!("nothing is mounted at {}", Quoted(dir));
        Fault::new(FaultKind::NotMounted, what).next("podfs status tells where a pod is mounted")
    };
    let point = mountpoint::resolve(dir).map_err(nothing)?;
    let place = Quoted(&point);
    let mount = mountpoint::mounted_at(&point)?.ok_or_else(|| {
        Fault::new(
            FaultKind::NotMounted,
            format!("nothing is mounted at {place}"),
        )
    })?;
    if !mount.is_ours() {
        let what = format!(
            "{} ({}) is mounted at {place}, not a pod",
            mount.source, mount.kind
        );
        return Err(Fault::new(FaultKind::NotMounted, what).next(format!("umount {place}")));
    }
    let outcome = match owner_of(&mount) {
        Some(paths) => through_daemon(&paths, &point, lazy)?,
        None => match of_box(&point, lazy)? {
            Some(outcome) => outcome,
            None => past_daemon(&mount, lazy)?,
        },
    };
    Ok((point, outcome))
}

/// Unmounts the box that a daemon of this user serves at the mount, if one does.
fn of_box(point: &Path, lazy: bool) -> Result<Option<Outcome>, Fault> {
    let Some((_, holders)) = with_box(|client| client.unmount(point, lazy))? else {
        return Ok(None);
    };
    if holders.is_empty() {
        return Ok(Some(Outcome::Detached));
    }
    Err(busy(point, &holders))
}

/// The pod of this user of which a box is mounted at `point`, and the folder of that as seen from the top of the pod.
pub(super) fn owner_of_box(point: &Path) -> Result<Option<(PodPaths, PathBuf)>, Fault> {
    with_box(|client| client.at(point))
}

/// Asks the daemons of all pods of this user, until one says that it is its box.
fn with_box<T>(
    ask: impl Fn(&mut BoxClient) -> Result<T, Fault>,
) -> Result<Option<(PodPaths, T)>, Fault> {
    for name in pods() {
        let Ok(paths) = PodPaths::of(&name) else {
            continue;
        };
        let Ok(mut client) = BoxClient::of_pod(&paths) else {
            continue;
        };
        match ask(&mut client) {
            Ok(answer) => return Ok(Some((paths, answer))),
            Err(fault) if fault.kind == FaultKind::NotMounted => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(None)
}

/// The names of all pods of this user.
fn pods() -> impl Iterator<Item = String> {
    let pods = paths::pods_folder()
        .ok()
        .and_then(|folder| std::fs::read_dir(folder).ok());
    let pods = pods
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    pods.filter_map(|name| name.into_string().ok())
}

/// The pod of this user that is served at the mount.
pub(super) fn owner_of(mount: &Mount) -> Option<PodPaths> {
    let source = mount.source.strip_prefix("podfs:").unwrap_or(&mount.source);
    std::iter::once(source.to_owned())
        .chain(pods())
        .filter_map(|name| PodPaths::of(&name).ok())
        .find(|paths| {
            let holder = lock::holder(&paths.state);
            holder.is_some_and(|holder| holder.mountpoint.as_deref() == Some(&mount.point))
        })
}

/// A mount that shows the name of the pod, when its daemon is gone.
fn mounts_of(paths: &PodPaths) -> Option<PathBuf> {
    let source = paths.mount_source();
    let dead = crate::daemon::stale::dead_mounts();
    dead.into_iter()
        .find(|mount| mount.source == source)
        .map(|mount| mount.point)
}

fn through_daemon(paths: &PodPaths, point: &Path, lazy: bool) -> Result<Outcome, Fault> {
    let asked = Client::connect(&paths.socket, CONTROL_PATIENCE).and_then(|mut client| {
        let answer = client.ask(&Request::Unmount { lazy })?;
        Ok((client, answer))
    });
    let failed = |why: String| {
        Fault::new(
            FaultKind::Daemon,
            format!("cannot unmount {}: {why}", Quoted(point)),
        )
        .next(format!("podfs unmount --lazy {}", Quoted(point)))
    };
    match asked {
        Ok((client, Response::Done)) => {
            if client.wait_for_end(CONTROL_PATIENCE) {
                return Ok(Outcome::Closed);
            }
            tracing::warn!("the daemon takes long to close the pod; it goes on by itself");
            if let Err(fault) = mount::detach(point, Detach::Lazy)
                && fault.kind != FaultKind::NotMounted
            {
                return Err(fault);
            }
            Ok(Outcome::Detached)
        }
        Ok((_, Response::Busy { holders })) => Err(busy(point, &holders)),
        Ok((_, Response::Failed { what })) => Err(failed(what)),
        Ok((
            _,
            Response::Status(_)
            | Response::Publication { .. }
            | Response::Weight { .. }
            | Response::People(_)
            | Response::Audit(_)
            | Response::Sharing(_)
            | Response::Messages(_)
            | Response::Box(_)
            | Response::Progress(_),
        )) => Err(failed("the daemon answered something else".into())),
        Err(ClientError::Absent | ClientError::Silent(_) | ClientError::Garbled(_)) => {
            match mountpoint::mounted_at(point)? {
                Some(mount) if mount.is_ours() => past_daemon(&mount, lazy),
                // It ended between the question and now.
                _ if lock::holder(&paths.state).is_none() => Ok(Outcome::Closed),
                _ => Err(failed("its daemon has no mount there".into())),
            }
        }
    }
}

/// Without the daemon: a dead mount goes lazily, a live one as `umount` would. A daemon sees it and ends.
fn past_daemon(mount: &Mount, lazy: bool) -> Result<Outcome, Fault> {
    let dead = mount.pulse(MOUNT_PULSE) == Pulse::Dead;
    let how = if lazy || dead {
        Detach::Lazy
    } else {
        Detach::Polite
    };
    match mount::detach(&mount.point, how) {
        Ok(()) => Ok(Outcome::Detached),
        Err(fault) if fault.kind == FaultKind::Busy => {
            Err(busy(&mount.point, &holders(&mount.point)))
        }
        Err(fault) => Err(fault),
    }
}

fn busy(point: &Path, holders: &[Holder]) -> Fault {
    let place = Quoted(point);
    let names: Vec<String> = holders
        .iter()
        .map(|holder| format!("{} ({})", holder.program, holder.pid))
        .collect();
    let who = if names.is_empty() {
        "programs".to_owned()
    } else {
        names.join(", ")
    };
    Fault::new(
        FaultKind::Busy,
        format!("{place} is busy: {who} still use it"),
    )
    .next(format!(
        "close them, then try again; or cut them off: podfs unmount --lazy {place}"
    ))
}
