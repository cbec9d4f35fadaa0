//! `podfs revoke`

use std::path::Path;

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::bars::NetworkBars;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::cli::shares::describe;
use crate::cli::shares::short;
use crate::cli::wait;
use crate::control::PreviewReport;
use crate::control::ReceiptReport;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::PodPaths;
use crate::daemon::Quoted;
use crate::daemon::follow::Follower;
use crate::daemon::sharing::SharingClient;
use crate::daemon::units::show_date;
use crate::daemon::units::show_moment;
use crate::daemon::units::show_size;

/// End a grant: no version that is published from now on can be read with it.
///
/// What was readable until now they may have kept, and the keys to it: that cannot be taken back. How much more can be
/// done about what they have not kept, the level says:
///
/// 0 ends the feed that tells them of versions. It is one chunk, and done at once.
/// 1 is to move the feeds of all others. Everybody has a feed of their own that nobody else knows: it does what 0 does.
/// 2 also seals all names, attributes, small files and whatever says where the rest is anew. Who kept nothing but the key
///   to a version reads nothing any more. Who kept the keys to pages of larger files goes on reading those.
/// 3 also seals the pages anew. Keys that they kept open nothing of it that is still paid for. What was moved out of it before,
/// to another place in the pod, is not sealed anew: copy it and remove the old one.
///
/// 2 and 3 have full effect once the batches that paid until now have ended: carry the pod to a new batch with podfs
/// migrate, and let the old one end. Whoever else can read goes on reading; a grant of one version does so as long as
/// the old batch lasts. 2 and 3 can be done to a grant that is over. It goes on in the background, and after a restart.
#[derive(Args, Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command"
)]
#[command(verbatim_doc_comment, after_long_help = HELP)]
pub(super) struct RevokeArgs {
    /// Id of the grant, as podfs shares tells it, or its beginning
    id: String,
    /// How far to go: 0, 1, 2 or 3
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=3))]
    level: u8,
    /// Say what each level would do and cost, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Show the receipt of what was done, or how far it is, and do nothing
    #[arg(long, conflicts_with = "dry_run")]
    receipt: bool,
    /// Do not ask before anything is sealed anew
    #[arg(short, long)]
    yes: bool,
    /// Wait at most this long until all is sealed anew and sent, such as 30s or 2h
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

pub(super) const HELP: &str = "\
Fields of --json with --dry-run; times in seconds since 1970:
  grant        as podfs shares has it
  handed_over  whether they ever got it; else they could open nothing
  records      records of its feed: one for each version, and one for the end
  names        names that they could read and may have kept, null when it is gone
  complete     whether all of it is published; else it will be more
  levels       for each level: level; chunks, each of which takes a stamp (directories above and the head come on top, as
               with any change); bytes of these; fetched_bytes to be fetched first
  batches      what pays for what was published so far: id, ends (as forecast, if nobody pays on)
  others       other grants that open some of it: id, with, path, snapshot (opens one version, with the keys of then),
               same_person (goes on reading by it)
  more_others  whether there are more
Fields of --json with --level 2 or 3, and with --receipt:
  id           of the grant
  with         name of the contact
  fingerprint  of their identity
  level        0 to 3
  state        sealing, waiting (for room: what has to be fetched finds none) or done
  asked        when it was asked for
  done         when it was done
  names        names that were sealed anew
  chunks       chunks of these
  bytes        bytes of these
  left         of the names, those that could not be, for parts of them are nowhere
  log_size     records of the audit log at the checkpoint in the receipt
  key          Ed25519 key that signed the receipt
  receipt      the receipt, signed: hexadecimal digits, as FORMAT.md has it";

