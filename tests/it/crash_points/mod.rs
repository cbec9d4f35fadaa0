//! Promise 2 at every point: the process dies at each system call that changes its state, or the call fails. What is
//! opened then is a prefix of the steps with all that were answered, in itself consistent, and goes on as if nothing
//! had happened.

mod scenario;

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::support::applicable;
use crate::support::random::Random;
use scenario::{End, Life, Step, digest, live, steps};

const CHILD: &str = "crash_points::a_life_without_a_crash";
const CHILD_DIR: &str = "PODFS_TEST_LIFE";
/// System calls that change the state.
const CALLS: &str = "pwrite64,pwritev,fdatasync,fsync,/^rename,/^unlink,/^mkdir,fallocate,ftruncate,openat,sync_file_range";
/// How long each of the tests takes when not all points are asked for.
const SAMPLE: Duration = Duration::from_secs(20);
/// Points visited however long they take.
const POINTS_MIN: usize = 10;
/// A log in which nothing lives takes less than this, closed.
const EMPTY_MAX: u64 = 2 << 20;

/// A call: its name, and which one of that name it is.
type Point = (String, usize);

/// The tree after each step of a life without a crash, and the points of such a life.
static LIFE: OnceLock<(Vec<blake3::Hash>, Vec<Point>)> = OnceLock::new();

fn digests() -> Vec<blake3::Hash> {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path()).unwrap();
    let mut all = vec![digest(life.pod()).unwrap()];
    for step in steps() {
        assert_eq!(life.perform(&step), End::Done);
        let same = !matches!(step, Step::Change(_));
        all.push(if same {
            *all.last().unwrap()
        } else {
            digest(life.pod()).unwrap()
        });
    }
    assert_eq!(digest(life.pod()).unwrap(), *all.last().unwrap());
    all
}

/// Bytes that the log takes on the disk.
fn taken(dir: &Path) -> u64 {
    let log = fs::read_dir(dir.join("log")).unwrap();
    log.map(|entry| entry.unwrap().metadata().unwrap().blocks() * 512)
        .sum()
}

/// Runs the life in a process of its own under strace.
fn run(root: &Path, options: &[&str]) -> std::process::ExitStatus {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(root.join("trace"));
    strace.args(options).arg(std::env::current_exe().unwrap());
    strace.args(["--exact", CHILD, "--nocapture"]);
    strace.env(CHILD_DIR, root).stdin(Stdio::null());
    strace.stdout(File::create(root.join("said")).unwrap());
    strace.stderr(
        File::options()
            .append(true)
            .open(root.join("said"))
            .unwrap(),
    );
    strace.status().unwrap()
}

/// The points of one life: each thread counts its calls for itself.
fn points() -> Vec<Point> {
    let root = root();
    let status = run(root.path(), &["-e", &format!("trace={CALLS}")]);
    assert!(
        status.success(),
        "{}",
        fs::read_to_string(root.path().join("said")).unwrap()
    );
    let trace = fs::read_to_string(root.path().join("trace")).unwrap();
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    let mut points = BTreeSet::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let Some((name, rest)) = call.trim_start().split_once('(') else {
            continue;
        };
        if name.contains(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
            continue;
        }
        let count = counts.entry((thread, name)).or_default();
        *count += 1;
        if name != "openat" || rest.contains("O_CREAT") {
            points.insert((name.to_owned(), *count));
        }
    }
    points.into_iter().collect()
}

