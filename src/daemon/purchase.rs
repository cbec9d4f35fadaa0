//! Postage at a node: what there is, what more of it costs, and buying it. Money is reckoned in whole Plur.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::daemon::admit;
use crate::daemon::ask;
use crate::daemon::batches;
use crate::daemon::batches::BatchReport;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::inspect;
use crate::daemon::nodes;
use crate::daemon::nodes::NodeEntry;
use crate::daemon::nodes::NodeRole;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::store::bee::Batch;
use crate::store::bee::BatchId;
use crate::store::bee::Bee;
use crate::store::bee::Chain;
use crate::store::bee::Mode;
use crate::store::bee::Plur;
use crate::types::limits::BATCH_DEPTH_MAX;
use crate::types::limits::BATCH_POLL;
use crate::types::limits::BEE_CHAIN;
use crate::types::limits::LABEL_MAX;

const DAY: u64 = 86_400;

/// A node that sells postage, as it was when it was asked.
pub struct Shop {
    runtime: Runtime,
    bee: Arc<Bee>,
    /// What people call it, or its address without credentials.
    name: String,
    mode: Mode,
    chain: Chain,
    wallet: Option<Plur>,
    batches: Vec<Batch>,
    uses: Vec<(BatchId, &'static str)>,
}

/// What something costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    batch: Option<BatchId>,
    depth: u8,
    amount: Plur,
    price: Plur,
    /// Days that the batch lasts before and afterwards; nothing when it is not known.
    pub days: (Option<u64>, u64),
    /// Bytes that fit into a batch of this depth before a bucket is full, but for one case in a thousand.
    pub usable_bytes: u64,
}

/// What a deeper batch is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dilution {
    batch: BatchId,
    depth: u8,
    /// Days that it lasts, before and afterwards; nothing when it is not known.
    pub days: Option<(u64, u64)>,
    /// Bytes that fit before a bucket is full, before and afterwards.
    pub usable_bytes: (u64, u64),
}

/// What `podfs stamp buy`, `topup` and `dilute` print as JSON. Fields are added, never renamed or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bought {
    /// The batch as it is now.
    pub batch: BatchReport,
    /// What was paid, in Plur; 10^16 are one xBZZ.
    pub paid_plur: String,
    /// What was paid, in xBZZ.
    pub paid_xbzz: String,
}

impl Shop {
    /// Goes to a node of the pod, by its name, or to any node, by its address. Without either it is the pod's own node,
    /// or else its first that is no gateway.
    ///
    /// # Errors
    /// [`FaultKind::NoNode`]: there is no such node; [`FaultKind::Network`], [`FaultKind::NodeRefused`].
    pub fn enter(paths: &PodPaths, node: Option<&str>) -> Result<Self, Fault> {
        let (entry, bee) = choose(paths, node)?;
        let name = entry.as_ref().map(|entry| entry.name.clone());
        let name = name.unwrap_or_else(|| bee.address().to_string());
        let runtime = ask::runtime()?;
        let fault = |error| ask::fault(&name, &error);
        let (mode, chain, wallet, batches) = runtime.block_on(async {
            let mode = inspect::mode_of(&bee).await?;
            if mode == Mode::Gateway {
                let what = format!("{name} is a gateway and sells nothing");
                return Err(Fault::new(FaultKind::NodeRefused, what)
                    .next("name a node of yours: --node NAME or --node URL"));
            }
            let batches = bee.batches().await.map_err(fault)?;
            let chain = bee.chain().await.map_err(fault)?;
            // A development node sells for nothing.
            let wallet = if mode == Mode::Dev {
                None
            } else {
                Some(bee.wallet().await.map_err(fault)?.bzz_balance)
            };
            Ok((mode, chain, wallet, batches))
        })?;
        Ok(Self {
            runtime,
            bee,
            name,
            mode,
            chain,
            wallet,
            batches,
            uses: entry.as_ref().map(inspect::uses).unwrap_or_default(),
        })
    }

    /// Where it is, without credentials.
    pub fn url(&self) -> String {
        self.bee.address().to_string()
    }

    /// What the node can spend; nothing when it does not matter.
    pub fn wallet(&self) -> Option<String> {
        self.wallet.map(|wallet| wallet.to_string())
    }

    /// Its batches, those of the pod first.
    pub fn list(&self) -> Vec<BatchReport> {
        let mut reports: Vec<BatchReport> =
            self.batches.iter().map(|one| self.report(one)).collect();
        reports.sort_by_key(|report| report.pays_for.is_none());
        reports
    }

