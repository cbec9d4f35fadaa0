//! Exported audit logs that were tampered with: the program and a verifier that shares no code with it name the same
//! record.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use podfs::crypto::Secret;
use podfs::daemon::audited::verify_file;
use podfs::format::audit::{Kind, SignedCheckpoint, Witness, records};
use podfs::share::audit::{Circumstances, Happening, Header, HeldLine, Line, Tail};
use podfs::types::Timespec;
use serde_json::Value;

use crate::support::applicable;
use crate::support::random::Random;
use crate::support::rounds;
use crate::support::tool;

const ORIGIN: [u8; 32] = [9; 32];
const GOLDEN: &str = "tests/golden/v1/audit-export.jsonl";
const COUNT: usize = 20;

/// A log, and the checkpoint behind each record.
struct Log {
    lines: Vec<Line>,
    checkpoints: Vec<SignedCheckpoint>,
}

fn seed(byte: u8) -> Secret<32> {
    Secret::from_bytes(&[byte; 32])
}

/// Twenty records, of all kinds and forms; the machine is another one after seven, and one of them was deleted. In the
/// place of `changed` something else happened.
fn log(changed: Option<usize>) -> Log {
    let mut tail = Tail::new(ORIGIN);
    let (mut lines, mut checkpoints) = (Vec::new(), Vec::new());
    for at in 0..COUNT {
        let number = at as u8;
        let mut happening = Happening::new(Kind::ALL[at % Kind::ALL.len()]);
        if at % 2 == 0 {
            happening = happening.with([number; 32], "Dr. \"Müller\"");
        }
        if at % 3 == 0 {
            happening = happening.of(b"Labs/\xff\\\"2026'.pdf").until(-5);
        }
        if at % 4 == 1 {
            let purpose = "=second opinion, \u{202e}please";
            happening = happening
                .of("Labs/ä".as_bytes())
                .because(purpose)
                .under([number; 16]);
        }
        if changed == Some(at) {
            happening = happening.because("something else");
        }
        let said = Circumstances {
            time: Timespec {
                secs: 1_795_000_000 + 60 * i64::from(number),
                nanos: 999_999_999,
            },
            device: u16::from(at >= 7),
            salt: [number; 16],
        };
        let key = if at < 7 { 1 } else { 2 };
        let bytes = tail.append(&happening, &said, &seed(key)).unwrap();
        let mut record = records(&bytes).next().unwrap().unwrap();
        if at == 13 {
            record.erase();
        }
        lines.push(Line::of(at as u64, &record));
        checkpoints.push(*tail.newest().unwrap());
    }
    Log { lines, checkpoints }
}

fn witness(seen: SignedCheckpoint) -> HeldLine {
    let witness = Witness::sign(seen, [7; 32], &seed(9));
    HeldLine::Person {
        name: "Ben".to_owned(),
        witness: hex::encode(witness.encode()),
    }
}

fn export(seen: SignedCheckpoint) -> HeldLine {
    HeldLine::Export {
        checkpoint: hex::encode(seen.encode()),
    }
}

fn lines(log: &Log) -> Vec<Value> {
    let lines = log.lines.iter();
    lines
        .map(|line| serde_json::to_value(line).unwrap())
        .collect()
}

fn text(log: &Log, held: Vec<HeldLine>, lines: &[Value]) -> String {
    let key = &log.checkpoints.last().unwrap().key;
    let mut header = Header::new(&ORIGIN, key);
    header.checkpoints = held;
    let mut text = serde_json::to_string(&header).unwrap() + "\n";
    for line in lines {
        text += &(line.to_string() + "\n");
    }
    text
}

/// What was done to a log, what it looks like then, and what has to be said of it; nothing: whatever it is.
struct Case {
    what: String,
    bytes: Vec<u8>,
    said: Option<String>,
}

struct Cases {
    log: Log,
    held: Vec<HeldLine>,
    all: Vec<Case>,
}

impl Cases {
    fn of(log: Log, held: Vec<HeldLine>) -> Self {
        let all = Vec::new();
        Self { log, held, all }
    }

