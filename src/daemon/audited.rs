//! Commands about the audit log: the daemon of a mounted pod hands it out, the command reads and verifies it itself. A log
//! in a file needs no daemon.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::control::AuditEvidence;
use crate::control::AuditFile;
use crate::control::AuditRequest;
use crate::control::AuditResponse;
use crate::control::Client;
use crate::control::Request;
use crate::control::Response;
use crate::daemon::contacts::PeopleClient;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::follow;
use crate::daemon::follow::daemon_fault;
use crate::daemon::paths::PodPaths;
use crate::format::audit::Record;
use crate::format::audit::Witness;
use crate::format::card::SignedCard;
use crate::format::text;
use crate::format::wire::Malformed;
use crate::share::audit::Evidence;
use crate::share::audit::Header;
use crate::share::audit::HeldLine;
pub use crate::share::audit::Line;
use crate::share::audit::Tail;
use crate::share::audit::Verdict;
use crate::share::audit::read;
use crate::share::audit::verify;
use crate::types::limits::AUDIT_LINE_MAX;
use crate::types::limits::PEOPLE_PATIENCE;

/// The daemon of a mounted pod, asked about its audit log.
#[derive(Debug)]
pub struct AuditClient {
    client: Client,
    paths: PodPaths,
}

/// A log, and whether it ends with what is no record.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Its records.
    pub lines: Vec<Line>,
    /// What comes behind them cannot be read.
    pub is_broken: bool,
}

/// What became of a verification.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What was found.
    pub verdict: Verdict,
    /// Who the log says that it is of: the text of an identity whose card vouches for the key that signed last.
    pub identity: Option<String>,
}

impl AuditClient {
    /// Of the pod there.
    ///
    /// # Errors
    /// [`FaultKind::NoPod`], [`FaultKind::NotMounted`].
    pub fn of_pod(paths: PodPaths) -> Result<Self, Fault> {
        paths.require()?;
        let client = follow::connect(&paths, PEOPLE_PATIENCE)?;
        Ok(Self { client, paths })
    }

    /// Of the pod that a path is in, with the path as seen from its top. What is not there any more is taken for a path
    /// from the top of `otherwise`.
    ///
    /// # Errors
    /// As with [`AuditClient::of_pod`].
    pub fn of_path(path: &Path, otherwise: PodPaths) -> Result<(Self, PathBuf), Fault> {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // What is not there any more was in a folder that perhaps is.
        let standing = whole.ancestors().find(|above| above.exists());
        if let Some(above) = standing
            && let Ok((paths, inside)) = follow::locate(above)
        {
            let below = whole.strip_prefix(above).unwrap_or(Path::new(""));
            return Ok((Self::of_pod(paths)?, inside.join(below)));
        }
        let inside = path.strip_prefix("/").unwrap_or(path);
        Ok((Self::of_pod(otherwise)?, inside.to_owned()))
    }

    /// All records.
    ///
    /// # Errors
    /// When the daemon does not give them.
    pub fn listing(&mut self) -> Result<Listing, Fault> {
        let log = self.file(AuditFile::Log)?;
        let (mut lines, mut is_broken) = (Vec::new(), false);
        for (number, record) in (0..).zip(read(&log)) {
            match record {
                Ok(record) => lines.push(Line::of(number, &record)),
                Err(Malformed(_)) => is_broken = true,
            }
        }
        Ok(Listing { lines, is_broken })
    }

