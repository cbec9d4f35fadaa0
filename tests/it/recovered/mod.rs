//! The golden pod, recovered into rows and read through them.

mod place;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use podfs::crypto::keys::PodSecret;
use podfs::store::Faults;
use podfs::sync::find::Known;
use podfs::sync::find::Survey;
use podfs::sync::find::survey;
use podfs::sync::reader::ReadError;
use podfs::types::Address;

use crate::published::frozen;
use crate::recovered::place::Place;
use crate::recovered::place::Stored;
use crate::recovered::place::pod;
use crate::recovered::place::stored;
use crate::recovered::place::wait;

fn surveyed(store: &Arc<Stored>) -> Survey {
    let pods: &(dyn Fn(u32) -> PodSecret + Send + Sync) = &pod;
    let store = Arc::clone(store) as Arc<dyn podfs::store::Store>;
    wait(survey(&store, pods, &Known::default(), &|_| ())).unwrap()
}

#[test]
fn names_and_contents_come_back_as_they_were_published() {
    let (chunks, listed) = frozen();
    let store = stored(&chunks);
    let survey = surveyed(&store);
    let head = survey.contenders()[0].clone();
    assert_eq!((head.feed.device, head.head.index), (1, 0));
    let place = Place::recover(&store, &head, &survey).unwrap();
    assert_eq!(place.listing().unwrap(), listed);
    place.settle();
    // All of it is here now.
    let before = store.counts().gets;
    store.set(Faults {
        not_found: 1000,
        ..Faults::default()
    });
    assert_eq!(place.listing().unwrap(), listed);
    assert_eq!(place.reopened().listing().unwrap(), listed);
    assert_eq!(store.counts().gets, before);
}

/// No lost chunk takes more than a page with it, and no changed one shows a wrong byte.
#[test]
fn any_single_chunk_may_be_lost_or_changed() {
    let (chunks, listed) = frozen();
    let survey = surveyed(&stored(&chunks));
    let head = survey.contenders()[0].clone();
    let (mut pages, mut attributes) = (BTreeSet::<Address>::new(), 0);
    for address in chunks.keys() {
        let mut less = chunks.clone();
        less.remove(address);
        let place = Place::recover(&stored(&less), &head, &survey).unwrap();
        attributes += place.lost;
        match place.listing() {
            Ok(found) if place.lost > 0 => {
                let differ = listed.lines().zip(found.lines());
                let differ: Vec<_> = differ.filter(|(one, other)| one != other).collect();
                assert!(differ.len() == 1 && differ[0].0.starts_with(differ[0].1));
            }
            Ok(found) => assert_eq!(found, listed, "without {address}"),
            Err(ReadError::Fetch(_, error)) => {
                assert!(error.to_string().contains(&address.to_string()), "{error}");
                pages.insert(*address);
            }
            Err(error) => panic!("without {address}: {error}"),
        }
    }
    // Of the big file 4, of the medium one 2, of its attributes 2.
    assert_eq!((pages.len(), attributes), (6, 2));
}

#[test]
fn a_page_is_asked_for_once_and_no_other_with_it() {
    let (chunks, _) = frozen();
    let store = stored(&chunks);
    let survey = surveyed(&store);
    let head = survey.contenders()[0].clone();
    let place = Place::recover(&store, &head, &survey).unwrap();
    let big = place.find(b"big");
    let before = store.counts().gets;
    let both = async {
        let one = place.reader.fetch(big, 44..46);
        let other = place.reader.fetch(big, 45..46);
        let (one, other) = tokio::join!(one, other);
        one.unwrap();
        other.unwrap();
    };
    place.wait(both);
    // The inode, one node that has both pages, two pages.
    assert_eq!(store.counts().gets - before, 4);
    let mut page = [1; 4096];
    assert!(place.reader.page(big, 45, &mut page).unwrap());
    assert!(page[187_416 - 45 * 4096..].iter().all(|byte| *byte == 0));
    let behind = place.reader.page(big, 46, &mut page);
    assert!(matches!(behind, Err(ReadError::Behind(ino)) if ino == big));
    place.settle();
    assert_eq!(place.kept_pages(big), 2);
    assert_eq!(
        place.reader.drop_pages(1, &AtomicBool::new(false)).unwrap(),
        1
    );
    assert_eq!(place.kept_pages(big), 1);
    assert_eq!(
        place.reader.drop_pages(9, &AtomicBool::new(false)).unwrap(),
        1
    );
}
