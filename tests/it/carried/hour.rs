//! An hour of ordinary life costs little, and an hour of none costs nothing.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::carried::{REQUIREMENTS, carried, confirmed, mounted, recovered};
use crate::node::{Node, Route};
use crate::support::random::Random;
use crate::support::{applicable, run};

const SECONDS: u32 = 3600;
/// What an hour of one transaction a second may cost, in chunks.
const BUSY_MAX: u64 = 600;

/// The shell of a database, held open as an application holds it.
fn sqlite(database: &Path) -> Child {
    Command::new("sqlite3")
        .arg("-bail")
        .arg(database)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

fn puts(node: &Node) -> u64 {
    node.counts().requests(Route::PostChunk)
}

/// Issue 3, line 5: a database with one transaction a second beside a pod in which nothing happens.
#[test]
#[ignore = "deep: an hour; scripts/check-deep runs it"]
fn an_hour_of_sqlite_and_an_hour_of_nothing() {
    let needs = [REQUIREMENTS, &["sqlite3"]].concat();
    if !applicable("an_hour_of_sqlite_and_an_hour_of_nothing", &needs) {
        return;
    }
    let mut random = Random::new("an hour");
    let (idle, idle_node) = carried();
    let (busy, busy_node) = carried();
    let idle_mount = mounted(&idle, &[]);
    let busy_mount = mounted(&busy, &[]);
    for nth in 0..200 {
        let bytes = random.bytes(nth * 300);
        fs::write(idle_mount.path(&format!("file {nth}")), bytes).unwrap();
    }
    let database = busy_mount.path("notes.db");
    let mut shell = sqlite(&database);
    let mut input = shell.stdin.take().unwrap();
    writeln!(input, "CREATE TABLE notes(at INTEGER, text TEXT);").unwrap();
    confirmed(&idle);
    confirmed(&busy);
    idle_node.reset_counts();
    busy_node.reset_counts();
    let begun = Instant::now();
    for second in 1..=SECONDS {
        writeln!(
            input,
            "INSERT INTO notes VALUES({second}, hex(randomblob(60)));"
        )
        .unwrap();
        let next = Duration::from_secs(1) * second;
        std::thread::sleep(next.saturating_sub(begun.elapsed()));
    }
    drop(input);
    assert!(shell.wait().unwrap().success());
    let idle_puts = puts(&idle_node);
    confirmed(&busy);
    println!("an hour of SQLite: {} chunks", puts(&busy_node));
    println!(
        "an hour of nothing: {idle_puts} chunks, {} requests",
        idle_node.counts().all_requests()
    );
    assert_eq!(idle_puts, 0, "nothing happened");
    assert!(puts(&busy_node) <= BUSY_MAX);
    busy_mount.unmount();
    let busy = recovered(busy, &busy_node);
    let mount = mounted(&busy, &[]);
    let count = run(Command::new("sqlite3")
        .arg(mount.path("notes.db"))
        .arg("PRAGMA integrity_check; SELECT count(*) FROM notes"));
    assert_eq!(count, format!("ok\n{SECONDS}\n"));
}