/// Ends it, or says what that would do.
pub(super) fn run(args: &RevokeArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    let mut client = SharingClient::of_pod(&paths)?;
    if args.receipt {
        tell(args, &client.receipt(&args.id)?);
        return Ok(Exit::Done);
    }
    if args.dry_run {
        preview(args, &client.preview(&args.id)?);
        return Ok(Exit::Done);
    }
    let is_sealed = args.level >= 2;
    if is_sealed {
        // Who agreed before waits for nothing.
        if !args.yes && print::is_terminal() {
            for line in before(client.preview(&args.id))? {
                print::note(line);
            }
        }
        let question = format!("Seal everything anew, as level {} says?", args.level);
        ask::confirm(&question, args.yes, "--yes")?;
    }
    let grant = client.revoke(&args.id, args.level)?;
    if is_sealed {
        return follow(args, paths, (&mut client, &grant.id));
    }
    if args.format.json {
        print::json(&grant);
        return Ok(Exit::Done);
    }
    print::line(describe(&grant));
    if print::is_terminal() {
        print::note(format!(
            "{} gets no later version. What could be read until now may have been kept: podfs revoke {} --dry-run{} says what more can be done.",
            grant.with,
            short(&grant.id),
            client.flag(),
        ));
    }
    Ok(Exit::Done)
}

/// Waits until all is sealed anew.
fn follow(
    args: &RevokeArgs,
    paths: PodPaths,
    (client, id): (&mut SharingClient, &str),
) -> Result<Exit, Fault> {
    let until = wait::until(args.timeout.as_deref())?;
    let mut follower = Follower::of_pod(paths)?;
    let mut bars = NetworkBars::new();
    let mut settled = None;
    let waited = wait::wait(&mut follower, until, |report| {
        bars.show(report);
        settled = client.receipt(id).ok().filter(is_settled);
        settled.is_some()
    });
    bars.clear();
    waited?;
    let Some(receipt) = settled else {
        return Ok(Exit::Done);
    };
    tell(args, &receipt);
    if has_to_wait(&receipt) {
        let what = "the grant is ended; what has to be fetched to seal all of it anew finds no room on this machine";
        return Err(Fault::new(FaultKind::Pending, what).next(
            "free some space on the disk of the state folder, or mount it with a larger --budget: it goes on by itself",
        ));
    }
    Ok(Exit::Done)
}

fn preview(args: &RevokeArgs, preview: &PreviewReport) {
    if args.format.json {
        print::json(preview);
        return;
    }
    for line in lines(preview) {
        print::line(line);
    }
}

/// What is said before something is sealed anew. What cannot be told now keeps no grant alive.
fn before(preview: Result<PreviewReport, Fault>) -> Result<Vec<String>, Fault> {
    match preview {
        Ok(preview) => Ok(lines(&preview)),
        Err(fault) if fault.kind == FaultKind::NoGrant => Err(fault),
        Err(fault) => Ok(vec![format!(
            "what that costs, and who else can open it, cannot be told now: {}",
            fault.what
        )]),
    }
}

/// It is done, or nobody knows how long it takes.
fn is_settled(receipt: &ReceiptReport) -> bool {
    receipt.state != "sealing"
}

fn has_to_wait(receipt: &ReceiptReport) -> bool {
    receipt.state == "waiting"
}

fn tell(args: &RevokeArgs, receipt: &ReceiptReport) {
    if args.format.json {
        print::json(receipt);
        return;
    }
    let id = short(&receipt.id);
    let Some(done) = receipt.done else {
        let why = if has_to_wait(receipt) {
            "waits for room on this machine"
        } else {
            "not done yet"
        };
        print::line(format!(
            "{id}  with {}: level {} asked for {}, {why}",
            receipt.with,
            receipt.level,
            show_moment(receipt.asked)
        ));
        return;
    };
    print::line(format!(
        "{id}  with {}: level {} done {}, {} names and {} chunks ({}) sealed anew",
        receipt.with,
        receipt.level,
        show_moment(done),
        receipt.names,
        receipt.chunks,
        show_size(receipt.bytes)
    ));
    if receipt.left > 0 {
        print::line(format!(
            "{} names could not be sealed anew: parts of them are nowhere any more",
            receipt.left
        ));
    }
}

