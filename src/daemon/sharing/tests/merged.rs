use std::time::Duration;

use super::*;
use crate::crypto::keys::ScopeId;
use crate::format::rows::Inode;
use crate::format::rows::Published;
use crate::format::rows::SeenRecord;
use crate::pod::Arrived;
use crate::pod::Attr;
use crate::pod::Note;
use crate::pod::fake::Network;
use crate::share::back_id;
use crate::share::back_terms;

pub(super) const OWNER: Caller = Caller { uid: 0, gid: 0 };

/// A folder of Anna's that Ben may change, and what of him came back.
pub(super) struct Lab {
    pub(super) anna: Machine,
    /// What she has.
    pub(super) dir: Ino,
    given: Given,
    /// What Ben has now, and what he made it from.
    pub(super) now: Ino,
    pub(super) was: Ino,
}

pub(super) fn name(name: &str) -> Name {
    Name::parse(name.as_bytes()).unwrap()
}

/// All of the newest version is here, or not yet.
pub(super) fn is_brought(sharing: &Sharing, received: &Received, is_brought: bool) {
    let seen = SeenRecord {
        index: 1,
        hash: [0; 32],
        time: at(5),
        is_brought,
    };
    sharing.received.is_seen(&received.feed, &seen).unwrap();
}

pub(super) fn arrived(mode: u32, contents: u8, pages: u64) -> Arrived {
    Arrived {
        inode: Inode {
            size: pages * 4096,
            ..Inode::born(mode, 0, 0, at(1))
        },
        xattrs: Vec::new(),
        pages: std::iter::once(0..pages).collect(),
        published: Published {
            publication: 1,
            scope: ScopeId([0; 16]),
            size: pages * 4096,
            contents: Reference::from_bytes(&[contents; 80]),
            directory: None,
            number: None,
        },
    }
}

impl Lab {
    pub(super) fn new(anna: Machine, id: u8) -> Self {
        let (sharing, pod) = (&anna.sharing, &anna.sharing.pod);
        let label = [b'l', id];
        let dir = pod.mkdir(ROOT, &label, 0o700, OWNER).unwrap().ino;
        let rights = Rights::WRITE;
        let given = Given {
            target: dir,
            state: GivenState::Offered,
            ..Machine::grant_of(id, Terms { rights, ..terms() })
        };
        sharing.given.give(&given).unwrap();
        sharing.given.is_offered(&given).unwrap();
        let back = Grant {
            terms: back_terms(&given.terms),
            ..grant(back_id(&given.id))
        };
        let feed = GrantFeed {
            topic: Topic([id; 32]),
            ..back.feed
        };
        let back = Grant { feed, ..back };
        let came = sharing.received.arrives(print(BEN), back, (0, at(5)));
        came.unwrap();
        let back = back_id(&given.id);
        sharing.received.accept(&back, &name("lab")).unwrap();
        let received = sharing.received.find(&back).unwrap().unwrap();
        is_brought(sharing, &received, true);
        let folder = |dir, named: &str| {
            let folder = arrived(0o040_500, 0, 0);
            pod.receive(dir, &name(named), &folder).unwrap()
        };
        let top = folder(pod.added(OWNER).unwrap(), &hex::encode(back));
        let (now, was) = (folder(top, "now"), folder(top, "was"));
        Self {
            anna,
            dir,
            given,
            now,
            was,
        }
    }

    pub(super) fn pod(&self) -> &Pod {
        &self.anna.sharing.pod
    }

    fn received(&self) -> Received {
        let back = back_id(&self.given.id);
        self.anna.sharing.received.find(&back).unwrap().unwrap()
    }

    /// Anna has a file that was made of what Ben has, and that he has not changed since.
    pub(super) fn has(&self, named: &str, bytes: &[u8]) -> Attr {
        let made = self
            .pod()
            .mknod(self.dir, named.as_bytes(), (0o600, 0), OWNER);
        let made = made.unwrap();
        self.pod().write(made.ino, 0, bytes, false).unwrap();
        self.pod().getattr(made.ino).unwrap()
    }

    pub(super) fn arrives(&self, dir: Ino, named: &str, file: &Arrived) -> Ino {
        let ino = self.pod().receive(dir, &name(named), file).unwrap();
        let pages = file.pages.iter().cloned().flatten();
        let pages = pages.map(|page| (page, [0; 4096])).collect();
        self.anna.fake.publish(ino, pages);
        ino
    }

