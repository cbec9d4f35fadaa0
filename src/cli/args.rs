//! The command line, in one place: help texts, completions and man pages are made from it.

use clap::Args;
use clap::Parser;
use clap::Subcommand;

use crate::cli::bench::BenchArgs;
use crate::cli::check::CheckArgs;
use crate::cli::completions::CompletionsArgs;
use crate::cli::doctor::DoctorArgs;
use crate::cli::exit;
use crate::cli::init::InitArgs;
use crate::cli::man::ManArgs;
use crate::cli::mount::MountArgs;
use crate::cli::passwd::PasswdArgs;
use crate::cli::status::StatusArgs;
use crate::cli::unmount::UnmountArgs;
use crate::cli::version::VersionArgs;
use crate::daemon::Fault;
use crate::daemon::PodPaths;

/// A pod is an encrypted folder of yours: everything in it is sealed on this machine.
///
/// First steps: podfs init; mkdir ~/Pod; podfs mount ~/Pod; and when done: podfs unmount ~/Pod
#[derive(Debug, Parser)]
#[command(name = "podfs", version, disable_help_subcommand = true, after_long_help = exit::table())]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a new pod and show its recovery phrase
    Init(InitArgs),
    /// Mount a pod on an empty folder
    Mount(MountArgs),
    /// Unmount a pod and wipe its keys from memory
    #[command(visible_alias = "umount")]
    Unmount(UnmountArgs),
    /// Show how a pod is
    Status(StatusArgs),
    /// Change the passphrase
    Passwd(PasswdArgs),
    /// Verify everything a pod has on this machine
    Check(CheckArgs),
    /// Find out why something does not work, and what to do
    Doctor(DoctorArgs),
    /// Measure crypto and disk of this machine
    Bench(BenchArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual, or write all its pages
    Man(ManArgs),
    /// Print the version
    Version(VersionArgs),
}

/// Which pod.
#[derive(Args, Clone, Debug)]
pub(super) struct PodArgs {
    /// Name of the pod, or the path of its state folder
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub(super) pod: String,
}

impl PodArgs {
    /// Its places.
    pub(super) fn paths(&self) -> Result<PodPaths, Fault> {
        PodPaths::of(&self.pod)
    }
}

/// How the answer is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct FormatArgs {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Command {
    /// Whether the answer, and so a failure, is for a program.
    pub(super) fn wants_json(&self) -> bool {
        match self {
            Self::Init(args) => args.format.json,
            Self::Mount(args) => args.format.json,
            Self::Unmount(args) => args.format.json,
            Self::Status(args) => args.format.json,
            Self::Check(args) => args.format.json,
            Self::Doctor(args) => args.format.json,
            Self::Bench(args) => args.format.json,
            Self::Version(args) => args.format.json,
            Self::Passwd(_) | Self::Completions(_) | Self::Man(_) => false,
        }
    }
}
