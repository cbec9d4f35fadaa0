//! A pod restored from nothing but its phrase and a node, by a program that shares no code with ours: `FORMAT.md` is
//! enough to get everything back.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use crate::bee::http::call;
use crate::node::{Network, Node, Options, hexadecimal};
use crate::published::Chunks;
use crate::support::random::Random;
use crate::support::{applicable, rounds, sample, tool};

const GOLDEN: &str = "tests/golden/v1/swarm";
/// The newest head and the first node, as `FORMAT.md` names them.
const NEWEST: &str = "8fa089b3e9b0c03fb0e373761bdf158329757951e27c9c47ce4cc245f6e6a0bc";
const REPLICA: &str = "4767a18574db2eaec4dd991024ecd1f4eceff5218f41a3050d3ee3dd1084d324";
const FIRST: &str = "48b47ad7a28ea985fbc65da63e1e6284a71afcd5d924acacd32548708d19b5fc";
/// Of these files pages stand in chunks of their own. By default pages have no parity.
const WITH_PAGES: [&str; 2] = ["big", "medium"];
/// How many chunks are such pages.
const PAGES: usize = 8;

fn golden_chunks() -> BTreeSet<String> {
    let names = fs::read_dir(GOLDEN).unwrap().map(|entry| {
        let name = entry.unwrap().file_name();
        name.into_string().unwrap()
    });
    names.filter(|name| name.len() == 64).collect()
}

fn golden_listing() -> String {
    fs::read_to_string(format!("{GOLDEN}/listing.txt")).unwrap()
}

/// A node that has never seen the golden pod, of a network that keeps it, but for what it lost.
fn node_without(lost: &[&str]) -> Node {
    let golden = golden_chunks().into_iter().map(|name| {
        let bytes = fs::read(format!("{GOLDEN}/{name}")).unwrap();
        (name.parse().unwrap(), bytes)
    });
    let mut chunks: Chunks = golden.collect();
    for name in lost {
        assert!(chunks.remove(&name.parse().unwrap()).is_some(), "{name}");
    }
    node_with(&chunks)
}

/// A node that has seen nothing, of a network that keeps these chunks.
pub fn node_with(chunks: &Chunks) -> Node {
    let network = Network::new();
    let first = Node::start(Options::light(&network, 1));
    let batch = hexadecimal(&first.buy_batch(20));
    let headers = [("Swarm-Postage-Batch-Id", batch.as_str())];
    for (address, bytes) in chunks {
        let reply = call(first.address(), "POST", "/chunks", &headers, bytes);
        assert_eq!(reply.reference(), address.to_string());
    }
    Node::start(Options::light(&network, 2))
}

pub fn can_run(test: &str) -> bool {
    let installed = tool("").with_file_name("foreign").join("installed");
    applicable(test, &["/usr/bin/python3", installed.to_str().unwrap()])
}

/// What the other program does with this node; the last argument is a folder, or `--list`.
pub fn restore(node: &Node, what: &Path) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let phrase = dir.path().join("phrase");
    fs::write(&phrase, sample::phrase().text().as_str()).unwrap();
    restore_with(&phrase, node, what)
}

/// The same with the phrase in a file.
pub fn restore_with(phrase: &Path, node: &Node, what: &Path) -> Output {
    Command::new("/usr/bin/python3")
        .args(["-B", "tests/foreign/restore.py", &node.url()])
        .args([phrase, what])
        .env("PYTHONPATH", tool("").with_file_name("foreign"))
        .output()
        .unwrap()
}

fn list(lost: &[&str]) -> Output {
    restore(&node_without(lost), Path::new("--list"))
}