    /// Ben removed one that she has.
    fn removes(&self, named: &str) -> Attr {
        self.removes_of(named, b"hers")
    }

    fn removes_of(&self, named: &str, bytes: &[u8]) -> Attr {
        let (hers, file) = (self.has(named, bytes), arrived(0o100_400, 1, 0));
        let (came, note) = (
            self.arrives(self.now, named, &file),
            self.arrives(self.was, named, &file),
        );
        let note = Note {
            ino: note,
            is_beside: false,
        };
        let taken = self.pod().has_taken_over((came, Some(note)), Some(&hers));
        taken.unwrap();
        self.pod().withdraw(self.now, &name(named)).unwrap();
        hers
    }

    /// Ben changed one that she has, of so many pages.
    fn changes(&self, named: &str, pages: u64) -> Attr {
        let (hers, first) = (self.has(named, b"hers"), arrived(0o100_400, 1, 0));
        self.arrives(self.was, named, &first);
        let came = self.arrives(self.now, named, &first);
        let taken = self.pod().has_taken_over((came, None), Some(&hers));
        taken.unwrap();
        self.arrives(self.now, named, &arrived(0o100_400, 2, pages));
        hers
    }

    pub(super) async fn takes_over(&self) -> Option<String> {
        let (sharing, received) = (&self.anna.sharing, self.received());
        let rest = sharing.take_over_from(&received, &self.given);
        rest.await.told()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let names = self.pod().own_names(self.dir).unwrap().into_iter();
        let text = |name: Name| String::from_utf8_lossy(name.as_bytes()).into_owned();
        names.map(|entry| text(entry.name)).collect()
    }
}

#[tokio::test]
async fn what_cannot_be_taken_over_or_removed_keeps_nothing_else_back() {
    let lab = Lab::new(Machine::new(), 7);
    lab.removes("gone");
    lab.removes("gone too");
    let (changed, removed) = (lab.changes("changed", 0), lab.removes("removed"));
    for open in [changed, removed] {
        lab.pod().open(open.ino).unwrap();
    }
    let told = lab.takes_over().await.unwrap();
    assert_eq!(lab.names(), ["changed", "removed"]);
    assert!(told.starts_with("\"changed\": "), "{told}");
    assert!(told.contains("is open here"), "{told}");
    assert!(told.ends_with(", and 1 more are not taken over"), "{told}");
    for open in [changed, removed] {
        lab.pod().release(open.ino).unwrap();
    }
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(lab.names(), ["changed"]);
}

#[tokio::test]
async fn nothing_goes_before_what_it_may_have_been_renamed_to_is_there() {
    let lab = Lab::new(Machine::new(), 7);
    lab.removes_of("before", &[7; 4096]);
    lab.removes("changed since");
    lab.arrives(lab.now, "after", &arrived(0o100_400, 3, 1));
    lab.anna.fake.set(Network::Down);
    let told = lab.takes_over().await.unwrap();
    assert!(told.starts_with("\"after\": "), "{told}");
    assert!(told.contains("the network is down"), "{told}");
    assert_eq!(lab.names(), ["before", "changed since"]);
    lab.pod().withdraw(lab.now, &name("after")).unwrap();
    lab.arrives(lab.now, "after", &arrived(0o100_400, 3, 0));
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(lab.names(), ["after"]);
}

/// Whatever size is said of a file, what is written of it alone takes room.
#[tokio::test]
async fn a_hole_is_taken_over_as_a_hole() {
    let lab = Lab::new(Machine::new(), 7);
    let mut sparse = arrived(0o100_400, 3, 1);
    sparse.inode.size = 1 << 40;
    sparse.published.size = 1 << 40;
    sparse.pages = std::iter::once(300..301).collect();
    let came = lab.pod().receive(lab.now, &name("disk"), &sparse).unwrap();
    lab.anna.fake.publish(came, [(300, [7; 4096])].into());
    assert_eq!(lab.takes_over().await, None);
    let disk = lab.pod().lookup(lab.dir, b"disk").unwrap();
    assert_eq!((disk.size, disk.blocks), (1 << 40, 8));
    let mut page = Vec::new();
    lab.pod()
        .read(disk.ino, 300 * 4096, 4096, &mut page)
        .unwrap();
    assert!(page == [7; 4096]);
    // The same that came once more is there.
    lab.pod().withdraw(lab.now, &name("disk")).unwrap();
    let again = lab.pod().receive(lab.now, &name("disk"), &sparse).unwrap();
    lab.anna.fake.publish(again, [(300, [7; 4096])].into());
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(lab.names(), ["disk"]);
}

