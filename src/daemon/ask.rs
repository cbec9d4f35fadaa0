//! How a command waits for a node, and what it makes of its answer.

use std::future::Future;

use tokio::runtime::Runtime;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::store::Outage;
use crate::store::Rejection;
use crate::store::StoreError;

/// Waits for what takes the network, on this thread.
///
/// # Errors
/// When there is no runtime to wait in, else what `future` says.
pub(super) fn wait_for<T>(future: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    runtime()?.block_on(future)
}

/// The same, for what leaves something behind that has to be cleared away: Ctrl-C or SIGTERM ends it as a failure does.
pub(super) fn interruptible<T>(future: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    wait_for(async {
        tokio::select! {
            outcome = future => outcome,
            () = heard(SignalKind::interrupt()) => Err(interrupted()),
            () = heard(SignalKind::terminate()) => Err(interrupted()),
        }
    })
}

fn interrupted() -> Fault {
    Fault::new(FaultKind::Interrupted, "interrupted")
}

/// Returns when the signal comes. Where it cannot be heard it ends the process, as ever.
async fn heard(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => {
            let _came: Option<()> = signals.recv().await;
        }
        Err(error) => {
            tracing::debug!(%error, "a signal is not heard");
            std::future::pending::<()>().await;
        }
    }
}

/// Where a command waits. Connections to a node end with the runtime that made them: whoever asks a node twice keeps it.
pub(super) fn runtime() -> Result<Runtime, Fault> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Fault::io(FaultKind::Other, "cannot start the runtime", &error))
}

/// A failure of the node `name` as a command tells it. `name` is what people call it, or its address without
/// credentials.
pub(super) fn fault(name: &str, error: &StoreError) -> Fault {
    let kind = match error {
        StoreError::Rejected(rejection) => match rejection {
            Rejection::BucketFull(_)
            | Rejection::BatchUnusable
            | Rejection::BatchUnknown
            | Rejection::NoBatch => FaultKind::Batch,
            Rejection::OutOfFunds => FaultKind::Funds,
            Rejection::TagUnknown
            | Rejection::NoChain
            | Rejection::Unsupported
            | Rejection::Forbidden
            | Rejection::Redirected
            | Rejection::NoSpace
            | Rejection::Size
            | Rejection::Invalid(_) => FaultKind::NodeRefused,
        },
        StoreError::Unavailable {
            why: Outage::Garbled(_),
            ..
        } => FaultKind::NodeRefused,
        StoreError::Unavailable { .. } => FaultKind::Network,
        StoreError::NotFound | StoreError::Corrupt => FaultKind::Missing,
    };
    let fault = Fault::new(kind, format!("the node {name}: {error}"));
    if matches!(
        error,
        StoreError::Unavailable {
            why: Outage::Unsettled,
            ..
        }
    ) {
        return fault
            .next("look at podfs stamp list in some minutes, before anything is paid twice");
    }
    let next = [
        (
            FaultKind::Network,
            "see that the node runs and that its address is right",
        ),
        (
            FaultKind::Batch,
            "podfs stamp list shows the batches of the node",
        ),
        (
            FaultKind::Funds,
            "send xBZZ to the node's wallet, then try again",
        ),
    ];
    match next.iter().find(|(of, _)| *of == kind) {
        Some((_, next)) => fault.next(*next),
        None => fault,
    }
}

/// Whether this says that nobody is there, rather than that somebody refuses.
pub(super) fn is_silence(error: &StoreError) -> bool {
    fault("", error).kind == FaultKind::Network
}