    fn add(&mut self, what: String, lines: &[Value], said: impl Into<Option<String>>) {
        let bytes = text(&self.log, self.held.clone(), lines).into_bytes();
        let said = said.into();
        self.all.push(Case { what, bytes, said });
    }
}

fn ours(file: &Path) -> String {
    let verdict = verify_file(file).unwrap().verdict;
    match verdict.fault {
        None => format!("good {}", verdict.records),
        Some(fault) => {
            let record = fault.record.map_or("-".to_owned(), |it| it.to_string());
            format!("{record} {}", fault.wrong.name())
        }
    }
}

fn theirs(files: &[PathBuf]) -> Vec<String> {
    let output = Command::new("/usr/bin/python3")
        .args(["-B", "tests/foreign/audit.py"])
        .args(files)
        .env("PYTHONPATH", tool("").with_file_name("foreign"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let said: Vec<String> = said.lines().map(str::to_owned).collect();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.len(), files.len(), "{complaint}");
    let good = said.iter().all(|line| line.starts_with("good"));
    assert_eq!(output.status.code(), Some(i32::from(!good)));
    said
}

#[track_caller]
fn agree(test: &str, cases: &[Case]) {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let file = folder.path().join(at.to_string());
        fs::write(&file, &case.bytes).unwrap();
        let said = ours(&file);
        if let Some(expected) = &case.said {
            assert_eq!(said, *expected, "{}", case.what);
        }
        files.push(file);
    }
    let installed = tool("").with_file_name("foreign").join("installed");
    if !applicable(test, &["/usr/bin/python3", installed.to_str().unwrap()]) {
        return;
    }
    for ((case, file), said) in cases.iter().zip(&files).zip(theirs(&files)) {
        assert_eq!(said, ours(file), "{}", case.what);
    }
    println!("{} logs, of which both say the same", cases.len());
}

/// Another value of the same type; nothing where there is none.
fn another(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let mut text = text.clone();
            let last = text.pop();
            text.push(if last == Some('0') { '1' } else { '0' });
            text.into()
        }
        Value::Number(number) => (number.as_i64().unwrap() + 1).into(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => "00".into(),
    }
}

#[test]
fn every_change_of_one_record_is_named_by_both() {
    let good = log(None);
    let newest = good.checkpoints[COUNT - 1];
    let all = lines(&good);
    let mut cases = Cases::of(good, vec![export(newest)]);
    cases.add("nothing".into(), &all, format!("good {COUNT}"));
    for at in 0..COUNT {
        for field in all[at].as_object().unwrap().keys() {
            let mut changed = all.clone();
            changed[at][field] = another(&all[at][field]);
            let what = format!("{field} of {at}");
            // What is a number still may be that of another record.
            let code = match (field.as_str(), at) {
                ("salt" | "signature" | "time" | "nanos" | "commitment", 13) => None,
                ("salt" | "signature", _) | ("key", 0 | 7) => Some("changed"),
                ("event" | "key", _) => None,
                _ => Some("unreadable"),
            };
            let said = code.map(|code| format!("{at} {code}"));
            let case = (what.clone(), changed.clone());
            cases.add(case.0, &case.1, said);
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), &cases.all.last().unwrap().bytes).unwrap();
            let named = ours(file.path());
            assert!(named.starts_with(&format!("{at} ")), "{what}: {named}");
        }
        let mut dropped = all.clone();
        dropped.remove(at);
        let code = match at {
            12 => "12 unreadable".to_owned(),
            _ if at == COUNT - 1 => format!("{at} missing"),
            _ => format!("{at} moved"),
        };
        cases.add(format!("{at} is dropped"), &dropped, code);
        let mut twice = all.clone();
        twice.insert(at, all[at].clone());
        cases.add(format!("{at} is there twice"), &twice, None);
        for other in at + 1..COUNT {
            let mut swapped = all.clone();
            swapped.swap(at, other);
            let code = if other == 13 { "unreadable" } else { "moved" };
            let code = if at == 13 { "moved" } else { code };
            cases.add(
                format!("{at} and {other} are swapped"),
                &swapped,
                format!("{at} {code}"),
            );
        }
        cases.add(format!("cut to {at}"), &all[..at], format!("{at} missing"));
    }
    agree("every_change_of_one_record_is_named_by_both", &cases.all);
}

