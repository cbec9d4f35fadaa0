//! Grants as another program reads them.

use std::fs;
use std::path::Path;
use std::process::Command;

use podfs::crypto::Secret;
use podfs::crypto::keys::{GrantSecret, PodSecret};
use podfs::crypto::publish::{RecordPlace, Reference, record_chunk, seal_record};
use podfs::format::audit::Checkpoint;
use podfs::format::grant::{Ended, Grant, GrantRecord, RecordState, ShownLog, Terms};
use podfs::format::published::{Attributes, Entry};
use podfs::format::rows::FileKind;
use podfs::types::{Ino, Name, Purpose, Rights, Timespec};

use crate::node::hexadecimal;
use crate::support::random::Random;
use crate::support::{applicable, rounds, run, tool};

fn name(random: &mut Random) -> Name {
    let len = 1 + random.index(255);
    let mut bytes = random.bytes(len);
    for byte in bytes
        .iter_mut()
        .filter(|byte| matches!(byte, 0 | b'/' | b'.'))
    {
        *byte = 0xff;
    }
    Name::parse(&bytes).unwrap()
}

fn time(random: &mut Random) -> Timespec {
    Timespec {
        secs: random.below(4_000_000_000).cast_signed(),
        nanos: random.below(1_000_000_000) as u32,
    }
}

fn terms(random: &mut Random) -> Terms {
    let purpose = ["", "Überweisung", "診断\u{a0}書 – x"][random.index(3)];
    let sometime = |random: &mut Random, after: i64| {
        let secs = after + random.below(1 << 40).cast_signed();
        (random.below(2) == 0).then_some(secs)
    };
    Terms {
        name: name(random),
        kind: [FileKind::Regular, FileKind::Directory][random.index(2)],
        rights: Rights::ALL[random.index(3)],
        snapshot: random.below(2) == 0,
        from: sometime(random, -(1 << 40)),
        until: sometime(random, 1),
        purpose: Purpose::parse(purpose).unwrap(),
    }
}

fn entry(random: &mut Random, kind: FileKind) -> Entry {
    let directory = kind == FileKind::Directory;
    let size = random.below(3) * random.below(1 << 40);
    let xattrs = random.below(2) == 0;
    let mut reference = |there: bool| {
        let bytes = random.bytes(80).try_into().unwrap();
        there.then(|| Reference::from_bytes(&bytes)).flatten()
    };
    let contents = reference(xattrs || !directory && size > 0);
    let tree = reference(directory && size > 0);
    let attributes = Attributes {
        mode: kind.bits() | random.below(0o7777) as u32,
        ino: Ino(random.next()),
        uid: (random.below(2) == 0).then_some(1000),
        gid: (random.below(2) == 0).then_some(1000),
        nlink: 2 + random.below(9) as u32,
        rdev: 0,
        size,
        mtime: time(random),
        ctime: time(random),
        btime: time(random),
        atime: time(random),
        xattrs,
        target: Box::default(),
        contents,
        directory: tree,
        attached: None,
    };
    Entry {
        name: name(random),
        attributes,
    }
}

/// An audit log, nobody's, as far as it is shown.
fn log(random: &mut Random) -> ShownLog {
    let mut hash = || random.bytes(32).try_into().unwrap();
    let checkpoint = Checkpoint {
        origin: hash(),
        size: 1000,
        root: hash(),
        time: Timespec::default(),
        previous: hash(),
    };
    let path: Vec<_> = (0..3).map(|_| hash()).collect();
    let path = path[..random.index(4)].to_vec();
    let since = (random.below(3) != 0).then(|| (1 + random.below(1000), path));
    ShownLog {
        checkpoint: checkpoint.sign(&Secret::from_bytes(&[7; 32])),
        since,
    }
}

/// As the other program says it.
fn line(name: &str, value: Option<String>) -> String {
    format!("{name:<12} {}\n", value.unwrap_or_else(|| "-".to_owned()))
}

fn said_of_grant(grant: &Grant) -> String {
    let terms = &grant.terms;
    let kind = if terms.kind == FileKind::Directory {
        "directory"
    } else {
        "file"
    };
    [
        line("id", Some(hexadecimal(&grant.id))),
        line("name", Some(hexadecimal(terms.name.as_bytes()))),
        line("kind", Some(kind.to_owned())),
        line("rights", Some(terms.rights.to_string())),
        line("snapshot", Some(u8::from(terms.snapshot).to_string())),
        line("from", terms.from.map(|secs| secs.to_string())),
        line("until", terms.until.map(|secs| secs.to_string())),
        line(
            "purpose",
            Some(hexadecimal(terms.purpose.as_str().as_bytes())),
        ),
    ]
    .concat()
}

