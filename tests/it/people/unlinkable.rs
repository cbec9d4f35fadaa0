//! Who looks at all that leaves three people's machines, and has their cards, does not see what belongs together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use podfs::crypto::door::DoorSlot;
use podfs::crypto::identity::{Fingerprint, card_topic, identity_owner};
use podfs::crypto::keys::{RootKey, Topic};
use podfs::crypto::pairwise::{Direction, PairSecret};
use podfs::crypto::scalar::Owner;
use podfs::crypto::swarm::{PAYLOAD_MAX, SocId, soc_address, soc_owner};
use podfs::crypto::{Phrase, Secret};
use podfs::format::card::SignedCard;
use podfs::share::back_id;
use podfs::types::Address;
use podfs::types::limits::{DOOR_SLOTS, MAIL_WEEK};

use crate::carried::mounted;
use crate::node::{Network, Node, Options, hexadecimal};
use crate::people::exchange::{Given, NAMES, exchange};
use crate::people::*;
use crate::support::applicable;

/// Records of one feed that are looked for.
const REACH: u64 = 256;

/// Between whom something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Relation {
    /// Between a person and everybody.
    Card(usize),
    /// Between a person and whoever comes to their door.
    Door(usize),
    /// Between a pod and itself.
    Pod(usize),
    /// Between two people, the lower number first.
    Pair(usize, usize),
}

impl Relation {
    /// Whether everybody can find it who has a card.
    const fn is_public(self) -> bool {
        matches!(self, Self::Card(_) | Self::Door(_))
    }

    fn between(one: usize, other: usize) -> Self {
        Self::Pair(one.min(other), one.max(other))
    }
}

/// A feed, as who has the secrets knows it.
#[derive(Clone, Copy)]
struct Feed {
    relation: Relation,
    owner: Owner,
    topic: Topic,
}

/// A single-owner chunk that was stored.
#[derive(Clone, Copy)]
struct Sighting {
    relation: Relation,
    owner: Owner,
    topic: Topic,
    id: SocId,
    address: Address,
    payload: usize,
}

/// What everybody can compute from cards.
#[derive(Default)]
struct Outsider {
    owners: BTreeSet<Owner>,
    topics: BTreeSet<[u8; 32]>,
    addresses: BTreeSet<Address>,
}

fn week() -> u32 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    u32::try_from(now / MAIL_WEEK as u64).unwrap()
}

fn print(root: &RootKey) -> Fingerprint {
    Fingerprint::of(&root.identity(0).public_key())
}

/// The feeds of one direction of a pair, in the weeks around now.
fn pairwise(secret: &PairSecret, relation: Relation, direction: Direction) -> Vec<Feed> {
    let weeks = week() - 1..=week() + 1;
    weeks
        .map(|week| Feed {
            relation,
            owner: secret.signer(direction, week).owner(),
            topic: secret.topic(direction, week),
        })
        .collect()
}

/// The slots of somebody's door, on the days around now.
fn door(print: &Fingerprint, relation: Relation) -> Vec<Feed> {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let today = u32::try_from(now / 86_400).unwrap();
    let days = today - 1..=today + 1;
    let slots = days.flat_map(|day| (0..DOOR_SLOTS).map(move |slot| (day, slot)));
    slots
        .map(|(day, slot)| {
            let place = *DoorSlot::of(print, day, slot).place();
            Feed {
                relation,
                owner: place.owner,
                topic: place.topic,
            }
        })
        .collect()
}

const DIRECTIONS: [Direction; 2] = [Direction::FromLower, Direction::FromHigher];

/// All feeds that there ought to be.
fn feeds(people: &[RootKey], given: &[Given]) -> Vec<Feed> {
    let mut all = Vec::new();
    let secret = |at: usize| people[at].pod(&people[at].pod_id(0), 0).box_secret(0, 0);
    for (at, root) in people.iter().enumerate() {
        all.push(Feed {
            relation: Relation::Card(at),
            owner: root.identity(0).owner(),
            topic: card_topic(),
        });
        all.extend(door(&print(root), Relation::Door(at)));
        let own = secret(at);
        for topic in [own.feed_topic(0), own.feed_replica_topic(0)] {
            all.push(Feed {
                relation: Relation::Pod(at),
                owner: own.feed_signer(0).owner(),
                topic,
            });
        }
        for (beside, other) in people.iter().enumerate().skip(at + 1) {
            let theirs = other.kem_x25519(0).public_key();
            let prints = [&print(root), &print(other)];
            let agreed = PairSecret::agree(&root.kem_x25519(0), &theirs, prints).unwrap();
            let relation = Relation::between(at, beside);
            all.extend(
                DIRECTIONS
                    .map(|way| pairwise(&agreed, relation, way))
                    .concat(),
            );
        }
    }
    for (from, to, id) in given {
        for (owner, id) in [(*from, *id), (*to, back_id(id))] {
            let feed = secret(owner).grant(&id).feed();
            all.push(Feed {
                relation: Relation::between(*from, *to),
                owner: feed.owner,
                topic: feed.topic,
            });
        }
    }
    all
}

