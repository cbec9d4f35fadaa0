//! The examples of `src/fuse/SEMANTICS.md`, on a real mount. The document names each by file and function.

mod attributes;
mod files;
mod names;
mod promises;
mod refused;

use std::path::Path;

use crate::support::applicable;
use crate::support::pod::Pod;

/// An example in a folder of its own.
type Example = (&'static str, fn(&Path));

/// Runs each example in a folder of its own, all on one mount.
#[track_caller]
fn on_a_mount(examples: &[Example]) {
    if !applicable("semantics", &["root", "/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    for (name, example) in examples {
        println!("{name}");
        let dir = mount.path(name);
        std::fs::create_dir(&dir).unwrap();
        example(&dir);
    }
    mount.unmount();
}

/// The examples, each under its own name.
macro_rules! examples {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), $name as fn(&std::path::Path))),*]
    };
}
use examples;

/// The errno of a refusal.
#[track_caller]
fn refusal<T>(result: rustix::io::Result<T>) -> rustix::io::Errno {
    result.err().expect("is refused")
}

#[test]
fn every_example_of_the_document_is_a_test_and_the_other_way_round() {
    let document = include_str!("../../../src/fuse/SEMANTICS.md");
    let named = |file: &str, function: &str| document.contains(&format!("`{file}::{function}`"));
    let here = [
        ("attributes", include_str!("attributes.rs")),
        ("files", include_str!("files.rs")),
        ("names", include_str!("names.rs")),
        ("promises", include_str!("promises.rs")),
        ("refused", include_str!("refused.rs")),
    ];
    let mut missing = Vec::new();
    for (file, text) in here {
        for line in text.lines() {
            let example = line.ends_with("(dir: &Path) {") || line.starts_with("fn promise_");
            let name = line
                .strip_prefix("fn ")
                .and_then(|rest| rest.split('(').next());
            if let Some(function) = name
                && example
                && !named(file, function)
            {
                missing.push(format!("{file}::{function} is not in the document"));
            }
        }
    }
    for word in document.split('`') {
        let Some((file, function)) = word.rsplit_once("::") else {
            continue;
        };
        let text = here
            .iter()
            .find(|(name, _)| *name == file)
            .map(|(_, text)| (*text).to_owned())
            .or_else(|| {
                std::fs::read_to_string(format!("tests/it/{}.rs", file.replace("::", "/"))).ok()
            })
            .unwrap_or_default();
        if !text.contains(&format!("fn {function}(")) {
            missing.push(format!("there is no {word}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