    /// A batch called `label` of this depth that is there already, and would be given instead of a new one.
    pub fn labelled(&self, label: &str, depth: u8) -> Option<BatchReport> {
        let mut batches = self.batches.iter();
        let same = |batch: &&Batch| batch.label == label && batch.depth == depth && batch.immutable;
        batches.find(same).map(|batch| self.report(batch))
    }

    /// What a new batch of 2^`depth` slots for so many days costs.
    ///
    /// # Errors
    /// When the node does not know the price.
    pub fn quote_new(&self, depth: u8, days: u32) -> Result<Quote, Fault> {
        self.quote(None, depth, days, None)
    }

    /// What it costs that a batch lasts so many days longer.
    ///
    /// # Errors
    /// [`FaultKind::Batch`]: the node has no such batch.
    pub fn quote_longer(&self, id: &str, days: u32) -> Result<Quote, Fault> {
        let batch = self.named(id)?;
        let left = batches::days_left(batch, self.mode);
        self.quote(Some(batch.id), batch.depth, days, left)
    }

    fn quote(
        &self,
        batch: Option<BatchId>,
        depth: u8,
        days: u32,
        left: Option<u64>,
    ) -> Result<Quote, Fault> {
        let time = Duration::from_secs(u64::from(days).saturating_mul(DAY));
        let amount = self.chain.amount_for(time);
        let amount = amount.ok_or_else(|| self.refused("does not know the price of storage"))?;
        let price = amount.for_depth(depth);
        let price = price.ok_or_else(|| self.refused("cannot sell that much"))?;
        Ok(Quote {
            batch,
            depth,
            amount,
            price,
            days: (left, left.unwrap_or(0).saturating_add(u64::from(days))),
            usable_bytes: batches::safe_bytes_at(depth),
        })
    }

    /// Whether the wallet can pay that.
    ///
    /// # Errors
    /// [`FaultKind::Funds`].
    pub fn afford(&self, quote: &Quote) -> Result<(), Fault> {
        let price = quote.price;
        let Some(wallet) = self.wallet.filter(|wallet| *wallet < price) else {
            return Ok(());
        };
        let what = format!(
            "that costs {price}, and the wallet of the node {} has {wallet}",
            self.name
        );
        Err(Fault::new(FaultKind::Funds, what)
            .next("send xBZZ to the node's wallet, or take a smaller depth or fewer days"))
    }

    /// What a batch is like when it is made deeper.
    ///
    /// # Errors
    /// [`FaultKind::Usage`]: not deeper, or nothing would last a day.
    pub fn dilution(&self, id: &str, depth: u8) -> Result<Dilution, Fault> {
        let batch = self.named(id)?;
        let steps = depth.checked_sub(batch.depth).filter(|steps| *steps > 0);
        let steps = steps.filter(|_| depth <= BATCH_DEPTH_MAX).ok_or_else(|| {
            let what = format!("the batch has depth {} already", batch.depth);
            Fault::new(FaultKind::Usage, what).next("give a larger --depth")
        })?;
        let left = batch.time_left.filter(|_| self.mode != Mode::Dev);
        let after = |left: Duration| left.as_secs().checked_shr(u32::from(steps)).unwrap_or(0);
        if left.is_some_and(|left| after(left) < DAY) {
            let what = "it would last less than a day";
            return Err(Fault::new(FaultKind::Batch, what)
                .next(format!("first: podfs stamp topup {} --days 60", batch.id)));
        }
        Ok(Dilution {
            batch: batch.id,
            depth,
            days: left.map(|left| (left.as_secs() / DAY, after(left) / DAY)),
            usable_bytes: (
                batches::safe_bytes_at(batch.depth),
                batches::safe_bytes_at(depth),
            ),
        })
    }

    /// Buys a batch and waits until it takes chunks. When a batch with this label and depth is there, it is that one,
    /// and nothing is paid.
    ///
    /// # Errors
    /// What the node says.
    pub fn buy(
        &self,
        quote: &Quote,
        label: &str,
        progress: &dyn Fn(&str),
    ) -> Result<Bought, Fault> {
        let known: Vec<BatchId> = self.batches.iter().map(|batch| batch.id).collect();
        self.runtime.block_on(async {
            progress("waiting for the purchase to be mined");
            let bought = self.bee.buy(quote.amount, quote.depth, label).await;
            let id = bought.map_err(|error| ask::fault(&self.name, &error))?;
            progress("waiting until the batch takes chunks, about a minute");
            let batch = self.usable(id).await?;
            let paid = if known.contains(&id) {
                Plur(0)
            } else {
                quote.price
            };
            Ok(self.bought(&batch, paid))
        })
    }

