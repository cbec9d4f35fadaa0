//! `podfs contact`

use clap::Args;
use clap::Subcommand;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::exit::Exit;
use crate::cli::id::grouped;
use crate::cli::print;
use crate::control::ContactReport;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::contacts::Introduction;
use crate::daemon::contacts::PeopleClient;
use crate::daemon::units::show_date;

/// People whose keys this pod knows.
#[derive(Args, Clone, Debug)]
pub(super) struct ContactArgs {
    #[command(subcommand)]
    command: ContactCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum ContactCommand {
    Add(AddArgs),
    List(ListArgs),
    /// Show one of them
    #[command(after_long_help = CONTACT_HELP)]
    Show(NameArgs),
    Verify(VerifyArgs),
    /// Forget somebody, and what was pinned of them
    Remove(RemoveArgs),
    Block(BlockArgs),
    /// Take what somebody writes again
    Unblock(WhoArgs),
}

/// Add somebody, and pin their card.
///
/// From then on only a card that follows from this one is believed to be theirs; the same command takes a newer one over.
/// Who added the wrong card is talking to somebody else: compare the words with podfs contact verify.
#[derive(Args, Clone, Debug)]
struct AddArgs {
    /// What to call them
    name: String,
    /// What their podfs id show prints (podfs1…), their address (0x…), or the file with their card
    card: String,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Show all of them.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = CONTACT_HELP)]
struct ListArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Args, Clone, Debug)]
struct NameArgs {
    /// What you call them
    name: String,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Forget a contact. What they share stays until it ends; nothing they write is read any more.
#[derive(Args, Clone, Debug)]
struct RemoveArgs {
    #[command(flatten)]
    contact: NameArgs,
    /// End what is shared with them; without this a contact with whom something is shared stays
    #[arg(long)]
    revoke: bool,
}

/// Take nothing of somebody any more: no message, and no request at the door. Without a name: show who is blocked.
///
/// What was accepted of them stays. They are not told.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = BLOCKED_HELP)]
struct BlockArgs {
    /// What you call them, or the fingerprint that podfs inbox --json shows, or its first 8 digits
    who: Option<String>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Args, Clone, Debug)]
