//! Second implementations, in Python, of what outlives the program: they share no code with it, only `FORMAT.md`.

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::Command;

use podfs::crypto::identity::{Fingerprint, spoken_words};
use podfs::crypto::swarm::{SocId, soc_address, soc_owner};
use podfs::crypto::{Phrase, Secret, phrase_share};
use podfs::daemon::keyfile::system_entropy;
use podfs::format::card::SignedCard;
use podfs::format::grant::SignedReceipt;
use podfs::format::text;
use podfs::pod::Caller;

use crate::node::hexadecimal;

use crate::support::applicable;
use crate::support::listing::listing;
use crate::support::pod::Files;
use crate::support::pod::read_files;
use crate::support::pod::write_files;
use crate::support::random::Random;
use crate::support::rounds;
use crate::support::run;
use crate::support::sample;
use crate::support::tool;

const GOLDEN: &str = include_str!("../golden/v1/pod/listing.txt");

/// What a script says that agrees; nothing where it cannot run.
fn agrees(test: &str, script: &str, argument: &str) -> Option<String> {
    let packages = tool("").with_file_name("foreign");
    let installed = packages.join("installed");
    if !applicable(test, &["/usr/bin/python3", installed.to_str().unwrap()]) {
        return None;
    }
    let said = run(Command::new("/usr/bin/python3")
        .arg("-B")
        .arg(format!("tests/foreign/{script}"))
        .arg(argument)
        .env("PYTHONPATH", packages));
    println!("{said}");
    Some(said)
}

#[test]
fn another_program_derives_the_same_keys() {
    drop(agrees(
        "another_program_derives_the_same_keys",
        "keys.py",
        "tests/vectors/keys.json",
    ));
}

#[test]
fn another_program_reads_keyfiles() {
    drop(agrees(
        "another_program_reads_keyfiles",
        "keyfile.py",
        "tests/golden/v1",
    ));
}

#[test]
fn another_program_makes_the_same_chunks() {
    drop(agrees(
        "another_program_makes_the_same_chunks",
        "chunks.py",
        "tests/golden/v1",
    ));
}

#[test]
fn another_program_verifies_receipts() {
    let name = "another_program_verifies_receipts";
    let golden = "tests/golden/v1/grant-receipt-good.bin";
    let Some(said) = agrees(name, "receipt.py", golden) else {
        return;
    };
    let receipt = SignedReceipt::read(&fs::read(golden).unwrap()).unwrap();
    let says = receipt.says().unwrap();
    let ours = [
        ("grant", hexadecimal(&says.grant)),
        ("who", hexadecimal(&says.who.0)),
        ("level", says.level.number().to_string()),
        ("asked", says.asked.secs.to_string()),
        ("done", says.done.secs.to_string()),
        ("names", says.renewed.names.to_string()),
        (
            "chunks",
            (says.renewed.nodes + says.renewed.pages).to_string(),
        ),
        ("left", says.renewed.left.to_string()),
        ("log", hexadecimal(&says.checkpoint.origin)),
        ("log size", says.checkpoint.size.to_string()),
        ("root", hexadecimal(&says.checkpoint.root)),
        ("key", hexadecimal(&receipt.key())),
    ];
    let ours = ours.map(|(name, value)| format!("{name:<12} {value}\n"));
    assert_eq!(said, ours.concat());
    let packages = tool("").with_file_name("foreign");
    for byte in [3, 50, 80, 110, 230, 300] {
        let mut changed = receipt.0;
        changed[byte] ^= 1;
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), changed).unwrap();
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-B", "tests/foreign/receipt.py"]);
        command.arg(file.path()).env("PYTHONPATH", &packages);
        assert_eq!(
            command.output().unwrap().status.code(),
            Some(1),
            "byte {byte}"
        );
        assert!(!SignedReceipt::read(&changed).is_ok_and(|it| it.is_signed()));
    }
}

