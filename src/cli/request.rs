//! `podfs request`, `podfs requests`, `podfs deny`

use clap::Args;
use clap::ValueEnum;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::inbox::MESSAGE_HELP;
use crate::cli::inbox::look;
use crate::cli::inbox::short;
use crate::cli::inbox::who;
use crate::cli::inbox::wish;
use crate::cli::print;
use crate::cli::when::Edge;
use crate::cli::when::show_moment;
use crate::cli::when::typed;
use crate::control::CollectReport;
use crate::control::MessageReport;
use crate::control::MessageWay;
use crate::daemon::Fault;
use crate::daemon::inbox::InboxClient;
use crate::daemon::inbox::Wish;

/// Ask a contact for access to something in their pod.
///
/// They see who asks, what for and for how long, and approve or deny it; until then nothing opens. The request is kept on
/// this machine and sent as soon as the network takes it: podfs requests tells how far it is. Who has not added you finds
/// it at their door, where it is put again until they have it.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = MESSAGE_HELP)]
pub(super) struct RequestArgs {
    /// What you call them
    who: String,
    /// What it is about: a path as they call it
    path: String,
    /// What you need it for
    #[arg(long = "for", value_name = "PURPOSE")]
    purpose: String,
    /// Until when: 2026-12-31 (to its end, UTC), 2026-12-31T12:00Z, or 12h, 30d, 8w from now [default: no end]
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// From when on, written the same way [default: at once]
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// What to be allowed
    #[arg(long, value_enum, default_value_t = RightsArg::Read)]
    rights: RightsArg,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RightsArg {
    /// Read
    Read,
    /// Read, and add new files
    Append,
    /// Read, add, change and delete
    Write,
}

/// Show requests: what contacts ask you for and wait for, and what you asked them for.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = MESSAGE_HELP)]
pub(super) struct RequestsArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Deny what a contact asked for, and tell them.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = MESSAGE_HELP)]
pub(super) struct DenyArgs {
    /// Id of the request, as podfs inbox shows it; 4 digits are enough when they tell which
    id: String,
    /// What to tell them
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    why: String,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

impl RequestArgs {
    pub(super) const fn wants_json(&self) -> bool {
        self.format.json
    }
}

impl RequestsArgs {
    pub(super) const fn wants_json(&self) -> bool {
        self.format.json
    }
}

impl DenyArgs {
    pub(super) const fn wants_json(&self) -> bool {
        self.format.json
    }
}

/// Asks.
pub(super) fn run(args: &RequestArgs) -> Result<Exit, Fault> {
    let wish = Wish {
        who: args.who.clone(),
        what: args.path.clone(),
        purpose: args.purpose.clone(),
        rights: match args.rights {
            RightsArg::Read => 1,
            RightsArg::Append => 1 | 2,
            RightsArg::Write => 1 | 2 | 4,
        },
        from: typed(args.from.as_deref(), Edge::Start)?,
        until: typed(args.until.as_deref(), Edge::End)?,
    };
    let paths = args.pod.paths()?;
    let asked = InboxClient::of_pod(&paths)?.wish(wish)?;
    if args.format.json {
        print::json(&asked);
        return Ok(Exit::Done);
    }
    print::line(short(&asked.id));
    print::note(format!(
        "on its way to {}: podfs requests{} tells how far it is",
        who(&asked),
        paths.pod_flag()
    ));
    Ok(Exit::Done)
}

/// Shows them.
pub(super) fn list(args: &RequestsArgs) -> Result<Exit, Fault> {
    let mut daemon = InboxClient::of_pod(&args.pod.paths()?)?;
    look(&mut daemon, &mut CollectReport::default())?;
    let mut requests = daemon.all(MessageWay::Received, 0)?;
    requests.retain(|message| matches!(message.state.as_str(), "new" | "seen"));
    requests.extend(daemon.all(MessageWay::Sent, 0)?);
    requests.retain(|message| message.kind == "request");
    if args.format.json {
        print::json(&requests);
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = requests.iter().map(row).collect();
    print::table(&["ID", "BETWEEN", "WHAT", "SINCE", "STATE"], &rows);
    Ok(Exit::Done)
}

fn row(request: &MessageReport) -> [String; 5] {
    let who = who(request);
    let (between, state) = match request.way {
        MessageWay::Received => (format!("{who} asks you"), "open".to_owned()),
        MessageWay::Sent => (format!("you ask {who}"), sent_state(request)),
    };
    [
        short(&request.id),
        between,
        wish(request),
        show_moment(request.since),
        state,
    ]
}

fn sent_state(request: &MessageReport) -> String {
    let why = request.why.as_deref().filter(|why| !why.is_empty());
    match why {
        Some(why) => format!("{}: {why}", request.state),
        None => request.state.clone(),
    }
}

/// Denies.
pub(super) fn deny(args: &DenyArgs) -> Result<Exit, Fault> {
    let mut daemon = InboxClient::of_pod(&args.pod.paths()?)?;
    let answer = daemon.deny(&args.id, &args.why)?;
    if args.format.json {
        print::json(&answer);
    } else if print::is_terminal() {
        print::note(format!("{} will be told", who(&answer)));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_tells_who_asks_whom() {
        let sent = MessageReport {
            way: MessageWay::Sent,
            contact: Some("Anna".to_owned()),
            state: "denied".to_owned(),
            why: Some("no".to_owned()),
            ..MessageReport::default()
        };
        let [_, between, _, _, state] = row(&sent);
        assert_eq!((&*between, &*state), ("you ask Anna", "denied: no"));
        let received = MessageReport {
            way: MessageWay::Received,
            state: "seen".to_owned(),
            ..sent
        };
        let [_, between, _, _, state] = row(&received);
        assert_eq!((&*between, &*state), ("Anna asks you", "open"));
    }
}
