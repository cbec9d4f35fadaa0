//! Second implementations, in Python, of what outlives the program: they share no code with it, only `FORMAT.md`.

use std::fs;
use std::path::Path;
use std::process::Command;

use podfs::pod::Caller;

use crate::support::applicable;
use crate::support::listing::listing;
use crate::support::run;
use crate::support::sample;
use crate::support::tool;

const GOLDEN: &str = include_str!("../golden/v1/pod/listing.txt");

fn agrees(test: &str, script: &str, argument: &str) {
    let packages = tool("").with_file_name("foreign");
    let installed = packages.join("installed");
    if !applicable(test, &["/usr/bin/python3", installed.to_str().unwrap()]) {
        return;
    }
    let said = run(Command::new("/usr/bin/python3")
        .arg("-B")
        .arg(format!("tests/foreign/{script}"))
        .arg(argument)
        .env("PYTHONPATH", packages));
    println!("{said}");
}

#[test]
fn another_program_derives_the_same_keys() {
    agrees(
        "another_program_derives_the_same_keys",
        "keys.py",
        "tests/vectors/keys.json",
    );
}

#[test]
fn another_program_reads_keyfiles() {
    agrees(
        "another_program_reads_keyfiles",
        "keyfile.py",
        "tests/golden/v1",
    );
}

fn another_reader_sees(state: &Path, phrase: &Path, truth: &str) {
    let packages = tool("").with_file_name("foreign");
    let seen = run(Command::new("/usr/bin/python3")
        .args(["-B", "tests/foreign/reader.py"])
        .arg(state)
        .arg(phrase)
        .env("PYTHONPATH", packages));
    assert_eq!(seen, truth);
}

/// Promise 10: the data outlives the program.
#[test]
fn another_program_reads_a_whole_pod() {
    let installed = tool("").with_file_name("foreign").join("installed");
    let needs = ["/usr/bin/python3", installed.to_str().unwrap()];
    if !applicable("another_program_reads_a_whole_pod", &needs) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (state, phrase) = (dir.path().join("state"), dir.path().join("phrase"));
    fs::create_dir(&state).unwrap();
    fs::write(&phrase, sample::phrase().text().as_str()).unwrap();
    sample::make(&state);

    let pod = sample::open(&state);
    sample::first_session(&pod);
    let truth = listing(&pod);
    pod.rows().close(true).unwrap();
    drop(pod);
    another_reader_sees(&state, &phrase, &truth);
    another_reader_sees(Path::new("tests/golden/v1/pod"), &phrase, GOLDEN);

    let pod = sample::open(&state);
    sample::second_session(&pod);
    let truth = listing(&pod);
    pod.rows().close(false).unwrap();
    drop(pod);
    another_reader_sees(&state, &phrase, &truth);

    // A third session on top of the second, which never ended, then a clean close.
    let pod = sample::open(&state);
    assert_eq!(listing(&pod), truth);
    pod.mkdir(
        podfs::types::ROOT,
        b"third",
        0o700,
        Caller { uid: 0, gid: 0 },
    )
    .unwrap();
    let truth = listing(&pod);
    pod.rows().sync().unwrap();
    another_reader_sees(&state, &phrase, &truth);
    pod.rows().close(true).unwrap();
    drop(pod);
    another_reader_sees(&state, &phrase, &truth);
}