    async fn usable(&self, id: BatchId) -> Result<Batch, Fault> {
        let until = Instant::now() + BEE_CHAIN;
        loop {
            let batch = self.bee.batch(id).await;
            match batch {
                Ok(batch) if batch.usable => return Ok(batch),
                _ if Instant::now() >= until => {
                    let what = format!("the batch {id} is bought, and does not take chunks yet");
                    return Err(Fault::new(FaultKind::Pending, what).next("podfs stamp list"));
                }
                _ => tokio::time::sleep(BATCH_POLL).await,
            }
        }
    }

    /// Makes a batch last longer.
    ///
    /// # Errors
    /// What the node says; it may have been paid all the same.
    pub fn top_up(&self, quote: &Quote) -> Result<Bought, Fault> {
        let id = quote
            .batch
            .ok_or_else(|| self.refused("was not told the batch"))?;
        self.runtime.block_on(async {
            let done = self.bee.top_up(id, quote.amount).await;
            done.map_err(|error| ask::fault(&self.name, &error))?;
            self.now(id, quote.price).await
        })
    }

    /// Makes a batch deeper.
    ///
    /// # Errors
    /// What the node says.
    pub fn dilute(&self, dilution: &Dilution) -> Result<Bought, Fault> {
        self.runtime.block_on(async {
            let done = self.bee.dilute(dilution.batch, dilution.depth).await;
            done.map_err(|error| ask::fault(&self.name, &error))?;
            self.now(dilution.batch, Plur(0)).await
        })
    }

    async fn now(&self, id: BatchId, paid: Plur) -> Result<Bought, Fault> {
        let batch = self.bee.batch(id).await;
        let batch = batch.map_err(|error| ask::fault(&self.name, &error))?;
        Ok(self.bought(&batch, paid))
    }

    fn bought(&self, batch: &Batch, paid: Plur) -> Bought {
        let shown = paid.to_string();
        Bought {
            batch: self.report(batch),
            paid_plur: paid.0.to_string(),
            paid_xbzz: shown.trim_end_matches(" xBZZ").to_owned(),
        }
    }

    fn report(&self, batch: &Batch) -> BatchReport {
        let used = self.uses.iter().find(|(id, _)| *id == batch.id);
        BatchReport {
            pays_for: used.map(|(_, pays_for)| *pays_for),
            ..BatchReport::of(batch, self.mode)
        }
    }

    /// The batch of this name, or of a beginning that no other has.
    fn named(&self, id: &str) -> Result<&Batch, Fault> {
        let start = id.strip_prefix("0x").unwrap_or(id).to_ascii_lowercase();
        let mut found = self
            .batches
            .iter()
            .filter(|batch| start.len() >= 4 && batch.id.to_string().starts_with(&start));
        if let (Some(batch), None) = (found.next(), found.next()) {
            return Ok(batch);
        }
        let what = format!("the node {} has no batch {id:?}, or several", self.name);
        Err(Fault::new(FaultKind::Batch, what).next("podfs stamp list shows them"))
    }

    fn refused(&self, why: &str) -> Fault {
        Fault::new(
            FaultKind::NodeRefused,
            format!("the node {} {why}", self.name),
        )
    }
}

impl Quote {
    /// What is to be paid, in xBZZ.
    pub fn price(&self) -> String {
        self.price.to_string()
    }
}

/// Whether a batch can be called so.
///
/// # Errors
/// [`FaultKind::Usage`].
pub fn check_label(label: &str) -> Result<(), Fault> {
    let good = (1..=LABEL_MAX).contains(&label.len()) && !label.chars().any(char::is_control);
    if good {
        return Ok(());
    }
    let what = format!("a label has 1 to {LABEL_MAX} bytes, and no control characters");
    Err(Fault::new(FaultKind::Usage, what))
}

fn choose(paths: &PodPaths, node: Option<&str>) -> Result<(Option<NodeEntry>, Arc<Bee>), Fault> {
    if let Some(url) = node.filter(|node| node.contains("://")) {
        let address = admit::address(url)?;
        let listed = Nodes::read(paths)?.list.into_iter();
        let mut listed = listed.filter(|entry| entry.address.to_string() == address.to_string());
        return Ok((listed.next(), nodes::client(&address)?));
    }
    paths.require()?;
    let nodes = Nodes::read(paths)?;
    let entry = if let Some(name) = node {
        nodes.named(name)?.clone()
    } else {
        let plain = || nodes.list.iter().find(|node| node.role == NodeRole::Other);
        let chosen = nodes.writer().or_else(plain).cloned();
        chosen.ok_or_else(|| {
            let what = "the pod has no node that could sell postage";
            Fault::new(FaultKind::NoNode, what).next("podfs node add URL, or --node URL")
        })?
    };
    let bee = entry.client()?;
    Ok((Some(entry), bee))
}
