use std::sync::atomic::AtomicI64;

use super::*;
use crate::crypto::Secret;
use crate::crypto::identity::sign_card;
use crate::crypto::identity::sign_public_key;
use crate::crypto::identity::xwing_public_key;
use crate::crypto::keys::CapKey;
use crate::crypto::keys::GrantFeed;
use crate::crypto::keys::RootKey;
use crate::crypto::keys::Topic;
use crate::crypto::phrase::Phrase;
use crate::crypto::publish::RecordPlace;
use crate::crypto::publish::Reference;
use crate::crypto::scalar::Owner;
use crate::crypto::swarm::SealedChunk;
use crate::daemon::publishing::OWN_BOX;
use crate::daemon::replaced;
use crate::format::card::Card;
use crate::format::card::SignedCard;
use crate::format::grant::Grant;
use crate::format::grant::GrantRecord;
use crate::format::grant::RecordState;
use crate::format::grant::Terms;
use crate::format::keyfile::Bundle;
use crate::format::message::AccessRequest;
use crate::format::message::Message;
use crate::format::message::MessageId;
use crate::format::published::Attributes;
use crate::format::rows::Epochs;
use crate::format::rows::FeedPlace;
use crate::format::rows::FileKind;
use crate::format::rows::Key;
use crate::format::rows::MessageRow;
use crate::format::rows::MessageState;
use crate::format::rows::Received;
use crate::index::Rows;
use crate::journal::Batch;
use crate::journal::Class;
use crate::pod::PodParts;
use crate::pod::fake::Fake;
use crate::share::Found;
use crate::store::Answer;
use crate::store::Memory;
use crate::store::Pulse;
use crate::store::Receipt;
use crate::store::Rejection;
use crate::store::StoreError;
use crate::store::endpoints::Endpoint;
use crate::store::endpoints::Endpoints;
use crate::store::endpoints::Patience;
use crate::store::endpoints::Role;
use crate::sync::BoxSecrets;
use crate::sync::OwnFeed;
use crate::types::Address;
use crate::types::ContactName;
use crate::types::Ino;
use crate::types::Name;
use crate::types::PlainText;
use crate::types::Purpose;
use crate::types::ROOT;
use crate::types::Rights;
use crate::types::Timespec;
use crate::types::limits::GRANT_GAP;
use crate::types::limits::GRANTS_MAX;

const fn at(secs: i64) -> Timespec {
    Timespec { secs, nanos: 0 }
}

fn root(person: u8) -> RootKey {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[person; 32]));
    RootKey::derive(&phrase.seed(), None)
}

/// The card of a person whose signing key has this seed.
fn card(epoch: u32, person: u8, sign: &Secret<32>) -> SignedCard {
    let (root, identity) = (root(person), root(person).identity(0));
    let card = Card {
        number: 0,
        identity_number: 0,
        epoch,
        made: at(1),
        identity: identity.public_key(),
        sign: sign_public_key(sign),
        x25519: root.kem_x25519(0).public_key(),
        xwing: xwing_public_key(&root.kem_xwing(0)),
        previous: [0; 32],
        successor: None,
    };
    let chunk = sign_card(&identity, 0, &card.encode()).unwrap();
    SignedCard::read(chunk.bytes()).unwrap()
}

/// A machine of Anna, who knows Ben and Eve; without a mount, and without a network.
struct Machine {
    sharing: Arc<Sharing>,
    now: Arc<AtomicI64>,
    node: Arc<Picky>,
    /// Where pages are that are not on this machine.
    fake: Arc<Fake>,
    messages: u64,
}

/// A node that refuses what it is told to.
#[derive(Default)]
struct Picky {
    inner: Memory,
    refuse: Mutex<BTreeMap<Address, Rejection>>,
    is_silent: AtomicBool,
    /// What it takes it does not keep.
    loses: AtomicBool,
}

impl Store for Picky {
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        match self.refuse.lock().get(&chunk.address()).cloned() {
            Some(why) => Box::pin(async move { Err(StoreError::Rejected(why)) }),
            None if self.loses.load(Ordering::Relaxed) => Box::pin(async { Ok(Receipt::OnNode) }),
            None => self.inner.put(chunk),
        }
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        if self.is_silent.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        self.inner.get(address)
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        self.inner.has(address)
    }
}