#[test]
fn another_program_reads_cards() {
    let Some(said) = agrees("another_program_reads_cards", "card.py", "tests/golden/v1") else {
        return;
    };
    let card = fs::read("tests/golden/v1/card-signed-good.bin").unwrap();
    let card = SignedCard::read(&card).unwrap();
    let owner = card.card().owner();
    let print = Fingerprint::of(&card.card().identity);
    let list = bip39::Language::English.word_list();
    let words = spoken_words(&Fingerprint([0; 32]), &print).unwrap();
    let numbers = words.map(|word| list.binary_search(&word).unwrap().to_string());
    let heir = fs::read("tests/golden/v1/card-signed-heir.bin").unwrap();
    let heir = SignedCard::read(&heir).unwrap();
    let ours = [
        ("owner", hexadecimal(&owner.0)),
        ("card at", card.chunk().address().to_string()),
        ("hash", hexadecimal(&card.hash())),
        ("fingerprint", hexadecimal(&print.0)),
        ("text", text::identity(&owner)),
        ("words", numbers.join(" ")),
        ("successor", hexadecimal(&heir.card().owner().0)),
    ];
    let ours = ours.map(|(name, value)| format!("{name:<12} {value}\n"));
    assert_eq!(said, ours.concat());
}

#[test]
fn another_program_reads_messages() {
    let said = agrees(
        "another_program_reads_messages",
        "message.py",
        "tests/golden/v1",
    );
    let Some(said) = said else { return };
    let chunk = fs::read("tests/golden/v1/message-chunk-good.bin").unwrap();
    let owner = soc_owner(&chunk).unwrap();
    let id = SocId(*chunk.first_chunk().unwrap());
    let at = soc_address(&id, &owner);
    let rest: Vec<_> = said.lines().skip(3).collect();
    let ours = [
        format!("id           {}", "1d".repeat(16)),
        "rights       1".to_owned(),
        "from         1795000000".to_owned(),
        "until        1797000000".to_owned(),
        "what         Befunde/2026".to_owned(),
        "for          Behandlung".to_owned(),
    ];
    assert!(said.starts_with(&format!("owner        {}\n", hexadecimal(&owner.0))));
    assert!(said.contains(&format!("\nmessage at   {at}\n")));
    assert_eq!(rest, ours);
}

#[test]
fn another_program_opens_a_door() {
    let test = "another_program_opens_a_door";
    let Some(said) = agrees(test, "door.py", "tests/golden/v1") else {
        return;
    };
    let chunk = fs::read("tests/golden/v1/door-chunk-good.bin").unwrap();
    let card = fs::read("tests/golden/v1/card-signed-good.bin").unwrap();
    let card = SignedCard::read(&card).unwrap();
    let print = Fingerprint::of(&card.card().identity);
    let owner = soc_owner(&chunk).unwrap();
    let at = soc_address(&SocId(*chunk.first_chunk().unwrap()), &owner);
    assert!(said.starts_with(&format!("owner        {}\n", hexadecimal(&owner.0))));
    for line in [
        format!("slot at      {at}"),
        format!("from         {}", hexadecimal(&print.0)),
        format!("id           {}", "1d".repeat(16)),
        "what         Befunde/2026".to_owned(),
    ] {
        assert!(said.lines().any(|it| it == line), "{line}: {said}");
    }
}

/// Shares that this program makes, combined by another one.
#[test]
fn another_program_combines_shares_of_a_phrase() {
    let test = "another_program_combines_shares_of_a_phrase";
    let packages = tool("").with_file_name("foreign");
    let installed = packages.join("installed");
    if !applicable(test, &["/usr/bin/python3", installed.to_str().unwrap()]) {
        return;
    }
    let mut random = Random::new(test);
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..rounds(4, 100) {
        let secret: [u8; 32] = random.bytes(32).try_into().unwrap();
        let phrase = Phrase::from_entropy(&Secret::from_bytes(&secret));
        let (needed, more) = (2 + random.index(4), random.index(4));
        let (threshold, count) = (needed as u8, (needed + more) as u8);
        let shares = phrase_share::split(&phrase, threshold, count, &mut system_entropy).unwrap();
        let first = random.index(more + 1);
        let mut combine = Command::new("/usr/bin/python3");
        combine.args(["-B", "tests/foreign/shares.py"]);
        for share in &shares[first..first + needed] {
            let file = folder.path().join(share.number.to_string());
            fs::write(&file, text::share(share).as_bytes()).unwrap();
            combine.arg(file);
        }
        let said = run(combine.env("PYTHONPATH", &packages));
        assert_eq!(said.trim(), hexadecimal(&secret));
    }
}

