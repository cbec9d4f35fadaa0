//! Whether a node does what it is in the list for.

use std::time::Instant;

use serde::Serialize;

use crate::crypto::swarm::SealedChunk;
use crate::daemon::ask;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::inspect;
use crate::daemon::keyfile;
use crate::daemon::nodes::NodeEntry;
use crate::daemon::nodes::Nodes;
use crate::daemon::paths::PodPaths;
use crate::store::StoreError;
use crate::store::bee::BatchId;
use crate::store::bee::Bee;
use crate::store::bee::Cache;
use crate::store::bee::Mode;
use crate::store::bee::Postage;
use crate::types::limits::PAGE;

/// One node as `podfs node test --json` prints it. Fields are added, never renamed or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrialReport {
    /// What people call it.
    pub name: String,
    /// Where it is, without credentials.
    pub url: String,
    /// Whether everything that was tried went well.
    pub good: bool,
    /// `full`, `light`, `ultra-light`, `dev` or `gateway`; nothing when it is not known.
    pub mode: Option<&'static str>,
    /// Milliseconds until it said what it is.
    pub answer_ms: Option<u64>,
    /// The random chunk that was stored there.
    pub stored: Option<String>,
    /// Milliseconds that storing it took.
    pub write_ms: Option<u64>,
    /// Milliseconds that fetching it back took.
    pub read_ms: Option<u64>,
    /// What went wrong.
    pub trouble: Option<String>,
    /// The kind of failure, for the exit code.
    #[serde(skip)]
    pub kind: Option<FaultKind>,
}

/// Asks one node, or all of them, what they are; with `write` stores a random chunk at each own one and reads it
/// back. It costs a slot of the batch.
///
/// # Errors
/// [`FaultKind::NoNode`]: no such node, or none at all. What a node does not do stands in its report.
pub fn run(paths: &PodPaths, name: Option<&str>, write: bool) -> Result<Vec<TrialReport>, Fault> {
    paths.require()?;
    let nodes = Nodes::read(paths)?;
    let chosen = match name {
        Some(name) => vec![nodes.named(name)?.clone()],
        None => nodes.list,
    };
    if chosen.is_empty() {
        let what = "the pod has no node yet";
        return Err(Fault::new(FaultKind::NoNode, what).next("podfs node add URL"));
    }
    ask::wait_for(async {
        let mut reports = Vec::new();
        for node in &chosen {
            reports.push(try_one(node, write).await?);
        }
        Ok(reports)
    })
}

async fn try_one(node: &NodeEntry, write: bool) -> Result<TrialReport, Fault> {
    let mut report = TrialReport {
        name: node.name.clone(),
        url: node.address.to_string(),
        ..TrialReport::default()
    };
    let bee = node.client()?;
    let tried = async {
        let (mode, took) = timed(bee.mode()).await?;
        report.mode = Some(inspect::mode_name(mode));
        report.answer_ms = Some(took);
        if write && let Some(batch) = node.batch {
            there_and_back(&bee, mode, batch, &mut report).await?;
        }
        Ok(())
    };
    match tried.await {
        Ok(()) => report.good = true,
        Err(error) => {
            let error: StoreError = error;
            report.kind = Some(ask::fault(&node.name, &error).kind);
            report.trouble = Some(error.to_string());
        }
    }
    Ok(report)
}

async fn there_and_back(
    bee: &Bee,
    mode: Mode,
    batch: BatchId,
    report: &mut TrialReport,
) -> Result<(), StoreError> {
    let mut page = [0; PAGE];
    // Without chance it is the same chunk each time, which costs no second slot and proves as much.
    if keyfile::system_entropy(&mut page).is_err() {
        page.fill(0x5a);
    }
    let chunk = SealedChunk::content(&page);
    // A development node takes nothing without a tag; the others are to say when the network has it.
    let tag = match mode {
        Mode::Dev => Some(bee.new_tag().await?),
        Mode::Full | Mode::Light | Mode::UltraLight | Mode::Gateway => None,
    };
    let (_, took) = timed(bee.put(&chunk, &Postage { batch, tag })).await?;
    report.stored = Some(chunk.address().to_string());
    report.write_ms = Some(took);
    let (_, took) = timed(bee.get(chunk.address(), Cache::Bypass)).await?;
    report.read_ms = Some(took);
    Ok(())
}

async fn timed<T>(
    request: impl Future<Output = Result<T, StoreError>>,
) -> Result<(T, u64), StoreError> {
    let began = Instant::now();
    let answer = request.await?;
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok((answer, took))
}