struct WhoArgs {
    /// What you call them, or their fingerprint, or its first 8 digits
    who: String,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Make sure that a card is theirs: seven words, the same on both sides, are read to each other.
///
/// Call them; do not send the words the way the card came. They see theirs with the same command. The words tell whose
/// card it is, not that it is their newest: compare its number and date too.
#[derive(Args, Clone, Debug)]
struct VerifyArgs {
    /// What you call them
    name: String,
    /// The words that they read, instead of being asked whether they are the same
    #[arg(long)]
    words: Option<String>,
    /// Print the words to be read, and change nothing
    #[arg(long, conflicts_with = "words")]
    show: bool,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const CONTACT_HELP: &str = "\
Fields of --json:
  name         what you call them
  identity     owner address of their identity, 40 hexadecimal digits
  fingerprint  of their identity, 64 hexadecimal digits
  known_as     fingerprint under which they are noted: of the first identity that was pinned
  successor    owner address of the identity that may follow theirs; null when none is fixed
  card         number of the card that is pinned
  card_time    when that was made, in seconds since 1970
  verified     whether both have compared the words
  alarm        whether a card was met that the pinned one does not vouch for
  since        when they were added, in seconds since 1970
  blocked      since when nothing of theirs is taken, in seconds since 1970; null: it is";

const BLOCKED_HELP: &str = "\
Fields of --json, of each of them:
  name         what you call them; null when they are no contact
  fingerprint  of their identity, 64 hexadecimal digits
  since        since when, in seconds since 1970";

impl ContactArgs {
    pub(super) fn wants_json(&self) -> bool {
        match &self.command {
            ContactCommand::Add(args) => args.format.json,
            ContactCommand::List(args) => args.format.json,
            ContactCommand::Show(args) => args.format.json,
            ContactCommand::Remove(args) => args.contact.format.json,
            ContactCommand::Verify(args) => args.format.json,
            ContactCommand::Block(args) => args.format.json,
            ContactCommand::Unblock(args) => args.format.json,
        }
    }
}

/// Does it.
pub(super) fn run(args: &ContactArgs) -> Result<Exit, Fault> {
    match &args.command {
        ContactCommand::Add(args) => add(args),
        ContactCommand::List(args) => list(args),
        ContactCommand::Show(args) => show(args),
        ContactCommand::Verify(args) => verify(args),
        ContactCommand::Remove(args) => remove(args),
        ContactCommand::Block(args) => block(args),
        ContactCommand::Unblock(args) => unblock(args),
    }
}

fn add(args: &AddArgs) -> Result<Exit, Fault> {
    let introduction = Introduction::of(&args.card)?;
    let paths = args.pod.paths()?;
    let contact = PeopleClient::of_pod(&paths)?.add(&args.name, introduction)?;
    tell(&contact, args.format);
    if !contact.verified && !args.format.json {
        print::note(format!(
            "not verified. Next: call them, and podfs contact verify {:?}{}",
            contact.name,
            paths.pod_flag()
        ));
    }
    Ok(Exit::Done)
}

fn list(args: &ListArgs) -> Result<Exit, Fault> {
    let contacts = PeopleClient::of_pod(&args.pod.paths()?)?.all()?;
    if args.format.json {
        print::json(&contacts);
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = contacts
        .iter()
        .map(|it| {
            let identity = format!("0x{}", it.identity);
            [
                it.name.clone(),
                identity,
                state(it).to_owned(),
                show_date(it.since),
            ]
        })
        .collect();
    print::table(&["NAME", "IDENTITY", "STATE", "SINCE"], &rows);
    Ok(Exit::Done)
}

fn show(args: &NameArgs) -> Result<Exit, Fault> {
    let contact = PeopleClient::of_pod(&args.pod.paths()?)?.show(&args.name)?;
    tell(&contact, args.format);
    Ok(Exit::Done)
}

fn verify(args: &VerifyArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    let flag = paths.pod_flag();
    let (contact, words) = PeopleClient::of_pod(&paths)?.words(&args.name)?;
    if args.show {
        if args.format.json {
            print::json(&words);
        } else {
            print::line(words.join(" "));
        }
        return Ok(Exit::Done);
    }
    if let Some(theirs) = &args.words {
        let same = theirs.split_whitespace().map(str::to_lowercase).eq(words);
        if !same {
            return Err(differ(&args.name, &flag));
        }
    } else {
        if !print::is_terminal() {
            let what = "there is no terminal to compare the words on";
            return Err(
                Fault::new(FaultKind::Usage, what).next("give the words they read: --words")
            );
        }
        let made = show_date(contact.card_time);
        print::question(&format!("\n   {}\n\n", words.join("  ")));
        print::question(&format!(
            "Their card: number {}, made {made}\n",
            contact.card
        ));
        let answer = ask::line(&format!("Does {} read the same? [y/N] ", args.name))?;
        if !matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
            return Err(differ(&args.name, &flag));
        }
    }
    // Asked anew: a call takes longer than the daemon waits.
    let mut daemon = PeopleClient::of_pod(&paths)?;
    daemon.verified(&contact)?;
    tell(&daemon.show(&args.name)?, args.format);
    Ok(Exit::Done)
}

fn differ(name: &str, flag: &str) -> Fault {
    let what = format!("the words are not the same: this is perhaps not the card of {name:?}");
    Fault::new(FaultKind::CardChanged, what).next(format!(
        "podfs contact remove {name:?}{flag}, and add them again with a card that you have from them"
    ))
}

fn remove(args: &RemoveArgs) -> Result<Exit, Fault> {
    let (args, revoke) = (&args.contact, args.revoke);
    let mut daemon = PeopleClient::of_pod(&args.pod.paths()?)?;
    daemon.remove(&args.name, revoke)?;
    if args.format.json {
        print::json(&serde_json::json!({ "name": args.name, "removed": true }));
    } else if print::is_terminal() {
        print::note(format!("{} is forgotten", args.name));
    }
    Ok(Exit::Done)
}

fn block(args: &BlockArgs) -> Result<Exit, Fault> {
    let mut daemon = PeopleClient::of_pod(&args.pod.paths()?)?;
    if let Some(who) = &args.who {
        daemon.block(who, true)?;
        if args.format.json {
            print::json(&serde_json::json!({ "who": who, "blocked": true }));
        }
        return Ok(Exit::Done);
    }
    let blocked = daemon.blocked()?;
    if args.format.json {
        print::json(&blocked);
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = blocked
        .iter()
        .map(|it| {
            let name = it.name.clone().unwrap_or_default();
            [name, grouped(&it.fingerprint), show_date(it.since)]
        })
        .collect();
    print::table(&["NAME", "FINGERPRINT", "SINCE"], &rows);
    Ok(Exit::Done)
}

fn unblock(args: &WhoArgs) -> Result<Exit, Fault> {
    PeopleClient::of_pod(&args.pod.paths()?)?.block(&args.who, false)?;
    if args.format.json {
        print::json(&serde_json::json!({ "who": args.who, "blocked": false }));
    }
    Ok(Exit::Done)
}

fn tell(contact: &ContactReport, format: FormatArgs) {
    if format.json {
        print::json(contact);
        return;
    }
    print::line(format!("name         {}", contact.name));
    print::line(format!("identity     0x{}", contact.identity));
    print::line(format!("fingerprint  {}", grouped(&contact.fingerprint)));
    if contact.known_as != contact.fingerprint {
        print::line(format!("known as     {}", grouped(&contact.known_as)));
    }
    let made = show_date(contact.card_time);
    print::line(format!("card         number {}, made {made}", contact.card));
    print::line(format!("state        {}", state(contact)));
    print::line(format!("since        {}", show_date(contact.since)));
}

const fn state(contact: &ContactReport) -> &'static str {
    if contact.blocked.is_some() {
        "blocked"
    } else if contact.alarm {
        "STOPPED: a card was met that nothing vouches for"
    } else if contact.verified {
        "verified"
    } else {
        "not verified"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::BlockedReport;

    #[test]
    fn the_help_names_every_field() {
        let missing = print::undocumented(&ContactReport::default(), CONTACT_HELP);
        assert_eq!(missing, Vec::<String>::new());
        let missing = print::undocumented(&BlockedReport::default(), BLOCKED_HELP);
        assert_eq!(missing, Vec::<String>::new());
    }
}
