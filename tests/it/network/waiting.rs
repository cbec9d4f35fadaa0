//! `podfs wait` and `podfs status --watch`, told by a daemon that says what the test wants.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;
use std::time::Duration;

use podfs::control::{Blocked, Level, NetworkReport, Request, Response, ScrubReport};

use crate::network::{fails, json, pod_and_node, podfs, says};
use crate::node::{Fault, Loss, Node, Options, Route};
use crate::support::both;
use crate::support::pod::Pod;
use crate::support::wait_until;

/// Answers questions about progress with one report after the other, the last one again and again; a publication is
/// number 7. It hangs up when `patience` reports were given.
fn daemon(pod: &Pod, reports: Vec<NetworkReport>, patience: usize) -> JoinHandle<Vec<Request>> {
    fs::create_dir_all(pod.sockets()).unwrap();
    let listener = UnixListener::bind(pod.sockets().join("main.sock")).unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut given = 0;
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let Ok(line) = line else { break };
            let request: Request = serde_json::from_str(&line).unwrap();
            let answer = match &request {
                Request::Publish => Response::Publication { number: 7 },
                Request::Progress { .. } if given >= patience => break,
                Request::Progress { .. } => {
                    let report = &reports[given.min(reports.len() - 1)];
                    given += 1;
                    Response::Progress(Box::new(report.clone()))
                }
                Request::Scrub { .. } => Response::Done,
                Request::Status
                | Request::Sync
                | Request::Weigh
                | Request::People(_)
                | Request::Audit(_)
                | Request::Sharing(_)
                | Request::Messages(_)
                | Request::Box(_)
                | Request::Nodes
                | Request::Keys { .. }
                | Request::Pin { .. }
                | Request::Unmount { .. } => Response::Failed {
                    what: "not in this test".to_owned(),
                },
            };
            asked.push(request);
            tell(&stream, &answer);
        }
        asked
    })
}

fn tell(mut stream: &UnixStream, answer: &Response) {
    let mut line = serde_json::to_vec(answer).unwrap();
    line.push(b'\n');
    // Whoever has what it wants goes away.
    stream.write_all(&line).ok();
}

fn at(level: Level, unsent: u64, sent: u64) -> NetworkReport {
    NetworkReport {
        level,
        chunks_unsent: unsent,
        chunks_sent: sent,
        ..NetworkReport::default()
    }
}

fn pod_with_a_node() -> (Pod, Node) {
    let (pod, node, batch) = pod_and_node();
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    (pod, node)
}

#[test]
fn a_wait_ends_when_it_is_there() {
    let (pod, _node) = pod_with_a_node();
    let way = vec![
        at(Level::Queued, 900, 0),
        at(Level::OnNode, 0, 900),
        at(Level::Confirmed, 0, 0),
    ];
    let served = daemon(&pod, way, usize::MAX);
    let report = json(&pod, &["wait", "--json"]);
    assert_eq!(report["level"], "confirmed");
    let asked = served.join().unwrap();
    assert_eq!((&asked[0], asked.len()), (&Request::Publish, 4));
}

#[test]
fn a_lower_level_or_its_own_publication_is_enough() {
    let (pod, _node) = pod_with_a_node();
    let served = daemon(&pod, vec![at(Level::OnNode, 0, 900)], usize::MAX);
    says(&pod, &["wait", "--level", "on-node"]);
    served.join().unwrap();
    fs::remove_file(pod.sockets().join("main.sock")).unwrap();
    let churn = NetworkReport {
        confirmed: Some(7),
        ..at(Level::Queued, 5, 5)
    };
    let served = daemon(&pod, vec![churn], usize::MAX);
    says(&pod, &["wait"]);
    served.join().unwrap();
}

#[test]
fn a_wait_that_is_over_says_how_far_it_is() {
    let pod = Pod::new();
    fails(&pod, 44, &["wait"]);
    let way = vec![at(Level::Queued, 3, 897)];
    let served = daemon(&pod, way.clone(), usize::MAX);
    let said = fails(&pod, 50, &["wait"]);
    assert!(said.contains("podfs node add URL --batch ID"), "{said}");
    served.join().unwrap();
    let (pod, _node) = pod_with_a_node();
    let served = daemon(&pod, way.clone(), usize::MAX);
    let said = fails(&pod, 52, &["wait", "--timeout", "1s"]);
    assert!(said.contains("3 of 900 chunks to send"), "{said}");
    served.join().unwrap();
    fs::remove_file(pod.sockets().join("main.sock")).unwrap();
    let served = daemon(&pod, way, 2);
    let said = both(&podfs(&pod, &["wait"]));
    assert!(said.contains("daemon"), "{said}");
    served.join().unwrap();
    let said = fails(&pod, 44, &["wait", "/proc"]);
    assert!(said.contains("in no pod of yours"), "{said}");
}

