//! `podfs node add`, `list`, `test`, `remove`.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::network::{fails, json, pod_and_node, podfs, says};
use crate::node::hexadecimal;
use crate::node::{Mode, Network, Node, Options};
use crate::support::both;
use crate::support::pod::Pod;

#[test]
fn a_node_is_added_listed_tried_and_removed() {
    let (pod, node, batch) = pod_and_node();
    let url = node.url();
    assert!(says(&pod, &["node", "list"]).contains("podfs node add URL"));
    fails(&pod, 50, &["node", "test"]);
    let said = says(&pod, &["node", "add", &url, "--batch", &batch]);
    assert_eq!(said, format!("added home: own node at {url}\n"));
    let file = pod.state().join("nodes.toml");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    let list = json(&pod, &["node", "list", "--json"]);
    let (first, its) = (&list[0], &list[0]["batches"][0]);
    assert_eq!(first["mode"], "light", "{list}");
    assert_eq!((&first["up"], &first["peers"]), (&true.into(), &120.into()));
    assert_eq!(
        (&its["id"], &its["pays_for"]),
        (&batch.as_str().into(), &"everything".into())
    );
    assert_eq!(
        (&its["depth"], &its["fill_percent"]),
        (&20.into(), &0.into())
    );
    assert_eq!(its["days_left"], 60);
    let shown = says(&pod, &["node", "list"]);
    assert!(shown.contains("own") && shown.contains("0 %"), "{shown}");
    let tried = json(&pod, &["node", "test", "home", "--write", "--json"]);
    assert_eq!(tried[0]["good"], true, "{tried}");
    assert!(tried[0]["stored"].is_string() && tried[0]["read_ms"].is_u64());
    let list = json(&pod, &["node", "list", "--json"]);
    assert_eq!(list[0]["batches"][0]["fullest_bucket"], 1);
    fails(&pod, 50, &["node", "remove", "elsewhere"]);
    let said = says(&pod, &["node", "remove", "home"]);
    assert!(
        said.contains("nothing is sent") && said.contains("removed home"),
        "{said}"
    );
    assert_eq!(
        json(&pod, &["node", "list", "--json"]),
        serde_json::json!([])
    );
}

#[test]
fn the_same_address_is_the_same_node() {
    let (pod, node, batch) = pod_and_node();
    let url = node.url();
    let said = says(&pod, &["node", "add", &url, "--name", "attic"]);
    assert!(
        said.contains("nothing is written there") && said.contains("other node"),
        "{said}"
    );
    let said = says(
        &pod,
        &["node", "add", &format!("{url}/"), "--batch", &batch],
    );
    assert!(said.contains("changed attic: own node"), "{said}");
    let again = url.replace("127.0.0.1", "localhost");
    let said = fails(&pod, 2, &["node", "add", &again, "--batch", &batch]);
    assert!(said.contains("one writer"), "{said}");
    let second = Node::start(Options::light(node.network(), 2));
    let said = fails(&pod, 2, &["node", "add", &second.url(), "--name", "attic"]);
    assert!(said.contains("podfs node remove attic"), "{said}");
    let gateway = Node::start(Options::gateway(node.network(), 3));
    let said = says(&pod, &["node", "add", &gateway.url()]);
    assert!(
        said.contains("is a gateway") && said.contains("added home: gateway"),
        "{said}"
    );
    says(&pod, &["node", "add", &second.url()]);
    let list = json(&pod, &["node", "list", "--json"]);
    let names: Vec<_> = (0..3)
        .map(|at| list[at]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["attic", "home", "home-2"]);
}

#[test]
fn a_batch_that_would_lose_data_is_refused() {
    let (pod, node, batch) = pod_and_node();
    let url = node.url();
    let add = |batch: &str| ["node", "add", &url, "--batch", batch].map(str::to_owned);
    let fails = |code, args: &[String]| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        fails(&pod, code, &args)
    };
    let said = fails(49, &add(&"ab".repeat(32)));
    assert!(said.contains("does not know the postage batch"), "{said}");
    fails(2, &add("ab"));
    let path = format!("/stamps/{}/20", 24_000_u64 * 17_280 * 40);
    let headers = [("Immutable", "false")];
    let bought = crate::bee::http::call(node.address(), "POST", &path, &headers, &[]);
    node.clock().advance(std::time::Duration::from_secs(60));
    let mutable = bought.json()["batchID"].as_str().unwrap().to_owned();
    let said = fails(49, &add(&mutable));
    assert!(
        said.contains("silently replace") && said.contains("--force"),
        "{said}"
    );
    let forced = says(&pod, &["node", "add", &url, "--batch", &mutable, "--force"]);
    assert!(forced.contains("without a word"), "{forced}");
    node.clock()
        .advance(std::time::Duration::from_secs(40 * 86_400));
    let late = says(&pod, &["node", "add", &url, "--batch", &batch]);
    assert!(late.contains("lasts 19 days"), "{late}");
    let id: podfs::store::bee::BatchId = batch.parse().unwrap();
    node.network().expire(&id.0);
    fails(49, &add(&batch));
}

