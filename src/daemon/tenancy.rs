//! The batches that a pod lives on: what they cost, how long they last, and paying for them by rule.

use serde::Serialize;

use crate::daemon::ask;
use crate::daemon::batches;
use crate::daemon::batches::BatchReport;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::inspect;
use crate::daemon::nodes;
use crate::daemon::nodes::NodeEntry;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::daemon::rent;
use crate::daemon::rent::Money;
use crate::daemon::rent::Rent;
use crate::daemon::rent::Rented;
use crate::daemon::rent::Step;
use crate::daemon::units::show_date;
use crate::store::Outage;
use crate::store::StoreError;
use crate::store::bee::Batch;
use crate::store::bee::Bee;
use crate::store::bee::Mode;
use crate::store::bee::Plur;
use crate::types::limits::PAGE_BYTES;
use crate::types::limits::RENT_AGAIN;
use crate::types::system_clock;

/// What `podfs rent --json` prints. Fields are added, never renamed or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RentReport {
    /// Every batch that the pod uses.
    pub batches: Vec<RentedBatch>,
    /// Plur for a chunk and a block, now; nothing when no node tells.
    pub price_plur: Option<String>,
    /// xBZZ for a GiB and a year, now.
    pub xbzz_per_gib_year: Option<String>,
    /// A batch that lasts less days is topped up by itself; 0: none is.
    pub topup_below_days: u32,
    /// It lasts that long afterwards.
    pub topup_to_days: u32,
    /// Most that is paid by itself in a month.
    pub cap_xbzz_per_month: String,
    /// What was paid by itself in the last 31 days.
    pub spent_xbzz: String,
    /// What is to be done today, for people.
    pub steps: Vec<String>,
}

/// A batch and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RentedBatch {
    /// The node that owns it.
    pub node: String,
    /// The day on which it ends at today's price, in UTC.
    pub expires: Option<String>,
    /// Bytes that were stamped with it.
    pub stored_bytes: Option<u64>,
    /// Bytes that still fit before a bucket is full, but for one case in a thousand.
    pub room_bytes: Option<u64>,
    /// The batch.
    #[serde(flatten)]
    pub batch: BatchReport,
}

/// The wishes of who changes the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RentOrder {
    /// See [`Rent::topup_below_days`].
    pub below: Option<u32>,
    /// See [`Rent::topup_to_days`].
    pub to: Option<u32>,
    /// See [`Rent::cap_xbzz_per_month`].
    pub cap: Option<String>,
}

/// What a node with batches of the pod says.
struct Landlord {
    mode: Mode,
    price: Plur,
    batches: Vec<Batch>,
}

/// Changes the rules of paying by itself.
///
/// # Errors
/// [`FaultKind::Usage`]: they would make no sense.
pub fn set(paths: &PodPaths, order: &RentOrder) -> Result<(), Fault> {
    paths.require()?;
    let cap = order.cap.as_deref().map(str::parse::<Money>).transpose();
    let cap = cap.map_err(|why| Fault::new(FaultKind::Usage, why))?;
    nodes::edit(paths, |nodes| {
        let rules = &mut nodes.rent;
        rules.topup_below_days = order.below.unwrap_or(rules.topup_below_days);
        rules.topup_to_days = order.to.unwrap_or(rules.topup_to_days);
        rules.cap_xbzz_per_month = cap.or(rules.cap_xbzz_per_month);
        rules.check().map_err(|why| {
            Fault::new(FaultKind::Usage, why)
                .next("podfs rent --auto-below 30 --auto-to 60 --cap 2")
        })
    })
}

/// What the pod pays, how long that lasts, and what is due, at `now` in seconds since 1970.
///
/// # Errors
/// [`FaultKind::NoNode`]: it pays nothing. A node that does not answer stands in the report.
pub fn report(paths: &PodPaths, now: i64) -> Result<RentReport, Fault> {
    paths.require()?;
    let nodes = Nodes::read(paths)?;
    if nodes.writer().is_none() {
        let what =
            "the pod has no node with a batch: nothing is paid, and it is on this machine only";
        return Err(Fault::new(FaultKind::NoNode, what).next("podfs node add URL --batch ID"));
    }
    let rules = &nodes.rent;
    let cap = rules.cap_xbzz_per_month.unwrap_or_default();
    let mut report = RentReport {
        topup_below_days: rules.topup_below_days,
        topup_to_days: rules.topup_to_days,
        cap_xbzz_per_month: cap.to_string(),
        spent_xbzz: Money(rules.spent(now)).to_string(),
        ..RentReport::default()
    };
    ask::wait_for(async {
        for node in nodes.list.iter().filter(|node| node.batch.is_some()) {
            let bee = node.client()?;
            match visit(&bee, node).await {
                Ok(landlord) => {
                    let steps = rent::due(&landlord.rented(), landlord.price, now, rules);
                    report.steps.extend(steps.iter().map(told));
                    if landlord.mode != Mode::Dev {
                        let year = rent::for_gib_and_year(landlord.price);
                        report.price_plur = Some(landlord.price.0.to_string());
                        report.xbzz_per_gib_year = Some(Money(year).to_string());
                    }
                    report
                        .batches
                        .extend(rooms(&bee, node, &landlord, now).await);
                }
                Err(error) => report.batches.extend(unknown(node, &error)),
            }
        }
        Ok(())
    })?;
    Ok(report)
}

