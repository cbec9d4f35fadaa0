//! Two people change the same folder at random, and it comes to be the same for both; of what one of them wrote and the
//! other one did not see, nothing is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::carried::mounted;
use crate::people::appended::assert_clean;
use crate::people::shared::{confirmed, until};
use crate::people::written::{settled, writable};
use crate::people::*;
use crate::support::applicable;

/// Files by their path; directories with nothing.
type Tree = BTreeMap<String, Option<String>>;

fn look(top: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut left = vec![(top.to_owned(), String::new())];
    while let Some((dir, path)) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let below = format!("{path}/{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                tree.insert(below.clone(), None);
                left.push((entry.path(), below));
            } else {
                let text = fs::read_to_string(entry.path()).unwrap();
                tree.insert(below, Some(text));
            }
        }
    }
    tree
}

fn texts(tree: &Tree) -> BTreeSet<String> {
    tree.values().flatten().cloned().collect()
}

/// One thing that somebody does; whether it can be done does not matter.
fn operate(top: &Path, text: String, rng: &mut StdRng) -> std::io::Result<()> {
    let names = ["a", "b", "c", "d", "d/a", "d/b", "e", "e/a", "e/f"];
    let pick = |rng: &mut StdRng| top.join(names[rng.random_range(0..names.len())]);
    let (one, other) = (pick(rng), pick(rng));
    match rng.random_range(0..9) {
        0 => fs::create_dir(one),
        1 => fs::remove_file(one),
        2 => fs::remove_dir(one),
        3 => fs::rename(one, other),
        4 => {
            let new = top.join(".new");
            fs::write(&new, text)?;
            fs::rename(&new, one).or_else(|_| fs::remove_file(new))
        }
        _ => fs::write(one, text),
    }
}

#[test]
fn what_two_change_at_random_comes_to_be_the_same_and_nothing_is_lost() {
    let name = "what_two_change_at_random_comes_to_be_the_same_and_nothing_is_lost";
    if !applicable(name, REQUIREMENTS) {
        return;
    }
    let asked = std::env::var("PODFS_SEED").ok();
    let asked = asked.and_then(|seed| seed.parse().ok());
    let start: u64 = asked.unwrap_or_else(rand::random);
    println!("PODFS_SEED={start}");
    let mut rng = StdRng::seed_from_u64(start);
    let (anna, ben, _node) = two_people();
    let (first, second) = (mounted(&anna, &[]), mounted(&ben, &[]));
    acquainted(&anna, &ben);
    fs::create_dir_all(first.path("lab/d")).unwrap();
    for (nth, name) in ["a", "b", "d/a"].into_iter().enumerate() {
        fs::write(first.path("lab").join(name), format!("first {nth}")).unwrap();
    }
    let (lab, seen, _) = writable((&anna, &first), (&ben, &second), "lab");
    until(&ben, "not all comes", || look(&seen) == look(&lab));
    for round in 0..4 {
        let before = texts(&look(&lab));
        for step in 0..rng.random_range(4..14) {
            let (who, top) = [("anna", &lab), ("ben", &seen)][rng.random_range(0..2)];
            let text = format!("{who} {round} {step}");
            let what = operate(top, text, &mut rng);
            println!("{who} {round} {step}: {what:?}");
        }
        let (hers, his) = (texts(&look(&lab)), texts(&look(&seen)));
        confirmed(&anna);
        settled(&anna, &ben);
        until(&ben, "they do not see the same", || {
            look(&seen) == look(&lab)
        });
        let after = texts(&look(&lab));
        let is_new = |text: &&String| !before.contains(*text);
        let kept = hers.union(&his).filter(is_new);
        let untouched = hers.intersection(&his);
        for text in kept.chain(untouched) {
            assert!(
                after.contains(text),
                "seed {start}, {round}: {text:?} is lost: {after:?}"
            );
        }
    }
    drop((first, second));
    assert_clean([&ben, &anna]);
}
