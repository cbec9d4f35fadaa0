//! The pod that holds something of everything.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::published::Chunks;
use crate::published::read::whole;
use crate::publishing::shelf::{Desk, Shelf};
use crate::restore;
use crate::support::sample;

/// The listing of the state folder of the same pod, as another program reads it.
const LISTING: &str = "tests/golden/v1/pod/listing.txt";

/// The golden pod after both sessions, published after each.
fn published() -> Chunks {
    let dir = tempfile::tempdir().unwrap();
    sample::make(dir.path());
    let shelf = Arc::new(Shelf::default());
    for session in [sample::first_session, sample::second_session] {
        let pod = sample::open(dir.path());
        session(&pod);
        let desk = Desk::new(&pod, &shelf);
        desk.publish();
        desk.stop();
        pod.rows().close(true).unwrap();
    }
    shelf.chunks.lock().clone()
}

#[test]
fn the_golden_pod_is_published_as_it_is() {
    let listing = fs::read_to_string(LISTING).unwrap();
    assert_eq!(whole(&published()).listing, listing);
}

/// Promise 10.
#[test]
fn another_program_reads_what_was_published() {
    if !restore::can_run("another_program_reads_what_was_published") {
        return;
    }
    let chunks = published();
    let output = restore::restore(&restore::node_with(&chunks), Path::new("--list"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let listing = fs::read_to_string(LISTING).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), listing);
}
