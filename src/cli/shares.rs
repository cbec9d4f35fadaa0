//! `podfs shares`

use std::path::Path;

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::control::GivenReport;
use crate::control::ReceivedReport;
use crate::daemon::Fault;
use crate::daemon::Quoted;
use crate::daemon::sharing::SharingClient;
use crate::daemon::units::show_date;

/// Show what is shared: by this pod, and with it.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HELP)]
pub(super) struct SharesArgs {
    /// Also grants that are over
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

const HELP: &str = "\
Fields of --json, an object with two lists, given and received; times in seconds since 1970:
  id           of the grant, 32 hexadecimal digits
  with         name of the contact
  fingerprint  of their identity, 64 hexadecimal digits
  path         where it is, as seen from the top of the pod
  name         under which it was given
  kind         file or folder
  rights       read, append or write
  from, until  when it begins and ends
  purpose      what for
  snapshot     whether later versions are left out
  made         when it was given
  state        given: waiting, active; received: offered, accepted; both: revoked, expired, gone
  ended        since when it is over
  version      received: when the newest version was made that is here
  added        received: files that were added to it, changed or removed, and are not so at its owner's yet
  trouble      received: why a newer one is not; given: why what they added is not taken over,
               or why they are told nothing new";

/// Prints them.
pub(super) fn run(args: &SharesArgs) -> Result<Exit, Fault> {
    let mut client = SharingClient::of_pod(&args.pod.paths()?)?;
    let (mut given, mut received) = (client.given()?, client.received()?);
    if !args.all {
        given.retain(|grant| grant.ended.is_none());
        received.retain(|grant| grant.ended.is_none());
    }
    if args.format.json {
        print::json(&serde_json::json!({ "given": given, "received": received }));
        return Ok(Exit::Done);
    }
    for grant in &given {
        print::line(describe(grant));
    }
    for grant in &received {
        print::line(describe_received(grant));
    }
    if given.is_empty() && received.is_empty() && print::is_terminal() {
        print::note("nothing is shared");
    }
    Ok(Exit::Done)
}

/// One grant that was given, on one line.
pub(super) fn describe(grant: &GivenReport) -> String {
    let path = grant.path.as_deref().unwrap_or(&grant.name);
    let what = format!(
        "{}  {}  with {}: {}",
        short(&grant.id),
        Quoted(Path::new(path)),
        grant.with,
        grant.rights
    );
    let ended = grant.ended.map(|when| (grant.state.as_str(), when));
    let trouble = grant.trouble.as_ref();
    let trouble = trouble.map_or_else(String::new, |why| format!(" ({why})"));
    what + &times(&grant.state, (grant.from, grant.until), ended)
        + &purpose(&grant.purpose, grant.snapshot)
        + &trouble
}

/// One grant that was received, on one line.
pub(super) fn describe_received(grant: &ReceivedReport) -> String {
    let place = grant.path.as_deref().unwrap_or(&grant.name);
    let with = grant
        .with
        .as_deref()
        .unwrap_or("somebody who is no contact any more");
    let what = format!(
        "{}  {}  from {}: {}",
        short(&grant.id),
        Quoted(Path::new(place)),
        with,
        grant.rights
    );
    let ended = grant.ended.map(|when| (grant.state.as_str(), when));
    let state = if grant.state == "offered" {
        ", not accepted yet"
    } else {
        ""
    };
    let trouble = grant.trouble.as_ref();
    let trouble = trouble.map_or_else(String::new, |why| format!(" (not up to date: {why})"));
    let added = grant.added.filter(|added| *added > 0);
    let added = added.map_or_else(String::new, |added| {
        format!(", {added} added or changed and not taken over yet")
    });
    what + state
        + &added
        + &times(&grant.state, (grant.from, grant.until), ended)
        + &purpose(&grant.purpose, grant.snapshot)
        + &trouble
}

/// The digits of an id that are shown.
pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn times(
    state: &str,
    (from, until): (Option<i64>, Option<i64>),
    ended: Option<(&str, i64)>,
) -> String {
    if let Some((how, when)) = ended {
        return format!(", {how} {}", show_date(when));
    }
    let from = from.filter(|_| state == "waiting");
    let from = from.map_or_else(String::new, |from| format!(", from {}", show_date(from)));
    let until = until.map_or_else(String::new, |until| format!(", until {}", show_date(until)));
    from + &until
}

fn purpose(purpose: &str, snapshot: bool) -> String {
    let snapshot = if snapshot { ", one version" } else { "" };
    let purpose = if purpose.is_empty() {
        String::new()
    } else {
        format!(", for {purpose:?}")
    };
    format!("{snapshot}{purpose}")
}
