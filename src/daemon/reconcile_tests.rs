use std::sync::Arc;
use std::time::Duration;

use crate::daemon::reconcile::Incomplete;
use crate::daemon::reconcile::Reconciliation;
use crate::daemon::shelf::PodShelf;
use crate::daemon::shelf::read_state;
use crate::format::card::SignedCard;
use crate::format::rows::Key;
use crate::index::Rows;
use crate::journal::Batch;
use crate::journal::Class;
use crate::pod::Caller;
use crate::pod::Pod;
use crate::pod::PodError;
use crate::pod::PodParts;
use crate::pod::fake::Fake;
use crate::pod::fake::Network;
use crate::share::PeopleRows;
use crate::share::file_name;
use crate::types::Timespec;
use crate::types::limits::PEOPLE_AGAIN;
use crate::types::limits::PEOPLE_WAIT;
use crate::types::limits::ROW_VALUE_MAX;

/// A machine: its pod, the network, and what it does at a mount.
struct Machine {
    pod: Arc<Pod>,
    network: Arc<Fake>,
    rows: Arc<PeopleRows>,
    agreeing: Arc<Reconciliation>,
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/golden/v1/{name}.bin")).unwrap()
}

fn contact() -> (Key, Vec<u8>) {
    let card = SignedCard::read(&golden("card-signed-good")).unwrap();
    let key = Key::contact_of(&card.card().identity);
    (key, golden("rows-contact-good"))
}

fn own() -> (Key, Vec<u8>) {
    (Key::own_card(), golden("rows-own-card-good"))
}

impl Machine {
    fn new() -> Self {
        let network = Arc::new(Fake::default());
        let pod = Pod::over(PodParts {
            rows: Arc::new(Rows::memory()),
            remote: Arc::<Fake>::clone(&network),
            clock: Arc::new(|| Timespec { secs: 1, nanos: 2 }),
            device: 0,
            owner: Caller { uid: 0, gid: 0 },
        });
        let pod = Arc::new(pod.unwrap());
        let shelf = Arc::new(PodShelf(Arc::clone(&pod)));
        let rows = Arc::new(PeopleRows::new(Arc::clone(pod.rows()), shelf));
        let agreeing = Reconciliation::new(Arc::clone(&pod), Arc::clone(&rows));
        Self {
            pod,
            network,
            rows,
            agreeing,
        }
    }

    /// One that was recovered: it has these files, all of them in the network alone, and no rows.
    fn recovered(files: &[(Key, Vec<u8>)]) -> Self {
        let machine = Self::new();
        for (key, value) in files {
            let name = file_name(key);
            machine.pod.put_state(&name, value).unwrap();
            machine.forget(&name);
        }
        machine
    }

    /// A file is in the network alone.
    fn forget(&self, name: &str) {
        let (ino, _) = self.pod.state_file(name).unwrap().unwrap();
        self.network.take(&self.pod, ino);
    }

    fn mount(&self) {
        self.agreeing.start(&tokio::runtime::Handle::current());
    }

    /// Writes a row without its file, as a machine that dies in between.
    fn put_alone(&self, (key, value): &(Key, Vec<u8>)) {
        let mut batch = Batch::new(Class::Meta);
        batch.put(*key, value.clone());
        self.pod.rows().append(batch, None).unwrap();
    }

    async fn file(&self, key: &Key) -> Option<Vec<u8>> {
        let read = read_state(&self.pod, &file_name(key), Duration::from_secs(1)).await;
        read.unwrap().map(|bytes| bytes.to_vec())
    }

    fn row(&self, key: &Key) -> Option<Vec<u8>> {
        self.rows.get(key).unwrap().map(|row| row.to_vec())
    }

