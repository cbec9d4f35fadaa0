//! What was attacked, as `tests/ATTACKS.md` lists it.

use std::collections::BTreeSet;
use std::fs;

/// The items of the list that tests answer for.
const ITEMS: std::ops::RangeInclusive<usize> = 2..=13;

/// The file in which a test of that path is.
fn text_of(path: &str) -> Option<String> {
    let (root, path) = match path.strip_prefix("it::") {
        Some(path) => ("tests/it", path),
        None => ("src", path),
    };
    let path = format!("{root}/{}", path.replace("::", "/"));
    let places = [format!("{path}.rs"), format!("{path}/mod.rs")];
    places
        .iter()
        .find_map(|place| fs::read_to_string(place).ok())
}

/// Whether the function of that name is a test that runs.
fn is_test(text: &str, function: &str) -> bool {
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        match line {
            _ if line.starts_with("#[test]") || line.starts_with("#[tokio::test") => is_test = true,
            _ if line.starts_with("#[ignore") => is_test = false,
            _ if line.contains("fn ") => {
                let declared = line.split("fn ").nth(1);
                let name = declared.and_then(|rest| rest.split('(').next());
                if name == Some(function) {
                    return is_test;
                }
                is_test = false;
            }
            _ => {}
        }
    }
    false
}

#[test]
fn every_attack_of_the_list_is_a_test() {
    let document = include_str!("../ATTACKS.md");
    let (mut missing, mut items, mut named) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for row in document.lines().filter_map(|line| line.strip_prefix("| ")) {
        let Some(item) = row.split(' ').next().and_then(|item| item.parse().ok()) else {
            continue;
        };
        let (_, tests) = row.trim_end_matches(" |").rsplit_once("| ").unwrap();
        let tests: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() {
            missing.push(format!("nothing is named: {row}"));
        }
        for test in tests {
            named.insert(test);
            let (path, function) = test.rsplit_once("::").unwrap();
            if !text_of(path).is_some_and(|text| is_test(&text, function)) {
                missing.push(format!("there is no test {test}"));
            }
        }
        items.insert(item);
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert_eq!(items, ITEMS.collect::<BTreeSet<usize>>());
    assert!(named.len() > 40, "{} tests", named.len());
    // The look finds what is not there.
    let text = "#[test]\nfn one() {}\nfn other() {}\n#[test]\n#[ignore = \"x\"]\nfn third() {}";
    let found = ["one", "other", "third", "fourth"].map(|name| is_test(text, name));
    assert_eq!(found, [true, false, false, false]);
}