/// Names the first line that differs: whole listings are long.
#[track_caller]
fn assert_same(output: &Output, expected: &str) {
    let shown = String::from_utf8_lossy(&output.stdout);
    let differs = shown
        .lines()
        .zip(expected.lines())
        .find(|(one, other)| one != other);
    assert!(
        shown == expected,
        "{} lines, {differs:.200?}",
        shown.lines().count()
    );
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_all_there(lost: &[&str]) {
    let output = list(lost);
    assert!(output.status.success(), "{lost:?}: {}", said(&output));
    assert_same(&output, &golden_listing());
}

/// Promise 10: the data outlives the program.
#[test]
fn another_program_lists_a_published_pod() {
    if can_run("another_program_lists_a_published_pod") {
        assert_all_there(&[]);
    }
}

/// One copy of a head is enough, and a node is made from its group.
#[test]
fn another_program_makes_up_for_lost_chunks() {
    if can_run("another_program_makes_up_for_lost_chunks") {
        assert_all_there(&[NEWEST, FIRST]);
        // Without either copy, the head that it went on from counts: that device had changed nothing yet.
        assert_all_there(&[NEWEST, REPLICA]);
    }
}

/// Whatever single chunk is lost, only a page of a file costs anything, and no more than that file.
#[test]
fn another_program_loses_pages_only() {
    if !can_run("another_program_loses_pages_only") {
        return;
    }
    let mut random = Random::new("lost chunks");
    let mut chunks: Vec<_> = golden_chunks().into_iter().collect();
    let (all, mut costly) = (chunks.len(), 0);
    for _ in 0..rounds(2, all as u64).min(all as u64) {
        let lost = chunks.swap_remove(random.index(chunks.len()));
        let output = list(&[&lost]);
        let expected = match output.status.code() {
            Some(0) => golden_listing(),
            Some(1) => {
                costly += 1;
                without_the_lost_file(&output)
            }
            _ => panic!("{lost}: {}", said(&output)),
        };
        println!("without {lost}: {}", said(&output));
        assert_same(&output, &expected);
    }
    assert!(costly <= PAGES && (!chunks.is_empty() || costly == PAGES));
}

/// The golden listing without the one file that the program calls lost.
fn without_the_lost_file(output: &Output) -> String {
    let said = said(output);
    let lost: Vec<_> = WITH_PAGES
        .iter()
        .filter(|name| said.contains(&format!("{name}: ")))
        .collect();
    assert_eq!(lost.len(), 1, "{said}");
    let of_lost = |line: &&str| line.starts_with(&format!("{} ", lost[0]));
    golden_listing()
        .split_inclusive('\n')
        .filter(|line| !of_lost(line))
        .collect()
}

#[test]
fn another_program_restores_a_published_pod() {
    if !can_run("another_program_restores_a_published_pod") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pod = dir.path().join("pod");
    let output = restore(&node_without(&[]), &pod);
    // Not everybody may make a device, and not every file system takes attributes of 30 KiB.
    let said = said(&output);
    let excused = ["null", "medium"].map(|name| format!("{}: ", pod.join(name).display()));
    for line in said.lines().filter(|line| !line.ends_with(" requests")) {
        assert!(
            excused.iter().any(|excuse| line.starts_with(excuse)),
            "{said}"
        );
    }
    let listing = golden_listing();
    for line in listing.lines().filter(|line| !line.starts_with("null ")) {
        assert_restored(&pod, line);
    }
    let letters = pod.join("Letters");
    let ino = |name| fs::metadata(letters.join(name)).unwrap().ino();
    assert_eq!(ino("letter.txt"), ino("the same letter"));
    let big = fs::metadata(pod.join("big")).unwrap();
    assert!(big.blocks() * 512 < big.len() / 2, "holes were written out");
    assert_eq!(fs::read(pod.join("new/new.txt")).unwrap(), b"new");
}

/// Mode, names, size, time and contents of one name, against its line of the listing.
#[track_caller]
fn assert_restored(pod: &Path, line: &str) {
    let fields: Vec<_> = line.split(' ').collect();
    let path = pod.join(fields[0].replace("%20", " "));
    let found = fs::symlink_metadata(&path).unwrap();
    let mode = if found.is_symlink() {
        0o120_777
    } else {
        found.permissions().mode()
    };
    assert_eq!(format!("{mode:o}"), fields[1], "{line}");
    let time = format!("{}.{:09}", found.mtime(), found.mtime_nsec());
    assert_eq!(time, fields[6], "{line}");
    if found.is_file() {
        let contents = fs::read(&path).unwrap();
        assert_eq!(contents.len().to_string(), fields[5], "{line}");
        assert_eq!(blake3::hash(&contents).to_hex().as_str(), fields[7]);
        assert_eq!(found.nlink().to_string(), fields[4], "{line}");
    } else if found.is_symlink() {
        let target = fs::read_link(&path).unwrap();
        assert_eq!(target.to_str().unwrap(), fields[7], "{line}");
    } else {
        assert!(found.is_dir() || found.file_type().is_fifo(), "{line}");
    }
}
