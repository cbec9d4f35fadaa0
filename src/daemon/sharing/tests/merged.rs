use std::time::Duration;

use super::*;
use crate::crypto::keys::ScopeId;
use crate::format::grant::Renewed;
use crate::format::rows::Inode;
use crate::format::rows::Published;
use crate::format::rows::Revocation;
use crate::format::rows::SeenRecord;
use crate::pod::Arrived;
use crate::pod::Attr;
use crate::pod::PodError;
use crate::pod::fake::Network;
use crate::share::back_id;
use crate::share::back_terms;
use crate::types::limits::ADOPTED_PATIENCE;

const OWNER: Caller = Caller { uid: 0, gid: 0 };

/// A folder of Anna's that Ben may change, and what of him came back.
struct Lab {
    anna: Machine,
    /// What she has.
    dir: Ino,
    given: Given,
    /// What Ben has now, and what he made it from.
    now: Ino,
    was: Ino,
}

fn name(name: &str) -> Name {
    Name::parse(name.as_bytes()).unwrap()
}

/// All of the newest version is here, or not yet.
fn is_brought(sharing: &Sharing, received: &Received, is_brought: bool) {
    let seen = SeenRecord {
        index: 1,
        hash: [0; 32],
        time: at(5),
        is_brought,
    };
    sharing.received.is_seen(&received.feed, &seen).unwrap();
}

