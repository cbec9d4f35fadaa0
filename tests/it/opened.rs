//! Which programs open which files, in the audit log.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::network::says;
use crate::support::pod::Pod;
use crate::support::{applicable, run};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Path and text of every opening that is recorded.
fn openings(pod: &Pod) -> Vec<(String, String)> {
    let lines = says(pod, &["audit", "--json"]);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ours = lines.filter(|line| line["kind"] == "opened");
    let field = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    ours.map(|line| (field(&line, "object"), field(&line, "text")))
        .collect()
}

fn cat(path: &Path) {
    run(Command::new("cat").arg(path).stdout(Stdio::null()));
}

#[test]
fn when_switched_on_the_log_names_the_programs_that_open_files() {
    if !applicable(
        "when_switched_on_the_log_names_the_programs_that_open_files",
        &["root", "/dev/fuse"],
    ) {
        return;
    }
    let pod = Pod::new();
    // Switched off, nothing of it is recorded.
    let mount = pod.mount();
    let letter = mount.path("letter");
    fs::write(&letter, "dear").unwrap();
    cat(&letter);
    mount.unmount();

    let mount = pod.mount_with(&["-o", "audit_access"]);
    assert_eq!(openings(&pod), []);
    let (inside, app) = (mount.path("app"), pod.path("mounted"));
    says(&pod, &["box", "create", text(&inside)]);
    fs::create_dir(&app).unwrap();
    says(&pod, &["mount", "--box", text(&inside), text(&app)]);
    for _ in 0..3 {
        cat(&letter);
    }
    cat(&mount.path(".pod/status"));
    run(Command::new("ls").arg(mount.dir()).stdout(Stdio::null()));
    run(Command::new("cp").arg(&letter).arg(app.join("copy")));
    run(Command::new("dd")
        .args(["if=/dev/null", "conv=notrunc", "status=none"])
        .arg(format!("of={}", text(&app.join("copy")))));
    says(&pod, &["unmount", text(&app)]);
    // What was opened last is recorded before the mount is gone.
    mount.unmount();

    let mount = pod.mount();
    cat(&letter);
    let user = rustix::process::getuid().as_raw();
    let said = |path: &str, purpose: &str, program: &str| {
        let what = format!("for {purpose} by user {user}: {program}");
        (path.to_owned(), what)
    };
    let mut found = openings(&pod);
    found.sort();
    let mut expected = [
        said("letter", "reading", "cat"),
        said("letter", "reading", "cp"),
        said("app/copy", "writing", "cp"),
        said("app/copy", "writing", "dd"),
    ];
    expected.sort();
    assert_eq!(found, expected);
    mount.unmount();

    // A log that cannot be changed takes no records, and that is said.
    let mut command = pod.mount_command("mnt", &["-o", "audit_access,ro"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("who opens files is not recorded"), "{said}");
    says(&pod, &["unmount", text(&pod.path("mnt"))]);
}
