use std::sync::atomic::AtomicBool;

use super::*;
use crate::crypto::keys::ScopeId;
use crate::crypto::publish::Reference;
use crate::format::published::{Contents, Inode, InodeKind};
use crate::format::rows::{Key, Published};
use crate::journal::{Change, Class};
use crate::store::Store;
use crate::sync::edit::KeptEdit;
use crate::sync::sample::{Sample, kept, wait};
use crate::types::limits::PAGE_BYTES;

const FILE: Ino = Ino(20);
const PAGES: u64 = 768;

fn page(number: u64) -> [u8; PAGE] {
    let mut page = [7; PAGE];
    page[PAGE - 8..].copy_from_slice(&number.to_le_bytes());
    page
}

/// A file of which nothing is here.
fn remote(sample: &Sample, size: u64, inode: &Reference) -> Arc<Reader> {
    let kept = kept();
    let published = Published {
        publication: 0,
        scope: ScopeId([2; 16]),
        size,
        contents: Some(inode.clone()),
        directory: None,
        number: None,
    };
    let mut edit = KeptEdit::new(Class::Meta);
    edit.row(Key::published(FILE), Change::Put(published.encode().into()));
    kept.write(edit).unwrap();
    Reader::new(kept, sample.fetcher())
}

fn large(sample: &mut Sample) -> Reference {
    let some = |number: u64| (number % 100 != 99).then(|| page(number));
    sample.contents(PAGES * PAGE_BYTES, &some)
}

fn read(reader: &Reader, number: u64) -> Option<[u8; PAGE]> {
    let mut out = [1; PAGE];
    reader.page(FILE, number, &mut out).unwrap().then_some(out)
}

#[test]
fn pages_come_as_they_are_asked_for_and_nodes_a_little_ahead() {
    let mut sample = Sample::new();
    let inode = large(&mut sample);
    let reader = remote(&sample, PAGES * PAGE_BYTES, &inode);
    let requests = |reader: &Reader| reader.fetcher.requests();
    wait(async {
        assert_eq!(read(&reader, 0), None);
        reader.fetch(FILE, 0..256).await.unwrap();
        // The inode, six nodes, and 256 pages without two holes.
        assert_eq!(requests(&reader), 1 + 6 + 254);
        for number in 0..256 {
            let expected = if number % 100 == 99 {
                [0; PAGE]
            } else {
                page(number)
            };
            assert_eq!(read(&reader, number), Some(expected));
        }
        assert_eq!(read(&reader, 256), None);
        reader.fetch(FILE, 256..512).await.unwrap();
        reader.settled().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        reader.settled().await;
        // Read on: the nodes of the next MiB are here before its pages.
        assert_eq!(requests(&reader), 1 + 16 + 254 + 253);
        reader.fetch(FILE, 600..601).await.unwrap();
        assert_eq!(requests(&reader), 1 + 16 + 254 + 253 + 1);
        reader.settled().await;
        // All of it is in the log too.
        let again = Reader::new(Arc::clone(&reader.kept), sample.fetcher());
        again.fetch(FILE, 0..512).await.unwrap();
        assert_eq!(read(&again, 511), Some(page(511)));
        assert_eq!(again.fetcher.requests(), 0);
        assert_eq!(again.drop_pages(100, &AtomicBool::new(false)).unwrap(), 100);
        again.fetch(FILE, 0..512).await.unwrap();
        assert_eq!(again.fetcher.requests(), 100);
        // What the file does not have is passed over by one and refused by the other.
        again.fetch(FILE, PAGES - 1..PAGES + 9).await.unwrap();
        let behind = again.page(FILE, PAGES, &mut [0; PAGE]);
        assert!(matches!(behind, Err(ReadError::Behind(FILE))));
        let unknown = again.fetch(Ino(21), 0..1).await;
        assert!(matches!(unknown, Err(ReadError::Unpublished(Ino(21)))));
    });
}

#[test]
fn a_lost_page_is_an_error_and_a_lost_node_is_none() {
    let mut sample = Sample::new();
    let inode = large(&mut sample);
    let opened = wait(sample.fetcher().open(
        crate::sync::fetch::Sort::Node,
        &inode,
        &crate::sync::fetch::Family::none(crate::sync::fetch::Sort::Node),
    ));
    let opened = Inode::decode(opened.unwrap().expose(), InodeKind::File).unwrap();
    let Contents::Tree {
        children, parity, ..
    } = opened.contents
    else {
        panic!("it has a tree")
    };
    let lost = children[3].clone().unwrap();
    sample.store.lose(lost.address());
    let reader = remote(&sample, PAGES * PAGE_BYTES, &inode);
    wait(async {
        reader.fetch(FILE, 160..161).await.unwrap();
        assert_eq!(read(&reader, 160), Some(page(160)));
        // Whoever publishes gets any of them, and it is kept.
        let reader = remote(&sample, PAGES * PAGE_BYTES, &inode);
        let node = reader.node(FILE, Place::node(1, 3), &lost).await.unwrap();
        assert!(reader.kept.reference(FILE, Place::node(1, 3)).unwrap() == Some(lost.clone()));
        let of_parity = parity[0].clone().unwrap();
        sample.store.lose(of_parity.address());
        let both = reader.node(FILE, Place::INODE.parity(0), &of_parity).await;
        assert!(matches!(
            both,
            Err(ReadError::Fetch(FILE, FetchError::Missing(_)))
        ));
        let chunk = sample.store.inner().get(lost.address()).await.unwrap();
        sample.store.put(&chunk).await.unwrap();
        let again = reader
            .node(FILE, Place::INODE.parity(0), &of_parity)
            .await
            .unwrap();
        assert_ne!(again.expose(), node.expose());
    });
    let page_7 = sample.page(&page(7)).address();
    sample.store.lose(page_7);
    let reader = remote(&sample, PAGES * PAGE_BYTES, &inode);
    wait(async {
        let fetched = reader.fetch(FILE, 5..9).await;
        assert!(
            matches!(fetched, Err(ReadError::Fetch(FILE, FetchError::Missing(lost))) if lost == page_7)
        );
        reader.fetch(FILE, 5..7).await.unwrap();
        assert_eq!((read(&reader, 6), read(&reader, 7)), (Some(page(6)), None));
    });
}

#[test]
fn small_contents_need_no_page_and_nonsense_is_no_data() {
    let mut sample = Sample::new();
    let inode = sample.inline(b"small", Vec::new());
    let reader = remote(&sample, 5, &inode);
    wait(async {
        assert_eq!(read(&reader, 0), None);
        let (one, other) = tokio::join!(reader.fetch(FILE, 0..1), reader.fetch(FILE, 0..1));
        one.unwrap();
        other.unwrap();
        assert_eq!(reader.fetcher.requests(), 1);
        let found = read(&reader, 0).unwrap();
        assert!(found.starts_with(b"small\0") && found[6..].iter().all(|byte| *byte == 0));
    });
    // Another size, a page in place of an inode, a directory's node.
    let reader = remote(&sample, 6, &inode);
    wait(reader.fetch(FILE, 0..1)).unwrap();
    let other = reader.page(FILE, 0, &mut [0; PAGE]);
    assert!(matches!(other, Err(ReadError::Malformed(FILE, _))));
    let wrong = [sample.page(&page(1)), sample.node(&page(1))];
    for wrong in wrong {
        let reader = remote(&sample, 5, &wrong);
        let fetched = wait(reader.fetch(FILE, 0..1));
        assert!(matches!(
            fetched,
            Err(ReadError::Malformed(FILE, _) | ReadError::Fetch(FILE, FetchError::Corrupt(_)))
        ));
    }
}
