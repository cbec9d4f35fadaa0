//! Whom something is shared with sees how far the audit log of its owner is, and says so: from then on nothing before
//! that can be cut off or written anew unnoticed.

use std::fs;
use std::process::Command;

use crate::carried::mounted;
use crate::people::recorded::{is_named, kinds, tamper, verified};
use crate::people::shared::{accept, confirmed, share, small_lab, until};
use crate::people::*;
use crate::support::{applicable, tool};

/// How far Ben countersigned the log of Anna.
fn witnessed(anna: &Pod) -> Option<u64> {
    let said = verified(anna);
    assert_eq!(said["fault"], Value::Null);
    let agreed = said["agreed"].as_array().unwrap().iter();
    let mut by_ben = agreed.filter(|it| it["by"] == "\"Ben\"");
    by_ben.next().map(|it| it["size"].as_u64().unwrap())
}

#[test]
fn a_log_that_was_cut_is_named_by_whoever_countersigned_it() {
    if !applicable(
        "a_log_that_was_cut_is_named_by_whoever_countersigned_it",
        REQUIREMENTS,
    ) {
        return;
    }
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    let lab = small_lab(&first);
    let grant = share(&anna, &lab, &[]);
    confirmed(&anna);
    let seen = second.dir().join("Shared with me/Anna/lab/blood.txt");
    accept(&ben, &grant);
    until(&ben, "the folder does not come", || seen.exists());
    until(&ben, "Anna has nothing that Ben countersigned", || {
        says(&anna, &["inbox"]);
        witnessed(&anna).is_some()
    });
    let size = witnessed(&anna).unwrap();
    assert!(size >= 3, "{size}");
    // People do not see these messages.
    for pod in [&anna, &ben] {
        let inbox = json(pod, &["inbox", "--json"]);
        let messages = inbox.as_array().unwrap();
        assert!(messages.iter().all(|it| it["kind"] != "witness"), "{inbox}");
    }
    // The head goes on, and Ben countersigns no more often than once a day.
    share(&anna, &lab.join("blood.txt"), &[]);
    confirmed(&anna);
    assert_eq!(witnessed(&anna), Some(size));
    let keys = json(&ben, &["keys", "list", "--json"]);
    is_named_outside(&anna, text(&keys, "sign"), size);
    first.unmount();

    tamper(&anna, |log| log.truncate(size as usize - 1));
    let last = size - 1;
    let words = format!("records {last} to {last} are missing");
    is_named(&anna, last, "missing", &words);
    // What Anna shares from now on shows it to Ben.
    tamper(&anna, |log| log.truncate(1));
    second.expect_warnings();
    let first = mounted(&anna, &[]);
    fs::write(lab.join("blood.txt"), "better").unwrap();
    confirmed(&anna);
    until(&ben, "the other log is not noticed", || {
        kinds(&ben, &[]).iter().any(|it| it == "rollback-alarm")
    });
    let shares = json(&ben, &["shares", "--json"]);
    let trouble = text(&shares["received"][0], "trouble");
    assert!(trouble.contains("it was cut, or written anew"), "{trouble}");
    assert_eq!(fs::read_to_string(&seen).unwrap(), "better");
    first.unmount();
    second.unmount();
}

/// In what was written to a file, by podfs and by another program.
fn is_named_outside(anna: &Pod, key: &str, size: u64) {
    let file = anna.path("export");
    let name = file.to_str().unwrap();
    says(anna, &["audit", "export", "--out", name]);
    let good = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = good.lines().take(size as usize).collect();
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    let said = fails(anna, 62, &["audit", "verify", "--file", name]);
    let holder = format!("the checkpoint that \"Ben\", if the key on their card is {key}, holds");
    assert!(said.contains(&holder), "{said}");
    let installed = tool("").with_file_name("foreign").join("installed");
    let needs = ["/usr/bin/python3", installed.to_str().unwrap()];
    if applicable(
        "a_log_that_was_cut_is_named_by_whoever_countersigned_it",
        &needs,
    ) {
        let mut python = Command::new("/usr/bin/python3");
        python.args(["-B", "tests/foreign/audit.py", name]);
        python.env("PYTHONPATH", tool("").with_file_name("foreign"));
        let output = python.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.trim(), format!("{} missing", size - 1));
    }
}
