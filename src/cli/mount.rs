//! `podfs mount DIR`

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask::PassphraseArgs;
use crate::cli::exit::Exit;
use crate::cli::opening;
use crate::cli::opening::Opening;
use crate::cli::opening::TokenArgs;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::MountOptions;
use crate::daemon::Passphrase;
use crate::daemon::PodPaths;
use crate::daemon::Quoted;
use crate::daemon::ServeConfig;
use crate::daemon::boxes::BoxClient;
use crate::daemon::handoff;
use crate::daemon::handoff::News;
use crate::daemon::lock;
use crate::daemon::mount;
use crate::daemon::mountpoint;
use crate::daemon::mountpoint::Mountpoint;
use crate::daemon::serve;

/// Mount a pod on an empty folder.
///
/// Returns when the folder answers. The bare folder is closed for writing, also after the unmount, so that
/// nothing is saved there in clear by accident; podfs unmount --release DIR opens it again.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = OPTIONS_HELP)]
pub(super) struct MountArgs {
    /// The folder: empty and yours
    #[arg(value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// Mount this box of a mounted pod there, alone, for one app: nothing else of the pod can be reached from it. It
    /// ends with the pod
    #[arg(long = "box", value_name = "PATH", value_hint = ValueHint::DirPath, conflicts_with_all = ALONE)]
    of_box: Option<PathBuf>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    token: TokenArgs,
    #[command(flatten)]
    wishes: WishArgs,
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// What is asked of the mount; each is also an option after `-o`.
#[derive(Args, Clone, Debug, Default)]
struct WishArgs {
    /// Mount options, separated by commas
    #[arg(short = 'o', long = "options", value_name = "OPTIONS")]
    options: Vec<String>,
    /// Allow no changes
    #[arg(long, visible_alias = "ro")]
    read_only: bool,
    /// Let other users in, as far as modes allow
    #[arg(long)]
    allow_other: bool,
    /// Most disk space the pod may take, such as 50G
    #[arg(long, value_name = "SIZE")]
    budget: Option<String>,
    /// Unmount and wipe the keys after this time without use, such as 30m
    #[arg(long, value_name = "TIME")]
    idle: Option<String>,
}

/// How the daemon runs.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(super) struct RunArgs {
    /// Stay in front and log to standard error
    #[arg(short, long)]
    foreground: bool,
    /// Log more
    #[arg(short, long)]
    pub(super) debug: bool,
}

const OPTIONS_HELP: &str = "\
Options after -o:
  ro, rw                   allow no changes, or (usual) allow them
  allow_other              let other users in, as far as modes allow
  audit_access             record which programs open which files, for podfs audit
  share_xattr              let programs share by setting user.pod.share.NAME (see README)
  uid=N, gid=N             give the top folder to this user or group
  nosuid, nodev, noexec    as in mount(8); nosuid and nodev are usual, suid and dev undo them
  noatime, sync, dirsync   as in mount(8)
  fsname=NAME              source shown by df
  budget=SIZE, idle=TIME   as the flags of the same name
  passphrase_file=FILE     as --passphrase-file, for fstab
  token, token=LABEL, module=PATH, pin_file=FILE
                           as the flags of the same name, for fstab
Options meant for mount(8), systemd or libfuse (auto, noauto, nofail, user, _netdev, x-...,
default_permissions, auto_unmount, umask=, subtype= and more) are accepted and do nothing.
allow_root and nonempty are refused.

In fstab, with podfs linked as /sbin/mount.fuse.podfs, and a state folder instead of a name:
  /home/me/.local/share/podfs/main  /home/me/Pod  fuse.podfs  noauto,passphrase_file=/root/pass  0 0";

/// What a mount of a box takes over from that of its pod.
const ALONE: [&str; 11] = [
    "pod",
    "passphrase",
    "module",
    "pin_file",
    "options",
    "read_only",
    "allow_other",
    "budget",
    "idle",
    "foreground",
    "debug",
];