#[test]
fn what_is_no_node_of_ours_is_told_apart() {
    let pod = Pod::new();
    let network = Network::new();
    let gateway = Node::start(Options::gateway(&network, 1));
    let batch = "ab".repeat(32);
    let said = fails(&pod, 2, &["node", "add", &gateway.url(), "--batch", &batch]);
    assert!(said.contains("leave --batch out"), "{said}");
    let dev = Node::start(Options::new(Mode::Dev));
    let batch = hexadecimal(&dev.buy_batch(20));
    let said = says(&pod, &["node", "add", &dev.url(), "--batch", &batch]);
    assert!(said.contains("keeps a single copy"), "{said}");
    let tried = says(&pod, &["node", "test", "--write"]);
    assert!(
        tried.contains("(dev)") && tried.contains("read it back"),
        "{tried}"
    );
    let mut gone = Node::start(Options::light(&network, 2));
    let url = gone.url();
    says(&pod, &["node", "add", &url]);
    gone.kill();
    let said = fails(&pod, 47, &["node", "add", &url]);
    assert!(said.contains("no connection"), "{said}");
    fails(&pod, 47, &["node", "test"]);
    let list = json(&pod, &["node", "list", "--json"]);
    assert_eq!(
        (&list[1]["up"], &list[1]["mode"]),
        (&false.into(), &().into())
    );
}

#[test]
fn credentials_are_never_shown_nor_typed() {
    let (pod, node, batch) = pod_and_node();
    let secret = node.url().replace("://", "://me:hunter2@");
    let said = fails(&pod, 2, &["node", "add", &secret]);
    assert!(
        said.contains("--url-file") && !said.contains("hunter2"),
        "{said}"
    );
    fs::write(pod.path("url"), format!("{secret}\n")).unwrap();
    let mut command = pod.command(&["node", "add", "--batch", &batch, "--url-file"]);
    let output = command.arg(pod.path("url")).output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    let kept = fs::read_to_string(pod.state().join("nodes.toml")).unwrap();
    assert!(kept.contains("me:hunter2@"));
    for args in [
        &["node", "list"][..],
        &["node", "list", "--json"],
        &["node", "test", "--json"],
        &["node", "remove", "home", "--json"],
    ] {
        let said = both(&podfs(&pod, args));
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn the_doctor_looks_at_nodes_and_batches() {
    let (pod, mut node, batch) = pod_and_node();
    let found = |pod: &Pod, check: &str| -> Vec<(String, String, String)> {
        let output = podfs(pod, &["doctor", "--json"]);
        let findings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let bad = findings
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["level"] == "bad");
        assert_eq!(output.status.code(), Some(if bad { 26 } else { 0 }));
        let text = |it: &serde_json::Value| it.as_str().unwrap_or_default().to_owned();
        let ours = findings
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["check"] == check);
        ours.map(|it| (text(&it["level"]), text(&it["what"]), text(&it["fix"])))
            .collect()
    };
    assert!(
        found(&pod, "node").is_empty(),
        "nothing is asked without nodes"
    );
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    let (level, what, _) = &found(&pod, "node")[0];
    assert_eq!(level, "good", "{what}");
    assert!(
        what.contains("home: light") && what.contains("block"),
        "{what}"
    );
    let (level, what, _) = &found(&pod, "batch")[0];
    assert_eq!(level, "good", "{what}");
    assert!(what.contains(&batch) && what.contains("60 days"), "{what}");
    let id: podfs::store::bee::BatchId = batch.parse().unwrap();
    node.network().expire(&id.0);
    let (level, what, fix) = &found(&pod, "batch")[0];
    assert_eq!(level, "bad", "{what}");
    assert!(fix.contains("podfs stamp buy"), "{fix}");
    node.kill();
    let (level, what, fix) = &found(&pod, "node")[0];
    assert_eq!(level, "bad", "{what}");
    assert!(fix.contains("podfs node test home"), "{fix}");
}
