//! Rehearsing the loss of this machine: the pod is brought back in a folder that is gone afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::daemon::ask;
use crate::daemon::build;
use crate::daemon::build::House;
use crate::daemon::create::no_entropy;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::keyfile;
use crate::daemon::network;
use crate::daemon::nodes::Nodes;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths::PodPaths;
use crate::daemon::recover;
use crate::daemon::recover::News;
use crate::daemon::recover::RecoverParts;
use crate::daemon::rekey;
use crate::daemon::rekey::GivenPhrase;
use crate::daemon::rekey::Right;
use crate::daemon::report::free;
use crate::pod::FileKind;
use crate::pod::Pod;
use crate::pod::PodError;
use crate::types::Ino;
use crate::types::ROOT;
use crate::types::limits::DRILL_READS;
use crate::types::limits::PAGE;
use crate::types::limits::PAGE_BYTES;

/// How often a page that was fetched may be missing again before that counts as a failure.
const TRIES: usize = 3;

/// What a pod is brought back with for a rehearsal.
pub struct DrillParts<'a> {
    /// Its phrase.
    pub phrase: &'a GivenPhrase,
    /// Where it is read from.
    pub nodes: &'a Nodes,
    /// Pages of contents that are read.
    pub pages: u32,
}

/// What `podfs drill --json` prints. Fields are added, never renamed or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DrillReport {
    /// When the newest state was published, in seconds since 1970.
    pub time: i64,
    /// Names that came back.
    pub names: u64,
    /// Of these, files.
    pub files: u64,
    /// Bytes of their contents.
    pub bytes: u64,
    /// Pages of contents that were read and verified.
    pub pages_read: u64,
    /// Pages of contents that could not be had.
    pub pages_missing: u64,
    /// Files and folders whose extended attributes could not be had.
    pub attributes_missing: u64,
    /// Why the first page could not be had.
    pub trouble: Option<String>,
    /// Seconds that it took.
    pub seconds: u64,
}

impl DrillReport {
    /// Whether all that was tried came back.
    pub const fn is_good(&self) -> bool {
        self.pages_missing == 0 && self.attributes_missing == 0
    }
}

/// Where a rehearsal takes place when nothing else is wished, the first that has room. `/tmp` is memory on many machines.
const PLACES: [&str; 2] = ["/var/tmp", "/tmp"];
/// Room that is enough for the names of some million files, in bytes.
const ROOM: u64 = 2 << 30;

/// The first place with enough room, else the one with most.
fn roomiest(places: &[(&Path, u64)]) -> PathBuf {
    let enough = places.iter().find(|(_, room)| *room >= ROOM);
    let chosen = enough.or_else(|| places.iter().max_by_key(|(_, room)| *room));
    chosen.map_or_else(std::env::temp_dir, |(place, _)| (*place).to_owned())
}

/// Bytes that this user may write there.
fn room(place: &Path) -> u64 {
    let may = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(place, may).map_or(0, |()| free(place))
}

/// A folder that nobody else can read and that goes with the value, whatever happens.
struct Rehearsal(PathBuf);

impl Rehearsal {
    fn new() -> Result<Self, Fault> {
        let mut number = [0; 8];
        keyfile::system_entropy(&mut number).map_err(no_entropy)?;
        let name = format!("podfs-drill-{:016x}", u64::from_le_bytes(number));
        let wished = std::env::var_os("TMPDIR").filter(|place| !place.is_empty());
        let place = match wished {
            Some(wished) => PathBuf::from(wished),
            None => roomiest(&PLACES.map(|place| (Path::new(place), room(Path::new(place))))),
        };
        Ok(Self(place.join(name)))
    }

