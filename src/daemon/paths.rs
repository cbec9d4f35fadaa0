//! Where a pod's things live on this machine. Two people, or two values of the XDG variables, never meet.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::types::limits::POD_NAME_MAX;

/// The places of one pod, all absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodPaths {
    /// What the user calls it: a name, or the path of its state folder.
    pub name: String,
    /// The folder of its sealed state.
    pub state: PathBuf,
    /// The daemon's socket.
    pub socket: PathBuf,
    /// The daemon's log.
    pub log: PathBuf,
}

impl PodPaths {
    /// The places of the pod `name`: a name below the XDG folders, or (with a `/`) the path of a state
    /// folder that holds everything itself, for fstab and units, where there is no home.
    pub fn of(name: &str) -> Result<Self, Fault> {
        if name.contains('/') {
            return Self::of_folder(Path::new(name));
        }
        if !is_pod_name(name) {
            let what = format!("{name:?} cannot be the name of a pod");
            return Err(Fault::new(FaultKind::Usage, what).next(
                "use letters, digits, dot, dash and underscore, or the absolute path of its state folder",
            ));
        }
        let state = base("XDG_DATA_HOME", ".local/share")?
            .join("podfs")
            .join(name);
        let socket = match absolute_variable("XDG_RUNTIME_DIR") {
            Some(run) => run.join("podfs").join(format!("{name}.sock")),
            None => state.join("run").join("podfs.sock"),
        };
        let log = base("XDG_STATE_HOME", ".local/state")?
            .join("podfs")
            .join(format!("{name}.log"));
        Ok(Self {
            name: name.to_owned(),
            state,
            socket,
            log,
        })
    }

    fn of_folder(folder: &Path) -> Result<Self, Fault> {
        let state = std::path::absolute(folder)
            .map_err(|error| Fault::io(FaultKind::Usage, Quoted(folder), &error))?;
        let name = state.to_str().ok_or_else(|| {
            Fault::new(FaultKind::Usage, format!("{} is not UTF-8", Quoted(&state)))
        })?;
        Ok(Self {
            name: name.to_owned(),
            socket: state.join("run").join("podfs.sock"),
            log: state.join("run").join("podfs.log"),
            state,
        })
    }

    /// The keyfile.
    pub fn keyfile(&self) -> PathBuf {
        self.state.join("podfs.key")
    }

    /// The list of nodes.
    pub fn nodes(&self) -> PathBuf {
        self.state.join("nodes.toml")
    }

    /// Whether a pod was made here.
    pub fn exists(&self) -> bool {
        self.keyfile().symlink_metadata().is_ok()
    }

    /// An error that names the pod, unless it exists.
    pub fn require(&self) -> Result<(), Fault> {
        match self.keyfile().symlink_metadata() {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let what = format!(
                    "there is no pod {:?}: {} has no keyfile",
                    self.name,
                    Quoted(&self.state)
                );
                let pod = self.pod_flag();
                Err(Fault::new(FaultKind::NoPod, what).next(format!("podfs init{pod}")))
            }
            Err(error) => Err(Fault::io(
                FaultKind::State,
                format!("cannot read {}", Quoted(&self.keyfile())),
                &error,
            )),
        }
    }

    /// ` --pod NAME` for advice, empty for the default pod.
    pub fn pod_flag(&self) -> String {
        if self.name == "main" {
            String::new()
        } else {
            format!(" --pod {}", self.name)
        }
    }

    /// What the kernel shows as the source of the mount; no byte of it can be an option.
    pub fn mount_source(&self) -> String {
        let source = if self.name.starts_with('/') {
            self.name.clone()
        } else {
            format!("podfs:{}", self.name)
        };
        clean_source(&source)
    }

    /// Makes the folders of socket and log, private to the user.
    pub fn make_private_folders(&self) -> io::Result<()> {
        for file in [&self.socket, &self.log] {
            if let Some(folder) = file.parent() {
                make_private(folder)?;
            }
        }
        Ok(())
    }
}

/// Makes a folder of mode 0700 and what is missing above it.
pub fn make_private(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// The settings file.
pub fn settings_file() -> Result<PathBuf, Fault> {
    Ok(base("XDG_CONFIG_HOME", ".config")?
        .join("podfs")
        .join("config.toml"))
}

/// The folder with the sockets of this user's pods, when there is one.
pub fn socket_folder() -> Option<PathBuf> {
    absolute_variable("XDG_RUNTIME_DIR").map(|run| run.join("podfs"))
}

/// The folder with the states of this user's pods.
pub fn pods_folder() -> Result<PathBuf, Fault> {
    Ok(base("XDG_DATA_HOME", ".local/share")?.join("podfs"))
}

/// Keeps letters, digits and `._:/-`: the source is part of a comma-separated list on its way to the kernel.
pub fn clean_source(source: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
    source
        .chars()
        .map(|c| if keep(c) { c } else { '_' })
        .collect()
}

fn is_pod_name(name: &str) -> bool {
    let first = name.chars().next();
    let keep = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.len() <= POD_NAME_MAX
        && first.is_some_and(|c| c.is_ascii_alphanumeric())
        && name.chars().all(keep)
}

/// The XDG specification: relative values are to be ignored.
fn absolute_variable(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

fn base(variable: &str, below_home: &str) -> Result<PathBuf, Fault> {
    let home = || {
        env::var_os("HOME")
            .filter(|home: &OsString| !home.is_empty())
            .map(PathBuf::from)
    };
    absolute_variable(variable)
        .or_else(|| home().map(|home| home.join(below_home)))
        .ok_or_else(|| {
            Fault::new(
                FaultKind::Usage,
                format!("neither {variable} nor HOME is set"),
            )
            .next("name the pod by the absolute path of its state folder: --pod /path/to/state")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pods() {
        for name in ["main", "a", "work-2.b_c"] {
            assert!(is_pod_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            "-x",
            "a b",
            "a,b",
            "ä",
            &"x".repeat(65),
        ] {
            assert!(!is_pod_name(name), "{name}");
        }
    }

    #[test]
    fn a_path_holds_everything_itself() {
        let paths = PodPaths::of("/srv/pods/../pods/x").unwrap();
        assert!(paths.socket.starts_with(&paths.state) && paths.log.starts_with(&paths.state));
        assert_eq!(paths.mount_source(), paths.name);
    }

    #[test]
    fn a_source_cannot_inject_options() {
        assert_eq!(clean_source("a,allow_other b\\c"), "a_allow_other_b_c");
    }
}
