//! The daemon is killed, the power is cut: what comes back is a prefix of what was asked for, with all that was promised.

use std::time::Duration;

use serde_json::Value;

use crate::support::applicable;
use crate::support::disk;
use crate::support::disk::Disk;
use crate::support::load::Bar;
use crate::support::load::Load;
use crate::support::load::WRITERS;
use crate::support::pod::Pod;
use crate::support::pod::START_MAX;
use crate::support::random::Random;
use crate::support::rounds;
use crate::support::tree::Tree;
use crate::support::wait_until;

/// Lets the load run for a random time, and longer while nothing was answered yet.
fn wait_a_while(load: &Load, random: &mut Random) {
    let limit = Duration::from_millis(30 + random.below(1500));
    wait_until(limit, || false);
    let some = wait_until(Duration::from_secs(10), || load.answered() >= 20);
    assert!(some, "only {} operations were answered", load.answered());
}

/// Records that the start replayed.
fn replayed(status: &Value) -> u64 {
    status["replayed"]
        .as_u64()
        .unwrap_or_else(|| panic!("status --json has no count `replayed`: {status}"))
}

#[test]
fn answered_requests_survive_kill_9() {
    if !applicable("answered_requests_survive_kill_9", &["/dev/fuse"]) {
        return;
    }
    let mut random = Random::new("kill -9");
    let pod = Pod::new();
    let mut trees = vec![Tree::default(); WRITERS];
    let (mut operations, mut records, mut slowest) = (0, 0, Duration::ZERO);
    let mut mount = pod.mount();
    let total = rounds(50, 1000);
    for round in 0..total {
        let load = Load::start(mount.dir(), &trees, &mut random);
        wait_a_while(&load, &mut random);
        let done = load.crash(|| mount.kill());
        operations += done.answered.iter().sum::<usize>();
        mount = pod.mount();
        slowest = slowest.max(mount.took());
        assert!(
            mount.took() <= START_MAX,
            "round {round}: the start took {:?}",
            mount.took()
        );
        let count = replayed(&pod.status());
        assert!(count > 0, "round {round}: nothing was left to replay");
        records += count;
        if let Err(fault) = done.verify(mount.dir(), &mut trees, Bar::Answered) {
            panic!("round {round}: {fault}");
        }
        if random.below(10) == 0 {
            mount.unmount();
            mount = pod.mount();
        }
    }
    println!(
        "kill -9: {total} rounds, {operations} operations, {records} records replayed, slowest start {slowest:?}"
    );
}

#[test]
fn synced_requests_survive_a_power_cut() {
    if !applicable(
        "synced_requests_survive_a_power_cut",
        &[disk::REQUIREMENTS, &["/dev/fuse"]].concat(),
    ) {
        return;
    }
    let mut random = Random::new("power cut");
    let disk = Disk::new(1024);
    let pod = Pod::on(&disk.dir());
    // The pod itself must be durable when `init` returns: nothing is synced for it here.
    let mut trees = vec![Tree::default(); WRITERS];
    let (mut operations, mut synced) = (0, 0);
    let total = rounds(25, 500);
    for round in 0..total {
        let mount = pod.mount();
        mount.expect_warnings();
        let breaker = disk.breaker();
        let load = Load::start(mount.dir(), &trees, &mut random);
        wait_a_while(&load, &mut random);
        let done = load.crash(|| breaker.cut());
        mount.kill();
        disk.unmount();
        disk.mount("rw");
        operations += done.answered.iter().sum::<usize>();
        synced += done.durable.iter().sum::<usize>();
        // What the cut left of the index is thrown away, and that is told.
        let mount = pod.mount();
        mount.expect_warnings();
        assert!(
            replayed(&pod.status()) > 0,
            "round {round}: nothing was left to replay"
        );
        if let Err(fault) = done.verify(mount.dir(), &mut trees, Bar::Durable) {
            panic!("round {round}: {fault}");
        }
        if random.below(2) == 0 {
            mount.unmount();
        } else {
            mount.kill();
        }
    }
    assert!(synced > 0, "no fsync returned in any round");
    println!(
        "power cuts: {total} rounds, {operations} operations answered, {synced} of them synced"
    );
}

/// The oracle itself: a plain folder that is taken away and brought back lost nothing.
#[test]
fn the_oracle_agrees_with_a_plain_folder() {
    let mut random = Random::new("oracle");
    let home = tempfile::tempdir().unwrap();
    let (here, away) = (home.path().join("here"), home.path().join("away"));
    std::fs::create_dir(&here).unwrap();
    let mut trees = vec![Tree::default(); WRITERS];
    for _ in 0..3 {
        let load = Load::start(&here, &trees, &mut random);
        wait_a_while(&load, &mut random);
        let done = load.crash(|| std::fs::rename(&here, &away).unwrap());
        std::fs::rename(&away, &here).unwrap();
        done.verify(&here, &mut trees, Bar::Answered).unwrap();
    }
    // And it sees what a lost operation leaves.
    let load = Load::start(&here, &trees, &mut random);
    wait_a_while(&load, &mut random);
    let done = load.crash(|| std::fs::rename(&here, &away).unwrap());
    std::fs::write(away.join("writer-1").join("stray"), "").unwrap();
    assert!(done.verify(&away, &mut trees, Bar::Durable).is_err());
}
