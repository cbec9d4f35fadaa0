//! Nobody answers: names and what is here are as fast as ever, what is not here is a prompt error, and all heals.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::carried::{REQUIREMENTS, carried, confirmed, forget_pages, mounted, recovered};
use crate::network::{fails as refuses, pod_and_node, says};
use crate::node::{Fault, Loss};
use crate::support::mount::Mount;
use crate::support::random::Random;
use crate::support::{applicable, rounds, run, wait_until};

/// The longest that a list of all names may take.
const LIST_MAX: Duration = Duration::from_secs(2);
/// The longest that the first read may take that finds nobody, and a little for the machine.
const FIRST_MAX: Duration = Duration::from_millis(12_500);
/// The longest that the others may take.
const LATER_MAX: Duration = Duration::from_millis(100);
/// A node that is back is noticed in this time.
const BACK_MAX: Duration = Duration::from_secs(30);
/// Files of which nothing is on this machine.
const COLD: usize = 24;

/// `ls -lR` of everything takes no time.
#[track_caller]
fn lists(dir: &Path, names: u64) {
    let begun = Instant::now();
    let said = run(Command::new("ls").arg("-lR").arg(dir));
    let took = begun.elapsed();
    assert!(took < LIST_MAX, "ls -lR of {names} names took {took:?}");
    let seen = said.lines().filter(|line| line.starts_with('-')).count();
    assert!(seen as u64 >= names, "{seen} of {names} names");
}

/// A read that must fail; says how long it took.
#[track_caller]
fn fails(path: &Path) -> Duration {
    let begun = Instant::now();
    let error = fs::read(path).expect_err("nobody could have answered");
    assert_eq!(
        error.raw_os_error(),
        Some(Errno::IO.raw_os_error()),
        "{error}"
    );
    begun.elapsed()
}

/// Reads of what is not here fail: the first in time, later ones at once. One of those that the machine was too busy
/// for does not count.
#[track_caller]
fn fail_promptly(mount: &Mount<'_>, random: &mut Random) {
    let mut cold = || mount.path(&format!("cold {}", random.index(COLD)));
    let first = fails(&cold());
    assert!(first < FIRST_MAX, "the first took {first:?}");
    let mut later: Vec<_> = (0..12).map(|_| fails(&cold())).collect();
    later.sort_unstable();
    println!("the first took {first:?}, later ones {later:?}");
    assert!(later[9] < LATER_MAX, "later ones took {later:?}");
}

#[track_caller]
fn unmounts_in_time(mount: Mount<'_>) {
    let begun = Instant::now();
    mount.unmount();
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn with_the_network_down_the_folder_stays_prompt() {
    if !applicable(
        "with_the_network_down_the_folder_stays_prompt",
        REQUIREMENTS,
    ) {
        return;
    }
    let mut random = Random::new("network down");
    let (pod, mut node) = carried();
    let mount = mounted(&pod, &[]);
    let names = rounds(3000, 10_000);
    for nth in 0..names {
        let folder = mount.path(&format!("folder {}", nth % 30));
        if nth < 30 {
            fs::create_dir(&folder).unwrap();
        }
        fs::write(folder.join(format!("a name with a number {nth}")), "x").unwrap();
    }
    let warm = random.bytes(900_000);
    fs::write(mount.path("warm"), &warm).unwrap();
    let cold: Vec<_> = (0..COLD).map(|_| random.bytes(60_000)).collect();
    for (nth, bytes) in cold.iter().enumerate() {
        fs::write(mount.path(&format!("cold {nth}")), bytes).unwrap();
    }
    confirmed(&pod);
    mount.unmount();
    let pod = recovered(pod, &node);

    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    assert!(fs::read(mount.path("warm")).unwrap() == warm);
    let silence = node.faults().add(Fault::Hang.everywhere());
    lists(mount.dir(), names);
    fail_promptly(&mount, &mut random);
    forget_pages(&mount.path("warm"));
    assert!(fs::read(mount.path("warm")).unwrap() == warm);
    unmounts_in_time(mount);

    node.kill();
    node.faults().remove(silence);
    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    lists(mount.dir(), names);
    fail_promptly(&mount, &mut random);
    assert!(fs::read(mount.path("warm")).unwrap() == warm);
    node.restart(Loss::Nothing);
    let back = wait_until(BACK_MAX, || fs::read(mount.path("cold 0")).is_ok());
    assert!(back, "the node is back and nobody noticed");
    for (nth, bytes) in cold.iter().enumerate() {
        assert!(fs::read(mount.path(&format!("cold {nth}"))).unwrap() == *bytes);
    }
    node.kill();
    unmounts_in_time(mount);
}

#[test]
fn an_outage_is_told_once_and_its_end_too() {
    if !applicable("an_outage_is_told_once_and_its_end_too", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("outage told");
    let (pod, mut node, batch) = pod_and_node();
    let add = ["node", "add", &node.url(), "--batch", &batch];
    says(&pod, &add);
    let mount = mounted(&pod, &[]);
    for nth in 0..COLD {
        fs::write(mount.path(&format!("cold {nth}")), random.bytes(60_000)).unwrap();
    }
    confirmed(&pod);
    mount.unmount();
    let pod = recovered(pod, &node);
    says(&pod, &add);
    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    confirmed(&pod);
    let before = fs::read_to_string(pod.log()).unwrap().len();
    node.kill();
    fs::write(mount.path("unsent"), random.bytes(300_000)).unwrap();
    refuses(&pod, 52, &["wait", "--timeout", "3s"]);
    let reads = rounds(10, 100) * COLD as u64;
    for nth in 0..reads {
        fails(&mount.path(&format!("cold {}", nth as usize % COLD)));
    }
    node.restart(Loss::Nothing);
    confirmed(&pod);
    let log = || fs::read_to_string(pod.log()).unwrap()[before..].to_owned();
    let healed = wait_until(BACK_MAX, || log().contains("publishing goes on"));
    let log = log();
    println!("{reads} reads failed:\n{log}");
    assert!(healed, "its end is not told");
    for sentence in [
        "does not answer",
        "publishing waits",
        "request failed",
        "answers again",
        "publishing goes on",
    ] {
        let count = log.lines().filter(|line| line.contains(sentence)).count();
        assert_eq!(count, 1, "{sentence}");
    }
    assert!(log.lines().count() <= 8, "{} lines", log.lines().count());
    for name in ["cold", "unsent"] {
        assert!(!log.contains(name), "a name in the log");
    }
    assert!(log.contains("the node recovery: "), "who is waited for?");
}