impl Pulse for Picky {
    fn pulse(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

const BEN: u8 = 2;
const EVE: u8 = 5;

impl Machine {
    fn new() -> Self {
        Self::with_card(true)
    }

    fn with_card(has_card: bool) -> Self {
        Self::over(Rows::memory(), has_card)
    }

    fn over(rows: Rows, has_card: bool) -> Self {
        let now = Arc::new(AtomicI64::new(10));
        let at_now = Arc::clone(&now);
        let clock: Clock = Arc::new(move || at(at_now.load(Ordering::Relaxed)));
        let mut bundle = Bundle::enrol(&root(1), 0, 0, 0, &mut |bytes: &mut [u8]| {
            bytes.fill(9);
            Ok(())
        })
        .unwrap();
        bundle.device_secret = Secret::from_bytes(&[7; 32]);
        let rows = Arc::new(rows);
        let own_box = || bundle.pod_secret.box_secret(OWN_BOX.0, OWN_BOX.1);
        let feed = OwnFeed::new(own_box(), bundle.epoch, bundle.device);
        let secrets = (feed, BoxSecrets::new(&bundle.pod_secret));
        let publishing = Publishing::new(&rows, secrets, Arc::clone(&clock), (0, 0));
        let publishing = Arc::new(publishing.unwrap());
        let fake = Arc::new(Fake::default());
        let pod = Pod::over(PodParts {
            rows,
            remote: Arc::<Fake>::clone(&fake),
            clock: Arc::clone(&clock),
            device: 0,
            owner: Caller { uid: 0, gid: 0 },
        });
        let pod = Arc::new(pod.unwrap());
        let people = People::new(&pod, &bundle, Arc::clone(&clock), Arc::clone(&publishing));
        let people = Arc::new(people);
        let own = card(0, 1, &bundle.sign_seed);
        if has_card {
            people.contacts().use_own(&own).unwrap();
        }
        for (name, person) in [("Ben", BEN), ("Eve", EVE)] {
            let found = Found::alone(card(0, person, &Secret::from_bytes(&[person; 32])));
            let name = ContactName::parse(name).unwrap();
            people.contacts().pin(&name, &found, at(1)).unwrap();
        }
        let keys = replaced::grant_keys(&bundle);
        let owner = Caller { uid: 0, gid: 0 };
        let sharing = Sharing::new(&pod, &people, &publishing, keys, (owner, clock));
        let node = Arc::new(Picky::default());
        let machine = Self {
            sharing,
            now,
            node,
            fake,
            messages: 0,
        };
        machine.publishing().sources().set(machine.endpoints());
        machine
    }

    fn publishing(&self) -> &Publishing {
        &self.sharing.publishing
    }

    fn endpoints(&self) -> Endpoints {
        let endpoint = Endpoint::new("node", Role::Own, Arc::clone(&self.node));
        Endpoints::new(vec![endpoint], Patience::default())
    }

    /// Gives Ben a grant of a folder.
    fn gives(&self, id: u8, terms: Terms) -> Given {
        let given = Self::grant_of(id, terms);
        self.sharing.given.give(&given).unwrap();
        given
    }

    fn grant_of(id: u8, terms: Terms) -> Given {
        Given {
            id: [id; 16],
            contact: print(BEN),
            contact_name: ContactName::parse("Ben").unwrap(),
            target: Ino(u64::from(id)),
            directory: ROOT,
            name: Name::parse(b"lab").unwrap(),
            terms,
            made: at(5),
            epochs: Epochs::default(),
            state: GivenState::Waiting,
            answers: None,
        }
    }

    /// The same, handed over and published.
    fn shares(&self, id: u8) -> Given {
        let given = self.gives(id, terms());
        self.sharing.given.is_offered(&given).unwrap();
        assert_eq!(self.publishes(&given, 1), Told::Made);
        given
    }

    /// A publication has the folder in that version.
    fn publishes(&self, given: &Given, version: u64) -> Told {
        let seen = (given.target, given.directory, &given.name);
        let seen = Some((seen, folder(given.target, version)));
        let now = at(self.now.load(Ordering::Relaxed));
        self.sharing.given.is_published(given, seen, now).unwrap()
    }

    fn refuses(&self, given: &Given, index: u64, why: Rejection) {
        let bytes = self.sharing.given.handed_over(given).unwrap();
        let feed = Grant::decode(&bytes).unwrap().feed;
        let address = RecordPlace { feed, index }.address();
        self.node.refuse.lock().insert(address, why);
    }

    /// Index and record that who received a grant finds.
    async fn finds(&self, given: &Given) -> Option<(u64, GrantRecord)> {
        let bytes = self.sharing.given.handed_over(given).unwrap();
        let grant = Grant::decode(&bytes).unwrap();
        let rows = Arc::new(Rows::memory());
        let theirs = ReceivedGrants::new(Arc::clone(self.sharing.people.rows()), rows);
        let told = (given.epochs.own, at(5));
        theirs.arrives(print(BEN), grant, told).unwrap();
        let received = theirs.find(&given.id).unwrap().unwrap();
        let newest = theirs.newest(&received, &self.endpoints()).await.unwrap();
        newest.map(|(seen, record)| (seen.index, record))
    }

    /// A grant came from that person.
    fn comes(&mut self, from: u8, grant: &Grant) {
        self.comes_at(from, grant, 5);
    }

    /// The same, in a message of that time.
    fn comes_at(&mut self, from: u8, grant: &Grant, time: i64) {
        let grant = MessageBody::Grant(grant.encode().unwrap().as_slice().into());
        self.writes_at(from, grant, time);
    }

    /// A message came from that person.
    fn writes(&mut self, from: u8, body: MessageBody) -> MessageId {
        self.writes_at(from, body, 5)
    }

    fn writes_at(&mut self, from: u8, body: MessageBody, time: i64) -> MessageId {
        self.messages += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.messages.to_be_bytes());
        let row = MessageRow {
            contact: print(from),
            since: at(5),
            epoch: 0,
            state: MessageState::New,
            place: Some(FeedPlace::default()),
            card: None,
            sealed: None,
            recorded: false,
            message: Message {
                id: MessageId(id),
                time: at(time),
                answers: None,
                body,
            },
        };
        let mut batch = Batch::new(Class::Meta);
        batch.put(Key::message(false, self.messages), row.encode().unwrap());
        self.sharing.pod.rows().append(batch, None).unwrap();
        MessageId(id)
    }

    /// What the list says of a grant: how it stands, and what is in the way.
    fn says(&self, id: u8) -> (String, Option<String>) {
        let given = self.sharing.given.find(&[id; 16]).unwrap().unwrap();
        let report = self.sharing.given_report(&given).unwrap();
        (report.state, report.trouble)
    }

    fn received(&self, id: u8) -> Option<Received> {
        self.sharing.received.find(&[id; 16]).unwrap()
    }
}

/// A folder as a publication has it.
fn folder(ino: Ino, version: u64) -> Attributes {
    Attributes {
        mode: 0o040_750,
        ino,
        uid: None,
        gid: None,
        nlink: 2,
        rdev: 0,
        size: version,
        mtime: at(5),
        ctime: at(5),
        btime: at(5),
        atime: at(5),
        xattrs: false,
        target: Box::default(),
        contents: None,
        directory: Reference::from_bytes(&[u8::try_from(version).unwrap(); 80]),
        attached: None,
    }
}

fn print(person: u8) -> Fingerprint {
    Fingerprint::of(&root(person).identity(0).public_key())
}

fn terms() -> Terms {
    Terms {
        name: Name::parse(b"lab").unwrap(),
        kind: FileKind::Directory,
        rights: Rights::READ,
        snapshot: false,
        from: None,
        until: None,
        purpose: Purpose::default(),
    }
}

fn request() -> AccessRequest {
    let plain = |text| PlainText::parse(text).unwrap_or_else(|error| panic!("{error}"));
    AccessRequest {
        what: plain("lab"),
        purpose: plain("second opinion"),
        rights: Rights::READ,
        from: None,
        until: None,
    }
}

fn grant(id: [u8; 16]) -> Grant {
    Grant {
        id,
        terms: terms(),
        feed: GrantFeed {
            owner: Owner([1; 20]),
            topic: Topic([2; 32]),
        },
        cap: CapKey::restore(Secret::from_bytes(&[3; 32])),
    }
}

mod ended;
mod given;
mod given_back;
mod let_go;
mod merged;
mod moved;
mod placed;
mod stopped;
mod taken;
mod witnessed;
