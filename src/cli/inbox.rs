//! `podfs inbox`

use clap::Args;

use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::cli::when::show_moment;
use crate::control::CollectReport;
use crate::control::MessageReport;
use crate::control::MessageWay;
use crate::daemon::Fault;
use crate::daemon::inbox::InboxClient;
use crate::types::limits::MAIL_FOLLOW;

/// Digits of an id that are shown, as many as tell messages apart.
const ID_SHOWN: usize = 8;

/// Show what contacts have written to this pod, and what strangers ask for at its door.
///
/// First the network is asked for what is new; a mounted pod does that by itself too, twice a minute. What was shown once
/// is no longer new. A stranger is somebody who has your card, and whom you have not added: only their fingerprint tells
/// who they are, so ask them for it before you add them.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = MESSAGE_HELP)]
pub(super) struct InboxArgs {
    /// Go on, and show what comes
    #[arg(long)]
    follow: bool,
    /// Forget the message with this id, received or sent, and show nothing
    #[arg(long, value_name = "ID", conflicts_with = "follow")]
    forget: Option<String>,
    #[command(flatten)]
    pod: PodArgs,
    /// Print JSON; with --follow one message a line
    #[arg(long)]
    json: bool,
}

/// What `--json` prints of a message.
pub(super) const MESSAGE_HELP: &str = "\
Fields of --json, of each message:
  id           32 hexadecimal digits
  number       its place among those of its way, in the order of arrival
  way          received or sent
  contact      what you call the other one; null when they were forgotten
  fingerprint  of the other one's identity, 64 hexadecimal digits
  stranger     owner address of their identity when they are no contact and came to the door, 40 hexadecimal digits
  kind         request, grant or denied
  state        received: new, seen, answered, accepted; sent: unsent, sent, arrived, denied, granted
  time         when it was written, as the sender says, in seconds since 1970
  since        when it came, or was written here
  what         the path that is asked for, or what the answer is about
  purpose      what a request is for
  rights       what a request asks for: read, append, write
  from         from when on, in seconds since 1970; null: at once
  until        until when; null: no end
  why          what was said to a denial
  answers      id of the message that it answers";

impl InboxArgs {
    pub(super) const fn wants_json(&self) -> bool {
        self.json
    }
}

/// Does it.
pub(super) fn run(args: &InboxArgs) -> Result<Exit, Fault> {
    let mut daemon = InboxClient::of_pod(&args.pod.paths()?)?;
    if let Some(id) = &args.forget {
        daemon.forget(id)?;
        if args.json {
            print::json(&serde_json::json!({ "id": id, "forgotten": true }));
        }
        return Ok(Exit::Done);
    }
    let mut before = CollectReport::default();
    look(&mut daemon, &mut before)?;
    let messages = daemon.all(MessageWay::Received, 0)?;
    let mut last = messages.last().map_or(0, |last| last.number);
    if args.follow {
        tell_each(&messages, args.json);
    } else if args.json {
        print::json(&messages);
    } else {
        tell(&messages);
    }
    seen(&mut daemon, &messages)?;
    if !args.follow {
        return Ok(Exit::Done);
    }
    loop {
        daemon.pause(MAIL_FOLLOW)?;
        look(&mut daemon, &mut before)?;
        let messages = daemon.all(MessageWay::Received, last)?;
        last = messages.last().map_or(last, |last| last.number);
        tell_each(&messages, args.json);
        seen(&mut daemon, &messages)?;
    }
}

/// Has the network asked, and says what kept it from answering unless that was said `before`.
pub(super) fn look(daemon: &mut InboxClient, before: &mut CollectReport) -> Result<(), Fault> {
    let now = daemon.collect()?;
    if let Some(trouble) = &now.trouble
        && before.trouble.is_none()
    {
        print::note(format!(
            "this is what is known here; the network did not tell everything: {trouble}"
        ));
    }
    for name in now.full.iter().filter(|name| !before.full.contains(name)) {
        print::note(format!(
            "{name:?} has written more messages than are kept; the newest are not read before podfs inbox --forget ID makes room"
        ));
    }
    if now.door_full && !before.door_full {
        print::note(
            "more strangers ask than are kept: podfs inbox --forget ID or podfs contact block FINGERPRINT makes room",
        );
    }
    *before = now;
    Ok(())
}

fn seen(daemon: &mut InboxClient, messages: &[MessageReport]) -> Result<(), Fault> {
    let new = messages.iter().filter(|message| message.state == "new");
    let ids: Vec<String> = new.map(|message| message.id.clone()).collect();
    daemon.seen(&ids)
}

fn tell(messages: &[MessageReport]) {
    let rows: Vec<_> = messages.iter().map(row).collect();
    print::table(&["ID", "FROM", "WHAT", "CAME", "STATE"], &rows);
}

fn tell_each(messages: &[MessageReport], json: bool) {
    for message in messages {
        if json {
            print::json_line(message);
        } else {
            print::line(row(message).join("  "));
        }
    }
}

fn row(message: &MessageReport) -> [String; 5] {
    [
        short(&message.id),
        who(message),
        summary(message),
        show_moment(message.since),
        message.state.clone(),
    ]
}

/// The digits of an id that are shown.
pub(super) fn short(id: &str) -> String {
    id.chars().take(ID_SHOWN).collect()
}

/// The other one.
pub(super) fn who(message: &MessageReport) -> String {
    let what = match message.stranger {
        Some(_) => "stranger",
        None => "forgotten",
    };
    let other = || format!("({what} {})", short(&message.fingerprint));
    message.contact.clone().unwrap_or_else(other)
}

/// What a message says, in a line.
fn summary(message: &MessageReport) -> String {
    let what = message.what.as_deref();
    match message.kind.as_str() {
        "request" => wish(message),
        "grant" => match what {
            Some(what) => format!("grants {what:?}"),
            None => "grants something".to_owned(),
        },
        _ => {
            let why = message.why.as_deref().filter(|why| !why.is_empty());
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            format!("denies {:?}{why}", what.unwrap_or("a request"))
        }
    }
}

/// What is asked for, in a line.
pub(super) fn wish(message: &MessageReport) -> String {
    let right = message.rights.last().map_or("", String::as_str);
    let what = message.what.as_deref().unwrap_or_default();
    let purpose = message.purpose.as_deref().unwrap_or_default();
    let from = message
        .from
        .map(|from| format!(", from {}", show_moment(from)));
    let until = message
        .until
        .map(|until| format!(", until {}", show_moment(until)));
    let (from, until) = (from.unwrap_or_default(), until.unwrap_or_default());
    format!("{right} {what:?} for {purpose:?}{from}{until}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_field() {
        let missing = print::undocumented(&MessageReport::default(), MESSAGE_HELP);
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn a_message_is_one_line() {
        let asked = MessageReport {
            id: "0123456789abcdef".to_owned(),
            kind: "request".to_owned(),
            rights: vec!["read".to_owned(), "append".to_owned()],
            what: Some("Labs".to_owned()),
            purpose: Some("treatment".to_owned()),
            until: Some(1_798_675_200),
            ..MessageReport::default()
        };
        let line = "append \"Labs\" for \"treatment\", until 2026-12-31 00:00";
        assert_eq!(summary(&asked), line);
        assert_eq!(short(&asked.id), "01234567");
        let denied = MessageReport {
            kind: "denied".to_owned(),
            why: Some("ask Ben".to_owned()),
            ..asked
        };
        assert_eq!(summary(&denied), "denies \"Labs\": ask Ben");
    }
}
