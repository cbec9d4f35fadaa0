//! What daemons that were killed leave behind: mounts that answer ENOTCONN.

use std::path::Path;

use crate::daemon::mount;
use crate::daemon::mount::Detach;
use crate::daemon::mountinfo;
use crate::daemon::mountinfo::Mount;
use crate::daemon::mountinfo::Pulse;
use crate::types::limits::MOUNT_PULSE;

/// Mounts of ours that belong to this user and are dead.
pub fn dead_mounts() -> Vec<Mount> {
    let user = rustix::process::geteuid();
    let mut found = mountinfo::mounts().unwrap_or_default();
    found.retain(|mount| {
        let own = user.is_root() || mount.owner() == Some(user.as_raw());
        mount.is_ours() && own && mount.pulse(MOUNT_PULSE) == Pulse::Dead
    });
    found
}

/// Detaches what is dead at these places. Other people's pods may have the same name: their mounts are left alone.
pub(super) fn clear_mounts_at(points: &[&Path]) {
    let mut found = mountinfo::mounts().unwrap_or_default();
    found.retain(|mount| mount.is_ours() && points.contains(&mount.point.as_path()));
    for mount in found {
        if mount.pulse(MOUNT_PULSE) != Pulse::Dead {
            continue;
        }
        match mount::detach(&mount.point, Detach::Lazy) {
            Ok(()) => tracing::warn!("a dead mount was cleared away"),
            Err(fault) => tracing::warn!(%fault, "a dead mount stays"),
        }
    }
}