/// Opens what was left and compares; gives how many steps it holds.
fn verify(root: &Path, digests: &[blake3::Hash]) -> Option<usize> {
    let answered = fs::metadata(root.join("answers")).map_or(0, |meta| meta.len() as usize);
    let dir = root.join("pod");
    let life = Life::resume(&dir);
    if answered == 0 && life.is_err() {
        return None;
    }
    let mut life = life.unwrap();
    assert_eq!(life.pod().rows().journal().broken(), None);
    let found = digest(life.pod()).unwrap();
    // The first answer is that of the pod's making.
    let allowed = answered.saturating_sub(1)..=answered;
    let at = allowed.clone().find(|at| digests.get(*at) == Some(&found));
    let at = at.unwrap_or_else(|| {
        let other = digests.iter().position(|digest| *digest == found);
        panic!("not one of the steps {allowed:?}, but {other:?}")
    });
    let report = life.pod().check(true).unwrap();
    assert_eq!(report.findings, []);
    for step in steps().iter().skip(at) {
        assert_eq!(life.perform(step), End::Done);
    }
    assert_eq!(digest(life.pod()).unwrap(), *digests.last().unwrap());
    assert_eq!(life.pod().check(true).unwrap().findings, []);
    let pod = life.pod.take().unwrap();
    pod.rows().close(true).unwrap();
    drop(pod);
    let left = taken(&dir);
    assert!(
        left < EMPTY_MAX,
        "the log of an almost empty pod takes {left} bytes"
    );
    Some(at)
}

/// Visits the points, or as many as there is time for, from a random one on.
fn visit(test: &str, injections: &[&str]) {
    let mut random = Random::new(test);
    let (digests, points) = LIFE.get_or_init(|| (digests(), points()));
    let all: Vec<(&Point, &str)> = points
        .iter()
        .flat_map(|point| injections.iter().map(move |what| (point, *what)))
        .collect();
    let deep = std::env::var_os("PODFS_DEEP").is_some();
    let (began, offset) = (Instant::now(), random.index(all.len()));
    // A step that has no common divisor with the number of points visits each once, scattered.
    let mut stride = all.len() / 3 + 1;
    while !coprime(stride, all.len()) {
        stride += 1;
    }
    let sample = std::env::var("PODFS_POINTS_SECS")
        .ok()
        .and_then(|secs| secs.parse().ok());
    let sample = sample.map_or(SAMPLE, Duration::from_secs);
    let (mut visited, mut died) = (0, 0);
    while visited < all.len() && (deep || visited < POINTS_MIN || began.elapsed() < sample) {
        let ((call, nth), what) = all[(offset + visited * stride) % all.len()];
        let root = root();
        let inject = format!("inject={call}:{what}:when={nth}");
        let status = run(
            root.path(),
            &["-e", &format!("trace={call}"), "-e", &inject],
        );
        let said = fs::read_to_string(root.path().join("said")).unwrap();
        println!("{inject}: {status}");
        let killed = status.signal() == Some(9) || status.code() == Some(137);
        assert!(
            status.success() || (killed && what.contains("KILL")),
            "{inject}: {said}"
        );
        died += usize::from(killed);
        visited += 1;
        verify(root.path(), digests);
    }
    println!("{test}: {visited} of {} points, {died} deaths", all.len());
    assert!(
        died > 0 || !injections.iter().any(|what| what.contains("KILL")),
        "nobody died"
    );
}

const fn coprime(a: usize, b: usize) -> bool {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

/// A folder with a place for the state and an empty list of answers.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("pod")).unwrap();
    fs::write(root.path().join("answers"), "").unwrap();
    root
}

/// Also what the other tests run in a process of its own, which they end.
#[test]
fn a_life_without_a_crash() {
    let answers = |root: &Path| {
        File::options()
            .append(true)
            .open(root.join("answers"))
            .unwrap()
    };
    if let Some(given) = std::env::var_os(CHILD_DIR) {
        let given = Path::new(&given);
        return live(&given.join("pod"), answers(given));
    }
    let root = root();
    live(&root.path().join("pod"), answers(root.path()));
    let digests = digests();
    assert_eq!(verify(root.path(), &digests), Some(digests.len() - 1));
}

#[test]
fn death_at_every_point() {
    if applicable("death_at_every_point", &["/usr/bin/strace"]) {
        visit("death at every point", &["signal=KILL"]);
    }
}

#[test]
fn an_error_at_every_point() {
    if applicable("an_error_at_every_point", &["/usr/bin/strace"]) {
        visit("an error at every point", &["error=ENOSPC", "error=EIO"]);
    }
}
