//! `podfs stamp`

use std::fmt::Write;

use clap::Args;
use clap::Subcommand;
use clap::value_parser;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::ask;
use crate::cli::bars;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::batches::BatchReport;
use crate::daemon::purchase;
use crate::daemon::purchase::Bought;
use crate::daemon::purchase::Shop;
use crate::daemon::units::show_size;
use crate::types::system_clock;

/// Postage batches, which pay for what is kept in Swarm.
#[derive(Args, Clone, Debug)]
pub(super) struct StampArgs {
    #[command(subcommand)]
    command: StampCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum StampCommand {
    List(ListArgs),
    Buy(BuyArgs),
    Topup(TopupArgs),
    Dilute(DiluteArgs),
}

/// Which node, and how it is printed.
#[derive(Args, Clone, Debug)]
struct ShopArgs {
    /// Name of a node of the pod, or the address of any node; else the pod's own
    #[arg(long, value_name = "NAME|URL")]
    node: Option<String>,
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Whether a person is asked before money is spent.
#[derive(Args, Clone, Copy, Debug)]
struct YesArgs {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Show the batches of a node.
///
/// Fields of --json: those of a batch, see podfs node list --help.
#[derive(Args, Clone, Debug)]
struct ListArgs {
    #[command(flatten)]
    shop: ShopArgs,
}

/// Buy a batch.
///
/// It is immutable and belongs to the node, whose wallet pays. Everything kept with it is gone when its time is over:
/// podfs rent shows when.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = BUY_HELP)]
struct BuyArgs {
    /// It has 2^D slots of 4096 bytes
    #[arg(long, value_name = "D", value_parser = value_parser!(u8).range(17..=41))]
    depth: u8,
    /// Days that it shall last at today's price
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=3650))]
    days: u32,
    /// What to call it; a batch that is called so already is not bought twice
    #[arg(long)]
    label: Option<String>,
    #[command(flatten)]
    yes: YesArgs,
    #[command(flatten)]
    shop: ShopArgs,
}

/// Make a batch last longer.
#[derive(Args, Clone, Debug)]
struct TopupArgs {
    /// The batch, or the beginning of its name
    id: String,
    /// Days more at today's price
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=3650))]
    days: u32,
    #[command(flatten)]
    yes: YesArgs,
    #[command(flatten)]
    shop: ShopArgs,
}

/// Make a batch larger: twice the room and half the time for each step.
#[derive(Args, Clone, Debug)]
struct DiluteArgs {
    /// The batch, or the beginning of its name
    id: String,
    /// Its new depth
    #[arg(long, value_name = "D", value_parser = value_parser!(u8).range(17..=41))]
    depth: u8,
    #[command(flatten)]
    yes: YesArgs,
    #[command(flatten)]
    shop: ShopArgs,
}

const BUY_HELP: &str = "\
What fits before one of its buckets is full, but for one case in a thousand:
  depth  17      18      19     20     21    22    23    24   25    26
  fits   1.2 MB  19 MB   160 MB 786 MB 2.8 GB 8 GB 20 GB 48 GB 107 GB 230 GB

Fields of --json (more may come, none goes away):
  batch            the batch, see podfs node list --help
  paid_plur        what was paid in Plur; 10^16 are one xBZZ
  paid_xbzz        what was paid in xBZZ";

impl StampArgs {
    pub(super) fn wants_json(&self) -> bool {
        match &self.command {
            StampCommand::List(args) => args.shop.format.json,
            StampCommand::Buy(args) => args.shop.format.json,
            StampCommand::Topup(args) => args.shop.format.json,
            StampCommand::Dilute(args) => args.shop.format.json,
        }
    }
}

impl ShopArgs {
    fn enter(&self) -> Result<Shop, Fault> {
        ask::refuse_credentials(
            self.node.as_deref().unwrap_or_default(),
            "podfs node add --url-file FILE, then --node NAME",
        )?;
        Shop::enter(&self.pod.paths()?, self.node.as_deref())
    }
}

/// Does what the second word says.
pub(super) fn run(args: &StampArgs) -> Result<Exit, Fault> {
    match &args.command {
        StampCommand::List(args) => list(args),
        StampCommand::Buy(args) => buy(args),
        StampCommand::Topup(args) => topup(args),
        StampCommand::Dilute(args) => dilute(args),
    }
}

fn list(args: &ListArgs) -> Result<Exit, Fault> {
    let batches = args.shop.enter()?.list();
    if args.shop.format.json {
        print::json(&batches);
        return Ok(Exit::Done);
    }
    if batches.is_empty() {
        print::note("no batches. Next: podfs stamp buy --depth 20 --days 60");
        return Ok(Exit::Done);
    }
    let header = [
        "batch", "depth", "fits", "fill", "days", "pays for", "label",
    ];
    let rows: Vec<_> = batches.iter().map(row).collect();
    print::table(&header, &rows);
    Ok(Exit::Done)
}

