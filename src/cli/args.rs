//! The command line, in one place: help texts, completions and man pages are made from it.

use clap::Args;
use clap::Parser;
use clap::Subcommand;

use crate::cli::accept::AcceptArgs;
use crate::cli::access::AccessArgs;
use crate::cli::approve::ApproveArgs;
use crate::cli::audit::AuditArgs;
use crate::cli::bench::BenchArgs;
use crate::cli::boxes::BoxArgs;
use crate::cli::check::CheckArgs;
use crate::cli::completions::CompletionsArgs;
use crate::cli::contact::ContactArgs;
use crate::cli::doctor::DoctorArgs;
use crate::cli::drill::DrillArgs;
use crate::cli::exit;
use crate::cli::id::IdArgs;
use crate::cli::inbox::InboxArgs;
use crate::cli::init::InitArgs;
use crate::cli::keys::KeysArgs;
use crate::cli::man::ManArgs;
use crate::cli::migrate::MigrateArgs;
use crate::cli::mount::MountArgs;
use crate::cli::node::NodeArgs;
use crate::cli::passwd::PasswdArgs;
use crate::cli::pin::PinArgs;
use crate::cli::recover::RecoverArgs;
use crate::cli::rent::RentArgs;
use crate::cli::request::DenyArgs;
use crate::cli::request::RequestArgs;
use crate::cli::request::RequestsArgs;
use crate::cli::revoke::RevokeArgs;
use crate::cli::scrub::ScrubArgs;
use crate::cli::share::ShareArgs;
use crate::cli::shares::SharesArgs;
use crate::cli::stamp::StampArgs;
use crate::cli::status::StatusArgs;
use crate::cli::unmount::UnmountArgs;
use crate::cli::version::VersionArgs;
use crate::cli::wait::WaitArgs;
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

/// What can be done. Each is described where its arguments are.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Init(InitArgs),
    Mount(MountArgs),
    #[command(visible_alias = "umount")]
    Unmount(UnmountArgs),
    Status(StatusArgs),
    Wait(WaitArgs),
    Pin(PinArgs),
    Scrub(ScrubArgs),
    Migrate(MigrateArgs),
    Node(NodeArgs),
    Stamp(StampArgs),
    Rent(RentArgs),
    Recover(RecoverArgs),
    Drill(DrillArgs),
    Id(IdArgs),
    Contact(ContactArgs),
    Share(ShareArgs),
    Shares(SharesArgs),
    Access(AccessArgs),
    Revoke(RevokeArgs),
    Approve(ApproveArgs),
    Accept(AcceptArgs),
    Audit(AuditArgs),
    Inbox(InboxArgs),
    Request(RequestArgs),
    Requests(RequestsArgs),
    Deny(DenyArgs),
    Box(BoxArgs),
    Keys(KeysArgs),
    Passwd(PasswdArgs),
    Check(CheckArgs),
    Doctor(DoctorArgs),
    Bench(BenchArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
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
            Self::Recover(args) => args.format.json,
            Self::Mount(args) => args.format.json,
            Self::Unmount(args) => args.format.json,
            Self::Status(args) => args.format.json,
            Self::Check(args) => args.format.json,
            Self::Doctor(args) => args.format.json,
            Self::Bench(args) => args.format.json,
            Self::Version(args) => args.format.json,
            Self::Wait(args) => args.format.json,
            Self::Pin(args) => args.format.json,
            Self::Scrub(args) => args.format.json,
            Self::Migrate(args) => args.format.json,
            Self::Rent(args) => args.format.json,
            Self::Drill(args) => args.format.json,
            Self::Share(args) => args.format.json,
            Self::Shares(args) => args.format.json,
            Self::Access(args) => args.format.json,
            Self::Revoke(args) => args.format.json,
            Self::Approve(args) => args.format.json,
            Self::Accept(args) => args.format.json,
            Self::Node(args) => args.wants_json(),
            Self::Stamp(args) => args.wants_json(),
            Self::Id(args) => args.wants_json(),
            Self::Contact(args) => args.wants_json(),
            Self::Audit(args) => args.wants_json(),
            Self::Inbox(args) => args.wants_json(),
            Self::Request(args) => args.wants_json(),
            Self::Requests(args) => args.wants_json(),
            Self::Deny(args) => args.wants_json(),
            Self::Box(args) => args.wants_json(),
            Self::Keys(args) => args.wants_json(),
            Self::Passwd(_) | Self::Completions(_) | Self::Man(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The commands that the table in `readme` names in its first column, in order.
    fn in_the_table(readme: &str) -> Vec<&str> {
        let table = readme.split("\n## Commands\n").nth(1).unwrap();
        let table = table.split("\n## ").next().unwrap();
        let columns = table.lines().filter_map(|line| line.split('|').nth(1));
        let quoted = columns.flat_map(|column| column.split('`').skip(1).step_by(2));
        quoted
            .filter_map(|typed| typed.strip_prefix("podfs "))
            .filter_map(|typed| typed.split_whitespace().next())
            .collect()
    }

    #[test]
    fn the_readme_names_every_command_once() {
        let mut told = in_the_table(include_str!("../../README.md"));
        told.sort_unstable();
        let program = Cli::command();
        let mut commands: Vec<_> = program
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        commands.sort_unstable();
        assert_eq!(told, commands);
    }
}
