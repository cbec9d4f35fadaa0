//! Tests from outside: the real program, a real mount, the programs that people use on it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, says what it does, and polls what another process does"
)]

mod apps;
mod attacks;
mod audited;
mod bee;
mod boxes;
mod canaries;
mod carried;
mod chunks;
mod cli;
mod crash;
mod crash_points;
mod damage;
mod flips;
mod foreign;
mod full;
mod golden;
mod hex;
mod keys;
mod layouts;
mod limits;
mod model;
mod mounting;
mod network;
#[allow(
    dead_code,
    reason = "its program turns other switches than the tests here"
)]
#[path = "../node/mod.rs"]
mod node;
mod opened;
mod people;
mod pins;
mod primitives;
mod published;
mod publishing;
mod recovered;
mod restore;
mod rows;
mod sealing;
mod semantics;
mod store;
mod suites;
mod support;
mod tokens;

/// A test file that nobody lists below would never run.
#[test]
fn every_test_file_is_listed() {
    let this = include_str!("main.rs");
    for entry in std::fs::read_dir("tests/it").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let listed = this.lines().any(|line| line == format!("mod {name};"));
        assert!(
            listed || name == "main",
            "tests/it/main.rs lacks `mod {name};`"
        );
    }
}
