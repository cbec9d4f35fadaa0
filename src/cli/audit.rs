//! `podfs audit`

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::csv;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::Quoted;
use crate::daemon::audited;
use crate::daemon::audited::AuditClient;
use crate::daemon::audited::Line;
use crate::daemon::audited::Verified;
use crate::daemon::units::parse_since;
use crate::daemon::units::show_moment;
use crate::types::system_clock;

/// Show who did what with a pod.
///
/// What was given, asked for, answered and taken back, whose keys were taken for whose, and what went wrong. It tells what was recorded, in which order; not that everything was, nor what others did with what they were given.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, after_long_help = LINE_HELP)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Subcommand, Clone, Debug)]
enum AuditCommand {
    Verify(VerifyArgs),
    Export(ExportArgs),
}

#[derive(Args, Clone, Debug)]
struct ListArgs {
    /// Only what was done with this file or folder, or below
    path: Option<PathBuf>,
    /// Only what was done with this contact: a name, now or then, or a fingerprint
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only what came after a day (2026-03-14, UTC) or in the last time (30d, 12h)
    #[arg(long, value_name = "DATE", value_parser = since)]
    since: Option<i64>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// Find out whether the log is what was recorded: nothing changed, dropped, moved or cut off.
///
/// Every record is signed with all before it. The log in the pod is compared with the newest published head, and with the
/// checkpoints that others countersigned: they hold what it was then. The first record that is wrong is named, with exit
/// code 62.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = VERIFY_HELP)]
struct VerifyArgs {
    /// Verify this file, which podfs audit export wrote, instead of the log in the pod
    #[arg(long, value_name = "EXPORT")]
    file: Option<PathBuf>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Write the log to a file that can be verified without podfs: see tests/foreign/audit.py.
///
/// Whoever gets it reads all of it: names of people and files, purposes and reasons. It is recorded that it was written.
#[derive(Args, Clone, Debug)]
struct ExportArgs {
    /// The file, which must not exist yet: lines of JSON
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const LINE_HELP: &str = "\
Fields of --json, one object a line, and columns of --csv (bytes are hexadecimal digits; what is not known is null):
  number      place in the log, from 0
  time        when it happened, in seconds since 1970
  nanos       and nanoseconds
  kind        card-published, contact-added, contact-changed, contact-verified, contact-alarm, contact-removed,
              contact-blocked, contact-unblocked,
              granted, grant-received, grant-accepted, grant-expired, grant-revoked, revocation-received, sealed-anew,
              added, changed, removed (by the other person, in what they may change),
              requested, request-received, request-approved, request-denied, keys-rotated, keys-replaced,
              box-created, box-removed,
              integrity-failure, rollback-alarm, exported, read-failed,
              opened (by a program: what for, by which user and which program is the text)
  outcome     done, refused or failed
  device      which machine of the pod
  object      path from the top of the pod, or a name
  who         fingerprint of the identity of the other person
  name        what they were called then
  grant       id of the grant
  text        purpose or reason
  until       until when it is allowed, in seconds since 1970
  salt        what hides the event in the tree; null when salt and event were deleted
  event       the event as it stands in the log
  commitment  what stands in the tree, when they were deleted
  key         Ed25519 key that signs from here on
  signature   of the checkpoint behind the record";

const VERIFY_HELP: &str = "\
Fields of --json:
  records   records that were found good, from the first on
  root      root of the tree of these (RFC 6962)
  keys      keys that signed, and the first record of each
  identity  identity whose card vouches for the last of these keys
  agreed    checkpoints that the log agrees with: who holds it, how many records, when
  fault     the first thing that is wrong: record, wrong (unreadable, moved, changed, stranger, missing,
            rewritten, unsigned), what";

impl AuditArgs {
    pub(super) fn wants_json(&self) -> bool {
        match &self.command {
            None => self.list.format.json,
            Some(AuditCommand::Verify(args)) => args.format.json,
            Some(AuditCommand::Export(args)) => args.format.json,
        }
    }
}

/// Does it.
pub(super) fn run(args: &AuditArgs) -> Result<Exit, Fault> {
    match &args.command {
        None => list(&args.list),
        Some(AuditCommand::Verify(args)) => verify(args),
        Some(AuditCommand::Export(args)) => export(args),
    }
}

fn since(text: &str) -> Result<i64, String> {
    parse_since(text, (system_clock())().secs)
}

fn list(args: &ListArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    let (mut daemon, inside) = match &args.path {
        None => (AuditClient::of_pod(paths)?, PathBuf::new()),
        Some(path) => AuditClient::of_path(path, paths)?,
    };
    let listing = daemon.listing()?;
    let who = args.who.as_deref();
    let print = who
        .map(|who| daemon.fingerprint(who))
        .transpose()?
        .flatten();
    let wanted = |line: &&Line| {
        args.since.is_none_or(|since| line.time >= since)
            && who.is_none_or(|who| is_with(line, who, print.as_deref()))
            && is_below(line, &inside)
    };
    let lines: Vec<&Line> = listing.lines.iter().filter(wanted).collect();
    if args.format.json {
        lines.iter().for_each(print::json_line);
    } else if args.csv {
        print::line(csv::row(&COLUMNS.map(str::to_owned)));
        for line in &lines {
            print::line(csv::row(&cells(line)));
        }
    } else {
        print::table(
            &["NO", "WHEN (UTC)", "WHAT", "WHO", "OBJECT", "WHY"],
            &rows(&lines),
        );
    }
    if listing.is_broken {
        let what = format!("record {} cannot be read", listing.lines.len());
        return Err(Fault::new(FaultKind::Tampered, what).next("podfs audit verify"));
    }
    Ok(Exit::Done)
}

fn is_with(line: &Line, who: &str, print: Option<&str>) -> bool {
    let of = line.who.as_deref();
    line.name.as_deref() == Some(who) || of == Some(who) || of.is_some() && of == print
}

fn is_below(line: &Line, inside: &Path) -> bool {
    let object = line.object.as_ref().map(Path::new);
    inside.as_os_str().is_empty() || object.is_some_and(|object| object.starts_with(inside))
}

fn rows(lines: &[&Line]) -> Vec<[String; 6]> {
    let rows = lines.iter().map(|line| {
        let what = match (&line.kind, line.outcome.as_deref()) {
            (Some(kind), Some("done")) => kind.replace('-', " "),
            (Some(kind), outcome) => {
                format!("{} ({})", kind.replace('-', " "), outcome.unwrap_or("?"))
            }
            (None, _) if line.commitment.is_some() => "(deleted)".to_owned(),
            (None, _) => "(of a later podfs)".to_owned(),
        };
        let until = line
            .until
            .map(|until| format!("until {}", show_moment(until)));
        let why = [line.text.as_deref().map(harmless), until];
        [
            line.number.to_string(),
            show_moment(line.time),
            what,
            shown(line.name.as_ref().or(line.who.as_ref())),
            shown(line.object.as_ref()),
            why.into_iter().flatten().collect::<Vec<_>>().join(", "),
        ]
    });
    rows.collect()
}

fn shown(text: Option<&String>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| harmless(text))
}

/// What others wrote neither steers the terminal nor turns the line around.
fn harmless(text: &str) -> String {
    let turns = |letter| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let letters = text.chars().map(|letter| {
        if letter.is_control() || turns(letter) {
            letter.escape_default().to_string()
        } else {
            letter.to_string()
        }
    });
    letters.collect()
}

const COLUMNS: [&str; 17] = [
    "number",
    "time",
    "nanos",
    "kind",
    "outcome",
    "device",
    "object",
    "who",
    "name",
    "grant",
    "text",
    "until",
    "salt",
    "event",
    "commitment",
    "key",
    "signature",
];

fn cells(line: &Line) -> Vec<String> {
    let value = serde_json::to_value(line).unwrap_or_default();
    let cells = COLUMNS.iter().map(|column| match value.get(column) {
        Some(serde_json::Value::String(text)) => text.clone(),
        None | Some(serde_json::Value::Null) => String::new(),
        Some(other) => other.to_string(),
    });
    cells.collect()
}

fn verify(args: &VerifyArgs) -> Result<Exit, Fault> {
    let verified = match &args.file {
        Some(file) => audited::verify_file(file)?,
        None => AuditClient::of_pod(args.pod.paths()?)?.verify()?,
    };
    if args.format.json {
        print::json(&as_json(&verified));
    } else {
        tell(&verified);
    }
    let is_good = verified.verdict.fault.is_none();
    Ok(if is_good { Exit::Done } else { Exit::Tampered })
}

fn as_json(verified: &Verified) -> serde_json::Value {
    let verdict = &verified.verdict;
    let keys = verdict.keys.iter();
    let keys = keys.map(|(from, key)| serde_json::json!({ "from": from, "key": hex::encode(key) }));
    let agreed = verdict.agreed.iter().map(
        |it| serde_json::json!({ "by": it.by.to_string(), "size": it.size, "time": it.time.secs }),
    );
    let fault = verdict.fault.as_ref().map(|fault| {
        let wrong = fault.wrong.name();
        serde_json::json!({ "record": fault.record, "wrong": wrong, "what": fault.to_string() })
    });
    serde_json::json!({
        "records": verdict.records,
        "root": hex::encode(verdict.root),
        "keys": keys.collect::<Vec<_>>(),
        "identity": verified.identity,
        "agreed": agreed.collect::<Vec<_>>(),
        "fault": fault,
    })
}

fn tell(verified: &Verified) {
    let verdict = &verified.verdict;
    print::line(format!("records   {} good", verdict.records));
    print::line(format!("root      {}", hex::encode(verdict.root)));
    for (from, key) in &verdict.keys {
        print::line(format!(
            "signed    from record {from} on with {}",
            hex::encode(key)
        ));
    }
    if let Some(identity) = &verified.identity {
        print::line(format!("identity  {identity}"));
    }
    for agreed in &verdict.agreed {
        let (size, time) = (agreed.size, show_moment(agreed.time.secs));
        print::line(format!(
            "agrees    with {} on the first {size}, of {time}",
            agreed.by
        ));
    }
    if let Some(fault) = &verdict.fault {
        print::line(format!("WRONG     {fault}"));
    } else if verdict.agreed.is_empty() && verdict.records > 0 {
        print::line("agrees    with nobody: nobody but this machine holds a checkpoint yet");
    }
}

fn export(args: &ExportArgs) -> Result<Exit, Fault> {
    let records = AuditClient::of_pod(args.pod.paths()?)?.export(&args.out)?;
    if args.format.json {
        print::json(&serde_json::json!({ "records": records }));
    } else {
        print::note(format!("{records} records are in {}", Quoted(&args.out)));
    }
    Ok(Exit::Done)
}
