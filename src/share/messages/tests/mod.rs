use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::crypto::identity::{sign_card, sign_public_key, xwing_public_key};
use crate::crypto::keys::{IdentityKey, RootKey};
use crate::crypto::phrase::Phrase;
use crate::crypto::swarm::{SealedChunk, SocId, soc_owner};
use crate::format::card::{Card, SignedCard};
use crate::format::message::AccessRequest;
use crate::share::Found;
use crate::share::messages::pair::week_of;
use crate::share::rows::PeopleRows;
use crate::share::rows_tests::Files;
use crate::store::endpoints::Endpoints;
use crate::store::endpoints::{Endpoint, Patience, Role};
use crate::store::{Answer, Fault, Faults, Memory, Receipt, Store, StoreError};
use crate::types::Rights;
use crate::types::limits::{MAIL_SURE, MAIL_WEEK};
use crate::types::{Address, ContactName, PlainText};

/// In the middle of a week.
const NOW: Timespec = Timespec {
    secs: 2_950 * MAIL_WEEK + MAIL_WEEK / 2,
    nanos: 0,
};

fn later(seconds: i64) -> Timespec {
    Timespec {
        secs: NOW.secs + seconds,
        nanos: 0,
    }
}

/// Somebody with a pod.
struct Person {
    messages: Arc<Messages>,
    contacts: Arc<Contacts>,
    identity: IdentityKey,
    card: SignedCard,
}

fn root(person: u8) -> RootKey {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[person; 32]));
    RootKey::derive(&phrase.seed(), None)
}

/// Machine `machine` of a person: the keys of the phrase, and a signing key of its own.
fn machine(person: u8, machine: u8, before: Option<&SignedCard>) -> Person {
    let root = root(person);
    let identity = root.identity(0);
    let sign = [person + 16 * machine; 32];
    let card = Card {
        number: before.map_or(0, |before| before.card().number + 1),
        identity_number: 0,
        epoch: 0,
        made: NOW,
        identity: identity.public_key(),
        sign: sign_public_key(&Secret::from_bytes(&sign)),
        x25519: root.kem_x25519(0).public_key(),
        xwing: xwing_public_key(&root.kem_xwing(0)),
        previous: before.map_or([0; 32], SignedCard::hash),
        successor: None,
    };
    let chunk = sign_card(&identity, card.number, &card.encode()).unwrap();
    let card = SignedCard::read(chunk.bytes()).unwrap();
    let rows = Arc::new(Rows::memory());
    let people = PeopleRows::new(Arc::clone(&rows), Arc::new(Files::default()));
    let contacts = Arc::new(Contacts::new(Arc::new(people)));
    contacts.use_own(&card).unwrap();
    let mut count = u64::from(person) << 32 | u64::from(machine) << 24;
    let random = move |bytes: &mut [u8]| {
        count += 1;
        let hash = blake3::hash(&count.to_le_bytes());
        bytes.copy_from_slice(&hash.as_bytes()[..bytes.len()]);
        Ok(())
    };
    let messages = Messages::new(MessagesParts {
        rows,
        contacts: Arc::clone(&contacts),
        keys: MessageKeys {
            x25519: root.kem_x25519(0),
            xwing: root.kem_xwing(0),
            sign: Secret::from_bytes(&sign),
        },
        random: Box::new(random),
    });
    Person {
        messages: Arc::new(messages),
        contacts,
        identity,
        card,
    }
}

impl Person {
    /// Keys of this epoch take the place of those so far; gives the card that names them.
    async fn replaces_keys(&self, person: u8, epoch: u32) -> SignedCard {
        let (root, before) = (root(person), self.contacts.own().unwrap().unwrap().0);
        let keys = MessageKeys {
            x25519: root.kem_x25519(epoch),
            xwing: root.kem_xwing(epoch),
            sign: Secret::from_bytes(&[person + 64 * u8::try_from(epoch).unwrap(); 32]),
        };
        let card = Card {
            number: before.card().number + 1,
            epoch,
            sign: sign_public_key(&keys.sign),
            x25519: keys.x25519.public_key(),
            xwing: xwing_public_key(&keys.xwing),
            previous: before.hash(),
            ..before.card().clone()
        };
        let chunk = sign_card(&self.identity, card.number, &card.encode()).unwrap();
        let card = SignedCard::read(chunk.bytes()).unwrap();
        let still = self.messages.still().await;
        self.contacts.use_own(&card).unwrap();
        self.messages.replace_keys(keys, &still);
        card
    }

