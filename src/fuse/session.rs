use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use fuser::{Config, Session, SessionACL};
use tokio::runtime::Handle;

use crate::fuse::kernel::Told;
use crate::fuse::serve::Adapter;
use crate::fuse::watchdog::Running;
use crate::pod::Pod;

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
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Event loops: requests answered at once.
    pub threads: usize,
    /// Who may use it.
    pub allow: Allow,
    /// Whether each event loop gets a descriptor of its own, which needs a `/dev/fuse` that can be opened.
    pub clone_fd: bool,
    /// Where requests wait for the network.
    pub runtime: Handle,
}

impl ServeOptions {
    /// Four event loops, for the owner alone.
    pub const fn new(runtime: Handle) -> Self {
        Self {
            threads: 4,
            allow: Allow::Owner,
            clone_fd: false,
            runtime,
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

/// Serves `pod` on `fd`, an open `/dev/fuse` that is mounted already. Returns once the kernel and we agreed on how to
/// speak.
///
/// # Errors
/// When the mount is gone before that, or the kernel is too old.
pub fn serve(fd: OwnedFd, pod: &Arc<Pod>, options: ServeOptions) -> io::Result<Serving> {
    let running = Arc::new(Running::new());
    let adapter = Adapter {
        pod: Arc::clone(pod),
        running: Arc::clone(&running),
        runtime: options.runtime,
        told: Arc::default(),
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
    pod.set_kernel(Arc::new(Told(session.notifier())));
    let session = std::thread::Builder::new()
        .name("fuse".into())
        .spawn(move || session.run())?;
    Ok(Serving { session, running })
}
