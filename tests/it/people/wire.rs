//! Nothing that two people share, say or call each other can be read from what leaves their machines.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use crate::canaries::{Patterns, canary};
use crate::carried::mounted;
use crate::node::{Network, Node, Options, hexadecimal};
use crate::people::shared::{accept, confirmed, until};
use crate::people::*;
use crate::support::applicable;
use crate::support::random::Random;

/// Stands between daemons and a node, and keeps all that the daemons send.
struct Wire {
    url: String,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    fn to(node: &Node) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (target, sent) = (node.address(), Arc::<Mutex<Vec<u8>>>::default());
        let kept = Arc::clone(&sent);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(server) = TcpStream::connect(target) else {
                    continue;
                };
                let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let kept = Arc::clone(&kept);
                thread::spawn(move || carry(client, server, |bytes| kept.lock().extend(bytes)));
                thread::spawn(move || carry(back, forth, |_| {}));
            }
        });
        Self { url, sent }
    }
}

/// Hands on what comes, until one end is gone.
fn carry(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut bytes = [0; 16 << 10];
    while let Ok(read) = from.read(&mut bytes) {
        see(&bytes[..read]);
        if read == 0 || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    // Whoever is gone already needs no end.
    to.shutdown(Shutdown::Both).ok();
    from.shutdown(Shutdown::Both).ok();
}

/// A pod whose only way out is the wire.
fn wired(pod: Pod, node: &Node, wire: &Wire) -> Pod {
    let batch = hexadecimal(&node.buy_batch(20));
    says(&pod, &["node", "add", &wire.url, "--batch", &batch]);
    pod
}

/// Waits until Anna is asked something with these words; gives the id of the request.
fn asked(anna: &Pod, words: &str) -> String {
    let mut requests = String::new();
    until(anna, "the request does not come", || {
        requests = says(anna, &["requests"]);
        requests.contains(words)
    });
    let line = requests.lines().find(|line| line.contains(words)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

/// Everything that two people do with each other, in words and names that `secret` makes up.
fn visit([anna, ben]: [&Pod; 2], tops: [&Path; 2], secret: &mut dyn FnMut(&str) -> String) {
    let (annas, bens) = (introduce(anna), introduce(ben));
    let (as_anna, as_ben) = (secret("name of a contact"), secret("name of a contact"));
    says(ben, &["contact", "add", &as_anna, text(&annas, "identity")]);
    says(anna, &["contact", "add", &as_ben, text(&bens, "identity")]);
    let (folder, file) = (secret("name of a folder"), secret("name of a file"));
    let lab = tops[0].join(&folder);
    fs::create_dir(&lab).unwrap();
    fs::write(lab.join(&file), secret("contents")).unwrap();
    let purpose = secret("purpose");
    let ask = ["request", &as_anna, &folder, "--for", &purpose, "--rights"];
    says(ben, &[ask.as_slice(), &["append"]].concat());
    let grant = json(anna, &["approve", &asked(anna, &purpose), "--json"]);
    confirmed(anna);
    accept(ben, &grant);
    let seen = tops[1].join("Shared with me").join(&as_anna).join(&folder);
    until(ben, "nothing is shown", || seen.join(&file).exists());
    fs::read(seen.join(&file)).unwrap();
    let report = secret("name of what was added");
    until(ben, "nothing can be added", || {
        fs::write(seen.join(&report), "").is_ok()
    });
    fs::write(seen.join(&report), secret("contents of what was added")).unwrap();
    confirmed(ben);
    until(anna, "nothing is added", || lab.join(&report).exists());
    let more = secret("another purpose");
    says(ben, &["request", &as_anna, &folder, "--for", &more]);
    let why = secret("reason");
    says(anna, &["deny", &asked(anna, &more), "--why", &why]);
    says(anna, &["revoke", text(&grant, "id")]);
    confirmed(anna);
    confirmed(ben);
}

#[test]
fn nothing_of_what_is_shared_leaves_unsealed() {
    if !applicable("nothing_of_what_is_shared_leaves_unsealed", REQUIREMENTS) {
        return;
    }
    let (mut random, mut patterns) = (Random::new("the wire"), Patterns::new());
    let mut last = String::new();
    let node = Node::start(Options::light(&Network::new(), 1));
    let wire = Wire::to(&node);
    let anna = wired(Pod::new(), &node, &wire);
    let ben = wired(Pod::of_somebody_else(), &node, &wire);
    let (hers, his) = (mounted(&anna, &[]), mounted(&ben, &[]));
    visit([&anna, &ben], [hers.dir(), his.dir()], &mut |what| {
        last = canary(&mut random);
        patterns.add_all_spellings(what, &last);
        last.clone()
    });
    drop((hers, his));
    let sent = wire.sent.lock();
    assert!(sent.len() > 100 * 4096, "{} bytes left", sent.len());
    assert_eq!(patterns.found_in(&sent), Vec::<&str>::new());
    // The search finds what is there.
    let planted = [sent.as_slice(), last.as_bytes()].concat();
    assert_eq!(patterns.found_in(&planted).len(), 1);
}
