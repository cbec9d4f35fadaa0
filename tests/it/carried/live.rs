//! The same through a node that is not ours, when there is one.

use std::time::Duration;

use crate::carried::recovery::{fill, is_back};
use crate::carried::trees::look;
use crate::carried::{REQUIREMENTS, mounted, recovered_from, report, until_said};
use crate::network::{json, podfs, says};
use crate::store::live;
use crate::support::applicable;
use crate::support::pod::Pod;
use crate::support::random::Random;

/// Chunks of which some are on their way when the daemon is killed.
const CHUNKS: u64 = 2000;
const KILLS: u64 = 3;
/// A network needs minutes to show what it was given.
const CONFIRMED_MAX: &str = "2400s";

#[test]
fn a_live_node_carries_a_pod_and_gives_it_back() {
    let needs = [REQUIREMENTS, &[live::URL]].concat();
    if !applicable("a_live_node_carries_a_pod_and_gives_it_back", &needs) {
        return;
    }
    let mut random = Random::new("a live node");
    let (url, batch) = (live::url(), live::batch_id());
    let pod = Pod::new();
    says(&pod, &["node", "add", &url, "--batch", &batch]);
    let mut mount = mounted(&pod, &[]);
    fill(mount.dir(), 12 << 20, &mut random);
    let before = look(mount.dir());
    for _ in 0..KILLS {
        // Publish, but do not wait.
        podfs(&pod, &["wait", "--timeout", "0s"]);
        let more = random.below(CHUNKS / KILLS);
        until_said(&pod, Duration::from_secs(600), |it| {
            it["chunks_paid"].as_u64() >= Some(more) || it["level"] == "confirmed"
        });
        mount.kill();
        mount = mounted(&pod, &[]);
    }
    let last = json(&pod, &["wait", "--timeout", CONFIRMED_MAX, "--json"]);
    assert_eq!(last["level"], "confirmed", "{last}");
    println!("{last}; {}", report(&pod)["nodes"]);
    mount.unmount();
    is_back(&recovered_from(pod, &url), &before);
}
