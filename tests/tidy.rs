//! Checks what clippy cannot see: who names whom, who touches which library, and how big things may grow.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

#[path = "tidy/scan.rs"]
mod scan;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::scan::code_only;
use crate::scan::functions;
use crate::scan::is_word;

/// `(room, rooms it may name)`, bottom first: a room may only name rooms above its own line.
const ARROWS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("crypto", &["types"]),
    ("format", &["types", "crypto"]),
    ("store", &["types", "crypto"]),
    ("journal", &["types", "crypto", "format"]),
    ("index", &["types", "crypto", "format", "journal"]),
    (
        "pod",
        &["types", "crypto", "format", "store", "journal", "index"],
    ),
    (
        "sync",
        &["types", "crypto", "format", "store", "journal", "index"],
    ),
    (
        "share",
        &["types", "crypto", "format", "store", "journal", "index"],
    ),
    ("fuse", &["types", "pod"]),
    ("control", &["types"]),
    (
        "daemon",
        &[
            "types", "crypto", "format", "store", "journal", "index", "pod", "sync", "share",
            "fuse", "control",
        ],
    ),
    ("cli", &["types", "control", "daemon"]),
];

/// Libraries that one room alone may name, so that they can be exchanged.
const KEPT_IN: &[(&str, &str)] = &[
    ("sled", "index"),
    ("fuser", "fuse"),
    ("reqwest", "store"),
    ("rustls", "store"),
    ("cryptoki", "daemon"),
];

/// The one file that writes to the terminal.
const PRINTER: &str = "src/cli/print.rs";

/// The one file with `unsafe`: the lanes of the swarm hash.
const LANES: &str = "src/crypto/swarm/lanes.rs";

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// One Rust file: its text, and the same text with comments and literals blanked.
struct Source {
    path: PathBuf,
    lines: usize,
    code: String,
}

#[test]
fn the_table_of_arrows_has_no_cycle() {
    for (row, (room, may)) in ARROWS.iter().enumerate() {
        for target in *may {
            let above = ARROWS[..row].iter().any(|(name, _)| name == target);
            assert!(
                above,
                "{room} -> {target}: a room may only name rooms listed above it"
            );
        }
    }
}

#[test]
fn rooms_keep_to_their_arrows() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut faults = Vec::new();
    for source in sources(&["src"]) {
        let Some(room) = room_of(&source.path) else {
            continue;
        };
        let Some(may) = allowed.get(room.as_str()) else {
            faults.push(format!(
                "{}: room {room} has no row in ARROWS",
                source.path.display()
            ));
            continue;
        };
        for (line, target) in rooms_named(&source.code) {
            if target != room && allowed.contains_key(target) && !may.contains(&target) {
                faults.push(format!(
                    "{}:{line}: {room} may not name {target}",
                    source.path.display()
                ));
            }
        }
    }
    report(&faults);
}

#[test]
fn imports_are_flat() {
    let mut faults = Vec::new();
    for source in sources(&["src", "tests"]) {
        for (at, line) in source.code.lines().enumerate() {
            if line.contains("crate::{") || line.contains("super::super") {
                faults.push(format!(
                    "{}:{}: write `use crate::room::item`",
                    source.path.display(),
                    at + 1
                ));
            }
        }
    }
    report(&faults);
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut faults = Vec::new();
    for source in sources(&["src", "tests"]) {
        let room = room_of(&source.path);
        for (library, home) in KEPT_IN {
            if room.as_deref() == Some(home) {
                continue;
            }
            let path = format!("{library}::");
            let import = format!("use {library}");
            for (at, line) in source.code.lines().enumerate() {
                if starts_word(line, &path) || starts_word(line, &import) {
                    let place = format!("{}:{}", source.path.display(), at + 1);
                    faults.push(format!("{place}: only {home} may name {library}"));
                }
            }
        }
    }
    report(&faults);
}

#[test]
fn only_the_printer_prints() {
    let mut faults = Vec::new();
    for source in sources(&["src"]) {
        if source.path == Path::new(PRINTER) || is_test_file(&source.path) {
            continue;
        }
        let shipped = source.code.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, line) in shipped.lines().enumerate() {
            let prints = ["println!", "print!", "eprintln!", "eprint!", "dbg!"];
            if prints.iter().any(|name| starts_word(line, name)) {
                faults.push(format!(
                    "{}:{}: only {PRINTER} prints",
                    source.path.display(),
                    at + 1
                ));
            }
        }
    }
    report(&faults);
}

/// `unsafe` is denied; here nobody else makes an exception.
#[test]
fn only_the_lanes_are_unsafe() {
    let all = sources(&["src", "tests"]);
    let mut excepted = all.iter().filter(|file| file.code.contains("unsafe_code"));
    assert_eq!(
        excepted.next().expect("an exception").path,
        Path::new(LANES)
    );
    assert_eq!(excepted.map(|file| &file.path).next(), None);
}

#[test]
fn files_and_functions_stay_small() {
    let mut faults = Vec::new();
    for source in sources(&["src", "tests"]) {
        let path = source.path.display();
        if source.lines > FILE_LINES_MAX {
            faults.push(format!(
                "{path}: {} lines, at most {FILE_LINES_MAX}",
                source.lines
            ));
        }
        for (name, line, length) in functions(&source.code) {
            if length > FUNCTION_LINES_MAX {
                faults.push(format!(
                    "{path}:{line}: {name} has {length} lines, at most {FUNCTION_LINES_MAX}"
                ));
            }
        }
    }
    report(&faults);
}

#[test]
fn the_scan_sees_code_and_nothing_else() {
    let text = concat!(
        "fn a() { /* } */ let s = \"}\\\"}\"; // }\n",
        "let c = '}'; let l: &'static str = r#\"}\"#;\n",
        "}\nfn b();\n"
    );
    let found = functions(&code_only(text));
    assert_eq!(found, vec![("a".to_owned(), 1, 2)]);
    assert_eq!(
        rooms_named("use crate::pod::Pod;\n// crate::cli"),
        vec![(1, "pod"), (2, "cli")]
    );
    assert!(rooms_named(&code_only("// crate::cli\nlet s = \"crate::cli\";")).is_empty());
    assert!(starts_word("  eprintln!(", "eprintln!") && !starts_word("eprintln!(", "println!"));
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The folder below `src`; `lib.rs` and `main.rs` belong to no room.
fn room_of(path: &Path) -> Option<String> {
    let first = path
        .strip_prefix("src")
        .ok()?
        .components()
        .next()?
        .as_os_str()
        .to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// A file that is compiled for tests only.
fn is_test_file(path: &Path) -> bool {
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    stem == "tests"
        || stem.ends_with("_tests")
        || path.components().any(|part| part.as_os_str() == "tests")
}

/// Every room behind a `crate::`, with its line. Imports are flat, so a line scan is enough.
fn rooms_named(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, line) in code.lines().enumerate() {
        for tail in line.split("crate::").skip(1) {
            let end = tail.find(|c: char| !is_word(c)).unwrap_or(tail.len());
            if end > 0 {
                found.push((at + 1, &tail[..end]));
            }
        }
    }
    found
}

fn starts_word(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].chars().next_back().is_some_and(is_word))
}

fn sources(roots: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for root in roots {
        for path in rust_files(Path::new(root)) {
            let text = fs::read_to_string(&path).expect("a readable source file");
            found.push(Source {
                path,
                lines: text.lines().count(),
                code: code_only(&text),
            });
        }
    }
    assert!(!found.is_empty(), "no sources below {roots:?}");
    found
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a readable folder") {
        let path = entry.expect("a folder entry").path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