fn arrived(mode: u32, contents: u8, pages: u64) -> Arrived {
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
    fn new(anna: Machine, id: u8) -> Self {
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

    fn pod(&self) -> &Pod {
        &self.anna.sharing.pod
    }

    fn received(&self) -> Received {
        let back = back_id(&self.given.id);
        self.anna.sharing.received.find(&back).unwrap().unwrap()
    }

    /// Anna has a file that was made of what Ben has, and that he has not changed since.
    fn has(&self, named: &str, bytes: &[u8]) -> Attr {
        let made = self
            .pod()
            .mknod(self.dir, named.as_bytes(), (0o600, 0), OWNER);
        let made = made.unwrap();
        self.pod().write(made.ino, 0, bytes, false).unwrap();
        self.pod().getattr(made.ino).unwrap()
    }

    fn arrives(&self, dir: Ino, named: &str, file: &Arrived) -> Ino {
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

    async fn takes_over(&self) -> Option<String> {
        let (sharing, received) = (&self.anna.sharing, self.received());
        let rest = sharing.take_over_from(&received, &self.given);
        rest.await.told()
    }

    fn names(&self) -> Vec<String> {
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
    lab.removes("of another size");
    lab.arrives(lab.now, "after", &arrived(0o100_400, 3, 1));
    lab.anna.fake.set(Network::Down);
    let told = lab.takes_over().await.unwrap();
    assert!(told.starts_with("\"after\": "), "{told}");
    assert!(told.contains("the network is down"), "{told}");
    assert_eq!(lab.names(), ["before"]);
    lab.pod().withdraw(lab.now, &name("after")).unwrap();
    lab.arrives(lab.now, "after", &arrived(0o100_400, 3, 0));
    assert_eq!(lab.takes_over().await, None);
    assert_eq!(lab.names(), ["after"]);
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

/// A large file of Ben's that Anna changed a page of, and has now in her tray.
fn changed(anna: &Machine) -> (Received, Vec<u8>) {
    const PAGES: u64 = 600;
    let (sharing, pod, id) = (&anna.sharing, &anna.sharing.pod, [0xbe; 16]);
    let rights = Rights::WRITE;
    let grant = Grant {
        terms: Terms { rights, ..terms() },
        ..grant(id)
    };
    let came = sharing.received.arrives(print(BEN), grant, (0, at(5)));
    came.unwrap();
    sharing.received.accept(&id, &name("lab")).unwrap();
    let ben = pod.receive_person(&name("Ben"), OWNER).unwrap();
    let lab = arrived(0o040_500, 0, 0);
    let lab = pod.receive(ben, &name("lab"), &lab).unwrap();
    let scan = arrived(0o100_400, 1, PAGES);
    let scan = pod.receive(lab, &name("scan"), &scan).unwrap();
    let received = sharing.received.find(&id).unwrap().unwrap();
    sharing.lay_tray(&received).unwrap();
    let own = pod.to_change(scan).unwrap();
    let page = |page: u64| [u8::try_from(page % 251).unwrap(); 4096];
    let pages = (0..PAGES).map(|at| (at, page(at))).collect();
    anna.fake.publish(own, pages);
    pod.write(own, 4096, &[255; 4096], false).unwrap();
    let mut bytes: Vec<u8> = (0..PAGES).flat_map(page).collect();
    bytes[4096..8192].fill(255);
    (received, bytes)
}

/// What was given back, and is read without any network.
fn given_back(anna: &Machine) -> Result<Vec<u8>, PodError> {
    anna.fake.forget();
    anna.fake.set(Network::Down);
    let pod = &anna.sharing.pod;
    let lab = pod.lookup(ROOT, b"lab (not taken over)").unwrap();
    let scan = pod.lookup(lab.ino, b"scan").unwrap();
    let (mut bytes, mut piece) = (Vec::new(), Vec::new());
    while (bytes.len() as u64) < scan.size {
        pod.read(scan.ino, bytes.len() as u64, 1 << 20, &mut piece)?;
        bytes.append(&mut piece);
    }
    assert_eq!(pod.check(true).unwrap().findings, []);
    Ok(bytes)
}

#[tokio::test]
async fn what_is_given_back_stays_though_the_other_one_keeps_it_no_more() {
    let anna = Machine::new();
    let (received, bytes) = changed(&anna);
    anna.sharing.take_tray_away(&received).await.unwrap();
    assert!(given_back(&anna).unwrap() == bytes);
    // It is sealed as hers; then nothing is left of that, and nobody signs anything.
    let pod = &anna.sharing.pod;
    let asked = || {
        let (from, to) = Key::all_revocations();
        let rows = pod.rows().scan(&from, &to, 9).unwrap().into_iter();
        rows.map(|(_, row)| Revocation::decode(&row).unwrap())
            .collect::<Vec<_>>()
    };
    let rows = asked();
    let lab = pod.lookup(ROOT, b"lab (not taken over)").unwrap();
    assert_eq!((rows.len(), rows[0].target), (1, lab.ino));
    assert!(rows[0].is_asked() && rows[0].is_of_adopted());
    anna.sharing
        .is_renewed(&rows[0], Renewed::default())
        .unwrap();
    assert_eq!(asked(), []);
    anna.sharing.sign_receipts().await.unwrap();
    assert_eq!(asked(), []);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_waits_for_weeks_and_is_given_back_as_it_is_then() {
    let anna = Machine::new();
    let (received, _) = changed(&anna);
    let lab = || anna.sharing.pod.lookup(ROOT, b"lab (not taken over)");
    for network in [Network::Silent, Network::Down] {
        anna.fake.set(network);
        assert!(anna.sharing.take_tray_away(&received).await.is_err());
        assert!(matches!(lab(), Err(PodError::NotFound)));
    }
    let weeks = i64::try_from(ADOPTED_PATIENCE.as_secs()).unwrap();
    anna.now.fetch_add(weeks, Ordering::Relaxed);
    anna.sharing.take_tray_away(&received).await.unwrap();
    assert!(matches!(given_back(&anna), Err(PodError::Absent { .. })));
}

#[tokio::test]
async fn what_did_not_come_at_the_end_is_given_back_whole_once_it_does() {
    let anna = Machine::new();
    let (received, bytes) = changed(&anna);
    anna.fake.set(Network::Down);
    let told = anna.sharing.take_tray_away(&received).await.unwrap_err();
    assert!(told.contains("the network is down"), "{told}");
    anna.fake.set(Network::Good);
    anna.sharing.take_tray_away(&received).await.unwrap();
    assert!(given_back(&anna).unwrap() == bytes);
}

/// As when a machine was lost: the tray is here again before what it lies on.
#[tokio::test]
async fn what_was_removed_is_gone_though_not_all_came_yet() {
    let anna = Machine::new();
    let (received, _) = changed(&anna);
    let (sharing, pod) = (&anna.sharing, &anna.sharing.pod);
    let top = sharing.top_of(&received).unwrap().unwrap();
    let (file, old) = (arrived(0o100_400, 4, 0), name("old"));
    pod.receive(top, &old, &file).unwrap();
    for removed in [&b"old"[..], b"scan"] {
        pod.unlink(top, removed).unwrap();
    }
    pod.withdraw(top, &old).unwrap();
    is_brought(sharing, &received, false);
    assert_eq!(sharing.let_go_of(&received).await, Ok(true));
    pod.receive(top, &old, &file).unwrap();
    assert!(matches!(pod.lookup(top, b"old"), Err(PodError::NotFound)));
    pod.withdraw(top, &old).unwrap();
    is_brought(sharing, &received, true);
    assert_eq!(sharing.let_go_of(&received).await, Ok(true));
    pod.receive(top, &old, &file).unwrap();
    pod.lookup(top, b"old").unwrap();
}
