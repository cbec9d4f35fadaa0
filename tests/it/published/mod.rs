//! A pod in Swarm as chunks that never change, read from the phrase and from them alone.

mod build;
mod example;
pub(super) mod found;
mod publisher;
pub(super) mod read;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use podfs::crypto::Phrase;
use podfs::crypto::Secret;
use podfs::crypto::keys::BoxSecret;
use podfs::crypto::keys::PodSecret;
use podfs::crypto::keys::RootKey;
use podfs::crypto::swarm::SocId;
use podfs::crypto::swarm::soc_address;
use podfs::types::Address;

use crate::published::build::chunks;
use crate::published::read::listing;

const FOLDER: &str = "tests/golden/v1/swarm";

/// Chunks as a node holds them, by address.
pub type Chunks = BTreeMap<Address, Vec<u8>>;

/// The golden pod: of 32 bytes of zero entropy, the first of everything.
pub fn pod_secret() -> PodSecret {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[0; 32]));
    let root = RootKey::derive(&phrase.seed(), None);
    root.pod(&root.pod_id(0), 0)
}

/// Its own box.
pub fn box_secret() -> BoxSecret {
    pod_secret().box_secret(0, 0)
}

/// Writes the files anew when `PODFS_WRITE_GOLDEN` is set: only when the format is deliberately changed.
fn write_if_asked(chunks: &Chunks) {
    if std::env::var_os("PODFS_WRITE_GOLDEN").is_none() {
        return;
    }
    if Path::new(FOLDER).exists() {
        fs::remove_dir_all(FOLDER).unwrap();
    }
    fs::create_dir(FOLDER).unwrap();
    for (address, bytes) in chunks {
        fs::write(Path::new(FOLDER).join(address.to_string()), bytes).unwrap();
    }
    let listed = Path::new(FOLDER).join("listing.txt");
    fs::write(listed, listing(chunks).unwrap()).unwrap();
}

pub(crate) fn frozen() -> (Chunks, String) {
    let (mut chunks, mut listed) = (Chunks::new(), String::new());
    for file in fs::read_dir(FOLDER).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if name == "listing.txt" {
            listed = fs::read_to_string(file.path()).unwrap();
        } else {
            let bytes = fs::read(file.path()).unwrap();
            chunks.insert(name.parse().unwrap(), bytes);
        }
    }
    (chunks, listed)
}

#[test]
fn the_published_pod_is_written_and_read_the_same_for_ever() {
    let made = chunks();
    write_if_asked(&made);
    let (chunks, listed) = frozen();
    assert!(chunks == made, "the pod is published another way now");
    assert_eq!(listing(&chunks).unwrap(), listed);
}

/// No lost chunk takes more than one page of one file with it, and no changed one shows a wrong byte.
#[test]
fn any_single_chunk_may_be_lost_or_changed() {
    let (chunks, listed) = frozen();
    let mut pages = 0;
    for address in chunks.keys() {
        let mut less = chunks.clone();
        less.remove(address);
        let mut changed = chunks.clone();
        changed.get_mut(address).unwrap()[300] ^= 1;
        for rest in [less, changed] {
            match listing(&rest) {
                Ok(found) => assert_eq!(found, listed, "without {address}"),
                Err(lost) => {
                    assert_eq!(lost, "a page", "without {address}");
                    pages += 1;
                }
            }
        }
    }
    // Of the big file 4, of the medium one 2, of its attributes 2; each of them twice.
    assert_eq!(pages, 16);
}

/// Whatever a node answers instead of what it was asked for, another right chunk of the same pod, one that is cut or one
/// that is longer: it is as if it had answered nothing.
#[test]
fn no_chunk_is_taken_for_another() {
    let (chunks, listed) = frozen();
    let addresses: Vec<_> = chunks.keys().copied().collect();
    let (mut pages, mut wholes) = (0, 0);
    let mut seen = |chunks: &Chunks, what: &str| match listing(chunks) {
        Ok(found) => {
            assert_eq!(found, listed, "{what}");
            wholes += 1;
        }
        Err(lost) => {
            assert_ne!(lost, "", "{what}");
            pages += 1;
        }
    };
    for (at, one) in addresses.iter().enumerate() {
        for other in &addresses[at + 1..] {
            let mut swapped = chunks.clone();
            swapped.insert(*one, chunks[other].clone());
            swapped.insert(*other, chunks[one].clone());
            seen(&swapped, &format!("{one} and {other}"));
        }
        let bytes = &chunks[one];
        let lengths = [0, 1, 7, 8, 9, 104, 105, 4095, 4103, 4104, 4105, 4200, 5000];
        for length in lengths.into_iter().filter(|it| *it != bytes.len()) {
            let mut other = bytes.clone();
            other.resize(length, 0);
            let changed = [(*one, other)].into_iter();
            let changed = chunks.clone().into_iter().chain(changed).collect();
            seen(&changed, &format!("{length} bytes of {one}"));
        }
    }
    // Of two nodes that change places one may be needed to make the other; most are of different groups.
    assert!(pages > 0 && wholes > pages, "{wholes} whole, {pages} not");
}

/// When a feed has lost both chunks of its newest head, what was before it is found.
#[test]
fn without_the_newest_head_the_one_before_is_found() {
    let (chunks, listed) = frozen();
    let secret = box_secret();
    let owner = secret.feed_signer(1).owner();
    let mut less = chunks;
    for topic in [secret.feed_topic(1), secret.feed_replica_topic(1)] {
        let id = SocId::of_update(&topic, 0);
        let address = soc_address(&id, &owner);
        assert!(less.remove(&address).is_some());
    }
    // It says the same: the first head of a device is what it went on from.
    assert_eq!(listing(&less).unwrap(), listed);
}
