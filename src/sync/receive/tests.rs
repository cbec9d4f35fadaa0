use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::*;
use crate::format::published::Entry;
use crate::format::rows::{FileKind, Xattr};
use crate::sync::fetch::FetchError;
use crate::sync::sample::{Sample, attributes, entry, file, kept};
use crate::types::limits::RECEIVED_XATTRS_MAX;

const DIRECTORY: u32 = 0o040_755;
const TOP: Ino = Ino::new(RECEIVED, 2);

/// A file system in memory, and what was asked of it.
struct Memory {
    kept: Arc<Kept>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: BTreeMap<(Ino, Name), (Ino, FileKind)>,
    items: BTreeMap<Ino, (u32, u64, usize)>,
    last: u64,
    puts: usize,
}

impl Tree for Memory {
    fn names(&self, dir: Ino) -> Result<Vec<(Name, Ino)>, String> {
        let state = self.state.lock();
        let first = (dir, Name::parse(b"\x01").unwrap());
        let names = state.names.range(first..);
        let names = names.take_while(|((at, _), _)| *at == dir);
        Ok(names
            .map(|((_, name), (ino, _))| (name.clone(), *ino))
            .collect())
    }

    fn put(&self, dir: Ino, name: &Name, item: Item) -> Result<Ino, String> {
        let mut state = self.state.lock();
        state.puts += 1;
        let kind = item.inode.kind();
        let before = state.names.get(&(dir, name.clone())).copied();
        let same = before.filter(|(ino, was)| {
            let contents = self.kept.published(*ino).unwrap().unwrap().contents;
            *was == kind && (kind == FileKind::Directory || contents == item.published.contents)
        });
        let ino = same.map_or_else(
            || {
                state.last += 1;
                Ino::new(RECEIVED, 100 + state.last)
            },
            |(ino, _)| ino,
        );
        state.names.insert((dir, name.clone()), (ino, kind));
        let said = (item.inode.mode, item.inode.size, item.xattrs.len());
        state.items.insert(ino, said);
        let mut edit = KeptEdit::new(Class::Meta);
        let row = item.published.encode();
        edit.row(Key::published(ino), Change::Put(row.into()));
        edit.row(Key::inode(ino), Change::Put(item.inode.encode().into()));
        self.kept.write(edit).map_err(|error| error.to_string())?;
        Ok(ino)
    }

    fn remove(&self, dir: Ino, name: &Name) -> Result<(), String> {
        let gone = self.state.lock().names.remove(&(dir, name.clone()));
        let (ino, _) = gone.ok_or("no such name")?;
        let mut edit = KeptEdit::new(Class::Meta);
        edit.row(Key::inode(ino), Change::Delete);
        self.kept.write(edit).map_err(|error| error.to_string())
    }
}

struct World {
    sample: Sample,
    memory: Arc<Memory>,
    receiver: Receiver,
}

impl World {
    fn new() -> Self {
        let (sample, kept) = (Sample::new(), kept());
        let memory = Arc::new(Memory {
            kept: Arc::clone(&kept),
            state: Mutex::default(),
        });
        let receiver = Receiver {
            kept,
            fetcher: sample.fetcher(),
            tree: Arc::clone(&memory) as Arc<dyn Tree>,
            owner: (7, 8),
        };
        Self {
            sample,
            memory,
            receiver,
        }
    }

    fn receive(&self, of: &Attributes) -> Result<Ino, ReceiveError> {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_time().build().unwrap();
        let name = Name::parse(b"lab").unwrap();
        runtime.block_on(async {
            let receiver = Receiver {
                kept: Arc::clone(&self.receiver.kept),
                fetcher: self.receiver.fetcher.clone(),
                tree: Arc::clone(&self.receiver.tree),
                owner: self.receiver.owner,
            };
            let of = of.clone();
            let brought = tokio::spawn(async move { receiver.receive((TOP, &name), &of).await });
            brought.await.unwrap()
        })
    }

    fn inline(&mut self, bytes: &[u8], ino: u64) -> Attributes {
        let inode = self.sample.inline(bytes, Vec::new());
        file(ino, bytes.len() as u64, &inode)
    }

    fn directory(&mut self, ino: u64, entries: &[Entry]) -> Attributes {
        self.sample.directory(attributes(DIRECTORY, ino), entries)
    }

    /// All names, by path.
    fn seen(&self) -> Vec<String> {
        let state = self.memory.state.lock();
        let path = |mut at: Ino, name: &Name| {
            let mut parts = vec![String::from_utf8_lossy(name.as_bytes()).into_owned()];
            while at != TOP {
                let above = state.names.iter().find(|(_, (ino, _))| *ino == at);
                let ((dir, name), _) = above.unwrap();
                parts.push(String::from_utf8_lossy(name.as_bytes()).into_owned());
                at = *dir;
            }
            parts.reverse();
            parts.join("/")
        };
        let mut seen: Vec<_> = state
            .names
            .keys()
            .map(|(dir, name)| path(*dir, name))
            .collect();
        seen.sort();
        seen
    }
}

