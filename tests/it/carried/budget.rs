//! A pod that is larger than what it may take on this machine.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::carried::{REQUIREMENTS, carried, confirmed, forget_pages, mounted};
use crate::node::Loss;
use crate::support::applicable;
use crate::support::bytes_below;
use crate::support::mount::Mount;
use crate::support::random::Random;
use crate::support::rounds;

const MIB: usize = 1 << 20;
/// Room that does not come in this time never comes.
const HEAL_MAX: Duration = Duration::from_secs(120);

/// What the index may take for a file of a MiB.
const INDEX_MAX: u64 = 8192;

/// The contents of file `nth`, a MiB that no other has.
fn contents(seed: u64, nth: u64) -> Vec<u8> {
    Random::seeded(seed ^ nth << 32).bytes(MIB)
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::StorageFull
}

/// Writes a file as programs do that can wait: what finds no room is written again later. Says how often it waited.
#[track_caller]
fn write_patiently(path: &Path, bytes: &[u8]) -> u64 {
    let (begun, mut waits) = (Instant::now(), 0);
    let mut again = |error: &io::Error| {
        assert!(is_full(error), "{}: {error}", path.display());
        assert!(
            begun.elapsed() < HEAL_MAX,
            "no room after {:?}",
            begun.elapsed()
        );
        std::thread::sleep(Duration::from_millis(200));
        waits += 1;
    };
    let file = loop {
        match File::create(path) {
            Ok(file) => break file,
            Err(error) => again(&error),
        }
    };
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], done as u64) {
            Ok(written) => done += written,
            Err(error) => again(&error),
        }
    }
    waits
}

/// Everything is as it was written, read past the kernel's cache.
#[track_caller]
fn holds(mount: &Mount<'_>, seed: u64, files: std::ops::Range<u64>) {
    for nth in files {
        let path = mount.path(&nth.to_string());
        forget_pages(&path);
        let read = fs::read(&path).unwrap_or_else(|error| panic!("file {nth}: {error}"));
        assert!(read == contents(seed, nth), "file {nth} is another one");
    }
}

#[test]
fn more_than_the_budget_goes_through() {
    if !applicable("more_than_the_budget_goes_through", REQUIREMENTS) {
        return;
    }
    let seed = Random::new("budget").next();
    let (pod, mut node) = carried();
    let budget = rounds(64, 256);
    let mount = mounted(&pod, &["-o", &format!("budget={budget}M")]);
    let files = rounds(2, 8) * budget;
    let (mut waits, mut index) = (0, 0);
    for nth in 0..files {
        waits += write_patiently(&mount.path(&nth.to_string()), &contents(seed, nth));
        let log = bytes_below(&pod.state().join("log"));
        // The disk counts what it needs to keep account of many holes, too.
        assert!(
            log <= (budget << 20) / 100 * 101,
            "the log takes {log} bytes"
        );
        index = index.max(bytes_below(&pod.state().join("index")));
    }
    println!("waited {waits} times for room; the index took {index} bytes");
    // The view of the log is not part of the budget, and small.
    assert!(index <= files * INDEX_MAX);
    let report = confirmed(&pod);
    println!("{} chunks sent", report["chunks_paid"]);
    // Of a file that grew while it was published, the parity of its nodes moves.
    let (again, cuts) = (
        node.counts().put_again().len() as u64,
        report["publication"].as_u64(),
    );
    println!("{again} chunks sent again in {cuts:?} publications");
    assert!(again <= 2 * cuts.unwrap(), "{again} chunks sent again");
    holds(&mount, seed, 0..files);

    // What nobody took stays, whatever it costs.
    node.kill();
    // Room still comes from what is confirmed, until nothing of that is left.
    let (mut last, mut full) = (files, 0);
    while full < 6 {
        match fs::write(mount.path(&last.to_string()), contents(seed, last)) {
            Ok(()) => (last, full) = (last + 1, 0),
            Err(error) => {
                assert!(is_full(&error), "{error}");
                full += 1;
                std::thread::sleep(Duration::from_millis(700));
            }
        }
        assert!(last < 2 * files, "never full");
    }
    assert!(last > files, "nothing was taken");
    holds(&mount, seed, files..last);
    node.restart(Loss::Nothing);
    write_patiently(&mount.path(&last.to_string()), &contents(seed, last));
    confirmed(&pod);
    holds(&mount, seed, files - 5..last + 1);
}
