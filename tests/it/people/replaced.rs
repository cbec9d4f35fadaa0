//! Keys that somebody else may have are replaced while the folder is in use; what was stolen is of no use afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::carried::{mounted, recovered};
use crate::network::{fails, json, says};
use crate::node::{Network, Node, Options, hexadecimal};
use crate::people::shared::{accept, confirmed, until};
use crate::people::*;
use crate::support::mount::Mount;
use crate::support::pod::{Files, Pod, read_files, write_files};
use crate::support::{applicable, run};

const NEEDS: &[&str] = &["/dev/fuse", "root", "/usr/bin/fio"];
pub(super) const NEW_PASSPHRASE: &str = "another battery horse staple";
/// Of the file that is read all the time.
const LOAD: &str = "32m";
const SCAN: usize = 2_000_000;

/// Somebody reads all the time, and finds every time what was there.
struct Load {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Load {
    fn of(read: impl Fn() + Send + 'static) -> Self {
        let (stop, rounds) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&rounds));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                read();
                counted.fetch_add(1, Ordering::AcqRel);
            }
        });
        Self {
            stop,
            rounds,
            thread,
        }
    }

    /// Of one file, byte for byte.
    fn reading(path: PathBuf, wanted: Vec<u8>) -> Self {
        Self::of(move || assert!(fs::read(&path).unwrap() == wanted, "{}", path.display()))
    }

    /// Of pages by chance, each of which says what it has to be.
    fn fio(folder: &Path) -> Self {
        let fio = |folder: &Path, args: &[&str]| {
            let mut fio = Command::new("fio");
            fio.arg(format!("--directory={}", folder.display()));
            fio.args([
                "--name=load",
                "--filename=load",
                "--bs=4k",
                "--verify=crc32c",
                "--verify_state_save=0",
            ]);
            run(fio.arg(format!("--size={LOAD}")).args(args));
        };
        fio(folder, &["--rw=write", "--do_verify=0", "--end_fsync=1"]);
        let folder = folder.to_owned();
        Self::of(move || {
            let read = ["--rw=randread", "--io_size=8m", "--verify_fatal=1"];
            fio(&folder, &read);
        })
    }

    /// It goes on for a while yet.
    fn goes_on(&self) {
        let before = self.rounds.load(Ordering::Acquire);
        let went = crate::support::wait_until(shared::PATIENCE, || {
            self.thread.is_finished() || self.rounds.load(Ordering::Acquire) > before + 1
        });
        assert!(went && !self.thread.is_finished(), "reading came to a halt");
    }

    fn end(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap();
    }
}

/// `podfs keys replace`, and from then on the pod is opened with the new passphrase.
#[track_caller]
pub(super) fn replace(pod: &Pod) -> Value {
    let (phrase, new) = (pod.path("phrase"), pod.path("new passphrase"));
    fs::write(&new, NEW_PASSPHRASE).unwrap();
    let args = ["keys", "replace", "--json", "--phrase-file"];
    let more = [
        phrase.to_str().unwrap(),
        "--new-passphrase-file",
        new.to_str().unwrap(),
    ];
    let done = json(pod, &[args.as_slice(), &more].concat());
    fs::write(pod.path("passphrase"), NEW_PASSPHRASE).unwrap();
    done
}

/// The state folder of a pod as a thief has it, who knows the passphrase.
pub(super) fn stolen(pod: &Pod) -> Pod {
    let thief = pod.elsewhere();
    let mut files = Files::new();
    read_files(&pod.state(), Path::new(""), &mut files);
    write_files(&thief.state(), &files);
    fs::remove_file(thief.path("phrase")).unwrap();
    thief
}

/// Anna, whose pages and nodes are paid for by batches of their own, and two who know her.
pub(super) struct People {
    pub(super) node: Node,
    pub(super) anna: Pod,
    pub(super) friends: [Pod; 2],
    pub(super) pages: crate::node::BatchId,
}

impl People {
    pub(super) fn new() -> Self {
        let node = Node::start(Options::light(&Network::new(), 1));
        let add = |pod: &Pod, batches: [&str; 2]| {
            let url = node.url();
            let args = ["node", "add", &url, "--batch", batches[0], "--node-batch"];
            says(pod, &[args.as_slice(), &[batches[1]]].concat());
        };
        let pages = node.buy_batch(20);
        let batch = || hexadecimal(&node.buy_batch(20));
        let anna = Pod::new();
        add(&anna, [&hexadecimal(&pages), &batch()]);
        let friends = [Pod::of_somebody_else(), Pod::of_somebody_else()];
        for friend in &friends {
            add(friend, [&batch(), &batch()]);
        }
        Self {
            node,
            anna,
            friends,
            pages,
        }
    }