#[test]
fn what_needs_a_person_ends_a_wait_and_says_what() {
    let (pod, _node) = pod_with_a_node();
    let blocked = NetworkReport {
        trouble: Some("the batch 77 of the node home has ended".to_owned()),
        next: Some("podfs stamp buy".to_owned()),
        blocked: Some(Blocked::Batch),
        ..at(Level::OnNode, 0, 7)
    };
    for (why, code) in [
        (Blocked::Overtaken, 54),
        (Blocked::Batch, 49),
        (Blocked::Funds, 51),
        (Blocked::Node, 48),
        (Blocked::Damaged, 43),
    ] {
        let report = NetworkReport {
            blocked: Some(why),
            ..blocked.clone()
        };
        let served = daemon(&pod, vec![report], usize::MAX);
        let said = fails(&pod, code, &["wait"]);
        assert_eq!(
            said,
            "podfs: the batch 77 of the node home has ended\n  next: podfs stamp buy\n"
        );
        served.join().unwrap();
        fs::remove_file(pod.sockets().join("main.sock")).unwrap();
    }
    // What is reached is reached.
    let served = daemon(&pod, vec![blocked], usize::MAX);
    says(&pod, &["wait", "--level", "on-node"]);
    served.join().unwrap();
}

#[test]
fn where_nothing_is_published_nobody_waits() {
    let (pod, node) = pod_with_a_node();
    let mount = pod.mount_with(&["-o", "ro"]);
    let said = fails(&pod, 46, &["wait"]);
    assert!(said.contains("read-only"), "{said}");
    mount.unmount();
    let mount = pod.mount();
    mount.expect_connections();
    says(&pod, &["node", "remove", "home"]);
    let gateway = Node::start(Options::gateway(node.network(), 5));
    says(&pod, &["node", "add", &gateway.url(), "--name", "door"]);
    let said = fails(&pod, 50, &["wait"]);
    assert!(
        said.contains("door is read from alone") && said.contains("podfs node add URL --batch ID"),
        "{said}"
    );
}

/// From end to end: what goes by itself is waited for and named, what does not ends the wait.
#[test]
fn a_wait_goes_on_while_it_may_help() {
    let (pod, mut node, batch) = pod_and_node();
    says(&pod, &["node", "add", &node.url(), "--batch", &batch]);
    let mount = pod.mount();
    mount.expect_connections();
    mount.expect_warnings();
    fs::write(mount.path("letter"), vec![1; 9000]).unwrap();
    let post = |fault: Fault| fault.on(Route::PostChunk);
    let patient = ["wait", "--timeout", "4s"];
    for fault in [Fault::Page(429, None), Fault::Page(503, None)] {
        let number = node.faults().add(post(fault));
        let said = fails(&pod, 52, &patient);
        assert!(
            said.contains("the node home: ") && said.contains("busy"),
            "{said}"
        );
        node.faults().remove(number);
    }
    node.kill();
    // It was busy, so it is asked again the later.
    let is_down = || {
        let next = pod.status()["network_report"]["next"].clone();
        next.as_str()
            .is_some_and(|next| next.starts_with("podfs node test"))
    };
    assert!(wait_until(Duration::from_secs(90), is_down));
    let said = fails(&pod, 52, &["wait", "--timeout", "0s"]);
    assert!(
        said.contains("the node home: ") && said.contains("next: podfs node test"),
        "{said}"
    );
    node.restart(Loss::Nothing);
    says(&pod, &["wait", "--timeout", "120s"]);
    for (fault, code, what) in [
        (
            Fault::Say(401, "who are you"),
            48,
            "podfs node test home --write".to_owned(),
        ),
        (
            Fault::Say(402, "batch is overissued"),
            49,
            format!("podfs stamp dilute {batch} --depth 21"),
        ),
    ] {
        let number = node.faults().add(post(fault));
        fs::write(mount.path(&what), vec![2; 9000]).unwrap();
        let said = fails(&pod, code, &["wait", "--timeout", "60s"]);
        assert!(said.contains(&what), "{said}");
        node.faults().remove(number);
        says(&pod, &["wait", "--timeout", "60s"]);
    }
}

#[test]
fn watching_tells_what_moves_until_the_daemon_goes() {
    let pod = Pod::new();
    let way = vec![
        at(Level::Queued, 2, 1),
        at(Level::Queued, 2, 1),
        at(Level::Confirmed, 0, 0),
    ];
    let served = daemon(&pod, way, 3);
    let said = says(&pod, &["status", "--watch"]);
    assert_eq!(said, "2 of 3 chunks to send\nin the network\n");
    served.join().unwrap();
}

#[test]
fn a_scrub_is_followed_to_its_end() {
    let pod = Pod::new();
    let way = [(10, false), (300, true)].map(|(checked, done)| NetworkReport {
        scrub: Some(ScrubReport {
            all: true,
            total: 300,
            checked,
            missing: 2,
            sent_again: 1,
            done,
        }),
        ..NetworkReport::default()
    });
    let served = daemon(&pod, way.to_vec(), usize::MAX);
    let said = fails(&pod, 53, &["scrub", "--all"]);
    assert_eq!(
        said,
        "300 chunks looked for (all), 2 missing, 1 of them sent again\n"
    );
    assert_eq!(served.join().unwrap()[0], Request::Scrub { all: true });
}

/// From end to end, with the real daemon.
#[test]
fn what_is_saved_is_waited_for() {
    let (pod, _node) = pod_with_a_node();
    let mount = pod.mount();
    mount.expect_connections();
    fs::write(mount.path("letter"), "Dear network").unwrap();
    let report = json(&pod, &["wait", "--timeout", "60s", "--json"]);
    assert_eq!(report["level"], "confirmed", "{report}");
    let status = pod.status();
    assert_eq!(status["network_report"]["level"], "confirmed", "{status}");
    assert!(
        status["network"]
            .as_str()
            .unwrap()
            .starts_with("in the network")
    );
}
