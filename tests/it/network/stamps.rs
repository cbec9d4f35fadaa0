//! `podfs stamp list`, `buy`, `topup`, `dilute`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::network::{fails, json, pod_and_node, says};
use crate::node::{Clock, Mode, Network, Node, Options};
use crate::support::pod::Pod;
use crate::support::wait_until;

/// Lets the clock of a network run fast while `work` is done.
fn while_time_passes<T>(clock: &Clock, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_until(Duration::from_secs(60), || {
                clock.advance(Duration::from_secs(1));
                done.load(Ordering::SeqCst)
            })
        });
        let outcome = work();
        done.store(true, Ordering::SeqCst);
        outcome
    })
}

#[test]
fn a_batch_is_bought_once_and_then_used() {
    let (pod, node, _) = pod_and_node();
    let url = node.url();
    let buy = [
        "stamp", "buy", "--depth", "20", "--days", "60", "--node", &url,
    ];
    let said = fails(&pod, 2, &buy);
    assert!(
        said.contains("60 days at http") && said.contains("2.60919263232 xBZZ"),
        "{said}"
    );
    assert!(said.contains("--yes"), "{said}");
    let again = [&buy[..], &["--label", "my pod", "--yes", "--json"]].concat();
    let bought = while_time_passes(node.clock(), || json(&pod, &again));
    assert_eq!(bought["paid_xbzz"], "2.60919263232", "{bought}");
    assert_eq!(bought["batch"]["usable"], true);
    let id = bought["batch"]["id"].as_str().unwrap();
    let twice = json(&pod, &again);
    assert_eq!(
        (&twice["batch"]["id"], &twice["paid_plur"]),
        (&id.into(), &"0".into())
    );
    let added = says(&pod, &["node", "add", &url, "--batch", id]);
    assert!(added.contains("own node"), "{added}");
    let list = json(&pod, &["stamp", "list", "--json"]);
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(
        (&list[0]["id"], &list[0]["label"]),
        (&id.into(), &"my pod".into())
    );
    assert_eq!(list[0]["pays_for"], "everything");
    let shown = says(&pod, &["stamp", "list"]);
    assert!(
        shown.contains("749.4 MiB") && shown.contains("my pod"),
        "{shown}"
    );
}

#[test]
fn more_time_and_more_room() {
    let (pod, node, batch) = pod_and_node();
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    let start = &batch[..8];
    let longer = json(
        &pod,
        &["stamp", "topup", start, "--days", "30", "--yes", "--json"],
    );
    assert_eq!(longer["batch"]["days_left"], 90, "{longer}");
    assert_eq!(longer["paid_xbzz"], "1.30459631616");
    let said = fails(&pod, 2, &["stamp", "dilute", start, "--depth", "21"]);
    assert!(said.contains("2.6 GiB instead of 749.4 MiB"), "{said}");
    assert!(said.contains("45 days instead of 90"), "{said}");
    let deeper = json(
        &pod,
        &["stamp", "dilute", start, "--depth", "21", "--yes", "--json"],
    );
    assert_eq!(
        (&deeper["batch"]["depth"], &deeper["batch"]["days_left"]),
        (&21.into(), &45.into())
    );
    fails(
        &pod,
        2,
        &["stamp", "dilute", start, "--depth", "21", "--yes"],
    );
    let said = fails(
        &pod,
        49,
        &["stamp", "dilute", start, "--depth", "30", "--yes"],
    );
    assert!(
        said.contains("less than a day") && said.contains("podfs stamp topup"),
        "{said}"
    );
    fails(
        &pod,
        49,
        &["stamp", "topup", "ffff0000", "--days", "1", "--yes"],
    );
}

#[test]
fn money_that_is_not_there_is_told_before_it_is_asked_for() {
    let pod = Pod::new();
    fails(&pod, 50, &["stamp", "list"]);
    let poor = Node::start(Options {
        funds: 10_u128.pow(16),
        ..Options::light(&Network::new(), 1)
    });
    let url = poor.url();
    let said = fails(
        &pod,
        51,
        &[
            "stamp", "buy", "--depth", "20", "--days", "60", "--node", &url, "--yes",
        ],
    );
    assert!(said.contains("has 1 xBZZ"), "{said}");
    let gateway = Node::start(Options::gateway(&Network::new(), 1));
    let said = fails(&pod, 48, &["stamp", "list", "--node", &gateway.url()]);
    assert!(said.contains("sells nothing"), "{said}");
    let dev = Node::start(Options::new(Mode::Dev));
    let url = dev.url();
    let bought = json(
        &pod,
        &[
            "stamp", "buy", "--depth", "18", "--days", "9", "--node", &url, "--yes", "--json",
        ],
    );
    assert_eq!(
        bought["batch"]["days_left"],
        serde_json::Value::Null,
        "{bought}"
    );
}