    /// All have added each other, when they are mounted.
    pub(super) fn meet(&self) {
        let annas = introduce(&self.anna);
        for (friend, name) in self.friends.iter().zip(["Ben", "Carl"]) {
            let theirs = introduce(friend);
            says(
                friend,
                &["contact", "add", "Anna", text(&annas, "identity")],
            );
            says(
                &self.anna,
                &["contact", "add", name, text(&theirs, "identity")],
            );
        }
    }
}

pub(super) fn reads(path: &Path, wanted: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|read| read == wanted)
}

/// Waits until a friend has pinned the new card of Anna, which they look for by themselves.
#[track_caller]
fn has_new_card(friend: &Pod) {
    until(friend, "the new card is not found", || {
        json(friend, &["contact", "show", "Anna", "--json"])["card"] == 1
    });
}

/// What is shared, as its owner sees it and as the other one does.
pub(super) struct Shared {
    pub(super) lab: PathBuf,
    pub(super) seen: [PathBuf; 2],
    /// Of Ben.
    pub(super) notes: PathBuf,
    /// What Anna sees of it.
    pub(super) came: PathBuf,
}

/// Anna shares a folder with both, and Ben shares one with her.
pub(super) fn share_all(people: &People, hers: &Mount<'_>, theirs: &[Mount<'_>; 2]) -> Shared {
    let (anna, [ben, _]) = (&people.anna, &people.friends);
    let shared = Shared {
        lab: hers.dir().join("lab"),
        seen: theirs
            .each_ref()
            .map(|mount| mount.dir().join("Shared with me/Anna/lab")),
        notes: theirs[0].dir().join("notes"),
        came: hers.dir().join("Shared with me/Ben/notes/today.txt"),
    };
    fs::create_dir(&shared.lab).unwrap();
    fs::write(shared.lab.join("blood.txt"), "good").unwrap();
    fs::write(shared.lab.join("scan.bin"), vec![7; SCAN]).unwrap();
    let friends = people.friends.iter().zip(["Ben", "Carl"]);
    for ((friend, name), seen) in friends.zip(&shared.seen) {
        let path = shared.lab.to_str().unwrap();
        let args = [
            "share", path, "--with", name, "--rights", "append", "--json",
        ];
        let grant = json(anna, &args);
        confirmed(anna);
        accept(friend, &grant);
        until(friend, "nothing is shown", || {
            reads(&seen.join("blood.txt"), "good")
        });
    }
    fs::create_dir(&shared.notes).unwrap();
    fs::write(shared.notes.join("today.txt"), "one").unwrap();
    let path = shared.notes.to_str().unwrap();
    let grant = json(ben, &["share", path, "--with", "Anna", "--json"]);
    confirmed(ben);
    accept(anna, &grant);
    until(anna, "nothing is shown", || reads(&shared.came, "one"));
    confirmed(anna);
    shared
}

/// Everything that was shared goes on, both ways.
pub(super) fn goes_on(people: &People, shared: &Shared) {
    let (anna, [ben, _]) = (&people.anna, &people.friends);
    fs::write(shared.lab.join("blood.txt"), "better").unwrap();
    confirmed(anna);
    for (friend, seen) in people.friends.iter().zip(&shared.seen) {
        until(friend, "nothing new comes", || {
            reads(&seen.join("blood.txt"), "better")
        });
    }
    fs::write(shared.seen[0].join("report.txt"), "from Ben").unwrap();
    confirmed(ben);
    let report = shared.lab.join("report.txt");
    until(anna, "nothing is added", || reads(&report, "from Ben"));
    fs::write(shared.notes.join("today.txt"), "two").unwrap();
    confirmed(ben);
    until(anna, "nothing new comes of Ben", || {
        reads(&shared.came, "two")
    });
}

