use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use fuser::{Config, Session, SessionACL};
use tokio::runtime::Handle;

use crate::fuse::kernel::Told;
use crate::fuse::mounts::Mounts;
use crate::fuse::serve::Adapter;
use crate::fuse::watchdog::Running;
use crate::pod::Pod;
use crate::types::{Ino, ROOT};

/// Who may use the mount, in the words of mount options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allow {
    /// The user who mounted it.
    #[default]
    Owner,
    /// That user and root: `allow_root`.
    OwnerAndRoot,
    /// Everybody, within the permissions of the files: `allow_other`.
    All,
}

/// How a mount is served.
#[derive(Clone)]
pub struct ServeOptions {
    /// Event loops: requests answered at once.
    pub threads: usize,
    /// Who may use it.
    pub allow: Allow,
    /// Whether each event loop gets a descriptor of its own, which needs a `/dev/fuse` that can be opened.
    pub clone_fd: bool,
    /// Where requests wait for the network.
    pub runtime: Handle,
    /// The directory that is the topmost of the mount.
    pub top: Ino,
    /// The requests that run, also those of other mounts.
    pub running: Arc<Running>,
    /// Whether the pod's desk is told who opens files.
    pub tells_opened: bool,
}

impl ServeOptions {
    /// Four event loops, for the owner alone, of the whole pod.
    pub fn new(runtime: Handle) -> Self {
        Self {
            threads: 4,
            allow: Allow::Owner,
            clone_fd: false,
            runtime,
            top: ROOT,
            running: Arc::new(Running::default()),
            tells_opened: false,
        }
    }
}

/// A mount that is being served.
pub struct Serving {
    session: JoinHandle<io::Result<()>>,
    running: Arc<Running>,
}

impl Serving {
    /// The requests that run and how many there were.
    pub const fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// Whether the mount is gone.
    pub fn is_finished(&self) -> bool {
        self.session.is_finished()
    }

    /// Waits until the mount is gone and all requests are answered that do not wait for the network.
    pub fn join(self) -> io::Result<()> {
        let ended = self.session.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("an event loop ended in a panic")))
    }
}

/// Serves `pod` on `fd`, an open `/dev/fuse` that is mounted already, as one of its mounts. Returns once the kernel and
/// we agreed on how to speak.
///
/// # Errors
/// When the mount is gone before that, or the kernel is too old.
pub fn serve(
    fd: OwnedFd,
    pod: &Arc<Pod>,
    mounts: &Arc<Mounts>,
    options: ServeOptions,
) -> io::Result<Serving> {
    let (running, top) = (options.running, options.top);
    let mount = Arc::new(mounts.mount(top));
    let adapter = Adapter {
        pod: Arc::clone(pod),
        mount: Arc::clone(&mount),
        running: Arc::clone(&running),
        runtime: options.runtime,
        told: Arc::default(),
        tells_opened: options.tells_opened,
    };
    let acl = match options.allow {
        Allow::Owner => SessionACL::Owner,
        Allow::OwnerAndRoot => SessionACL::RootAndOwner,
        Allow::All => SessionACL::All,
    };
    let mut config = Config::default();
    config.acl = acl;
    config.n_threads = Some(options.threads.max(1));
    config.clone_fd = options.clone_fd;
    let session = Session::from_fd(adapter, fd, acl, config)?;
    let notifier = session.notifier();
    mounts.begin(&mount, Arc::new(Told { notifier, top }))?;
    let pod = Arc::clone(pod);
    let session = std::thread::Builder::new().name("fuse".into()).spawn({
        let mount = Arc::clone(&mount);
        move || {
            let ended = session.run();
            mount.ended(&pod);
            ended
        }
    });
    let session = session.inspect_err(|_| mounts.end(&mount))?;
    Ok(Serving { session, running })
}