/// The single-owner chunks among what was stored, each with the relation that it belongs to.
fn sightings(stored: &[(Address, Vec<u8>)], feeds: &[Feed]) -> Vec<Sighting> {
    let mut places = BTreeMap::<(Owner, [u8; 32]), Vec<Feed>>::new();
    for feed in feeds {
        for index in 0..REACH {
            let id = SocId::of_update(&feed.topic, index);
            places.entry((feed.owner, id.0)).or_default().push(*feed);
        }
    }
    let mut all = Vec::new();
    for (address, bytes) in stored {
        let owner = soc_owner(bytes);
        let id = bytes.first_chunk().map(|id| SocId(*id));
        let Some((owner, id)) = owner
            .zip(id)
            .filter(|(o, id)| soc_address(id, o) == *address)
        else {
            continue;
        };
        let known = places.get(&(owner, id.0));
        let known = known.unwrap_or_else(|| panic!("nobody's: {address}"));
        all.extend(known.iter().map(|feed| Sighting {
            relation: feed.relation,
            owner,
            topic: feed.topic,
            id,
            address: *address,
            payload: bytes.len() - 32 - 65 - 8,
        }));
    }
    all
}

impl Outsider {
    fn of(cards: &[SignedCard]) -> Self {
        let mut all = Self::default();
        all.topics.insert(card_topic().0);
        let prints = cards
            .iter()
            .map(|card| Fingerprint::of(&card.card().identity));
        let prints: Vec<_> = prints.collect();
        for (at, card) in cards.iter().enumerate() {
            let owner = identity_owner(&card.card().identity);
            all.owners.insert(owner);
            for number in 0..REACH {
                let id = SocId::of_update(&card_topic(), number);
                all.addresses.insert(soc_address(&id, &owner));
            }
            for slot in door(&prints[at], Relation::Door(at)) {
                all.owners.insert(slot.owner);
                all.topics.insert(slot.topic.0);
                let id = SocId::of_update(&slot.topic, 0);
                all.addresses.insert(soc_address(&id, &slot.owner));
            }
            // What two people would share if it came from what is public.
            let public = [[0; 32], card.card().x25519, card.card().sign];
            for (other, secret) in prints
                .iter()
                .flat_map(|other| public.map(|key| (other, key)))
            {
                let people = [&prints[at].0, &other.0];
                let guess = PairSecret::derive(&Secret::from_bytes(&secret), people, None);
                let guesses = DIRECTIONS.map(|way| pairwise(&guess, Relation::Card(at), way));
                all.owners
                    .extend(guesses.iter().flatten().map(|feed| feed.owner));
                all.topics
                    .extend(guesses.iter().flatten().map(|feed| feed.topic.0));
            }
        }
        all
    }

    fn derives(&self, sighting: &Sighting) -> bool {
        self.owners.contains(&sighting.owner)
            || self.topics.contains(&sighting.topic.0)
            || self.addresses.contains(&sighting.address)
    }
}

/// What tells of chunks that they belong together although they are of different relations, or whose they are.
fn links(sightings: &[Sighting], outsider: &Outsider) -> Vec<String> {
    let mut seen = BTreeMap::<(&str, Vec<u8>), BTreeSet<Relation>>::new();
    let mut found = Vec::new();
    for sighting in sightings {
        if sighting.payload != PAYLOAD_MAX {
            found.push(format!(
                "{} is {} bytes",
                sighting.address, sighting.payload
            ));
        }
        if matches!(sighting.relation, Relation::Card(_)) {
            continue;
        }
        if !sighting.relation.is_public() && outsider.derives(sighting) {
            found.push(format!("{:?} follows from cards", sighting.relation));
        }
        let marks = [
            ("owner", sighting.owner.0.to_vec()),
            ("topic", sighting.topic.0.to_vec()),
            ("identifier", sighting.id.0.to_vec()),
            ("address", sighting.address.0.to_vec()),
        ];
        for mark in marks {
            seen.entry(mark).or_default().insert(sighting.relation);
        }
    }
    let linking = seen.iter().filter(|(_, relations)| relations.len() > 1);
    found.extend(linking.map(|((what, _), relations)| format!("one {what} in {relations:?}")));
    found
}

/// What only the phrase gives.
pub(super) fn root_of(pod: &Pod) -> RootKey {
    let phrase = Phrase::parse(&fs::read_to_string(pod.path("phrase")).unwrap()).unwrap();
    RootKey::derive(&phrase.seed(), None)
}

