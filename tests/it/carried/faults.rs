//! A node does what nodes do: the folder knows nothing of it, and in the end the network has everything.

use std::fs;
use std::time::Duration;

use podfs::store::bee::BatchId;

use crate::carried::trees::{assert_equal, look};
use crate::carried::{
    REQUIREMENTS, carried, comes_back, confirmed, mounted, recovered, until_said,
};
use crate::network::{fails, json, pod_and_node, podfs, says};
use crate::node::{Fault, Loss, Node, Route, Rule, hexadecimal};
use crate::support::mount::Mount;
use crate::support::pod::Pod;
use crate::support::random::Random;
use crate::support::{applicable, rounds, wait_until};

/// How long one kind of fault goes on.
const A_WHILE: Duration = Duration::from_secs(2);

/// What a node does wrong with chunks that it is sent, now and then.
fn misdeeds() -> Vec<(&'static str, Vec<Rule>)> {
    let post = |fault: Fault| fault.on(Route::PostChunk);
    vec![
        (
            "slow",
            vec![post(Fault::Delay(Duration::from_millis(700))).one_in(4)],
        ),
        ("lost replies", vec![post(Fault::LoseReply).one_in(4)]),
        ("closed connections", vec![post(Fault::Close).one_in(4)]),
        (
            "too many requests",
            vec![post(Fault::Page(429, Some(1))).one_in(3)],
        ),
        (
            "starting",
            vec![
                post(Fault::Say(
                    503,
                    "Node is syncing. This endpoint is unavailable. Try again later.",
                ))
                .one_in(3),
            ],
        ),
        (
            "failing",
            vec![post(Fault::Say(500, "chunk write error")).one_in(4)],
        ),
        ("other chunks", vec![post(Fault::WrongReference).one_in(6)]),
        (
            "looks fail",
            vec![
                Fault::Say(500, "is retrievable check failed")
                    .on(Route::GetStewardship)
                    .one_in(3),
            ],
        ),
    ]
}

/// Copies some files, as a program does that hears of no error.
#[track_caller]
fn copy_files(mount: &Mount<'_>, folder: &str, files: u64, random: &mut Random) {
    let folder = mount.path(folder);
    fs::create_dir(&folder).unwrap();
    for nth in 0..files {
        let size = random.index(20_000);
        fs::write(folder.join(nth.to_string()), random.bytes(size)).unwrap();
    }
}

fn hurry(pod: &Pod) {
    let said = podfs(pod, &["wait", "--timeout", "0s"]);
    assert_eq!(said.status.code(), Some(52));
}

/// Whether the node is sent anything just now.
fn is_at_work(node: &Node) -> bool {
    let before = node.counts().requests(Route::PostChunk);
    wait_until(Duration::from_secs(20), || {
        node.counts().requests(Route::PostChunk) > before + 5
    })
}