/// Looks now and every day at what is due to the nodes of the pod: pays by the rules, warns by the log.
pub(super) async fn settle_daily(paths: PodPaths) {
    let clock = system_clock();
    loop {
        let told = match settle(&paths, clock().secs).await {
            Ok(told) => told,
            Err(fault) => vec![fault.what],
        };
        for line in told {
            tracing::warn!("{line}");
        }
        tokio::time::sleep(RENT_AGAIN).await;
    }
}

/// What is paid is taken down before. When the list of nodes cannot be read or written, nothing is paid.
async fn settle(paths: &PodPaths, now: i64) -> Result<Vec<String>, Fault> {
    let nodes = Nodes::read(paths)?;
    let mut said = Vec::new();
    for node in nodes.list.iter().filter(|node| node.batch.is_some()) {
        let bee = node.client()?;
        let landlord = match visit(&bee, node).await {
            Ok(landlord) => landlord,
            Err(error) => {
                tracing::info!(node = node.name, %error, "does not tell of its batches");
                continue;
            }
        };
        // What the node before was paid counts.
        let rules: Rent = Nodes::read(paths)?.rent;
        for step in rent::due(&landlord.rented(), landlord.price, now, &rules) {
            let mut line = told(&step);
            if let Step::TopUp {
                batch,
                amount,
                price,
            } = step
            {
                remember(paths, |rules| rules.pay(now, price))?;
                if let Err(error) = bee.top_up(batch, amount).await {
                    if is_not_paid(&error) {
                        remember(paths, |rules| rules.unpay(now, price))?;
                    }
                    line = format!("{line}: {error}");
                }
            }
            said.push(line);
        }
    }
    Ok(said)
}

fn remember(paths: &PodPaths, note: impl FnOnce(&mut Rent)) -> Result<(), Fault> {
    nodes::edit(paths, |nodes| {
        note(&mut nodes.rent);
        Ok(())
    })
}

/// Whether it is certain that nothing was paid.
fn is_not_paid(error: &StoreError) -> bool {
    match error {
        StoreError::Rejected(_) => true,
        StoreError::Unavailable { why, .. } => {
            matches!(why, Outage::Unreachable(_) | Outage::Busy(_) | Outage::Down)
        }
        StoreError::NotFound | StoreError::Corrupt => false,
    }
}

async fn visit(bee: &Bee, node: &NodeEntry) -> Result<Landlord, StoreError> {
    let mode = bee.mode().await?;
    let price = bee.chain().await?.current_price;
    let uses = inspect::uses(node);
    let mut batches = bee.batches().await?;
    batches.retain(|batch| uses.iter().any(|(id, _)| *id == batch.id));
    Ok(Landlord {
        mode,
        price,
        batches,
    })
}

impl Landlord {
    fn rented(&self) -> Vec<Rented> {
        let rented = self.batches.iter().map(|batch| Rented {
            id: batch.id,
            depth: batch.depth,
            // A development node lets for nothing, and what it says of time is noise.
            left: batch.time_left.filter(|_| self.mode != Mode::Dev),
        });
        rented.collect()
    }
}

async fn rooms(bee: &Bee, node: &NodeEntry, landlord: &Landlord, now: i64) -> Vec<RentedBatch> {
    let mut rooms = Vec::new();
    for (id, pays_for) in inspect::uses(node) {
        let Some(batch) = landlord.batches.iter().find(|batch| batch.id == id) else {
            let why = "the node does not know it: it has expired, or is another node's";
            rooms.push(room(node, BatchReport::unknown(id, why.to_owned())));
            continue;
        };
        let mut report = room(node, BatchReport::of(batch, landlord.mode));
        report.batch.pays_for = Some(pays_for);
        if landlord.mode != Mode::Dev {
            let end = batch
                .time_left
                .map(|left| now.saturating_add_unsigned(left.as_secs()));
            report.expires = end.map(show_date);
        }
        if let Ok(fill) = bee.fill(id).await {
            let stored = fill.used.iter().map(|used| u64::from(*used)).sum::<u64>();
            let full = fill.used.iter().any(|used| *used >= fill.slots);
            let room = batches::safe_chunks(batch).saturating_sub(stored);
            let room = if full { 0 } else { room };
            report.stored_bytes = Some(stored.saturating_mul(PAGE_BYTES));
            report.room_bytes = Some(room.saturating_mul(PAGE_BYTES));
        }
        rooms.push(report);
    }
    rooms
}

fn room(node: &NodeEntry, batch: BatchReport) -> RentedBatch {
    RentedBatch {
        node: node.name.clone(),
        expires: None,
        stored_bytes: None,
        room_bytes: None,
        batch,
    }
}

fn unknown(node: &NodeEntry, error: &StoreError) -> Vec<RentedBatch> {
    let uses = inspect::uses(node).into_iter();
    uses.map(|(id, _)| room(node, BatchReport::unknown(id, error.to_string())))
        .collect()
}

fn told(step: &Step) -> String {
    match step {
        Step::Warn { batch, days: 0, .. } => {
            format!(
                "the batch {batch} ends within a day or has ended, and with it what it pays for: podfs stamp topup {batch} --days 60, or when it is too late podfs stamp buy"
            )
        }
        Step::Warn { batch, days, .. } => format!(
            "the batch {batch} ends in {days} days, and with it what it pays for: podfs stamp topup {batch} --days 60"
        ),
        Step::TopUp { batch, price, .. } => format!("top-up of the batch {batch} for {price}"),
        Step::Capped {
            batch,
            price,
            allowed,
        } => format!(
            "the batch {batch} would be topped up for {price}, and the cap leaves {allowed} in these 31 days: podfs rent --cap N, or podfs stamp topup {batch} --days 60"
        ),
    }
}