/// The card of a pod, as it is handed to others.
fn card_of(pod: &Pod) -> SignedCard {
    let file = pod.path("card");
    says(pod, &["id", "show", "--out", file.to_str().unwrap()]);
    SignedCard::read(&fs::read(file).unwrap()).unwrap()
}

#[test]
fn nobody_tells_from_addresses_who_knows_whom() {
    if !applicable("nobody_tells_from_addresses_who_knows_whom", REQUIREMENTS) {
        return;
    }
    let node = Node::start(Options::light(&Network::new(), 1));
    node.network().record();
    let pods = [Pod::new(), Pod::of_somebody_else(), Pod::of_somebody_else()];
    for pod in &pods {
        let batch = hexadecimal(&node.buy_batch(20));
        says(pod, &["node", "add", &node.url(), "--batch", &batch]);
    }
    let mounts = pods.each_ref().map(|pod| mounted(pod, &[]));
    let cards = pods.each_ref().map(introduce);
    for (at, pod) in pods.iter().enumerate() {
        for other in (0..3).filter(|other| *other != at) {
            let card = text(&cards[other], "identity");
            says(pod, &["contact", "add", NAMES[other], card]);
        }
    }
    let given = exchange(&pods, &mounts);
    let cards = pods.each_ref().map(card_of);
    let roots = pods.each_ref().map(root_of);
    drop(mounts);

    let feeds = feeds(&roots, &given);
    let outsider = Outsider::of(&cards);
    let seen = sightings(&node.network().recorded(), &feeds);
    assert_eq!(links(&seen, &outsider), Vec::<String>::new());
    let kinds = seen.iter().map(|it| it.relation);
    let relations: BTreeSet<_> = kinds
        .filter(|it| !matches!(it, Relation::Door(_)))
        .collect();
    assert_eq!(relations.len(), 3 + 3 + 3, "{relations:?}");
    let (public, rest): (Vec<Sighting>, Vec<Sighting>) =
        seen.iter().copied().partition(|it| it.relation.is_public());
    let (of_all, others) = (public.len(), rest.len());
    println!("{of_all} cards and slots of doors, {others} other single-owner chunks");
    assert!(of_all > 3 && others > 50);
    is_noticed(&roots, &seen, &feeds, &outsider);
}

/// Chunks that do belong together for whoever looks are found.
fn is_noticed(roots: &[RootKey; 3], good: &[Sighting], feeds: &[Feed], outsider: &Outsider) {
    let pair = |one: usize, other: usize| {
        let theirs = roots[other].kem_x25519(0).public_key();
        let prints = [&print(&roots[one]), &print(&roots[other])];
        PairSecret::agree(&roots[one].kem_x25519(0), &theirs, prints).unwrap()
    };
    let way = Direction::FromLower;
    let (with_ben, with_cleo) = (pair(0, 1), pair(0, 2));
    let (signer, other) = (with_ben.signer(way, week()), with_cleo.signer(way, week()));
    let topics = [&with_ben, &with_cleo].map(|pair| pair.topic(way, week()));
    let wrong = |owner: Owner, topic: Topic| Feed {
        relation: Relation::Pair(0, 2),
        owner,
        topic,
    };
    let (no_secret, people) = (
        Secret::from_bytes(&[0; 32]),
        [&roots[0], &roots[2]].map(print),
    );
    let public = PairSecret::derive(&no_secret, [&people[0].0, &people[1].0], None);
    let guessed = public.signer(way, week());
    let whole = [7; PAYLOAD_MAX];
    let linked = [
        (
            signer.chunk(&topics[1], 200, &whole),
            signer.owner(),
            topics[1],
            "one owner in",
        ),
        (
            other.chunk(&topics[0], 200, &whole),
            other.owner(),
            topics[0],
            "one topic in",
        ),
        (
            guessed.chunk(&topics[1], 200, &whole),
            guessed.owner(),
            topics[1],
            "follows from cards",
        ),
        (
            other.chunk(&topics[1], 200, &whole[1..]),
            other.owner(),
            topics[1],
            "is 4095 bytes",
        ),
    ];
    for (chunk, owner, topic, told) in linked {
        let chunk = chunk.unwrap();
        let feeds = [feeds, &[wrong(owner, topic)]].concat();
        let stored = [(chunk.address(), chunk.bytes().to_vec())];
        let mut all = good.to_vec();
        all.extend(sightings(&stored, &feeds));
        let found = links(&all, outsider);
        assert!(
            found.iter().any(|it| it.contains(told)),
            "{told}: {found:?}"
        );
    }
    let mut signed_by_the_identity = good.to_vec();
    signed_by_the_identity.push(Sighting {
        owner: roots[0].identity(0).owner(),
        ..*good
            .iter()
            .find(|it| it.relation == Relation::Pod(0))
            .unwrap()
    });
    assert_eq!(links(&signed_by_the_identity, outsider).len(), 1);
}
