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
use crate::crypto::scalar::Owner;
use crate::daemon::publishing::OWN_BOX;
use crate::format::card::Card;
use crate::format::card::SignedCard;
use crate::format::grant::Terms;
use crate::format::keyfile::Bundle;
use crate::format::message::Message;
use crate::format::rows::FeedPlace;
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
use crate::types::ContactName;
use crate::types::Name;
use crate::types::Purpose;
use crate::types::Rights;
use crate::types::limits::GRANTS_MAX;

const fn at(secs: i64) -> Timespec {
    Timespec { secs, nanos: 0 }
}

fn root(person: u8) -> RootKey {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[person; 32]));
    RootKey::derive(&phrase.seed(), None)
}

/// The card of a person whose signing key has this seed.
fn card(person: u8, sign: &Secret<32>) -> SignedCard {
    let (root, identity) = (root(person), root(person).identity(0));
    let card = Card {
        number: 0,
        identity_number: 0,
        epoch: 0,
        made: at(1),
        identity: identity.public_key(),
        sign: sign_public_key(sign),
        x25519: root.kem_x25519(0).public_key(),
        xwing: xwing_public_key(&root.kem_xwing(0)),
        previous: [0; 32],
        next_identity: [0; 32],
    };
    let chunk = sign_card(&identity, 0, &card.encode()).unwrap();
    SignedCard::read(chunk.bytes()).unwrap()
}

/// A machine of Anna, who knows Ben and Eve; without a mount, and without a network.
struct Machine {
    sharing: Arc<Sharing>,
    now: Arc<AtomicI64>,
    messages: u64,
}

const BEN: u8 = 2;
const EVE: u8 = 5;

impl Machine {
    fn new() -> Self {
        let now = Arc::new(AtomicI64::new(10));
        let at_now = Arc::clone(&now);
        let clock: Clock = Arc::new(move || at(at_now.load(Ordering::Relaxed)));
        let mut bundle = Bundle::enrol(&root(1), 0, 0, 0, &mut |bytes: &mut [u8]| {
            bytes.fill(9);
            Ok(())
        })
        .unwrap();
        bundle.device_secret = Secret::from_bytes(&[7; 32]);
        let rows = Arc::new(Rows::memory());
        let publishing = Publishing::new(&rows, &bundle, Arc::clone(&clock), (0, 0));
        let publishing = Arc::new(publishing.unwrap());
        let pod = Pod::over(PodParts {
            rows,
            remote: Arc::new(Fake::default()),
            clock: Arc::clone(&clock),
            device: 0,
            owner: Caller { uid: 0, gid: 0 },
        });
        let pod = Arc::new(pod.unwrap());
        let people = People::new(&pod, &bundle, Arc::clone(&clock), Arc::clone(&publishing));
        let people = Arc::new(people);
        let own = card(1, &bundle.sign_seed);
        people.contacts().use_own(&own).unwrap();
        for (name, person) in [("Ben", BEN), ("Eve", EVE)] {
            let found = Found::alone(card(person, &Secret::from_bytes(&[person; 32])));
            let name = ContactName::parse(name).unwrap();
            people.contacts().pin(&name, &found, at(1)).unwrap();
        }
        let secret = bundle.pod_secret.box_secret(OWN_BOX.0, OWN_BOX.1);
        let owner = Caller { uid: 0, gid: 0 };
        let sharing = Sharing::new(&pod, &people, &publishing, secret, (owner, clock));
        Self {
            sharing,
            now,
            messages: 0,
        }
    }

    /// A grant came from that person.
    fn comes(&mut self, from: u8, grant: &Grant) {
        self.messages += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.messages.to_be_bytes());
        let row = MessageRow {
            contact: print(from),
            since: at(5),
            state: MessageState::New,
            place: Some(FeedPlace::default()),
            sealed: None,
            message: Message {
                id: MessageId(id),
                time: at(5),
                answers: None,
                body: MessageBody::Grant(grant.encode().unwrap().as_slice().into()),
            },
        };
        let mut batch = Batch::new(Class::Meta);
        batch.put(Key::message(false, self.messages), row.encode().unwrap());
        self.sharing.pod.rows().append(batch, None).unwrap();
    }

    fn received(&self, id: u8) -> Option<Received> {
        self.sharing.received.find(&[id; 16]).unwrap()
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

#[tokio::test]
async fn one_who_shares_too_much_keeps_nobody_else_back() {
    let mut anna = Machine::new();
    for number in 0..GRANTS_MAX as u64 {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let arrived = anna.sharing.received.arrives(print(EVE), grant(id), at(5));
        assert_eq!(arrived.unwrap(), Arrival::New);
    }
    anna.comes(EVE, &grant([0xee; 16]));
    anna.comes(BEN, &grant([0xbe; 16]));
    anna.sharing.step().await;
    assert!(anna.received(0xee).is_none());
    assert!(anna.received(0xbe).unwrap().contact == print(BEN));
    assert_eq!(anna.sharing.taken.load(Ordering::Acquire), 2);
}