/// Mounts, or explains why not.
pub(super) fn run(args: &MountArgs) -> Result<Exit, Fault> {
    if let Some(path) = &args.of_box {
        return mount_box(path, args);
    }
    let order = Order {
        paths: args.pod.paths()?,
        dir: args.dir.clone(),
        wishes: args.wishes.lists(),
        passphrase: args.passphrase.clone(),
        token: args.token.clone(),
        debug: args.run.debug,
    };
    let (config, passphrase) = order.prepare()?;
    if args.run.foreground {
        return in_front(&config, passphrase);
    }
    start(&config, &passphrase)?;
    if args.format.json {
        print::json(&serde_json::json!({
            "pod": config.paths.name,
            "mountpoint": config.mountpoint,
            "pid": lock::holder(&config.paths.state).map(|holder| holder.pid),
        }));
    } else if print::is_terminal() {
        print::note(format!(
            "mounted; when done: podfs unmount {}",
            Quoted(&config.mountpoint)
        ));
    }
    Ok(Exit::Done)
}

fn mount_box(path: &Path, args: &MountArgs) -> Result<Exit, Fault> {
    let mut client = BoxClient::of_path(path)?;
    let point = mountpoint::resolve(&args.dir)?;
    for note in client.mount(&point)? {
        print::note(note);
    }
    if args.format.json {
        print::json(&serde_json::json!({ "box": path.to_string_lossy(), "mountpoint": point }));
    } else if print::is_terminal() {
        let point = Quoted(&point);
        print::note(format!("mounted; when done: podfs unmount {point}"));
    }
    Ok(Exit::Done)
}

/// Starts the daemon; returns when the folder answers.
pub(super) fn start(config: &ServeConfig, passphrase: &Passphrase) -> Result<(), Fault> {
    let progress = |what: &str| {
        if print::is_terminal() {
            print::note(what);
        }
    };
    for note in handoff::start(config, passphrase, progress)? {
        print::note(note);
    }
    Ok(())
}

impl WishArgs {
    /// As lists of options, the flags last.
    fn lists(&self) -> Vec<String> {
        let mut lists = self.options.clone();
        let flags = [(self.read_only, "ro"), (self.allow_other, "allow_other")];
        lists.extend(
            flags
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, name)| (*name).to_owned()),
        );
        lists.extend(self.budget.iter().map(|size| format!("budget={size}")));
        lists.extend(self.idle.iter().map(|time| format!("idle={time}")));
        lists
    }
}

/// A mount somebody wants, from the command line or from fstab.
pub(super) struct Order {
    pub(super) paths: PodPaths,
    pub(super) dir: PathBuf,
    pub(super) wishes: Vec<String>,
    pub(super) passphrase: PassphraseArgs,
    pub(super) token: TokenArgs,
    pub(super) debug: bool,
}

impl Order {
    /// Everything that can be refused is refused before the passphrase is asked for.
    pub(super) fn prepare(self) -> Result<(ServeConfig, Passphrase), Fault> {
        // None at boot, from fstab.
        let settings = opening::settings()?;
        let usual = settings.options(&self.paths.name);
        let lists = usual
            .into_iter()
            .chain(self.wishes.iter().map(String::as_str));
        let options = MountOptions::parse(lists)?;
        if !options.ignored.is_empty() {
            tracing::debug!(options = ?options.ignored, "options that do nothing here");
        }
        self.paths.require()?;
        lock::refuse_if_held(&self.paths.state)?;
        mount::require_device()?;
        let point = Mountpoint::prepare(&self.dir, &self.paths.state)?;
        let opening = Opening::find(
            &self.paths,
            &self.passphrase,
            &self.token,
            &options,
            &settings,
        )?;
        let mut config = ServeConfig::new(self.paths, point.path, &options, self.debug);
        let secret = opening.secret(&config.paths)?;
        config.token = opening.token;
        config.hook = settings.hook(&config.paths.name).to_vec();
        Ok((config, secret))
    }
}

fn in_front(config: &ServeConfig, passphrase: Passphrase) -> Result<Exit, Fault> {
    serve::serve(config, passphrase, &mut |news| {
        match news {
            News::Progress(what) => print::note(what),
            News::Ready(notes) => {
                notes.iter().for_each(print::note);
                print::note(format!(
                    "mounted at {}; Ctrl-C unmounts",
                    Quoted(&config.mountpoint)
                ));
            }
            News::Failed(fault) => print::fault(&fault),
        }
        true
    })?;
    Ok(Exit::Done)
}
