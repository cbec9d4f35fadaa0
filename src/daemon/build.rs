//! Puts the rooms together: keyfile, log and index, file system, kernel.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::control::StatusReport;
use crate::crypto::Secret;
use crate::daemon::boxes::BoxMounts;
use crate::daemon::clock::clock;
use crate::daemon::config::ServeConfig;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::options::Access;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths::PodPaths;
use crate::daemon::people::People;
use crate::daemon::published::Published;
use crate::daemon::publishing::Publishing;
use crate::daemon::rekey;
use crate::daemon::replaced;
use crate::daemon::replaced::HeldKeys;
use crate::daemon::sharing::Sharing;
use crate::daemon::unopened::journal_fault;
use crate::daemon::unopened::pod_fault;
use crate::format::keyfile::Bundle;
use crate::format::rows::Bucket;
use crate::fuse;
use crate::fuse::Allow;
use crate::fuse::Mounts;
use crate::fuse::Running;
use crate::fuse::ServeOptions;
use crate::fuse::Serving;
use crate::index::Rows;
use crate::index::RowsParts;
use crate::pod::Caller;
use crate::pod::Kernel;
use crate::pod::Pod;
use crate::pod::PodError;
use crate::pod::PodParts;
use crate::pod::Report;
use crate::pod::SetAttr;
use crate::sync::BoxSecrets;
use crate::sync::Files;
use crate::types::Clock;
use crate::types::Ino;
use crate::types::ROOT;
use crate::types::limits::REQUEST_OVERDUE;

/// An open pod; cheap to clone.
#[derive(Clone)]
pub(super) struct House {
    pod: Arc<Pod>,
    publishing: Arc<Publishing>,
    people: Arc<People>,
    sharing: Arc<Sharing>,
    keys: Arc<HeldKeys>,
    clock: Clock,
    mounts: Arc<Mounts>,
    /// The requests of all mounts.
    running: Arc<Running>,
    box_mounts: Arc<BoxMounts>,
    _copies: Arc<LocalCopies>,
}

/// The file system, as far as publishing asks it for something.
struct LocalCopies(Arc<Pod>);

impl Files for LocalCopies {
    fn give_up(&self, ino: Ino, published: &[(u64, Bucket)]) -> Result<u64, String> {
        let given = self.0.give_up(ino, published);
        given.map_err(|error| error.to_string())
    }

    fn was_used(&self, ino: Ino) -> bool {
        self.0.was_used(ino)
    }
}

/// What goes through a mount.
#[derive(Clone)]
pub(super) struct Activity {
    running: Arc<Running>,
}

/// The threads that serve a mount.
pub(super) struct Session {
    serving: Serving,
}

/// Opens the pod, the secret being the passphrase or the PIN of the token: keys first, for their error is the most common one, then the log and what it replays.
pub(super) fn open(
    config: &ServeConfig,
    secret: Passphrase,
    progress: &mut dyn FnMut(&str),
) -> Result<House, Fault> {
    let bundle = rekey::open_with(&config.paths, config.token.as_ref(), secret)?;
    progress("opening the log");
    let house = open_with(&config.paths, &bundle, config.budget, config.read_only())?;
    if let Some(why) = house.broken()
        && !config.read_only()
    {
        let place = Quoted(&config.paths.state);
        let what = format!("cannot open the pod in {place} for writing: {why}");
        return Err(Fault::new(FaultKind::Damaged, what).next(
            "podfs check tells more; podfs mount -o ro DIR shows what is there, to be saved elsewhere",
        ));
    }
    if !config.read_only() {
        house.hand_over(config)?;
        house.pod.start_reaper().map_err(|error| {
            Fault::io(FaultKind::State, "cannot start a thread", &error).next("podfs doctor")
        })?;
    }
    Ok(house)
}

/// Opens the pod to look at it; with `read_only` nothing at all is written.
pub(super) fn open_for_check(
    paths: &PodPaths,
    bundle: &Bundle,
    read_only: bool,
) -> Result<House, Fault> {
    open_with(paths, bundle, None, read_only)
}