    fn holds(&self, all: &[(Key, Vec<u8>)]) {
        for (key, value) in all {
            assert_eq!(self.row(key).as_ref(), Some(value), "{key:?}");
        }
        assert_eq!(self.rows.keys().unwrap().len(), all.len());
        assert_eq!(self.pod.check(true).unwrap().findings, []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_without_people_gets_no_files() {
    let machine = Machine::new();
    machine.mount();
    machine.agreeing.complete().await.unwrap();
    assert_eq!(machine.pod.check(true).unwrap().names, 0);
}

#[tokio::test(start_paused = true)]
async fn files_that_were_not_written_to_the_end_are_written() {
    let machine = Machine::new();
    let (own, (key, newer)) = (own(), contact());
    machine.put_alone(&own);
    machine.pod.put_state(&file_name(&key), b"older").unwrap();
    machine.put_alone(&(key, newer.clone()));
    machine.mount();
    machine.agreeing.complete().await.unwrap();
    assert_eq!(machine.file(&own.0).await, Some(own.1.clone()));
    assert_eq!(machine.file(&key).await, Some(newer.clone()));
    machine.holds(&[own, (key, newer)]);
}

#[tokio::test(start_paused = true)]
async fn a_recovered_machine_gets_its_people_from_the_network() {
    let all = [own(), contact()];
    let machine = Machine::recovered(&all);
    machine.network.set(Network::Down);
    machine.mount();
    let answer = machine.agreeing.complete().await;
    assert!(
        matches!(&answer, Err(Incomplete::Fetching(why)) if why.contains("the network is down")),
        "{answer:?}"
    );
    machine.holds(&[]);
    machine.network.set(Network::Good);
    tokio::time::sleep(PEOPLE_AGAIN.1).await;
    machine.agreeing.complete().await.unwrap();
    machine.holds(&all);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_for_a_network_that_says_nothing() {
    let machine = Machine::recovered(&[own()]);
    machine.network.set(Network::Silent);
    machine.mount();
    let asked = tokio::time::Instant::now();
    let answer = machine.agreeing.complete().await;
    assert!(matches!(answer, Err(Incomplete::Fetching(_))));
    assert!(asked.elapsed() <= PEOPLE_WAIT + Duration::from_secs(1));
    let read = read_state(&machine.pod, &file_name(&own().0), Duration::from_secs(3)).await;
    assert!(matches!(read, Err(PodError::Unreachable(_))));
}

#[tokio::test(start_paused = true)]
async fn what_is_known_here_needs_no_network() {
    let machine = Machine::new();
    let (own, contact) = (own(), contact());
    machine.rows.put(own.0, own.1.clone()).unwrap();
    machine.rows.put(contact.0, b"old".to_vec()).unwrap();
    machine.forget(&file_name(&own.0));
    machine.forget(&file_name(&contact.0));
    machine.put_alone(&contact);
    machine.network.set(Network::Down);
    machine.mount();
    machine.agreeing.complete().await.unwrap();
    machine.network.set(Network::Good);
    tokio::time::sleep(PEOPLE_AGAIN.1).await;
    assert_eq!(machine.file(&own.0).await, Some(own.1.clone()));
    // It had the length of another row, so nothing had to be fetched to know that it is another.
    assert_eq!(machine.file(&contact.0).await, Some(contact.1.clone()));
    machine.holds(&[own, contact]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_row_is_left_where_it_is() {
    let (key, value) = contact();
    let mut damaged = value.clone();
    damaged[700] ^= 1;
    let own = own();
    let machine = Machine::recovered(&[(key, damaged.clone()), own.clone()]);
    let long = vec![0; ROW_VALUE_MAX + 1];
    machine
        .pod
        .put_state(&file_name(&Key::contact(7)), &long)
        .unwrap();
    machine.pod.put_state("audit.jsonl", b"{}").unwrap();
    machine.mount();
    machine.agreeing.complete().await.unwrap();
    machine.holds(&[own]);
    assert_eq!(machine.file(&key).await, Some(damaged));
    assert_eq!(machine.pod.state_names().unwrap().len(), 4);
    // The right one takes its place.
    machine.rows.put(key, value.clone()).unwrap();
    assert_eq!(machine.file(&key).await, Some(value));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_cannot_be_changed_says_what_it_misses() {
    let (own, contact) = (own(), contact());
    let machine = Machine::new();
    machine.put_alone(&own);
    machine.agreeing.look();
    machine.agreeing.complete().await.unwrap();
    assert_eq!(machine.file(&own.0).await, None, "nothing is written");
    let machine = Machine::recovered(&[own, contact]);
    machine.agreeing.look();
    let answer = machine.agreeing.complete().await;
    assert_eq!(answer, Err(Incomplete::ReadOnly));
    machine.holds(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_file_of_several_pieces_is_read_whole() {
    let machine = Machine::new();
    let mut all = Vec::new();
    for nth in 0..5_u8 {
        let piece = vec![nth; 700_001];
        machine.pod.append_state("log", &piece).unwrap();
        all.extend_from_slice(&piece);
    }
    let patience = Duration::from_secs(9);
    for _ in 0..2 {
        let read = read_state(&machine.pod, "log", patience).await.unwrap();
        assert!(read.is_some_and(|read| **read == all));
        machine.forget("log");
    }
    let none = read_state(&machine.pod, "other", patience).await.unwrap();
    assert!(none.is_none());
}