#[test]
fn keys_are_replaced_while_everybody_reads() {
    if !applicable("keys_are_replaced_while_everybody_reads", NEEDS) {
        return;
    }
    let people = People::new();
    let anna = &people.anna;
    let hers = mounted(anna, &[]);
    let theirs = people.friends.each_ref().map(|friend| mounted(friend, &[]));
    people.meet();
    let shared = share_all(&people, &hers, &theirs);
    let scans = shared.seen.each_ref().map(|seen| seen.join("scan.bin"));
    let scans = scans.map(|scan| Load::reading(scan, vec![7; SCAN]));
    let loads: Vec<_> = scans.into_iter().chain([Load::fio(hers.dir())]).collect();
    confirmed(anna);
    loads.iter().for_each(Load::goes_on);
    let thief = stolen(anna);

    let paid = people.node.network().paid_by(&people.pages);
    let began = Instant::now();
    let done = replace(anna);
    println!("replaced after {:?}", began.elapsed());
    assert_eq!(
        (&done["epoch"], &done["resumed"]),
        (&1.into(), &false.into())
    );
    let keys = json(anna, &["keys", "list", "--json"]);
    assert_eq!(
        (&keys["epoch"], &keys["card"]),
        (&1.into(), &1.into()),
        "{keys}"
    );
    confirmed(anna);
    let now = people.node.network().paid_by(&people.pages);
    println!("{paid} chunks of data before, {now} afterwards");
    assert_eq!(now, paid, "data was sent again");
    people.friends.iter().for_each(has_new_card);
    loads.iter().for_each(Load::goes_on);

    goes_on(&people, &shared);
    loads.iter().for_each(Load::goes_on);
    loads.into_iter().for_each(Load::end);
    for pod in people.friends.iter().chain([anna]) {
        says(pod, &["audit", "verify"]);
    }
    let log = says(anna, &["audit"]);
    assert!(log.contains("keys replaced"), "{log}");
    of_no_use(&people, &thief, &shared);
    confirmed(anna);
    drop((hers, theirs));
    comes_back(people);
}

/// The thief opens what was there when it was stolen, and nothing newer; and nobody believes what the thief publishes.
fn of_no_use(people: &People, thief: &Pod, shared: &Shared) {
    let (lab, seen, notes) = (&shared.lab, &shared.seen[0], &shared.notes);
    let [ben, _] = &people.friends;
    let his = mounted(thief, &[]);
    his.expect_warnings();
    let stolen = his.dir().join("lab");
    assert!(reads(&stolen.join("blood.txt"), "good"));
    let came = his.dir().join("Shared with me/Ben/notes/today.txt");
    fs::write(notes.join("today.txt"), "three").unwrap();
    confirmed(ben);
    fs::write(stolen.join("blood.txt"), "forged").unwrap();
    let astray = his.dir().join("astray");
    fs::create_dir(&astray).unwrap();
    fs::write(astray.join("bait"), "bait").unwrap();
    let shared = json(
        thief,
        &["share", astray.to_str().unwrap(), "--with", "Ben", "--json"],
    );
    // What is published with the old keys is confirmed by the network, which cannot know.
    confirmed(thief);
    for _ in 0..3 {
        says(thief, &["inbox"]);
        says(ben, &["inbox"]);
        says(&people.anna, &["inbox"]);
    }
    assert!(reads(&came, "one"), "the thief reads what Ben wrote since");
    assert!(reads(&lab.join("blood.txt"), "better") && reads(&seen.join("blood.txt"), "better"));
    let received = json(ben, &["shares", "--json"])["received"].clone();
    let ids = received
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(it, "id").to_owned());
    assert!(
        !ids.collect::<Vec<_>>()
            .contains(&text(&shared, "id").to_owned())
    );
    // A new card takes the phrase, and with it that of Anna stands in the way.
    fs::copy(people.anna.path("phrase"), thief.path("phrase")).unwrap();
    fails(thief, 56, &["id", "publish"]);
}

/// From the phrase alone, after the thief has published with the old keys.
fn comes_back(people: People) {
    let pod = recovered(people.anna, &people.node);
    let mount = mounted(&pod, &[]);
    assert!(reads(&mount.dir().join("lab/blood.txt"), "better"));
    assert!(reads(&mount.dir().join("lab/report.txt"), "from Ben"));
    assert!(fs::read(mount.dir().join("lab/scan.bin")).unwrap() == vec![7; SCAN]);
    assert!(!mount.dir().join("astray").exists());
    assert_eq!(json(&pod, &["keys", "list", "--json"])["epoch"], 1);
    says(&pod, &["audit", "verify"]);
}