fn said_of_record(record: &GrantRecord, place: &RecordPlace) -> String {
    let state = match &record.state {
        RecordState::Live(_) => "live",
        RecordState::Ended(Ended::Revoked) => "revoked",
        RecordState::Ended(Ended::Expired) => "expired",
        RecordState::Ended(Ended::Gone) => "gone",
    };
    let time = format!("{}.{:09}", record.time.secs, record.time.nanos);
    let hash = GrantRecord::said(record.until, &record.state).unwrap();
    let mut said = vec![
        line(
            &format!("record {}", record.index),
            Some(format!("{state} at {}", place.address())),
        ),
        line("time", Some(time)),
        line("until", record.until.map(|secs| secs.to_string())),
        line("said", Some(hexadecimal(&hash))),
    ];
    if let RecordState::Live(entry) = &record.state {
        let Entry { name, attributes } = &**entry;
        let reference = |of: &Option<Reference>| {
            let bytes = of.as_ref().map(Reference::to_bytes);
            bytes.map(|bytes| hexadecimal(bytes.as_slice()))
        };
        said.extend([
            line("name", Some(hexadecimal(name.as_bytes()))),
            line("mode", Some(format!("{:o}", attributes.mode))),
            line("size", Some(attributes.size.to_string())),
            line("inode", reference(&attributes.contents)),
            line("names", reference(&attributes.directory)),
        ]);
    }
    if let Some(log) = &record.log {
        let hash = |bytes: &[u8]| hexadecimal(blake3::hash(bytes).as_bytes());
        let since = log.since.as_ref();
        said.extend([
            line("log", Some(hash(&log.checkpoint.encode()))),
            line(
                "since",
                since.map(|(size, path)| format!("{size} {}", hash(&path.concat()))),
            ),
        ]);
    }
    said.concat()
}

/// The chunks of a feed, and what they say.
fn feed(random: &mut Random, secret: &GrantSecret, grant: &Grant) -> Vec<(Vec<u8>, String)> {
    let mut previous = [0; 32];
    let states = (0..4).map(|index| {
        let ended = Ended::ALL[random.index(3)];
        let state = if index < 3 {
            RecordState::Live(Box::new(entry(random, grant.terms.kind)))
        } else {
            RecordState::Ended(ended)
        };
        let record = GrantRecord {
            grant: grant.id,
            index,
            previous,
            time: time(random),
            until: (random.below(2) == 0).then_some(-1),
            state,
            log: (random.below(2) == 0).then(|| log(random)),
        };
        let place = RecordPlace {
            feed: grant.feed,
            index,
        };
        let payload = seal_record(&grant.cap, &place, &record.encode().unwrap());
        previous = *blake3::hash(payload.as_slice()).as_bytes();
        let chunk = record_chunk(secret, index, &payload).unwrap();
        (chunk.bytes().to_vec(), said_of_record(&record, &place))
    });
    states.collect()
}

fn reader(grant: &Path, chunks: &[&Path]) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-B", "tests/foreign/grant.py"]);
    command.arg(grant).args(chunks);
    command.env("PYTHONPATH", tool("").with_file_name("foreign"));
    command
}

/// Whatever a grant says and its feed tells, both read the same; and neither takes a record elsewhere or changed.
#[test]
fn another_program_reads_grants() {
    let test = "another_program_reads_grants";
    let installed = tool("").with_file_name("foreign").join("installed");
    if !applicable(test, &["/usr/bin/python3", installed.to_str().unwrap()]) {
        return;
    }
    let mut random = Random::new(test);
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..rounds(6, 100) {
        let pod = Secret::from_slice(&random.bytes(32)).unwrap();
        let id = random.bytes(16).try_into().unwrap();
        let secret = PodSecret::restore(pod).box_secret(0, 0).grant(&id);
        let grant = Grant {
            id,
            terms: terms(&mut random),
            feed: secret.feed(),
            cap: secret.cap_key(),
        };
        let body = folder.path().join("grant");
        fs::write(&body, &*grant.encode().unwrap()).unwrap();
        let records = feed(&mut random, &secret, &grant);
        let files: Vec<_> = (0..records.len())
            .map(|at| folder.path().join(at.to_string()))
            .collect();
        for (file, (chunk, _)) in files.iter().zip(&records) {
            fs::write(file, chunk).unwrap();
        }
        let files: Vec<_> = files.iter().map(AsRef::as_ref).collect();
        let ours = records.iter().map(|(_, said)| said.as_str());
        let ours = said_of_grant(&grant) + &ours.collect::<String>();
        assert_eq!(run(&mut reader(&body, &files)), ours);

        let refused = |chunks: &[&Path]| {
            let output = reader(&body, chunks).output().unwrap();
            String::from_utf8_lossy(&output.stderr).contains("Damaged")
        };
        assert!(refused(&files[1..]), "a record at another place");
        let mut changed = records[0].0.clone();
        let at = random.index(changed.len());
        changed[at] ^= 1 << random.below(8);
        fs::write(files[0], changed).unwrap();
        assert!(refused(&files), "byte {at} of a chunk");
    }
}