    fn knows(&self, name: &str, other: &Self) {
        let name = ContactName::parse(name).unwrap();
        let found = Found::alone(other.card.clone());
        self.contacts.pin(&name, &found, NOW).unwrap();
    }

    fn asks(&self, name: &str, purpose: &str) -> MessageId {
        let contact = self.contacts.named(name).unwrap();
        let body = request(purpose);
        self.messages.post(&contact, body, None, NOW).unwrap()
    }

    async fn sends(&self, net: &Net, now: Timespec) -> Sending {
        let endpoints = net.endpoints();
        self.messages
            .send(&endpoints, &*net.store, now)
            .await
            .unwrap()
    }

    async fn collects(&self, net: &Net, now: Timespec) -> Collected {
        self.messages.collect(&net.endpoints(), now).await.unwrap()
    }

    fn received(&self) -> Vec<Kept> {
        self.messages.all(Way::Received, 0, usize::MAX).unwrap()
    }

    fn written(&self) -> Vec<Kept> {
        self.messages.all(Way::Sent, 0, usize::MAX).unwrap()
    }

    fn purposes(&self) -> Vec<String> {
        let received = self.received();
        let purposes = received.iter().map(|kept| match &kept.row.message.body {
            MessageBody::Request(request) => request.purpose.as_str().to_owned(),
            MessageBody::Grant(_)
            | MessageBody::Denied { .. }
            | MessageBody::Arrived
            | MessageBody::Witness(_) => String::new(),
        });
        purposes.collect()
    }

    fn pair(&self, name: &str) -> Pair {
        let contact = self.contacts.named(name).unwrap();
        self.messages.pair(contact).unwrap()
    }
}

fn plain(text: &str) -> PlainText {
    PlainText::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn request(purpose: &str) -> MessageBody {
    MessageBody::Request(AccessRequest {
        what: plain("Labs"),
        purpose: plain(purpose),
        rights: Rights::READ,
        from: None,
        until: None,
    })
}

/// A network of one store that tells what was put.
struct Net {
    store: Arc<Recorder>,
}

struct Recorder {
    inner: Fault<Memory>,
    put: Mutex<Vec<SealedChunk>>,
    /// What stands where something was overwritten, in a network where that is possible.
    over: Option<Mutex<BTreeMap<Address, SealedChunk>>>,
}

impl Store for Recorder {
    fn put<'a>(&'a self, chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        self.put.lock().push(chunk.clone());
        if let Some(over) = &self.over {
            over.lock().insert(chunk.address(), chunk.clone());
        }
        self.inner.put(chunk)
    }

    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        let over = self.over.as_ref();
        match over.and_then(|over| over.lock().get(&address).cloned()) {
            Some(chunk) => Box::pin(async move { Ok(chunk) }),
            None => self.inner.get(address),
        }
    }

    fn has(&self, address: Address) -> Answer<'_, bool> {
        self.inner.has(address)
    }
}

impl crate::store::Pulse for Recorder {
    fn pulse(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl Net {
    fn new() -> Self {
        let store = Recorder {
            inner: Fault::new(Memory::default(), 1, Faults::default()),
            put: Mutex::default(),
            over: None,
        };
        Self {
            store: Arc::new(store),
        }
    }

    /// One in which the last one who writes at an address is who stands there.
    fn overwriting() -> Self {
        let mut net = Self::new();
        let store = Arc::get_mut(&mut net.store).unwrap();
        store.over = Some(Mutex::default());
        net
    }

    fn endpoints(&self) -> Endpoints {
        let endpoint = Endpoint::new("store", Role::Own, Arc::clone(&self.store));
        Endpoints::new(vec![endpoint], Patience::default())
    }

    fn faults(&self, faults: Faults) {
        self.store.inner.set(faults);
    }

    fn chunks(&self) -> Vec<SealedChunk> {
        self.store.put.lock().clone()
    }
}

fn two() -> (Person, Person, Net) {
    let (anna, ben) = (machine(1, 0, None), machine(2, 0, None));
    anna.knows("Ben", &ben);
    ben.knows("Anna", &anna);
    (anna, ben, Net::new())
}

mod door;
mod feeds;
mod kept;
mod lost;
mod witnessed;
