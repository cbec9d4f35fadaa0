//! Second implementations, in Python, of what outlives the program: they share no code with it, only `FORMAT.md`.

use std::process::Command;

use crate::support::applicable;
use crate::support::run;
use crate::support::tool;

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