    fn paths(&self) -> Result<PodPaths, Fault> {
        let folder = self.0.to_str().ok_or_else(|| {
            let what = format!("{} is not UTF-8", Quoted(&self.0));
            Fault::new(FaultKind::Usage, what).next("set TMPDIR to another folder")
        })?;
        PodPaths::of(folder)
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, folder = %Quoted(&self.0), "the rehearsal stays behind");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Brings the pod back from phrase and network alone, reads some of its contents, and forgets all of it.
///
/// # Errors
/// As [`recover::recover`].
pub fn drill(
    parts: &DrillParts<'_>,
    tell: &(dyn Fn(News) + Send + Sync),
) -> Result<DrillReport, Fault> {
    let rehearsal = Rehearsal::new()?;
    rehearse(&rehearsal, parts, tell).map_err(|fault| {
        if fault.kind != FaultKind::NoSpace {
            return fault;
        }
        let what = format!("{}, in {}", fault.what, Quoted(&rehearsal.0));
        Fault::new(FaultKind::NoSpace, what).next("set TMPDIR to a folder on a larger disk")
    })
}

fn rehearse(
    rehearsal: &Rehearsal,
    parts: &DrillParts<'_>,
    tell: &(dyn Fn(News) + Send + Sync),
) -> Result<DrillReport, Fault> {
    let began = Instant::now();
    let paths = rehearsal.paths()?;
    let mut secret = Zeroizing::new(vec![0; 32]);
    keyfile::system_entropy(&mut secret).map_err(no_entropy)?;
    let passphrase = Passphrase::from_bytes(secret);
    let recovered = recover::recover(
        &RecoverParts {
            paths: &paths,
            phrase: parts.phrase,
            nodes: parts.nodes,
            passphrase: &passphrase,
            pass_over: 0,
        },
        tell,
    )?;
    let bundle = rekey::open(&paths, &Right::Passphrase(&passphrase))?;
    let house = build::open_for_check(&paths, &bundle, false)?;
    let mut report = DrillReport {
        time: recovered.time.secs,
        names: recovered.restored.names,
        attributes_missing: recovered.restored.lost,
        ..DrillReport::default()
    };
    let read = ask::interruptible(read_some(&house, &paths, parts.pages, &mut report, tell));
    read.and(house.close())?;
    report.seconds = began.elapsed().as_secs();
    Ok(report)
}

async fn read_some(
    house: &House,
    paths: &PodPaths,
    pages: u32,
    report: &mut DrillReport,
    tell: &(dyn Fn(News) + Send + Sync),
) -> Result<(), Fault> {
    house.publishing().use_nodes(&Handle::current(), paths)?;
    let damaged = |error: PodError| {
        let what = format!("what came back is not in order: {error}");
        Fault::new(FaultKind::Damaged, what)
    };
    let chosen = choose(house.pod(), pages, report).map_err(damaged)?;
    let wanted = chosen.len();
    let mut left = chosen.into_iter();
    let mut reading = JoinSet::new();
    loop {
        while reading.len() < DRILL_READS
            && let Some((ino, page)) = left.next()
        {
            let house = house.clone();
            reading.spawn(async move { read(house.pod(), ino, page).await });
        }
        let Some(read) = reading.join_next().await else {
            return Ok(());
        };
        match read {
            Ok(Ok(())) => report.pages_read += 1,
            Ok(Err(error)) => {
                report.pages_missing += 1;
                report.trouble.get_or_insert(error.to_string());
            }
            Err(_) => report.pages_missing += 1,
        }
        tell(News::Pages {
            read: report.pages_read + report.pages_missing,
            wanted: wanted as u64,
        });
    }
}

/// One page of each of so many files, both drawn by chance; counts the files on the way.
fn choose(pod: &Pod, pages: u32, report: &mut DrillReport) -> Result<Vec<(Ino, u64)>, PodError> {
    let wanted = usize::try_from(pages).unwrap_or(usize::MAX);
    // The files that drew the lowest lots.
    let mut lots: BTreeMap<(u64, Ino), u64> = BTreeMap::new();
    let mut left = vec![ROOT];
    while let Some(ino) = left.pop() {
        let attr = pod.getattr(ino)?;
        match attr.kind {
            FileKind::Directory => left.extend(network::below(pod, ino)?),
            FileKind::Regular => {
                report.files += 1;
                report.bytes = report.bytes.saturating_add(attr.size);
                let of = attr.size.div_ceil(PAGE_BYTES);
                if let Some(page) = chance()?.checked_rem(of) {
                    lots.insert((chance()?, ino), page);
                }
                if lots.len() > wanted {
                    lots.pop_last();
                }
            }
            FileKind::Symlink
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => {}
        }
    }
    Ok(lots
        .into_iter()
        .map(|((_, ino), page)| (ino, page))
        .collect())
}

fn chance() -> Result<u64, PodError> {
    let mut bytes = [0; 8];
    let drawn = keyfile::system_entropy(&mut bytes);
    drawn.map_err(|error| PodError::Io(error.to_string()))?;
    Ok(u64::from_le_bytes(bytes))
}

async fn read(pod: &Pod, ino: Ino, page: u64) -> Result<(), PodError> {
    let mut bytes = Vec::new();
    let length = u32::try_from(PAGE).unwrap_or(u32::MAX);
    for _ in 0..TRIES {
        match pod.read(ino, page.saturating_mul(PAGE_BYTES), length, &mut bytes) {
            Err(PodError::Absent { ino, pages }) => pod.fetch(ino, pages).await?,
            other => return other,
        }
    }
    Err(PodError::Io(
        "a page that was fetched is not there".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_comes_before_memory_when_it_has_room() {
        let (disk, memory) = (Path::new("/var/tmp"), Path::new("/tmp"));
        for (free, chosen) in [
            ([ROOM, 9 * ROOM], disk),
            ([ROOM - 1, ROOM], memory),
            ([7, 5], disk),
            ([0, 5], memory),
        ] {
            assert_eq!(roomiest(&[(disk, free[0]), (memory, free[1])]), chosen);
        }
    }
}
