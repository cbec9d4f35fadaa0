//! The daemon is killed while it sends: nothing is lost, and what is known to be there is not sent again.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use podfs::types::Address;
use podfs::types::limits::NOTE_AFTER;

use crate::carried::trees::look;
use crate::carried::{REQUIREMENTS, carried, comes_back, confirmed, mounted};
use crate::network::podfs;
use crate::node::{Node, Route};
use crate::support::applicable;
use crate::support::random::Random;
use crate::support::{rounds, wait_until};

/// Fewer chunks than a round makes.
const CHUNKS: u64 = 500;

/// Some new files, and some old ones with other bytes in them.
fn change(dir: &Path, round: u64, random: &mut Random) {
    let folder = dir.join(format!("round {round}"));
    fs::create_dir(&folder).unwrap();
    for nth in 0..30 {
        let size = random.index(200_000);
        fs::write(folder.join(nth.to_string()), random.bytes(size)).unwrap();
    }
    if round > 0 {
        let before = dir.join(format!("round {}", round - 1));
        for nth in 0..5 {
            fs::rename(
                before.join(nth.to_string()),
                folder.join(format!("moved {nth}")),
            )
            .unwrap();
        }
        for nth in 5..8 {
            let size = random.index(50_000);
            fs::write(before.join(nth.to_string()), random.bytes(size)).unwrap();
        }
    }
}

/// Watches the node until it was sent `more` chunks; gives how often each was sent that surely is noted as sent.
fn watch(node: &Node, more: u64) -> HashMap<Address, u64> {
    let begin = node.counts().chunks_put() as u64;
    let mut seen: VecDeque<(Instant, HashMap<Address, u64>)> = VecDeque::new();
    let came = wait_until(Duration::from_secs(60), || {
        let counts = node.counts();
        let late = seen
            .back()
            .is_none_or(|(at, _)| at.elapsed() > Duration::from_millis(100));
        if late {
            seen.push_back((Instant::now(), counts.all_puts().clone()));
        }
        counts.chunks_put() as u64 >= begin + more
    });
    assert!(
        came,
        "the node was sent {} chunks",
        node.counts().chunks_put()
    );
    // Written at the latest then, and as much again for a busy machine.
    let noted = |at: &Instant| at.elapsed() > 2 * NOTE_AFTER;
    seen.into_iter()
        .rfind(|(at, _)| noted(at))
        .unwrap_or((Instant::now(), HashMap::new()))
        .1
}

#[test]
fn nothing_is_lost_nor_sent_again_after_kill_9_in_mid_upload() {
    if !applicable(
        "nothing_is_lost_nor_sent_again_after_kill_9_in_mid_upload",
        REQUIREMENTS,
    ) {
        return;
    }
    let mut random = Random::new("kill -9 in mid-upload");
    let (pod, node) = carried();
    node.faults()
        .set_latency(Route::PostChunk, Duration::from_millis(120));
    let mut mount = mounted(&pod, &[]);
    for round in 0..rounds(3, 20) {
        change(mount.dir(), round, &mut random);
        let hurry = podfs(&pod, &["wait", "--timeout", "0s"]);
        assert_eq!(hurry.status.code(), Some(52));
        let noted = watch(&node, 100 + random.below(CHUNKS));
        mount.kill();
        mount = mounted(&pod, &[]);
        confirmed(&pod);
        let counts = node.counts();
        let again = noted
            .iter()
            .filter(|(address, times)| counts.puts(address) > **times);
        assert_eq!(again.count(), 0, "round {round}: of {} chunks", noted.len());
        println!(
            "round {round}: {} noted, {} sent, {} twice",
            noted.len(),
            counts.chunks_put(),
            counts.put_again().len()
        );
    }
    let before = look(mount.dir());
    mount.unmount();
    comes_back(pod, &node, &before);
}