/// What ending the grant would do, for people.
fn lines(preview: &PreviewReport) -> Vec<String> {
    let mut lines = vec![describe(&preview.grant)];
    let who = &preview.grant.with;
    lines.push(if preview.handed_over {
        let names = preview.names.map_or_else(
            || "it is there no more".to_owned(),
            |names| format!("{names} names are in it"),
        );
        format!(
            "{who} was told of it in {} records, and {names}. What of it was opened is not known here; all of it may \
             have been kept, and the keys to it. Nothing takes that back.",
            preview.records
        )
    } else {
        format!("{who} was never told of it, and could open nothing.")
    });
    for cost in &preview.levels {
        let ends = match cost.level {
            0 => "no later version",
            1 => "the same: everybody has a feed of their own, so there is nothing to move",
            2 => "and who kept no more than the key to a version reads nothing of it",
            _ => "and who kept the keys to pages does not either",
        };
        let fetched = if cost.fetched_bytes > 0 {
            format!(", {} fetched first", show_size(cost.fetched_bytes))
        } else {
            String::new()
        };
        lines.push(format!(
            "level {}: {} chunks and stamps ({}{fetched}): {ends}",
            cost.level,
            cost.chunks,
            show_size(cost.bytes)
        ));
    }
    if !preview.complete {
        lines.push("not all of it is published yet: it will be more than that".to_owned());
    }
    if preview.grant.kind == "folder" && preview.handed_over {
        lines.push(
            "What was moved out of it to another place in the pod, before or after it was ended, is not sealed anew at any \
             level: nobody notes what was in it when. Copy it and remove the old one."
                .to_owned(),
        );
    }
    lines.push(full_effect(preview));
    lines.extend(others(preview));
    lines
}

fn full_effect(preview: &PreviewReport) -> String {
    let ends = preview.batches.iter().map(|batch| {
        let id = short(&batch.id);
        format!("{id} on {}", show_date(batch.ends))
    });
    let ends: Vec<_> = ends.collect();
    let ends = if ends.is_empty() {
        "that is not known now".to_owned()
    } else {
        format!("as forecast, {}, if nobody pays on", ends.join(", "))
    };
    format!(
        "Levels 2 and 3 have full effect when what was sealed before is not paid for any more: carry the pod to a new \
         batch (podfs migrate) and let the old one end: {ends}."
    )
}

fn others(preview: &PreviewReport) -> Vec<String> {
    let told = preview.others.iter().map(|other| {
        let path = other.path.as_deref().unwrap_or_default();
        let what = format!(
            "{}  {}  with {}",
            short(&other.id),
            Quoted(Path::new(path)),
            other.with
        );
        match (other.same_person, other.snapshot) {
            (true, _) => format!(
                "{what} opens some of it: the same person goes on reading, whatever the level"
            ),
            (_, true) => {
                format!("{what} is of one version: it opens that as long as the old batch lasts")
            }
            (_, false) => format!("{what} opens some of it, and goes on doing so"),
        }
    });
    let mut told: Vec<_> = told.collect();
    if preview.more_others {
        told.push("there are more grants that open some of it: podfs shares".to_owned());
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::GivenReport;
    use crate::control::LevelReport;
    use crate::control::OtherGrant;

    #[test]
    fn every_field_is_documented() {
        let preview = print::undocumented(&PreviewReport::default(), HELP);
        let receipt = print::undocumented(&ReceiptReport::default(), HELP);
        assert_eq!([preview, receipt].concat(), Vec::<String>::new());
    }

    #[test]
    fn the_preview_promises_nothing() {
        let preview = PreviewReport {
            handed_over: true,
            names: Some(12),
            levels: vec![LevelReport {
                level: 3,
                chunks: 70,
                bytes: 286_720,
                fetched_bytes: 4096,
            }],
            others: vec![OtherGrant {
                same_person: true,
                ..OtherGrant::default()
            }],
            grant: GivenReport {
                kind: "folder".to_owned(),
                ..GivenReport::default()
            },
            ..PreviewReport::default()
        };
        let said = lines(&preview).join("\n");
        for part in [
            "12 names",
            "may have been kept",
            "not known here",
            "70 chunks",
            "280.0 KiB",
            "4.0 KiB fetched first",
            "goes on reading, whatever the level",
            "moved out of it",
        ] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
    }

    #[test]
    fn what_cannot_be_told_before_keeps_no_grant_alive() {
        let silent = Fault::new(FaultKind::Network, "nobody answers");
        let said = before(Err(silent)).unwrap().join("\n");
        assert!(
            said.contains("cannot be told now: nobody answers"),
            "{said}"
        );
        let unknown = Fault::new(FaultKind::NoGrant, "there is no such grant");
        assert_eq!(before(Err(unknown)).unwrap_err().kind, FaultKind::NoGrant);
    }
}
