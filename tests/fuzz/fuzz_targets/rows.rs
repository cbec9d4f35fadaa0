//! Keys and values of every type of row.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::format::rows::{
    Attached, Bucket, Dentries, FeedCursor, Inode, KeptNodes, Key, MessageRow, NextBox, OwnHead,
    Published, Queued, SeenHeads, Shared, Slot, Taken, Xattrs,
};

fn bucket(bucket: &Bucket, data: &[u8]) {
    assert_eq!(bucket.encode(), data);
    assert_eq!(bucket.encoded_len(), data.len());
    // Runs that adjoin may become one; the pages stay.
    let pages = bucket.pages();
    let joined = Bucket::from_pages(&pages);
    assert_eq!(joined.pages(), pages);
    assert_eq!(joined.taken(), bucket.taken());
    assert_eq!(joined.unwritten(), bucket.unwritten());
    if !joined.runs.is_empty() {
        assert_eq!(
            Bucket::decode(&joined.encode()).ok().as_ref(),
            Some(&joined)
        );
    }
    let mut resolved = joined;
    resolved.resolve(Slot {
        segment: 1,
        page: 2,
    });
}

fuzz_target!(|data: &[u8]| {
    if let Some(key) = Key::parse(data) {
        assert_eq!(key.as_bytes(), data);
        assert!(key.successor().is_none_or(|next| key < next));
        assert!(key.predecessor().is_none_or(|before| before < key));
    }
    if let Ok(inode) = Inode::decode(data) {
        assert_eq!(inode.encode(), data);
    }
    if let Ok(entries) = Dentries::decode(data) {
        assert_eq!(entries.encode(), data);
    }
    if let Ok(xattrs) = Xattrs::decode(data) {
        assert_eq!(xattrs.encode(), data);
    }
    if let Ok(shared) = Shared::decode(data) {
        assert_eq!(shared.encode(), data);
    }
    if let Ok(taken) = Taken::decode(data) {
        assert_eq!(taken.encode().unwrap(), data);
    }
    if let Ok(attached) = Attached::decode(data) {
        assert_eq!(attached.encode(), data);
    }
    if let Ok(next) = NextBox::decode(data) {
        assert_eq!(next.encode(), data);
    }
    if let Ok(published) = Published::decode(data) {
        assert_eq!(published.encode(), data);
    }
    if let Ok(nodes) = KeptNodes::decode(data) {
        assert_eq!(nodes.encode(), data);
    }
    if let Ok(queued) = Queued::decode(data) {
        assert_eq!(queued.encode(), data);
    }
    if let Ok(head) = OwnHead::decode(data) {
        assert_eq!(head.encode(), data);
    }
    if let Ok(heads) = SeenHeads::decode(data) {
        assert_eq!(heads.encode(), data);
    }
    if let Ok(message) = MessageRow::decode(data) {
        assert!(message.encode().as_deref() == Ok(data));
    }
    if let Ok(cursor) = FeedCursor::decode(data) {
        assert_eq!(cursor.encode(), data);
    }
    if let Ok(decoded) = Bucket::decode(data) {
        bucket(&decoded, data);
    }
});
