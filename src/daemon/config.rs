//! What a daemon is to do: plain values, made by the command line, handed over as they are.

use std::path::PathBuf;
use std::time::Duration;

use rustix::mount::MountFlags;
use serde::Deserialize;
use serde::Serialize;

use crate::daemon::enrol::TokenWish;
use crate::daemon::mount::MountRequest;
use crate::daemon::options::Access;
use crate::daemon::options::MountOptions;
use crate::daemon::paths::PodPaths;
use crate::daemon::paths::clean_source;

/// How something can be shared through a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SharedBy {
    /// By commands alone.
    Commands,
    /// By programs that set attributes too.
    Attributes,
}

/// One mount of one pod.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServeConfig {
    /// Where the pod lives.
    pub paths: PodPaths,
    /// Where it is to appear; absolute.
    pub mountpoint: PathBuf,
    /// Source the kernel shows.
    pub source: String,
    /// Bits of [`MountFlags`].
    flags: u32,
    /// Other users may enter.
    pub allow_other: bool,
    /// How something can be shared.
    pub shared_by: SharedBy,
    /// Whether it is recorded which programs open files.
    pub access: Access,
    /// Who is to own the top folder, when asked for.
    pub uid: Option<u32>,
    /// Its group, when asked for.
    pub gid: Option<u32>,
    /// Most bytes the state may take.
    pub budget: Option<u64>,
    /// Unmount after so long without a request.
    pub idle: Option<Duration>,
    /// Log more.
    pub debug: bool,
    /// The token that opens the pod: the secret that comes with this is its PIN, else the passphrase.
    pub token: Option<TokenWish>,
    /// The program that is told what came, with its arguments; empty when there is none.
    pub hook: Vec<String>,
}

impl ServeConfig {
    /// From what was typed.
    pub fn new(paths: PodPaths, mountpoint: PathBuf, options: &MountOptions, debug: bool) -> Self {
        let source = options
            .source
            .as_deref()
            .map_or_else(|| paths.mount_source(), clean_source);
        Self {
            paths,
            mountpoint,
            source,
            flags: options.flags.bits(),
            allow_other: options.allow_other,
            shared_by: if options.share_xattr {
                SharedBy::Attributes
            } else {
                SharedBy::Commands
            },
            access: options.access,
            uid: options.uid,
            gid: options.gid,
            budget: options.budget,
            idle: options.idle,
            debug,
            token: None,
            hook: Vec::new(),
        }
    }

    /// Nothing may be changed.
    pub fn read_only(&self) -> bool {
        MountFlags::from_bits_retain(self.flags).contains(MountFlags::RDONLY)
    }

    /// What the kernel is asked for.
    pub fn request(&self) -> MountRequest {
        MountRequest {
            source: self.source.clone(),
            flags: MountFlags::from_bits_retain(self.flags),
            allow_other: self.allow_other,
        }
    }
}
