//! Every layout as bytes that never change, and bytes like them that are refused.

mod audit;
mod door;
mod good;
mod grants;
mod messages;
mod people;
mod published;
mod published_wrong;
mod publishing;
mod revoked;
mod sealed;
mod seen_logs;
mod wrong;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use podfs::format::manifest::Manifest;
use podfs::format::node;
use podfs::format::record;
use podfs::format::record::RecordBody;
use podfs::format::record::RecordHeader;
use podfs::format::rows::Attached;
use podfs::format::rows::Bucket;
use podfs::format::rows::Dentries;
use podfs::format::rows::Inode;
use podfs::format::rows::Key;
use podfs::format::rows::NextBox;
use podfs::format::rows::Shared;
use podfs::format::rows::Xattrs;
use podfs::format::segment::SegmentHeader;
use podfs::format::wire::Reader;

use crate::layouts::good::good;
use crate::layouts::wrong::wrong;

const FOLDER: &str = "tests/golden/v1";
const KINDS: [&str; 54] = [
    "segment-header",
    "record-header",
    "record-body",
    "rows-key",
    "rows-inode",
    "rows-dentry",
    "rows-extent",
    "rows-xattr",
    "rows-shared",
    "rows-attached",
    "rows-next-box",
    "rows-published",
    "rows-nodes",
    "rows-queue",
    "rows-own-head",
    "rows-seen-heads",
    "node-leaf",
    "node-branch",
    "node-pointer",
    "manifest-plain",
    "published-entry",
    "published-xattrs",
    "published-leaf",
    "published-inner",
    "published-tree",
    "published-inode",
    "published-attributes",
    "published-head",
    "published-ring",
    "card-plain",
    "card-signed",
    "rows-own-card",
    "rows-contact",
    "grant-body",
    "grant-record",
    "grant-chunk",
    "grant-receipt",
    "grant-base",
    "rows-given",
    "rows-received",
    "rows-last-record",
    "rows-seen-record",
    "rows-revocation",
    "rows-taken",
    "rows-seen-log",
    "message-plain",
    "rows-message",
    "rows-feeds",
    "door-plain",
    "rows-blocked",
    "audit-event",
    "audit-record",
    "audit-checkpoint",
    "audit-witness",
];

type Named = Vec<(&'static str, Vec<u8>)>;

/// What the bytes mean, written again; `None` when they are refused.
fn written_again(kind: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match kind {
        "segment-header" => SegmentHeader::decode(bytes).ok()?.encode(),
        "record-header" => RecordHeader::decode(bytes.try_into().ok()?)
            .ok()?
            .encode()
            .to_vec(),
        "record-body" => {
            let body = RecordBody::decode(bytes).ok()?;
            let mut out = Vec::new();
            record::put_head(&mut out, body.base, body.reserve, &body.frees);
            for (key, value) in &body.rows {
                record::put_row(&mut out, key, value.as_deref());
            }
            out
        }
        "rows-key" => Key::parse(bytes)?.as_bytes().to_vec(),
        "rows-inode" => Inode::decode(bytes).ok()?.encode(),
        "rows-dentry" => Dentries::decode(bytes).ok()?.encode(),
        "rows-extent" => Bucket::decode(bytes).ok()?.encode(),
        "rows-xattr" => Xattrs::decode(bytes).ok()?.encode(),
        "rows-shared" => Shared::decode(bytes).ok()?.encode(),
        "rows-attached" => Attached::decode(bytes).ok()?.encode(),
        "rows-next-box" => NextBox::decode(bytes).ok()?.encode(),
        "node-leaf" => {
            let rows = node::leaf_rows(bytes).ok()?;
            node::leaf(rows.iter().map(|(key, value)| (key, &value[..])))
        }
        "node-branch" => node::branch(&node::branch_pointers(bytes).ok()?),
        "node-pointer" => {
            let mut reader = Reader::new(bytes, "pointer");
            let pointer = node::pointer(&mut reader).ok()?;
            reader.end().ok()?;
            let mut out = Vec::new();
            node::put_pointer(&mut out, &pointer);
            out
        }
        "manifest-plain" => Manifest::decode(bytes).ok()?.encode(),
        "card-plain" | "card-signed" | "rows-own-card" | "rows-contact" => {
            return people::written_again(kind, bytes);
        }
        "grant-body" | "grant-record" | "grant-chunk" | "grant-base" | "rows-given"
        | "rows-received" | "rows-last-record" | "rows-seen-record" | "rows-taken" => {
            return grants::written_again(kind, bytes);
        }
        "rows-seen-log" => return seen_logs::written_again(bytes),
        "grant-receipt" | "rows-revocation" => return revoked::written_again(kind, bytes),
        "message-plain" | "rows-message" | "rows-feeds" => {
            return messages::written_again(kind, bytes);
        }
        "door-plain" | "rows-blocked" => {
            return door::written_again(kind, bytes);
        }
        _ if kind.starts_with("audit-") => return audit::written_again(kind, bytes),
        _ if kind.starts_with("rows-") => return publishing::written_again(kind, bytes),
        _ => return published::written_again(kind, bytes),
    })
}

/// Writes the files anew when `PODFS_WRITE_GOLDEN` is set: only when the format is deliberately changed.
fn write_if_asked(files: &Named) {
    if std::env::var_os("PODFS_WRITE_GOLDEN").is_some() {
        for (name, bytes) in files {
            fs::write(Path::new(FOLDER).join(format!("{name}.bin")), bytes).unwrap();
        }
    }
}

fn kind_of(name: &str) -> &'static str {
    KINDS
        .into_iter()
        .find(|kind| name.starts_with(kind))
        .unwrap_or_else(|| panic!("{name} is of no layout"))
}

fn frozen(name: &str) -> Vec<u8> {
    fs::read(Path::new(FOLDER).join(format!("{name}.bin"))).unwrap()
}

#[test]
fn every_layout_is_frozen() {
    let files = good();
    write_if_asked(&files);
    let mut kinds = BTreeSet::new();
    for (name, bytes) in &files {
        assert!(frozen(name) == *bytes, "{name} is written another way now");
        let again = written_again(kind_of(name), bytes);
        assert!(
            again.as_ref() == Some(bytes),
            "{name} is read another way now"
        );
        kinds.insert(kind_of(name));
    }
    assert_eq!(kinds.len(), KINDS.len());
}

#[test]
fn what_is_wrong_is_refused() {
    let files = wrong();
    write_if_asked(&files);
    for (name, bytes) in &files {
        assert!(frozen(name) == *bytes, "{name} has changed");
        assert!(
            written_again(kind_of(name), bytes).is_none(),
            "{name} is accepted"
        );
    }
}

/// Whatever is cut off, the rest is refused, or means something shorter; it never panics.
#[test]
fn cut_layouts_are_refused_or_shorter() {
    for (name, bytes) in good() {
        for len in 0..bytes.len() {
            if let Some(again) = written_again(kind_of(name), &bytes[..len]) {
                assert_eq!(again, bytes[..len], "{name}, {len} bytes");
            }
        }
    }
}
