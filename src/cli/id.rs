//! `podfs id`

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use clap::ValueHint;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::Quoted;
use crate::daemon::contacts::PeopleClient;
use crate::daemon::identity;
use crate::daemon::identity::Identity;
use crate::daemon::units::show_date;

/// Who this pod is to others.
#[derive(Args, Clone, Debug)]
pub(super) struct IdArgs {
    #[command(subcommand)]
    command: IdCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum IdCommand {
    Show(ShowArgs),
    Publish(PublishArgs),
}

/// Show what others add as a contact.
///
/// They type: podfs contact add NAME podfs1…; or, with --out, the name of the file that you gave them. Nothing of it is
/// secret. That it is really yours, they know once both have compared the words of podfs contact verify.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = SHOW_HELP)]
struct ShowArgs {
    /// Write the card to this new file, to be handed over without the network
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Put the card of this pod into the network, where everybody can read it.
///
/// The first time on a machine this takes the recovery phrase: only the identity in it can sign a card. Without a node
/// the card is made all the same, to be handed over as a file.
#[derive(Args, Clone, Debug)]
struct PublishArgs {
    /// Read the recovery phrase from FILE instead of asking for it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    phrase_file: Option<PathBuf>,
    /// Make a new card in any case, after the newest that the network has
    #[arg(long)]
    renew: bool,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const SHOW_HELP: &str = "\
Fields of --json:
  identity     what others add: podfs1…
  address      the same as Ethereum writes it
  fingerprint  of the identity, 64 hexadecimal digits
  card         number of the card; each takes the place of the one before
  card_time    when it was made, in seconds since 1970
  published    whether a node took it";

impl IdArgs {
    pub(super) fn wants_json(&self) -> bool {
        match &self.command {
            IdCommand::Show(args) => args.format.json,
            IdCommand::Publish(args) => args.format.json,
        }
    }
}

/// Does it.
pub(super) fn run(args: &IdArgs) -> Result<Exit, Fault> {
    match &args.command {
        IdCommand::Show(args) => show(args),
        IdCommand::Publish(args) => publish(args),
    }
}

fn show(args: &ShowArgs) -> Result<Exit, Fault> {
    let mut daemon = PeopleClient::of_pod(&args.pod.paths()?)?;
    let own = Identity::of(&mut daemon)?;
    if let Some(file) = &args.out {
        own.write_card(file)?;
    }
    tell(&own, args.format);
    if let Some(file) = &args.out
        && !args.format.json
    {
        print::note(format!("the card is in {}", Quoted(file)));
    }
    Ok(Exit::Done)
}

fn publish(args: &PublishArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    let mut daemon = PeopleClient::of_pod(&paths)?;
    if args.renew || !identity::has_card(&mut daemon)? {
        // The daemon does not wait for a person.
        drop(daemon);
        let phrase = ask::phrase(args.phrase_file.as_deref())?;
        daemon = PeopleClient::of_pod(&paths)?;
        identity::make_card(&mut daemon, &phrase, args.renew)?;
    }
    identity::publish(&mut daemon)?;
    tell(&Identity::of(&mut daemon)?, args.format);
    Ok(Exit::Done)
}

fn tell(own: &Identity, format: FormatArgs) {
    if format.json {
        print::json(own);
        return;
    }
    let place = if !own.current {
        "with the keys of the machine before: podfs id publish"
    } else if own.published {
        "in the network"
    } else {
        "on this machine only: podfs id publish"
    };
    print::line(format!("identity     {}", own.identity));
    print::line(format!("address      {}", own.address));
    print::line(format!("fingerprint  {}", grouped(&own.fingerprint)));
    let made = show_date(own.card_time);
    print::line(format!(
        "card         number {}, made {made}, {place}",
        own.card
    ));
}

/// Digits in groups of four.
pub(super) fn grouped(digits: &str) -> String {
    let (groups, rest) = digits.as_bytes().as_chunks::<4>();
    let groups = groups.iter().map(|group| String::from_utf8_lossy(group));
    let rest = (!rest.is_empty()).then(|| String::from_utf8_lossy(rest));
    groups.chain(rest).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped("0123456789"), "0123 4567 89");
        assert_eq!(grouped(""), "");
    }
}