/// Somebody holds the checkpoint behind the twelfth record: what is before it cannot be changed by those who have the
/// keys either.
#[test]
fn nothing_before_a_witnessed_checkpoint_can_be_written_anew() {
    const SEEN: usize = 12;
    let good = log(None);
    let held = vec![witness(good.checkpoints[SEEN - 1])];
    let all = lines(&good);
    let each: Vec<HeldLine> = good.checkpoints.iter().map(|seen| witness(*seen)).collect();
    let mut cases = Cases::of(good, held.clone());
    for at in 0..=COUNT {
        let said = match at {
            0..SEEN => format!("{at} missing"),
            _ => format!("good {at}"),
        };
        cases.add(format!("cut to {at}"), &all[..at], said);
    }
    let mut all = cases.all;
    for at in 0..COUNT {
        let anew = log(Some(at));
        let written = lines(&anew);
        let said = if at < SEEN {
            "0 rewritten".to_owned()
        } else {
            format!("good {COUNT}")
        };
        let mut cases = Cases::of(anew, held.clone());
        cases.add(format!("{at} is another"), &written, said);
        // Everything was seen by somebody: then it is named.
        cases.held.clone_from(&each);
        cases.add(
            format!("{at} is another, seen"),
            &written,
            format!("{at} rewritten"),
        );
        all.append(&mut cases.all);
    }
    let good = log(None);
    let whole = lines(&good);
    let wrong: Vec<HeldLine> = vec![
        witness(SignedCheckpoint {
            signature: [1; 64],
            ..good.checkpoints[3]
        }),
        witness(good.checkpoints[3].checkpoint.sign(&seed(5))),
    ];
    for (held, said) in wrong.into_iter().zip(["- unsigned", "good 20"]) {
        let mut cases = Cases::of(log(None), vec![held]);
        cases.add("another signature".to_owned(), &whole, said.to_owned());
        all.append(&mut cases.all);
    }
    agree(
        "nothing_before_a_witnessed_checkpoint_can_be_written_anew",
        &all,
    );
}

#[test]
fn both_say_the_same_of_any_byte() {
    let test = "both_say_the_same_of_any_byte";
    let mut random = Random::new(test);
    let good = log(None);
    let held = vec![export(good.checkpoints[COUNT - 1])];
    let whole = text(&good, held, &lines(&good)).into_bytes();
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut cases = Vec::new();
    for round in 0..rounds(300, 5000) {
        let at = header + random.index(whole.len() - header);
        let mut bytes = whole.clone();
        let what = match round % 3 {
            0 => {
                bytes[at] ^= 1 << random.below(8);
                "changed"
            }
            1 => {
                bytes.truncate(at);
                "cut off"
            }
            _ => {
                bytes.remove(at);
                "dropped"
            }
        };
        cases.push(Case {
            what: format!("byte {at} is {what}"),
            bytes,
            said: None,
        });
    }
    agree(test, &cases);
}

/// The lines that are written stay what they are.
#[test]
fn the_lines_of_an_export_are_frozen() {
    let good = log(None);
    let held = vec![
        witness(good.checkpoints[4]),
        HeldLine::Head {
            checkpoint: hex::encode(good.checkpoints[9].encode()),
        },
        export(good.checkpoints[COUNT - 1]),
    ];
    let mut bytes = text(&good, held, &[]);
    for line in &good.lines {
        bytes += &(serde_json::to_string(line).unwrap() + "\n");
    }
    if std::env::var_os("PODFS_WRITE_GOLDEN").is_some() {
        fs::write(GOLDEN, &bytes).unwrap();
    }
    assert!(
        fs::read_to_string(GOLDEN).unwrap() == bytes,
        "written another way now"
    );
    let said = Some(format!("good {COUNT}"));
    let what = "nothing".to_owned();
    let bytes = bytes.into_bytes();
    agree(
        "the_lines_of_an_export_are_frozen",
        &[Case { what, bytes, said }],
    );
}