#[test]
fn names_come_and_go_with_what_is_published_and_nothing_is_read_twice() {
    let mut world = World::new();
    let (a, b) = (world.inline(b"a", 20), world.inline(b"b", 21));
    let deep = world.directory(31, &[entry("c", b.clone())]);
    let of = world.directory(30, &[entry("a", a.clone()), entry("d", deep.clone())]);
    let top = world.receive(&of).unwrap();
    assert_eq!(world.seen(), ["lab", "lab/a", "lab/d", "lab/d/c"]);
    let state = world.memory.state.lock();
    let mode = |path: &str| {
        let name = Name::parse(path.as_bytes()).unwrap();
        let found = state.names.iter().find(|((_, at), _)| *at == name);
        state.items[&found.unwrap().1.0].0
    };
    // For the owner of the receiving pod, to be read, and for nobody else.
    assert_eq!((mode("a"), mode("d")), (0o100_400, 0o040_500));
    drop(state);
    // The same again: one look at the row.
    let before = world.receiver.fetcher.requests();
    assert_eq!(world.receive(&of).unwrap(), top);
    assert_eq!(world.receiver.fetcher.requests(), before);
    // One name more, one less, and a directory that is what it was.
    let of = world.directory(30, &[entry("b", b), entry("d", deep)]);
    assert_eq!(world.receive(&of).unwrap(), top);
    assert_eq!(world.seen(), ["lab", "lab/b", "lab/d", "lab/d/c"]);
    assert_eq!(world.receiver.fetcher.requests(), before + 1);
    let rows = |ino| world.receiver.kept.published(ino).unwrap().is_some();
    let gone = (101..110)
        .map(|at| Ino::new(RECEIVED, at))
        .filter(|ino| rows(*ino));
    assert_eq!(
        gone.count(),
        4,
        "what was published of what is gone is forgotten"
    );
}

#[test]
fn what_was_interrupted_is_gone_on_with() {
    let mut world = World::new();
    let a = world.inline(b"a", 20);
    // Without both, nothing can be made again from parity.
    let beside = a.contents.clone().unwrap().address();
    world.sample.store.lose(beside);
    let lost = world.directory(32, &[entry("lost", a.clone())]);
    let of = world.directory(30, &[entry("a", a), entry("d", lost.clone())]);
    let node = lost.directory.clone().unwrap().address();
    world.sample.store.lose(node);
    let failed = world.receive(&of).unwrap_err();
    let missing = matches!(
        failed,
        ReceiveError::Published(RestoreError::Fetch(_, FetchError::Missing(at))) if at == node
    );
    assert!(missing, "{failed}");
    // It does not count as brought: the same again looks again.
    world.receive(&of).unwrap_err();
    let again = world.inline(b"again", 21);
    let found = world.directory(32, &[entry("found", again.clone())]);
    let of = world.directory(30, &[entry("a", again), entry("d", found)]);
    world.receive(&of).unwrap();
    assert_eq!(world.seen(), ["lab", "lab/a", "lab/d", "lab/d/found"]);
}

#[test]
fn only_files_folders_and_links_are_taken() {
    let mut world = World::new();
    let a = world.inline(b"a", 20);
    let device = attributes(0o020_666, 21);
    let pipe = attributes(0o010_666, 22);
    let link = Attributes {
        target: b"a".as_slice().into(),
        size: 1,
        ..attributes(0o120_777, 23)
    };
    let suid = Attributes {
        mode: 0o104_755,
        ..a.clone()
    };
    let with = world.sample.inline(
        b"x",
        vec![Xattr {
            name: b"user.note".as_slice().into(),
            value: b"v".as_slice().into(),
        }],
    );
    let with = Attributes {
        xattrs: true,
        ..file(24, 1, &with)
    };
    let names = [
        entry("device", device),
        entry("link", link),
        entry("pipe", pipe),
        entry("suid", suid),
        entry("with", with),
    ];
    let of = world.directory(30, &names);
    world.receive(&of).unwrap();
    assert_eq!(world.seen(), ["lab", "lab/link", "lab/suid", "lab/with"]);
    let state = world.memory.state.lock();
    let modes: Vec<_> = state.items.values().map(|(mode, ..)| *mode).collect();
    assert!(modes.iter().all(|mode| mode & 0o7000 == 0), "{modes:?}");
    assert!(modes.contains(&0o100_500), "{modes:?}");
    assert!(state.items.values().any(|(_, _, xattrs)| *xattrs == 1));
}