fn reader(state: &Path, phrase: &Path) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command
        .args(["-B", "tests/foreign/reader.py"])
        .arg(state)
        .arg(phrase)
        .env("PYTHONPATH", tool("").with_file_name("foreign"));
    command
}

fn another_reader_sees(state: &Path, phrase: &Path, truth: &str) {
    assert_eq!(run(&mut reader(state, phrase)), truth);
}

/// What a reader makes of a state: all names, and whether the log is damaged; nothing when it cannot read it.
type Seen = Option<(String, bool)>;

fn another_reader_makes(state: &Path, phrase: &Path) -> Seen {
    let output = reader(state, phrase).output().unwrap();
    let listing = String::from_utf8(output.stdout).unwrap();
    match output.status.code() {
        Some(0) => Some((listing, false)),
        Some(1) => Some((listing, true)),
        _ => None,
    }
}

fn we_make(state: &Path) -> Seen {
    let seen = catch_unwind(|| {
        let pod = sample::open(state);
        (listing(&pod), pod.rows().journal().broken().is_some())
    });
    seen.ok()
}

/// Both see the same torn tail, the same damage and the same unreadable files, whatever byte of the state changes.
#[test]
fn another_program_agrees_on_damage() {
    let installed = tool("").with_file_name("foreign").join("installed");
    let needs = ["/usr/bin/python3", installed.to_str().unwrap()];
    if !applicable("another_program_agrees_on_damage", &needs) {
        return;
    }
    let mut random = Random::new("another reader");
    let mut files = Files::new();
    read_files(Path::new("tests/golden/v1/pod"), Path::new(""), &mut files);
    let mut outcomes = BTreeMap::new();
    for round in 0..rounds(40, 2000) {
        let dir = tempfile::tempdir().unwrap();
        let phrase = dir.path().join("phrase");
        fs::write(&phrase, sample::phrase().text().as_str()).unwrap();
        let state = dir.path().join("state");
        let changed = changed(&files, &mut random);
        write_files(&state, &changed.1);
        let theirs = another_reader_makes(&state, &phrase);
        let ours = we_make(&state);
        assert_eq!(theirs, ours, "round {round}: {}", changed.0);
        let outcome = theirs.map(|(listing, damaged)| (listing == GOLDEN, damaged));
        *outcomes.entry(outcome).or_insert(0) += 1;
    }
    println!("(all there, damaged) how often: {outcomes:?}");
}

/// The state with one byte changed, in half of the rounds with nothing known durable from elsewhere.
fn changed(files: &Files, random: &mut Random) -> (String, Files) {
    let mut files = files.clone();
    let of_log = |path: &Path| path.starts_with("log");
    if random.below(2) == 0 {
        for (_, bytes) in files
            .iter_mut()
            .filter(|(path, _)| path == Path::new("watermark"))
        {
            bytes.clear();
        }
    }
    let mut candidates: Vec<_> = files
        .iter_mut()
        .filter(|(path, bytes)| !bytes.is_empty() && (of_log(path) || path.starts_with("manifest")))
        .collect();
    let at = random.index(candidates.len());
    let (path, bytes) = &mut *candidates[at];
    // Most of a segment is holes: changes go where something stands.
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let place = places[random.index(places.len())];
    bytes[place] ^= 1 << random.below(8);
    (format!("byte {place} of {}", path.display()), files)
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