    /// The fingerprint of the contact of that name, if there is one.
    ///
    /// # Errors
    /// When the daemon does not tell.
    pub fn fingerprint(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match PeopleClient::of_pod(&self.paths)?.show(name) {
            Ok(contact) => Ok(Some(contact.known_as)),
            Err(fault) if fault.kind == FaultKind::NoContact => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Compares the log with the newest published head, and with the checkpoints that others countersigned.
    ///
    /// # Errors
    /// When the daemon does not give them.
    pub fn verify(&mut self) -> Result<Verified, Fault> {
        // The log comes last: it may grow meanwhile, and a checkpoint must not be of what was not read.
        let given = self.evidence()?;
        let header = self.header(&given)?;
        let log = self.file(AuditFile::Log)?;
        let evidence = Evidence {
            origin: bytes(&given.origin)?,
            key: None,
            held: header.held().map_err(|_| unexpected())?,
        };
        let verdict = verify(read(&log), &evidence);
        let key = verdict.keys.last().map(|(_, key)| *key);
        Ok(Verified {
            identity: key.and_then(|key| vouched(header.card.as_deref(), &key)),
            verdict,
        })
    }

    /// Writes the log to a new file, to be verified without podfs. Gives the number of its records.
    ///
    /// # Errors
    /// [`FaultKind::Usage`]: the file cannot be written, or is there already; or the daemon does not give the log.
    pub fn export(&mut self, out: &Path) -> Result<u64, Fault> {
        let what = || format!("cannot write the audit log to {}", Quoted(out));
        let unwritten = |error: std::io::Error| {
            Fault::io(FaultKind::Usage, what(), &error).next("name a file that does not exist yet")
        };
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(out);
        let mut file = std::io::BufWriter::new(file.map_err(unwritten)?);
        if self.ask(AuditRequest::Exported)? != AuditResponse::Done {
            return Err(unexpected());
        }
        let given = self.evidence()?;
        let mut header = self.header(&given)?;
        let log = self.file(AuditFile::Log)?;
        let tail = Tail::of(bytes(&given.origin)?, &log).map_err(|_| unexpected())?;
        let newest = tail.newest().ok_or_else(unexpected)?;
        let checkpoint = hex::encode(newest.encode());
        header.checkpoints.push(HeldLine::Export { checkpoint });
        write_line(&mut file, &header).map_err(unwritten)?;
        for (number, record) in (0..).zip(read(&log)) {
            let record = record.map_err(|Malformed(_)| unexpected())?;
            write_line(&mut file, &Line::of(number, &record)).map_err(unwritten)?;
        }
        file.flush().map_err(unwritten)?;
        file.get_ref().sync_all().map_err(unwritten)?;
        Ok(tail.size())
    }

    fn header(&mut self, given: &AuditEvidence) -> Result<Header, Fault> {
        let mut header = Header::new(&bytes(&given.origin)?, &bytes(&given.key)?);
        header.card.clone_from(&given.card);
        if let Some(checkpoint) = given.head.clone() {
            header.checkpoints.push(HeldLine::Head { checkpoint });
        }
        let witnesses = self.file(AuditFile::Witnesses)?;
        let witnesses = Witness::decode_all(&witnesses).map_err(|error| {
            let what = format!("the checkpoints that others countersigned cannot be read: {error}");
            Fault::new(FaultKind::Tampered, what)
        })?;
        if witnesses.is_empty() {
            return Ok(header);
        }
        let contacts = PeopleClient::of_pod(&self.paths)?.all()?;
        for witness in witnesses {
            let who = hex::encode(witness.who);
            let mut known = contacts
                .iter()
                .filter(|contact| contact.fingerprint == who || contact.known_as == who);
            let name = known.next().map(|contact| contact.name.clone());
            header.checkpoints.push(HeldLine::Person {
                name: name.unwrap_or(who),
                witness: hex::encode(witness.encode()),
            });
        }
        Ok(header)
    }

    fn evidence(&mut self) -> Result<AuditEvidence, Fault> {
        let answer = self.ask(AuditRequest::Evidence)?;
        if let AuditResponse::Evidence(evidence) = answer {
            return Ok(*evidence);
        }
        Err(unexpected())
    }

    fn file(&mut self, file: AuditFile) -> Result<Vec<u8>, Fault> {
        let (mut all, mut more) = (Vec::new(), true);
        while more {
            let from = all.len() as u64;
            let answer = self.ask(AuditRequest::Read { file, from })?;
            let AuditResponse::Bytes { bytes, more: rest } = answer else {
                return Err(unexpected());
            };
            all.extend(hex::decode(&bytes).map_err(|_| unexpected())?);
            more = rest && !bytes.is_empty();
        }
        Ok(all)
    }

    fn ask(&mut self, request: AuditRequest) -> Result<AuditResponse, Fault> {
        let answer = self.client.ask(&Request::Audit(request));
        let answer = answer.map_err(|error| daemon_fault(&error))?;
        let Response::Audit(answer) = answer else {
            return Err(follow::unexpected(answer));
        };
        if let AuditResponse::Refused { what } = answer {
            return Err(Fault::new(FaultKind::State, what));
        }
        Ok(answer)
    }
}

/// Verifies a log that was written to a file.
///
/// # Errors
/// [`FaultKind::Usage`]: the file cannot be read, or begins otherwise.
pub fn verify_file(path: &Path) -> Result<Verified, Fault> {
    let unread = |error: &dyn std::fmt::Display| {
        let what = format!("{} cannot be read as an audit log: {error}", Quoted(path));
        Fault::new(FaultKind::Usage, what).next("give a file that podfs audit export wrote")
    };
    let file = File::open(path).map_err(|error| unread(&error))?;
    let mut file = BufReader::new(file);
    let first = line(&mut file).map_err(|error| unread(&error))?;
    let header: Header = serde_json::from_str(&first).map_err(|error| unread(&error))?;
    let (origin, key) = header.origin_and_key().map_err(|error| unread(&error))?;
    let held = header.claimed().map_err(|error| unread(&error))?;
    let evidence = Evidence {
        origin,
        key: Some(key),
        held,
    };
    let mut number = 0;
    let records = std::iter::from_fn(|| {
        let text = line(&mut file).unwrap_or_else(|_| "?".to_owned());
        let record = (!text.is_empty()).then(|| record(&text, number));
        number += 1;
        record
    });
    Ok(Verified {
        verdict: verify(records, &evidence),
        identity: vouched(header.card.as_deref(), &key),
    })
}

/// A line without what ends it; empty at the end of the file.
fn line(file: &mut impl BufRead) -> Result<String, Malformed> {
    let wrong = Malformed("line of an audit log");
    let mut bytes = Vec::new();
    let limit = AUDIT_LINE_MAX as u64;
    let read = file.take(limit).read_until(b'\n', &mut bytes);
    read.map_err(|_| wrong)?;
    if bytes.is_empty() {
        return Ok(String::new());
    }
    if bytes.pop() != Some(b'\n') || bytes.is_empty() {
        return Err(wrong);
    }
    String::from_utf8(bytes).map_err(|_| wrong)
}

fn record(text: &str, number: u64) -> Result<Record, Malformed> {
    let line: Line = serde_json::from_str(text).map_err(|_| Malformed("line of an audit log"))?;
    line.record(number)
}

fn write_line(file: &mut impl Write, line: &impl serde::Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")
}

/// The identity whose card has this key.
fn vouched(card: Option<&str>, key: &[u8; 32]) -> Option<String> {
    let card = SignedCard::read(&hex::decode(card?).ok()?).ok()?;
    let card = card.card();
    (card.sign == *key).then(|| text::identity(&card.owner()))
}

fn bytes(digits: &str) -> Result<[u8; 32], Fault> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| unexpected())?;
    Ok(bytes)
}

fn unexpected() -> Fault {
    Fault::new(FaultKind::Daemon, "the daemon answered something else")
}
