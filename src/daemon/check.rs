//! Verifies what a pod has on this machine: its keys, its log, its rows and, page by page, its contents.

use serde::Serialize;

use crate::daemon::build;
use crate::daemon::enrol::TokenWish;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::lock::PodLock;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths::PodPaths;
use crate::daemon::rekey;

/// The folder of the index, a view that can always be made anew.
const INDEX: &str = "index";

/// What to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckConfig {
    /// Make the index anew from the log first.
    pub rebuild: bool,
    /// Leave the contents of files unread.
    pub quick: bool,
}

/// What `podfs check --json` prints. No names of files are in it.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// Name of the pod.
    pub pod: String,
    /// Nothing is wrong.
    pub good: bool,
    /// Where the log is damaged; absent when it is whole.
    pub log: Option<String>,
    /// Files, folders and links.
    pub inodes: u64,
    /// Names.
    pub names: u64,
    /// Sealed pages of contents; all were opened and verified unless the check was quick.
    pub pages: u64,
    /// Pages that were reserved and never written.
    pub unwritten: u64,
    /// Deleted ones whose space is still to be given back.
    pub orphans: u64,
    /// How many things are wrong.
    pub found: u64,
    /// The first thousand of them.
    pub findings: Vec<String>,
    /// The index was made anew.
    pub rebuilt: bool,
}

/// Checks a pod that nobody has open. The secret is its passphrase or, with a token, the PIN.
pub fn check(
    paths: &PodPaths,
    token: Option<&TokenWish>,
    secret: Passphrase,
    config: CheckConfig,
    progress: &dyn Fn(&str),
) -> Result<CheckReport, Fault> {
    let lock = PodLock::acquire(&paths.state, None)?;
    let bundle = rekey::open_with(paths, token, secret)?;
    if config.rebuild {
        progress("making the index anew");
        let index = paths.state.join(INDEX);
        if let Err(error) = std::fs::remove_dir_all(&index)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            let what = format!("cannot remove {}", Quoted(&index));
            return Err(Fault::io(FaultKind::State, what, &error));
        }
    }
    progress("opening the log");
    let house = build::open_for_check(paths, &bundle, !config.rebuild).map_err(|fault| {
        if fault.kind == FaultKind::Damaged {
            fault.next(
                "put the state folder back from a copy: nothing can be read without this file",
            )
        } else {
            fault
        }
    })?;
    progress("comparing everything with everything");
    let seen = house.check(!config.quick)?;
    // Opened only to look, the reason for refusing changes is no finding.
    let log = house.damage();
    house.close()?;
    drop(lock);
    let found = seen.found + u64::from(log.is_some());
    Ok(CheckReport {
        pod: paths.name.clone(),
        good: found == 0,
        log,
        inodes: seen.inodes,
        names: seen.names,
        pages: seen.pages,
        unwritten: seen.unwritten,
        orphans: seen.orphans,
        found,
        findings: seen.findings.iter().map(ToString::to_string).collect(),
        rebuilt: config.rebuild,
    })
}
