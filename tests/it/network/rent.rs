//! `podfs rent`, and what the daemon pays by itself.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::network::{fails, json, pod_and_node, says};
use crate::support::pod::Pod;
use crate::support::wait_until;

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn what_is_paid_and_how_long_it_lasts() {
    let (pod, node, batch) = pod_and_node();
    let said = fails(&pod, 50, &["rent"]);
    assert!(said.contains("nothing is paid"), "{said}");
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    says(&pod, &["node", "test", "--write"]);
    let report = json(&pod, &["rent", "--json"]);
    let rented = &report["batches"][0];
    assert_eq!(
        (&rented["id"], &rented["node"]),
        (&batch.as_str().into(), &"home".into())
    );
    assert_eq!(
        (&rented["days_left"], &rented["stored_bytes"]),
        (&60.into(), &4096.into())
    );
    assert_eq!(rented["room_bytes"], 191_840 * 4096);
    assert_eq!(report["price_plur"], "24000");
    assert_eq!(report["xbzz_per_gib_year"], "3.96814712832");
    assert_eq!(
        (&report["topup_below_days"], &report["steps"]),
        (&0.into(), &Value::Array(vec![]))
    );
    node.clock().advance(DAY * 31);
    let shown = says(&pod, &["rent"]);
    assert!(shown.contains("nothing is paid by itself"), "{shown}");
    assert!(shown.contains("ends in 29 days"), "{shown}");
    node.network()
        .expire(&batch.parse::<podfs::store::bee::BatchId>().unwrap().0);
    let shown = says(&pod, &["rent"]);
    assert!(shown.contains("it has expired"), "{shown}");
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let (pod, node, batch) = pod_and_node();
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    fails(&pod, 2, &["rent", "--auto-below", "30"]);
    fails(
        &pod,
        2,
        &[
            "rent",
            "--auto-below",
            "30",
            "--auto-to",
            "30",
            "--cap",
            "2",
        ],
    );
    fails(
        &pod,
        2,
        &[
            "rent",
            "--auto-below",
            "30",
            "--auto-to",
            "60",
            "--cap",
            "much",
        ],
    );
    fails(
        &pod,
        2,
        &[
            "rent",
            "--auto-below",
            "30",
            "--auto-to",
            "60",
            "--cap",
            "0",
        ],
    );
    let kept = fs::read_to_string(pod.state().join("nodes.toml")).unwrap();
    assert!(!kept.contains("rent"), "{kept}");
    let said = says(
        &pod,
        &[
            "rent",
            "--auto-below",
            "30",
            "--auto-to",
            "60",
            "--cap",
            "2.5",
        ],
    );
    assert!(
        said.contains("below 30 days topped up to 60, with 0 of at most 2.5 xBZZ"),
        "{said}"
    );
    let off = says(&pod, &["rent", "--auto-off"]);
    assert!(off.contains("nothing is paid by itself"), "{off}");
}

/// The daemon looks when it is mounted; what it pays counts for the next time.
#[test]
fn a_mounted_pod_pays_by_the_rules_and_never_beyond_the_cap() {
    let (pod, node, batch) = pod_and_node();
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    node.clock().advance(DAY * 40);
    // 40 days more cost 1.74 xBZZ.
    says(
        &pod,
        &[
            "rent",
            "--auto-below",
            "30",
            "--auto-to",
            "60",
            "--cap",
            "2",
        ],
    );
    look(&pod, "top-up of the batch");
    let report = json(&pod, &["rent", "--json"]);
    assert_eq!(report["batches"][0]["days_left"], 60, "{report}");
    assert_eq!(report["spent_xbzz"], "1.73946175488");
    node.clock().advance(DAY * 45);
    look(&pod, "the cap leaves");
    let report = json(&pod, &["rent", "--json"]);
    // What was left of the cap buys six days.
    assert_eq!(report["batches"][0]["days_left"], 20, "{report}");
    let spent: f64 = report["spent_xbzz"].as_str().unwrap().parse().unwrap();
    assert!(spent > 1.9 && spent <= 2.0, "{report}");
}

/// Mounts until the log says so.
fn look(pod: &Pod, sentence: &str) {
    let mount = pod.mount();
    mount.expect_connections();
    mount.expect_warnings();
    let said = || fs::read_to_string(pod.log()).unwrap().contains(sentence);
    assert!(wait_until(Duration::from_secs(10), said), "{sentence}");
}