#[test]
fn a_bad_node_harms_nothing() {
    if !applicable("a_bad_node_harms_nothing", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("bad node");
    let (pod, mut node) = carried();
    let mut mount = mounted(&pod, &[]);
    let files = rounds(50, 300);
    for (nth, (name, rules)) in misdeeds().into_iter().enumerate() {
        println!("{name}");
        let numbers: Vec<_> = rules
            .into_iter()
            .map(|rule| node.faults().add(rule))
            .collect();
        copy_files(&mount, name, files, &mut random);
        hurry(&pod);
        assert!(is_at_work(&node), "{name}");
        if nth % 2 == 0 {
            mount.kill();
            mount = mounted(&pod, &[]);
        }
        std::thread::sleep(A_WHILE);
        for number in numbers {
            node.faults().remove(number);
        }
        confirmed(&pod);
        until_said(&pod, A_WHILE, |report| report["trouble"].is_null());
    }
    // It is gone while files are copied, and comes back.
    copy_files(&mount, "before", files, &mut random);
    hurry(&pod);
    assert!(is_at_work(&node));
    node.kill();
    copy_files(&mount, "while it was gone", rounds(200, 1000), &mut random);
    until_said(&pod, Duration::from_secs(30), |report| {
        report["trouble"].is_string()
    });
    mount.kill();
    mount = mounted(&pod, &[]);
    node.restart(Loss::LocalStore);
    let report = confirmed(&pod);
    assert!(report["trouble"].is_null(), "{report}");
    let before = look(mount.dir());
    mount.unmount();
    comes_back(pod, &node, &before);
}

#[test]
fn wrong_bytes_are_never_shown() {
    if !applicable("wrong_bytes_are_never_shown", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("wrong bytes");
    let (pod, node) = carried();
    let mount = mounted(&pod, &[]);
    copy_files(&mount, "files", 60, &mut random);
    let before = look(mount.dir());
    confirmed(&pod);
    mount.unmount();
    let pod = recovered(pod, &node);
    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    let get = |fault: Fault| fault.on(Route::GetChunk);
    let lies = [Fault::Corrupt, Fault::Truncate(100), Fault::Swell(5000)].map(get);
    let (mut failed, mut read) = (0, 0);
    for lie in lies {
        let number = node.faults().add(lie.one_in(2));
        for entry in fs::read_dir(mount.path("files")).unwrap().take(15) {
            match fs::read(entry.unwrap().path()) {
                Ok(_) => read += 1,
                Err(error) => {
                    assert_eq!(
                        error.raw_os_error(),
                        Some(rustix::io::Errno::IO.raw_os_error())
                    );
                    failed += 1;
                }
            }
        }
        node.faults().remove(number);
    }
    println!("{failed} reads failed, {read} did not");
    assert!(failed > 0);
    // A node that cut its answers off counts as down for a moment.
    let healed = wait_until(Duration::from_secs(20), || {
        (0..60).all(|nth| fs::read(mount.path(&format!("files/{nth}"))).is_ok())
    });
    assert!(healed);
    assert_equal(&before, &look(mount.dir()));
}

#[test]
fn what_the_network_forgot_is_sent_again() {
    if !applicable("what_the_network_forgot_is_sent_again", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("forgotten");
    let (pod, node) = carried();
    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    copy_files(&mount, "files", 40, &mut random);
    let before = look(mount.dir());
    confirmed(&pod);
    let all: Vec<_> = node.counts().all_puts().keys().copied().collect();
    let lost: Vec<_> = all
        .iter()
        .step_by(7)
        .filter(|it| node.network().forget(it))
        .collect();
    node.drop_cache();
    let report = json(&pod, &["scrub", "--all", "--json"]);
    println!("{report}");
    let heads = 4;
    let found = report["missing"].as_u64().unwrap();
    assert!(
        found <= lost.len() as u64 && found + heads >= lost.len() as u64,
        "{} lost, {report}",
        lost.len()
    );
    assert_eq!(report["missing"], report["sent_again"], "{report}");
    confirmed(&pod);
    let report = json(&pod, &["scrub", "--all", "--json"]);
    assert_eq!(report["missing"], 0, "{report}");
    mount.unmount();
    comes_back(pod, &node, &before);
}

#[test]
#[ignore = "deep: a chunk counts as lost after seven minutes; scripts/check-deep runs it"]
fn what_was_accepted_and_lost_is_sent_again() {
    if !applicable("what_was_accepted_and_lost_is_sent_again", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("accepted and lost");
    let (pod, node) = carried();
    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    let lost = Fault::Forget.on(Route::PostChunk).one_in(9);
    let lost = node.faults().add(lost);
    copy_files(&mount, "files", 60, &mut random);
    let before = look(mount.dir());
    says(&pod, &["wait", "--level", "on-node", "--timeout", "60s"]);
    node.faults().remove(lost);
    let report = json(&pod, &["wait", "--timeout", "1500s", "--json"]);
    assert_eq!(report["level"], "confirmed", "{report}");
    let again = node.counts().put_again().len();
    println!("{again} chunks sent again, {report}");
    assert!(again > 5, "{again} chunks sent again");
    mount.unmount();
    comes_back(pod, &node, &before);
}

#[test]
fn full_buckets_of_a_small_batch_are_got_round() {
    if !applicable("full_buckets_of_a_small_batch_are_got_round", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("full buckets");
    let (pod, node, _) = pod_and_node();
    // Two slots in each of 65 536 buckets: of 7 000 chunks about a dozen find theirs taken.
    let batch = hexadecimal(&node.buy_batch(17));
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    let mut mount = mounted(&pod, &[]);
    for nth in 0..4 {
        let bytes = random.bytes(7 << 20);
        fs::write(mount.path(&format!("file {nth}")), bytes).unwrap();
        hurry(&pod);
        if nth % 2 == 0 {
            assert!(is_at_work(&node));
            mount.kill();
            mount = mounted(&pod, &[]);
        }
        confirmed(&pod);
    }
    let refused = node.counts().answers(Route::PostChunk, 402);
    println!("{refused} chunks found no room");
    assert!(refused > 0);
    let before = look(mount.dir());
    mount.unmount();
    comes_back(pod, &node, &before);
}

#[test]
fn a_batch_that_ended_is_told_and_another_one_helps() {
    if !applicable(
        "a_batch_that_ended_is_told_and_another_one_helps",
        REQUIREMENTS,
    ) {
        return;
    }
    let mut random = Random::new("ended batch");
    let (pod, node, batch) = pod_and_node();
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    copy_files(&mount, "paid", 20, &mut random);
    confirmed(&pod);
    node.network().expire(&batch.parse::<BatchId>().unwrap().0);
    copy_files(&mount, "unpaid", 20, &mut random);
    hurry(&pod);
    let report = until_said(&pod, Duration::from_secs(30), |report| {
        report["trouble"].is_string()
    });
    assert!(
        report["trouble"].as_str().unwrap().contains(&batch),
        "{report}"
    );
    let said = fails(&pod, 49, &["wait", "--timeout", "60s"]);
    for what in [&batch, "podfs stamp buy", "podfs node add URL --batch ID"] {
        assert!(said.contains(what), "{said}");
    }
    let told = wait_until(Duration::from_secs(10), || {
        let log = fs::read_to_string(pod.log()).unwrap();
        log.contains("until somebody sees to it") && log.contains(&batch)
    });
    assert!(told, "the log does not say it");
    mount.kill();
    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    until_said(&pod, Duration::from_secs(30), |report| {
        report["trouble"].is_string()
    });
    let fresh = hexadecimal(&node.buy_batch(20));
    says(&pod, &["node", "add", &node.url(), "--batch", &fresh]);
    let report = confirmed(&pod);
    assert!(report["trouble"].is_null(), "{report}");
}