/// Ben renamed one over another, which she has open.
#[tokio::test]
async fn nothing_goes_before_what_it_may_have_been_renamed_over_is_taken_over() {
    let lab = Lab::new(Machine::new(), 7);
    lab.removes_of("before", &[0; 4096]);
    lab.removes("of another size");
    let over = lab.changes("over", 1);
    lab.pod().open(over.ino).unwrap();
    let told = lab.takes_over().await.unwrap();
    assert!(told.contains("is open here"), "{told}");
    assert_eq!(lab.names(), ["before", "over"]);
    lab.pod().release(over.ino).unwrap();
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(lab.names(), ["over"]);
}

/// Ben goes on saving what she changed too.
#[tokio::test]
async fn what_stands_beside_hers_is_replaced_as_long_as_it_is_made_from_the_same() {
    let lab = Lab::new(Machine::new(), 7);
    let names = || {
        let mut names = lab.names();
        names.sort();
        names
    };
    let saves = |version| lab.arrives(lab.now, "a", &arrived(0o100_400, version, version.into()));
    lab.has("a", b"hers");
    lab.arrives(lab.was, "a", &arrived(0o100_400, 1, 0));
    for version in 2..6 {
        saves(version);
        assert_eq!(lab.takes_over().await, None);
        assert_eq!(names(), ["a", "a (from Ben)"]);
    }
    // She wrote something into it.
    lab.anna.now.store(20, Ordering::Relaxed);
    let copy = lab.pod().lookup(lab.dir, b"a (from Ben)").unwrap();
    lab.pod().write(copy.ino, 0, b"hers too", false).unwrap();
    saves(6);
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(names(), ["a", "a (from Ben 2)", "a (from Ben)"]);
    // He made it from something else, for he saw the copy.
    lab.arrives(lab.was, "a", &arrived(0o100_400, 7, 0));
    saves(8);
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(
        names(),
        ["a", "a (from Ben 2)", "a (from Ben 3)", "a (from Ben)"]
    );
    // He took what she keeps for him, and made something else of it: that stays, for he has it no more.
    lab.arrives(lab.was, "a", &arrived(0o100_400, 9, 0));
    lab.arrives(lab.now, "a", &arrived(0o100_400, 9, 8));
    assert_eq!(lab.takes_over().await, None);
    saves(10);
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(
        names(),
        [
            "a",
            "a (from Ben 2)",
            "a (from Ben 3)",
            "a (from Ben 4)",
            "a (from Ben)"
        ]
    );
    // She removed hers; his goes on where it is.
    lab.pod().unlink(lab.dir, b"a").unwrap();
    saves(11);
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(
        names(),
        [
            "a (from Ben 2)",
            "a (from Ben 3)",
            "a (from Ben 4)",
            "a (from Ben)"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn one_whose_changes_take_long_keeps_nobody_else_waiting() {
    // The one that is looked at first.
    let mut ids = [7, 8];
    ids.sort_by_key(|id| back_id(&[*id; 16]));
    let slow = Lab::new(Machine::new(), ids[0]);
    slow.changes("slow", 1);
    slow.anna.fake.set(Network::Silent);
    let quick = Lab::new(slow.anna, ids[1]);
    quick.removes("gone");
    let sharing = &quick.anna.sharing;
    sharing.people.reconciliation().look();
    sharing.start(&Handle::current());
    let is_merged = |id: u8| sharing.merging.lock().contains_key(&back_id(&[id; 16]));
    let becomes = async |is: &dyn Fn() -> bool| {
        for _ in 0..1000 {
            if is() {
                return true;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        false
    };
    let is_quick = || quick.names().is_empty() && !is_merged(ids[1]);
    assert!(becomes(&is_quick).await, "it waits for the other");
    // That is being taken over, and stays; what else there is, is brought.
    let why = || sharing.waits.lock().clone();
    assert!(becomes(&|| is_merged(ids[0])).await, "{:?}", why());
    assert!(sharing.bringing.try_lock().is_ok());
    let tasks = std::mem::take(&mut *sharing.tasks.lock());
    for task in tasks {
        task.abort();
        assert!(task.await.is_err());
    }
    assert!(becomes(&|| !is_merged(ids[0])).await, "it is stopped");
}
