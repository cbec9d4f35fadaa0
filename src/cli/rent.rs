//! `podfs rent`

use clap::Args;
use clap::value_parser;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::tenancy;
use crate::daemon::tenancy::RentOrder;
use crate::daemon::tenancy::RentReport;
use crate::daemon::tenancy::RentedBatch;
use crate::daemon::units::show_size;
use crate::types::system_clock;

/// Show what a pod pays for its place in Swarm, and how long that lasts.
///
/// With --auto-below, --auto-to and --cap the mounted pod tops its batches up by itself, once a day, and never pays more
/// than the cap in any 31 days.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = FIELDS_HELP)]
pub(super) struct RentArgs {
    /// Top up a batch that lasts less than N days
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=3650))]
    auto_below: Option<u32>,
    /// so that it lasts N days
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=3650))]
    auto_to: Option<u32>,
    /// and pay at most this in a month
    #[arg(long, value_name = "XBZZ")]
    cap: Option<String>,
    /// Pay nothing by itself
    #[arg(long, conflicts_with_all = ["auto_below", "auto_to", "cap"])]
    auto_off: bool,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

const FIELDS_HELP: &str = "\
Fields of --json (more may come, none goes away; null means not known now):
  batches             the batches in use, see below
  price_plur          price of a chunk and a block, in Plur
  xbzz_per_gib_year   what a GiB costs in a year at this price
  topup_below_days    a batch that lasts less is topped up by itself; 0: none is
  topup_to_days       it lasts that long afterwards
  cap_xbzz_per_month  most that is paid by itself in any 31 days
  spent_xbzz          what was paid by itself in the last 31 days
  steps               what is due today, for people
Fields of a batch, with those that podfs node list --help explains:
  node                the node that owns it
  expires             day on which it ends at today's price
  stored_bytes        bytes that were stamped with it
  room_bytes          bytes that still fit before a bucket is full, but for one case in a thousand";

/// Changes the rules when asked to, and prints.
pub(super) fn run(args: &RentArgs) -> Result<Exit, Fault> {
    let paths = args.pod.paths()?;
    let order = RentOrder {
        below: args.auto_below.or(args.auto_off.then_some(0)),
        to: args.auto_to,
        cap: args.cap.clone(),
    };
    if order != RentOrder::default() {
        tenancy::set(&paths, &order)?;
    }
    let report = tenancy::report(&paths, (system_clock())().secs)?;
    if args.format.json {
        print::json(&report);
        return Ok(Exit::Done);
    }
    let header = ["node", "batch", "pays for", "days", "until", "fill", "room"];
    print::table(&header, &report.batches.iter().map(row).collect::<Vec<_>>());
    rules(&report).iter().for_each(print::line);
    for batch in &report.batches {
        if let Some(trouble) = &batch.batch.trouble {
            print::note(format!("{}: {trouble}", batch.node));
        }
    }
    report.steps.iter().for_each(print::note);
    Ok(Exit::Done)
}

fn row(rented: &RentedBatch) -> [String; 7] {
    let batch = &rented.batch;
    let id = batch.id.get(..8).unwrap_or_default();
    [
        rented.node.clone(),
        format!("{id}…"),
        print::or_dash(batch.pays_for),
        print::or_dash(batch.days_left),
        print::or_dash(rented.expires.as_ref()),
        print::or_dash(batch.fill_percent.map(|percent| format!("{percent} %"))),
        print::or_dash(rented.room_bytes.map(show_size)),
    ]
}

fn rules(report: &RentReport) -> Vec<String> {
    let price = report.xbzz_per_gib_year.as_ref();
    let mut lines: Vec<String> = price
        .map(|price| format!("{price} xBZZ for a GiB and a year at today's price"))
        .into_iter()
        .collect();
    lines.push(match report.topup_below_days {
        0 => "nothing is paid by itself".to_owned(),
        below => format!(
            "below {below} days topped up to {}, with {} of at most {} xBZZ paid in the last 31 days",
            report.topup_to_days, report.spent_xbzz, report.cap_xbzz_per_month
        ),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::batches::BatchReport;

    #[test]
    fn every_field_is_documented() {
        let report = RentReport::default();
        assert_eq!(
            print::undocumented(&report, FIELDS_HELP),
            Vec::<String>::new()
        );
        let batch = RentedBatch {
            node: String::new(),
            expires: None,
            stored_bytes: None,
            room_bytes: None,
            batch: BatchReport::default(),
        };
        let known = print::undocumented(&BatchReport::default(), FIELDS_HELP);
        let mut missing = print::undocumented(&batch, FIELDS_HELP);
        missing.retain(|field| !known.contains(field));
        assert_eq!(missing, Vec::<String>::new());
    }
}