fn open_with(
    paths: &PodPaths,
    bundle: &Bundle,
    budget: Option<u64>,
    read_only: bool,
) -> Result<House, Fault> {
    let rows = RowsParts {
        dir: paths.state.clone(),
        secret: Secret::from_bytes(bundle.device_secret.expose()),
        budget,
        read_only,
    };
    let rows = Rows::open(&rows).map_err(|error| journal_fault(paths, error))?;
    let rows = Arc::new(rows);
    let owner = Caller {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    let stands_for = (owner.uid, owner.gid);
    let clock = clock();
    let (feed, keys) = replaced::settle(&rows, bundle, &clock, read_only)?;
    let secrets = (feed, BoxSecrets::new(&bundle.pod_secret));
    let publishing = Publishing::new(&rows, secrets, Arc::clone(&clock), stands_for)
        .map_err(|error| journal_fault(paths, error))?;
    let publishing = Arc::new(publishing);
    let parts = PodParts {
        rows,
        remote: Arc::new(Published {
            reader: Arc::clone(publishing.reader()),
            publisher: Arc::clone(publishing.publisher()),
        }),
        clock: Arc::clone(&clock),
        device: bundle.device,
        owner,
    };
    let pod = Pod::over(parts).map_err(|error| pod_fault(paths, &error))?;
    let pod = Arc::new(pod);
    let kernels = Arc::new(Mounts::default());
    pod.set_kernel(Arc::clone(&kernels) as Arc<dyn Kernel>);
    let people = People::new(&pod, bundle, Arc::clone(&clock), Arc::clone(&publishing));
    let people = Arc::new(people);
    if !read_only && let Err(why) = replaced::settle_card(people.contacts(), bundle) {
        tracing::warn!(%why, "the card with the new keys is not the pod's own yet");
    }
    let sharing = Sharing::new(
        &pod,
        &people,
        &publishing,
        replaced::grant_keys(bundle),
        (owner, Arc::clone(&clock)),
    );
    let copies = Arc::new(LocalCopies(Arc::clone(&pod)));
    let files: Arc<dyn Files> = Arc::clone(&copies) as Arc<dyn Files>;
    publishing.publisher().set_files(Arc::downgrade(&files));
    Ok(House {
        pod,
        publishing,
        people,
        sharing,
        keys: Arc::new(keys),
        clock,
        mounts: kernels,
        running: Arc::new(Running::default()),
        box_mounts: Arc::default(),
        _copies: copies,
    })
}

/// Makes the log of a new pod, with nothing in it but the top folder, which belongs to who makes it.
pub(super) fn create(paths: &PodPaths, bundle: &Bundle) -> Result<(), Fault> {
    let parts = RowsParts {
        dir: paths.state.clone(),
        secret: Secret::from_bytes(bundle.device_secret.expose()),
        budget: None,
        read_only: false,
    };
    Rows::create(&parts).map_err(|error| journal_fault(paths, error))?;
    open_with(paths, bundle, None, false)?.close()
}

impl House {
    /// Serves the pod, or a box of it from its directory on, on a mounted descriptor of the kernel.
    pub(super) fn serve(
        &self,
        device: OwnedFd,
        config: &ServeConfig,
        runtime: &Handle,
        top: Ino,
    ) -> Result<Session, Fault> {
        let allow = if config.allow_other {
            Allow::All
        } else {
            Allow::Owner
        };
        let options = ServeOptions {
            allow,
            top,
            running: Arc::clone(&self.running),
            tells_opened: config.access == Access::Recorded && !config.read_only(),
            ..ServeOptions::new(runtime.clone())
        };
        let serving = fuse::serve(device, &self.pod, &self.mounts, options).map_err(|error| {
            Fault::io(FaultKind::Fuse, "cannot talk to the kernel's FUSE", &error)
                .next("podfs doctor")
        })?;
        Ok(Session { serving })
    }

    /// Publishes from now on and fetches people, unless nothing can be changed. What is in the way is told, and no reason not to mount.
    pub(super) fn publish(&self, runtime: &Handle, config: &ServeConfig) -> Option<String> {
        if config.read_only() || self.broken().is_some() {
            self.people.reconciliation().look();
            return None;
        }
        if let Err(why) = self.sharing.move_grants() {
            tracing::warn!(%why, "what is shared does not go on with the new keys yet");
        }
        let started = self.publishing.start(runtime, &config.paths);
        self.record_replaced(runtime);
        self.people.reconciliation().start(runtime);
        self.people.mail().start(runtime, &config.hook);
        self.sharing.start(runtime);
        started.err().map(|fault| fault.what)
    }

    /// The file system.
    pub(super) fn pod(&self) -> &Pod {
        &self.pod
    }

    /// The mounts of boxes alone.
    pub(super) const fn box_mounts(&self) -> &Arc<BoxMounts> {
        &self.box_mounts
    }

    /// Whom the owner of the pod knows.
    pub(super) const fn people(&self) -> &Arc<People> {
        &self.people
    }

    /// What is shared.
    pub(super) const fn sharing(&self) -> &Arc<Sharing> {
        &self.sharing
    }

    /// Which keys it has.
    pub(super) fn keys(&self) -> &HeldKeys {
        &self.keys
    }

    /// The wall clock.
    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What publishes the pod.
    pub(super) const fn publishing(&self) -> &Arc<Publishing> {
        &self.publishing
    }

    /// Makes everything accepted so far durable.
    pub(super) fn sync(&self) -> Result<(), Fault> {
        if self.broken().is_some() {
            return Ok(());
        }
        let synced = self.pod.rows().sync();
        synced
            .map_err(|error| Fault::new(FaultKind::State, format!("cannot sync the pod: {error}")))
    }

    /// Makes everything durable and the next start a quick one.
    pub(super) fn close(&self) -> Result<(), Fault> {
        self.pod.stop_reaper();
        let closed = self.pod.rows().close(true);
        closed
            .map_err(|error| Fault::new(FaultKind::State, format!("cannot close the pod: {error}")))
    }

    /// Verifies the rows and, with `contents`, every page; the pod must be still.
    pub(super) fn check(&self, contents: bool) -> Result<Report, Fault> {
        let what = |error: PodError| {
            Fault::new(
                FaultKind::Damaged,
                format!("the check cannot go on: {error}"),
            )
        };
        self.pod.check(contents).map_err(what)
    }

    /// The top folder belongs to whom the options name.
    fn hand_over(&self, config: &ServeConfig) -> Result<(), Fault> {
        if config.uid.is_none() && config.gid.is_none() {
            return Ok(());
        }
        let set = SetAttr {
            uid: config.uid,
            gid: config.gid,
            ..SetAttr::default()
        };
        let root = Caller { uid: 0, gid: 0 };
        let handed = self.pod.setattr(ROOT, &set, root).map(drop);
        handed.map_err(|error| pod_fault(&config.paths, &error))
    }

    /// What is wrong with the log, if anything.
    pub(super) fn damage(&self) -> Option<String> {
        self.pod.rows().journal().damage()
    }

    /// Why nothing can be changed, if so.
    pub(super) fn broken(&self) -> Option<String> {
        self.pod.rows().journal().broken()
    }

    /// Adds what only the open pod knows.
    pub(super) fn fill(&self, report: &mut StatusReport) {
        let rows = self.pod.rows();
        let space = rows.space();
        report.reason = self.broken();
        let state = if report.reason.is_some() {
            "read-only"
        } else {
            "mounted"
        };
        state.clone_into(&mut report.state);
        report.bytes_live = Some(space.live);
        report.budget = Some(space.total);
        report.unsynced_bytes = Some(rows.journal().unsynced());
        report.replayed = Some(rows.journal().replayed());
    }
}

impl Session {
    /// What goes through it.
    pub(super) fn activity(&self) -> Activity {
        Activity {
            running: Arc::clone(self.serving.running()),
        }
    }

    /// Waits until the mount is gone.
    pub(super) fn join(self) {
        if let Err(error) = self.serving.join() {
            // An aborted connection ends like this as well.
            tracing::info!(%error, "the mount ended");
        }
    }
}

impl Activity {
    /// Requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.running.requests()
    }

    /// Tells every request that takes too long, once.
    pub(super) fn log_slow_requests(&self) {
        self.running.tell_overdue(REQUEST_OVERDUE);
    }
}
