//! Which processes keep a folder busy, as far as `/proc` shows it to us. Links are read, never followed:
//! following one could ask the very file system that is to go.

use std::fs;
use std::path::Path;

use crate::control::Holder;
use crate::daemon::mountinfo::is_below;

/// More would not help anybody.
const HOLDERS_MAX: usize = 20;

/// Processes with a file, a working folder or a mapping below `point`.
pub fn holders(point: &Path) -> Vec<Holder> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbers = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers
        .filter(|pid| holds(*pid, point))
        .take(HOLDERS_MAX)
        .map(describe)
        .collect()
}

fn holds(pid: u32, point: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let leads_below =
        |link: &Path| fs::read_link(link).is_ok_and(|target| is_below(&target, point));
    if ["cwd", "root", "exe"]
        .iter()
        .any(|link| leads_below(&process.join(link)))
    {
        return true;
    }
    ["fd", "map_files"].iter().any(|folder| {
        fs::read_dir(process.join(folder))
            .is_ok_and(|links| links.flatten().any(|link| leads_below(&link.path())))
    })
}

fn describe(pid: u32) -> Holder {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let program = name.trim().chars().filter(|c| !c.is_control()).collect();
    Holder { pid, program }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_hold_what_we_opened() {
        let folder = tempfile::tempdir().unwrap();
        let point = folder.path().canonicalize().unwrap();
        let me = std::process::id();
        assert!(!holders(&point).iter().any(|holder| holder.pid == me));
        let _file = fs::File::create(point.join("x")).unwrap();
        assert!(holders(&point).iter().any(|holder| holder.pid == me));
    }
}