fn row(batch: &BatchReport) -> [String; 7] {
    let mut remarks = Vec::new();
    if batch.immutable == Some(false) {
        remarks.push("MUTABLE");
    }
    if batch.usable == Some(false) {
        remarks.push("not usable");
    }
    remarks.extend(batch.label.as_deref());
    [
        batch.id.clone(),
        print::or_dash(batch.depth),
        print::or_dash(batch.usable_bytes.map(show_size)),
        print::or_dash(batch.fill_percent.map(|percent| format!("{percent} %"))),
        print::or_dash(batch.days_left),
        print::or_dash(batch.pays_for),
        remarks.join(" "),
    ]
}

fn buy(args: &BuyArgs) -> Result<Exit, Fault> {
    let shop = args.shop.enter()?;
    let label = match &args.label {
        Some(label) => label.clone(),
        None => format!("podfs {}", (system_clock())().secs),
    };
    purchase::check_label(&label)?;
    let quote = shop.quote_new(args.depth, args.days)?;
    if let Some(batch) = shop.labelled(&label, args.depth) {
        print::note(format!(
            "there is a batch {label:?} already, {}: nothing is paid",
            batch.id
        ));
    } else {
        shop.afford(&quote)?;
        let fits = show_size(quote.usable_bytes);
        let (price, days) = (quote.price(), args.days);
        let wallet = said(shop.wallet());
        let question = format!(
            "{fits} for {days} days at {}: {price}{wallet}. Buy?",
            shop.url()
        );
        ask::confirm(&question, args.yes.yes, "--yes")?;
        print::note(format!(
            "buying {label:?}; after an interruption, the same again with --label {label:?} pays nothing twice"
        ));
    }
    let bar = bars::waiting();
    let bought = shop.buy(&quote, &label, &|what| bar.set_message(what.to_owned()));
    bar.finish_and_clear();
    let bought = bought?;
    tell(args.shop.format, &bought);
    if !args.shop.format.json && bought.batch.pays_for.is_none() {
        let id = &bought.batch.id;
        print::note(format!("next: podfs node add {} --batch {id}", shop.url()));
    }
    Ok(Exit::Done)
}

fn topup(args: &TopupArgs) -> Result<Exit, Fault> {
    let shop = args.shop.enter()?;
    let quote = shop.quote_longer(&args.id, args.days)?;
    shop.afford(&quote)?;
    let (before, after) = quote.days;
    let before = before.map_or_else(
        || "an unknown number of".to_owned(),
        |days| days.to_string(),
    );
    let wallet = said(shop.wallet());
    let question = format!(
        "{after} days instead of {before}: {}{wallet}. Pay?",
        quote.price()
    );
    ask::confirm(&question, args.yes.yes, "--yes")?;
    tell(args.shop.format, &shop.top_up(&quote)?);
    Ok(Exit::Done)
}

fn dilute(args: &DiluteArgs) -> Result<Exit, Fault> {
    let shop = args.shop.enter()?;
    let dilution = shop.dilution(&args.id, args.depth)?;
    let (less, more) = dilution.usable_bytes;
    let mut question = format!(
        "room for {} instead of {}",
        show_size(more),
        show_size(less)
    );
    if let Some((before, after)) = dilution.days {
        write!(question, ", {after} days instead of {before}").ok();
    }
    ask::confirm(&format!("{question}. Dilute?"), args.yes.yes, "--yes")?;
    tell(args.shop.format, &shop.dilute(&dilution)?);
    Ok(Exit::Done)
}

fn said(wallet: Option<String>) -> String {
    wallet.map_or_else(String::new, |wallet| {
        format!(" of the {wallet} in the wallet")
    })
}

fn tell(format: FormatArgs, bought: &Bought) {
    if format.json {
        print::json(bought);
        return;
    }
    let batch = &bought.batch;
    let days = batch
        .days_left
        .map(|days| format!(", {days} days"))
        .unwrap_or_default();
    let depth = print::or_dash(batch.depth);
    print::line(format!(
        "{}: depth {depth}{days}, paid {} xBZZ",
        batch.id, bought.paid_xbzz
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_documented() {
        let bought = Bought {
            batch: BatchReport::default(),
            paid_plur: String::new(),
            paid_xbzz: String::new(),
        };
        assert_eq!(print::undocumented(&bought, BUY_HELP), Vec::<String>::new());
    }
}