/// A few chunks that say that there are more names than anybody can store.
#[test]
fn a_folder_that_grows_without_end_is_refused() {
    let mut world = World::new();
    let a = world.inline(b"a", 20);
    let mut below = world.directory(31, &[entry("a", a)]);
    for level in 0..8 {
        let names: Vec<_> = (0..20)
            .map(|at| entry(&format!("{at:02}"), below.clone()))
            .collect();
        below = world.directory(32 + level, &names);
    }
    // It is noticed long before the last of 20^8.
    let refused = world.receive(&below).unwrap_err();
    assert!(matches!(refused, ReceiveError::TooMuch), "{refused}");
}

#[test]
fn a_folder_that_is_too_deep_is_refused() {
    let mut world = World::new();
    let mut below = world.directory(31, &[]);
    for level in 0..RECEIVED_DEPTH_MAX as u64 {
        below = world.directory(32 + level, &[entry("d", below)]);
    }
    let refused = world.receive(&below).unwrap_err();
    assert!(matches!(refused, ReceiveError::TooMuch), "{refused}");
}

#[test]
fn a_folder_that_contradicts_itself_is_refused() {
    let mut world = World::new();
    let a = world.inline(b"a", 20);
    let of = world.directory(30, &[entry("a", a)]);
    for size in [0, 2, u64::MAX] {
        let of = Attributes { size, ..of.clone() };
        assert!(world.receive(&of).is_err(), "{size}");
    }
}

fn link(ino: u64, target: &str) -> Attributes {
    Attributes {
        target: target.as_bytes().into(),
        size: target.len() as u64,
        ..attributes(0o120_777, ino)
    }
}

#[test]
fn a_link_that_leads_out_of_what_is_shared_is_not_taken() {
    let mut world = World::new();
    let inside = ["b", "./b", "../a", "../c/x", ".././a"];
    let outside = [
        "/",
        "/etc",
        "../..",
        "../../a",
        "b/..",
        "x/../../a",
        ".././../a",
    ];
    let named = |all: &[&str], sort: &str| -> Vec<Entry> {
        let links = all.iter().enumerate();
        links
            .map(|(at, target)| entry(&format!("{sort}{at}"), link(40 + at as u64, target)))
            .collect()
    };
    let both = [named(&inside, "in"), named(&outside, "out")].concat();
    let below = world.directory(31, &both);
    // At the top, the directory above is not shared.
    let entries = [
        entry("below", below),
        entry("up", link(50, "..")),
        entry("x", link(51, "below")),
    ];
    let of = world.directory(30, &entries);
    world.receive(&of).unwrap();
    let links = (0..inside.len()).map(|at| format!("lab/below/in{at}"));
    let mut expected: Vec<_> = ["lab", "lab/below", "lab/x"].map(str::to_owned).into();
    expected.extend(links);
    expected.sort();
    assert_eq!(world.seen(), expected);
    // Nor is it, when nothing but a link is shared.
    world.receive(&link(60, "lab")).unwrap_err();
}

#[test]
fn files_that_claim_to_be_endless_are_refused_before_they_take_room() {
    let mut world = World::new();
    let inode = world.sample.inline(b"a", Vec::new());
    let names = |count: u64| -> Vec<Entry> {
        let each = RECEIVED_BYTES_MAX / 32;
        let names = 0..count;
        names
            .map(|at| entry(&format!("{at:02}"), file(20, each, &inode)))
            .collect()
    };
    let (most, more) = (names(32), names(33));
    let more = world.directory(30, &more);
    for of in [more, file(20, RECEIVED_BYTES_MAX + 1, &inode)] {
        let refused = world.receive(&of).unwrap_err();
        assert!(matches!(refused, ReceiveError::TooMuch), "{refused}");
        assert!(world.seen().len() <= 1, "{:?}", world.seen());
    }
    let most = world.directory(30, &most);
    world.receive(&most).unwrap();
}

#[test]
fn attributes_without_end_are_refused() {
    let mut world = World::new();
    let xattr = Xattr {
        name: b"user.long".as_slice().into(),
        value: vec![7; 2000].into(),
    };
    let inode = world.sample.inline(b"a", vec![xattr]);
    let of = Attributes {
        xattrs: true,
        ..file(20, 1, &inode)
    };
    let names: Vec<_> = (0..RECEIVED_XATTRS_MAX / 2000)
        .map(|at| entry(&format!("{at:04}"), of.clone()))
        .collect();
    let of = world.directory(30, &names);
    let refused = world.receive(&of).unwrap_err();
    assert!(matches!(refused, ReceiveError::TooMuch), "{refused}");
    let of = world.directory(30, &names[..100]);
    world.receive(&of).unwrap();
}
