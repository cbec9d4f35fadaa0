//! A state folder that is older than what was published from it, or that there is twice, publishes nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::carried::{REQUIREMENTS, carried, confirmed, mounted, recovered, until_said};
use crate::network::{fails, says};
use crate::node::{Node, Route};
use crate::support::{applicable, run, wait_until};

/// The longest until it is told.
const TOLD: Duration = Duration::from_secs(40);

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    run(Command::new("cp").arg("-a").arg(from).arg(to));
}

fn puts(node: &Node) -> u64 {
    node.counts().requests(Route::PostChunk)
}

fn trouble_says(report: &serde_json::Value, what: &str) -> bool {
    let said = |field: &str| report[field].as_str().unwrap_or_default();
    said("trouble").contains(what) && said("next").contains("podfs recover")
}

#[test]
fn an_older_state_folder_undercuts_nothing() {
    if !applicable("an_older_state_folder_undercuts_nothing", REQUIREMENTS) {
        return;
    }
    let (pod, node) = carried();
    let mount = mounted(&pod, &[]);
    fs::write(mount.path("early"), "was there").unwrap();
    confirmed(&pod);
    mount.unmount();
    let old = pod.path("older");
    copy(&pod.state(), &old);
    let mount = mounted(&pod, &[]);
    for nth in 0..3 {
        fs::write(mount.path("late"), format!("came later {nth}")).unwrap();
        confirmed(&pod);
    }
    mount.unmount();
    copy(&old, &pod.state());
    let before = puts(&node);
    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    fs::write(mount.path("astray"), "from an older state").unwrap();
    until_said(&pod, TOLD, |report| {
        trouble_says(report, "older than what this machine published")
    });
    assert_eq!(fs::read(mount.path("early")).unwrap(), b"was there");
    let report = until_said(&pod, TOLD, |report| report["level"] == "local");
    assert!(trouble_says(&report, "older"), "{report}");
    // Nobody waits for what never comes.
    let said = fails(&pod, 54, &["wait", "--timeout", "60s"]);
    assert!(
        said.contains("older than") && said.contains("next: podfs recover"),
        "{said}"
    );
    let recorded = wait_until(TOLD, || {
        says(&pod, &["audit"]).contains("rollback alarm (failed)")
    });
    assert!(recorded, "not in the audit log");
    mount.unmount();
    // It is not forgotten with the mount.
    let mount = mounted(&pod, &[]);
    mount.expect_warnings();
    until_said(&pod, TOLD, |report| {
        trouble_says(report, "older than what this machine published")
    });
    mount.unmount();
    assert_eq!(puts(&node), before, "something was sent");
    let pod = recovered(pod, &node);
    let mount = mounted(&pod, &[]);
    assert_eq!(fs::read(mount.path("late")).unwrap(), b"came later 2");
    assert!(!mount.path("astray").exists());
}

#[test]
fn of_two_copies_of_a_folder_one_goes_on() {
    if !applicable("of_two_copies_of_a_folder_one_goes_on", REQUIREMENTS) {
        return;
    }
    let (pod, node) = carried();
    let mount = mounted(&pod, &[]);
    fs::write(mount.path("common"), "to both").unwrap();
    confirmed(&pod);
    mount.unmount();
    let twin = pod.elsewhere();
    copy(&pod.state(), &twin.state());
    let (mount, other) = (mounted(&pod, &[]), mounted(&twin, &[]));
    other.expect_warnings();
    // Both have looked, and found nothing newer.
    confirmed(&pod);
    confirmed(&twin);
    fs::write(mount.path("first"), "went on").unwrap();
    confirmed(&pod);
    fs::write(other.path("second"), "comes late").unwrap();
    until_said(&twin, TOLD, |report| {
        trouble_says(report, "another copy of this folder")
    });
    fails(&twin, 54, &["wait", "--timeout", "60s"]);
    fs::write(mount.path("more"), "and on").unwrap();
    confirmed(&pod);
    other.unmount();
    mount.unmount();
    let pod = recovered(pod, &node);
    let mount = mounted(&pod, &[]);
    let mut names: Vec<_> = fs::read_dir(mount.dir())
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["common", "first", "more"]);
}
