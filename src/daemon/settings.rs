//! `$XDG_CONFIG_HOME/podfs/config.toml`: what is wished at every mount.
//!
//! ```toml
//! options = "idle=2h"                 # for every pod, as after -o
//! module = "/usr/lib/softhsm/libsofthsm2.so"   # PKCS #11 module of the tokens that open pods
//! hook = ["/home/me/bin/podfs-news"]  # started for each message that comes, which it reads from its standard input
//!
//! [pod.work]                          # for the pod "work"; comes after, so it wins
//! options = "budget=50G,allow_other"
//! extpass = ["secret-tool", "lookup", "podfs", "work"]
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    options: String,
    module: Option<PathBuf>,
    hook: Vec<String>,
    pod: BTreeMap<String, PodSettings>,
}

/// One `[pod.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PodSettings {
    options: String,
    module: Option<PathBuf>,
    extpass: Vec<String>,
    hook: Option<Vec<String>>,
}

impl Settings {
    /// Reads the file; a missing one is an empty one.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let failed = |why: String| {
            Fault::new(
                FaultKind::Settings,
                format!("cannot read the settings {}: {why}", Quoted(path)),
            )
            .next("correct the file, or move it away")
        };
        match std::fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(|error| failed(error.message().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Lists of mount options for the pod, the weaker first.
    pub fn options(&self, pod: &str) -> [&str; 2] {
        [
            &self.options,
            self.pod.get(pod).map_or("", |pod| &pod.options),
        ]
    }

    /// The PKCS #11 module of the token that opens the pod.
    pub fn module(&self, pod: &str) -> Option<&Path> {
        let own = self.pod.get(pod).and_then(|pod| pod.module.as_deref());
        own.or(self.module.as_deref())
    }

    /// The program that is told what came to the pod, with its arguments; empty when there is none.
    pub fn hook(&self, pod: &str) -> &[String] {
        let own = self.pod.get(pod).and_then(|pod| pod.hook.as_ref());
        own.unwrap_or(&self.hook)
    }

    /// The program that tells the passphrase, with its arguments; empty when there is none.
    pub fn extpass(&self, pod: &str) -> &[String] {
        self.pod.get(pod).map_or(&[], |pod| &pod.extpass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_above_is_read_and_a_misspelling_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        assert_eq!(Settings::read(&path).unwrap(), Settings::default());
        std::fs::write(&path, "options = \"idle=2h\"\nmodule = \"/m\"\nhook = [\"h\"]\n[pod.work]\noptions = \"budget=50G\"\nextpass = [\"x\", \"y\"]\nhook = []\n[pod.other]\nmodule = \"/n\"\n")
            .unwrap();
        let settings = Settings::read(&path).unwrap();
        assert_eq!(settings.options("work"), ["idle=2h", "budget=50G"]);
        assert_eq!(settings.options("main"), ["idle=2h", ""]);
        assert_eq!(settings.extpass("work"), ["x", "y"]);
        assert_eq!(settings.hook("main"), ["h"]);
        assert!(settings.hook("work").is_empty());
        assert_eq!(settings.module("work"), Some(Path::new("/m")));
        assert_eq!(settings.module("other"), Some(Path::new("/n")));
        std::fs::write(&path, "option = \"idle=2h\"\n").unwrap();
        assert_eq!(Settings::read(&path).unwrap_err().kind, FaultKind::Settings);
    }
}
