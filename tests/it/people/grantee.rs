//! What a reader gets with a grant who keeps to no agreement: `tests/foreign/grantee.py`, which shares no code with podfs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use podfs::crypto::keys::BoxSecret;
use podfs::format::grant::{Grant, Terms};
use podfs::format::rows::FileKind;
use podfs::types::{Name, Purpose, Rights};

use crate::hex;
use crate::node::Node;
use crate::people::matrix::{FILES, Row};
use crate::support::{run, tool};

/// Paths, and the hash of each file.
type Opens = BTreeMap<String, String>;

/// A reader who has the grant and ignores what was agreed.
struct Reading {
    /// What each record says, and opens.
    records: Vec<(String, Opens)>,
    opened: Vec<u8>,
}

fn reads(node: &Node, own: &BoxSecret, row: &Row) -> Reading {
    let folder = tempfile::tempdir().unwrap();
    let id = hex::decode(row.id.as_deref().unwrap()).try_into().unwrap();
    let secret = own.grant(&id);
    let name = row.hers.file_name().unwrap().to_str().unwrap();
    let grant = Grant {
        id,
        terms: Terms {
            name: Name::parse(name.as_bytes()).unwrap(),
            kind: if row.on == "file" {
                FileKind::Regular
            } else {
                FileKind::Directory
            },
            rights: row.rights.parse::<Rights>().unwrap(),
            snapshot: false,
            from: None,
            until: Some(0),
            purpose: Purpose::parse("").unwrap(),
        },
        feed: secret.feed(),
        cap: secret.cap_key(),
    };
    let (body, opened) = (folder.path().join("grant"), folder.path().join("opened"));
    fs::write(&body, &*grant.encode().unwrap()).unwrap();
    let mut reader = Command::new("/usr/bin/python3");
    reader.args(["-B", "tests/foreign/grantee.py", &node.url()]);
    reader.args([&body, &opened]);
    reader.env("PYTHONPATH", tool("").with_file_name("foreign"));
    let mut records: Vec<(String, Opens)> = Vec::new();
    for line in run(&mut reader).lines() {
        if let Some(record) = line.strip_prefix("record ") {
            let state = record.split(' ').nth(1).unwrap();
            records.push((state.to_owned(), BTreeMap::new()));
            continue;
        }
        let fields: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let hash = fields.get(7).unwrap_or_else(|| panic!("{line}")).clone();
        let (_, opens) = records.last_mut().unwrap();
        opens.insert(fields[0].clone(), hash);
    }
    let opened = fs::read(opened).unwrap();
    Reading { records, opened }
}

/// What of a row is to be opened at a time: all that is in it, and nothing else.
fn whole(rows: &[Row], row: &Row, version: &str) -> Opens {
    let hash = |text: String| blake3::hash(text.as_bytes()).to_hex().to_string();
    if row.on == "file" {
        // All of it was written to the one file.
        return Opens::from([(".".to_owned(), hash(row.text(version, "next")))]);
    }
    let mut all = Opens::from([(".".to_owned(), "-".to_owned())]);
    let within = rows.iter().filter(|it| it.hers.starts_with(&row.hers));
    for part in within {
        let below = part.hers.strip_prefix(&row.hers).unwrap();
        for above in below.ancestors().filter(|it| *it != Path::new("")) {
            all.insert(quoted(above), "-".to_owned());
        }
        for operation in FILES {
            let version = if operation == "next" {
                version
            } else {
                "first"
            };
            let path = below.join(format!("{operation}.txt"));
            all.insert(quoted(&path), hash(part.text(version, operation)));
        }
    }
    all
}

fn quoted(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// What nobody may find who was given something else.
fn hidden(own: &BoxSecret, carols: &str, rows: &[Row], row: &Row) -> Vec<Vec<u8>> {
    let carols = own.grant(&hex::decode(carols).try_into().unwrap());
    let words = [
        "records",
        "beside",
        "nobody's business",
        "Carol",
        "user.pod.",
    ];
    let mut hidden: Vec<Vec<u8>> = words.map(|word| word.as_bytes().to_vec()).into();
    hidden.extend([
        own.secret().expose().to_vec(),
        own.scope_key().secret().expose().to_vec(),
        own.conv().secret().expose().to_vec(),
        carols.cap_key().secret().expose().to_vec(),
        carols.feed().owner.0.to_vec(),
        carols.feed().topic.0.to_vec(),
    ]);
    let others = rows.iter().filter(|it| !it.hers.starts_with(&row.hers));
    hidden.extend(others.map(|it| it.text("first", "read").into_bytes()));
    if !row.is_live() {
        hidden.push(b"second".to_vec());
    }
    hidden
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// Whoever ignores everything that was agreed gets what was published for the grant, to the end of it, and no more.
pub(super) fn nothing_more_is_read(node: &Node, own: &BoxSecret, carols: &str, rows: &[Row]) {
    for row in rows.iter().filter(|row| row.is_given()) {
        let of = format!("{} {}", row.rights, row.on);
        let Reading { records, opened } = reads(node, own, row);
        for word in hidden(own, carols, rows, row) {
            let shown = String::from_utf8_lossy(&word).into_owned();
            assert!(!holds(&opened, &word), "{of}: {shown} is opened");
        }
        if row.on == "future" {
            assert!(records.is_empty(), "{of}: something is published");
            continue;
        }
        let (first, second) = (whole(rows, row, "first"), whole(rows, row, "second"));
        for (state, opens) in &records {
            if state != "live" {
                assert!(opens.is_empty() && row.is_over(), "{of}: {state}");
                continue;
            }
            let is_agreed = |(path, hash): (&String, &String)| {
                first.get(path) == Some(hash) || row.is_live() && second.get(path) == Some(hash)
            };
            assert_eq!(opens.len(), first.len(), "{of}: {opens:?}");
            assert!(opens.iter().all(is_agreed), "{of}: {opens:?}");
        }
        let (state, opens) = records.last().unwrap();
        let agreed = if row.is_live() { second } else { first };
        assert!(row.is_over() || *opens == agreed, "{of}: {opens:?}");
        assert_eq!(*state, if row.is_over() { row.on } else { "live" }, "{of}");
        // The look finds what is there.
        for word in ["user.note", &row.text("first", "next")] {
            assert!(holds(&opened, word.as_bytes()), "{of}: {word}");
        }
    }
}
