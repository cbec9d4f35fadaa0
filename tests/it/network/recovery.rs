//! `podfs drill` and `podfs recover`, from another machine that has the phrase and a gateway.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::network::{fails, pod_and_node, says};
use crate::node::{Fault, Network, Node, Options, Route};
use crate::support::both;
use crate::support::mount::listing;
use crate::support::pod::Pod;
use crate::support::wait_until;

#[test]
fn a_pod_is_rehearsed_and_then_brought_back() {
    let (pod, node, batch) = pod_and_node();
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    let mount = pod.mount();
    mount.expect_connections();
    fs::create_dir(mount.path("letters")).unwrap();
    fs::write(mount.path("letters/first"), vec![7; 50_000]).unwrap();
    fs::write(mount.path("note"), "short").unwrap();
    says(&pod, &["wait", "--timeout", "60s"]);
    let before = inside(mount.dir());
    mount.unmount();

    let gateway = Node::start(Options::gateway(node.network(), 9));
    let other = Pod::new();
    let phrase = pod.path("phrase");
    let phrase = phrase.to_str().unwrap();
    let url = gateway.url();
    fs::create_dir(other.path("tmp")).unwrap();
    let drill = ["drill", "--node", &url, "--phrase-file", phrase, "--json"];
    let mut command = other.command(&drill);
    let output = command.env("TMPDIR", other.path("tmp")).output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["files"], &report["bytes"]),
        (&2.into(), &50_005.into())
    );
    assert_eq!(
        (&report["pages_read"], &report["pages_missing"]),
        (&2.into(), &0.into())
    );
    assert_eq!(
        fs::read_dir(other.path("tmp")).unwrap().count(),
        0,
        "left behind"
    );

    fs::remove_dir_all(other.state()).unwrap();
    let secret = other.path("passphrase");
    let secret = secret.to_str().unwrap();
    let recover = recover(&url, phrase, secret);
    says(&other, &recover);
    fails(&other, 7, &recover);
    let mount = other.mount();
    mount.expect_connections();
    assert_eq!(inside(mount.dir()), before);
}

/// How a pod is brought back.
fn recover<'a>(url: &'a str, phrase: &'a str, passphrase: &'a str) -> [&'a str; 7] {
    [
        "recover",
        "--node",
        url,
        "--phrase-file",
        phrase,
        "--passphrase-file",
        passphrase,
    ]
}

/// The tree, wherever it is mounted.
fn inside(dir: &Path) -> String {
    listing(dir).replace(dir.to_str().unwrap(), "")
}

#[test]
fn where_nothing_is_nothing_is_left_behind() {
    let pod = Pod::new();
    let node = Node::start(Options::light(&Network::new(), 1));
    let phrase = pod.path("phrase");
    let phrase = phrase.to_str().unwrap();
    let secret = pod.path("passphrase");
    let secret = secret.to_str().unwrap();
    fs::remove_dir_all(pod.state()).unwrap();
    let url = node.url();
    let recover = recover(&url, phrase, secret);
    let said = fails(&pod, 6, &recover);
    assert!(said.contains("no head"), "{said}");
    assert!(!pod.state().exists());
    drop(node);
    let said = fails(&pod, 47, &recover);
    assert!(
        said.contains("no connection") || said.contains("down"),
        "{said}"
    );
    assert!(!pod.state().exists());
    let secret_url = url.replace("://", "://me:hunter2@");
    let said = fails(
        &pod,
        2,
        &["drill", "--node", &secret_url, "--phrase-file", phrase],
    );
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_rehearsal_that_is_interrupted_leaves_nothing_behind() {
    let (pod, node, batch) = pod_and_node();
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    let mount = pod.mount();
    mount.expect_connections();
    for nth in 0..20 {
        fs::write(mount.path(&format!("letter {nth}")), vec![nth; 50_000]).unwrap();
    }
    says(&pod, &["wait", "--timeout", "60s"]);
    mount.unmount();
    let other = Pod::new();
    let place = other.path("tmp");
    fs::create_dir(&place).unwrap();
    let phrase = pod.path("phrase");
    let url = node.url();
    let slow = Fault::Delay(Duration::from_millis(400)).on(Route::GetChunk);
    node.faults().add(slow);
    let before = || node.counts().requests(Route::GetChunk);
    for (signal, requests) in [(Signal::INT, 5), (Signal::TERM, 5), (Signal::INT, 30)] {
        let begun = before();
        let mut command = other.command(&["drill", "--node", &url, "--phrase-file"]);
        command.arg(&phrase).env("TMPDIR", &place);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let came = wait_until(Duration::from_secs(60), || {
            before() >= begun + requests && fs::read_dir(&place).unwrap().count() > 0
        });
        assert!(came, "it asks nobody");
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(15), "{}", both(&output));
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "left behind");
    }
}
