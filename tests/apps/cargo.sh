#!/bin/bash
# A tiny crate with a build script is built and tested inside the pod; a second build has nothing to do.
# Usage: cargo.sh DIR SCRATCH
set -euo pipefail
dir=$1
unset CARGO_TARGET_DIR RUSTFLAGS CARGO_MANIFEST_DIR CLIPPY_CONF_DIR
mkdir -p "$dir/tiny/src/bin"
cd "$dir/tiny"
cat >Cargo.toml <<'TOML'
[package]
name = "tiny"
version = "0.1.0"
edition = "2021"
build = "build.rs"
[workspace]
TOML
cat >build.rs <<'RUST'
use std::{env, fs, path::Path};
fn main() {
    let out = Path::new(&env::var("OUT_DIR").unwrap()).join("made.rs");
    fs::write(out, "pub const MADE: u32 = 42;").unwrap();
    println!("cargo:rerun-if-changed=build.rs");
}
RUST
cat >src/lib.rs <<'RUST'
include!(concat!(env!("OUT_DIR"), "/made.rs"));
#[test]
fn made() {
    assert_eq!(MADE, 42);
}
RUST
for n in 1 2 3; do echo 'fn main() { println!("{}", tiny::MADE) }' >"src/bin/b$n.rs"; done
cargo build --offline 2>&1
[ "$(target/debug/b2)" = 42 ]
cargo test --offline --quiet 2>&1
again=$(cargo build --offline 2>&1)
echo "$again"
! grep -q Compiling <<<"$again"
# One changed file rebuilds, so times are fine enough.
echo 'pub fn more() {}' >>src/lib.rs
cargo build --offline 2>&1 | grep -q Compiling
cargo clean --offline 2>&1
[ ! -e target ] || [ -z "$(ls -A target)" ]
