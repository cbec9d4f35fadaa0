//! What stands on the disk: the layouts sealed as FORMAT.md says, under fixed keys and nonces.

use podfs::crypto::BoxKey;
use podfs::crypto::JournalKeys;
use podfs::crypto::LocalPurpose;
use podfs::crypto::Secret;
use podfs::crypto::journal_keys;
use podfs::crypto::local_key;
use podfs::crypto::open_box;
use podfs::crypto::open_page;
use podfs::crypto::seal_box;
use podfs::crypto::seal_page;

use crate::layouts::Named;
use crate::layouts::frozen;
use crate::layouts::good::good;
use crate::layouts::write_if_asked;

const SESSION: [u8; 16] = [0x51; 16];
const NONCE: [u8; 12] = [0x0c; 12];
const SEGMENT: u32 = 3;
const OFFSET: u64 = 4128;

/// One sealed layout: how it is opened, from its name.
struct Sealing {
    key: BoxKey,
    nonce: [u8; 12],
    ad: Vec<u8>,
}

fn device_secret() -> Secret<32> {
    Secret::from_bytes(&[0x5a; 32])
}

fn session() -> JournalKeys {
    journal_keys(&device_secret(), &SESSION)
}

fn plain(name: &str) -> Vec<u8> {
    let found = good().into_iter().find(|(known, _)| *known == name);
    found.unwrap().1
}

fn local(purpose: LocalPurpose, ad: &[u8]) -> Sealing {
    Sealing {
        key: BoxKey::new(local_key(&device_secret(), purpose)),
        nonce: NONCE,
        ad: ad.to_vec(),
    }
}

fn join<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    parts.concat().try_into().unwrap()
}

fn record(header: &[u8], nonce: [u8; 12]) -> Sealing {
    let place = [&SEGMENT.to_le_bytes()[..], &OFFSET.to_le_bytes()].concat();
    Sealing {
        key: session().record,
        nonce,
        ad: [b"podfs/1/record", &place[..], header].concat(),
    }
}

fn record_nonce() -> [u8; 12] {
    join(&[&99_u64.to_le_bytes(), &[0; 4]])
}

fn jump_nonce() -> [u8; 12] {
    join(&[
        &SEGMENT.to_le_bytes(),
        &4128_u32.to_le_bytes(),
        &1_u32.to_le_bytes(),
    ])
}

/// Name, sealing, plaintext, and what stands before the sealed bytes.
fn sealings() -> Vec<(&'static str, Sealing, Vec<u8>, Vec<u8>)> {
    let header = Sealing {
        key: session().record,
        nonce: join(&[&SEGMENT.to_le_bytes(), &[0xff; 8]]),
        ad: b"podfs/1/segment".to_vec(),
    };
    let masked = |name: &str| {
        let place = [&SEGMENT.to_le_bytes()[..], &OFFSET.to_le_bytes()].concat();
        let stream = blake3::keyed_hash(session().mask.expose(), &place);
        let plain = plain(name);
        plain
            .iter()
            .zip(stream.as_bytes())
            .map(|(a, b)| a ^ b)
            .collect::<Vec<u8>>()
    };
    let rows = record(&plain("record-header-rows"), record_nonce());
    let jump = record(&plain("record-header-jump"), jump_nonce());
    let manifest = local(LocalPurpose::Manifest, b"podfs/1/manifest");
    let watermark = local(LocalPurpose::Watermark, b"podfs/1/watermark");
    let mark = [101_u64.to_le_bytes(), 7_u64.to_le_bytes()].concat();
    let index = local(LocalPurpose::IndexValue, &plain("node-pointer-good")[1..18]);
    let nonce = NONCE.to_vec();
    vec![
        (
            "sealed-segment",
            header,
            plain("segment-header-good"),
            SESSION.to_vec(),
        ),
        (
            "sealed-record",
            rows,
            plain("record-body-good"),
            masked("record-header-rows"),
        ),
        (
            "sealed-jump",
            jump,
            16_u32.to_le_bytes().to_vec(),
            masked("record-header-jump"),
        ),
        (
            "sealed-manifest",
            manifest,
            plain("manifest-plain-good"),
            nonce.clone(),
        ),
        ("sealed-watermark", watermark, mark, nonce.clone()),
        (
            "sealed-index-value",
            index,
            plain("node-pointer-good"),
            nonce,
        ),
    ]
}

#[test]
fn sealed_layouts_are_frozen() {
    for (name, sealing, plain, before) in sealings() {
        let mut sealed = plain.clone();
        seal_box(&sealing.key, sealing.nonce, &sealing.ad, &mut sealed);
        let file: Named = vec![(name, [before.clone(), sealed].concat())];
        write_if_asked(&file);
        let bytes = frozen(name);
        assert!(bytes == file[0].1, "{name} is sealed another way now");

        let open = |nonce, ad: &[u8]| {
            let mut opened = bytes[before.len()..].to_vec();
            open_box(&sealing.key, nonce, ad, &mut opened).ok()?;
            Some(opened)
        };
        assert_eq!(open(sealing.nonce, &sealing.ad), Some(plain), "{name}");
        let mut elsewhere = sealing.nonce;
        elsewhere[0] ^= 1;
        assert_eq!(open(elsewhere, &sealing.ad), None, "{name}");
        assert_eq!(open(sealing.nonce, &sealing.ad[1..]), None, "{name}");
    }
}

#[test]
fn sealed_pages_are_frozen() {
    let keys = session();
    let plain: [u8; 4096] = plain("node-branch-good").try_into().unwrap();
    let mut page = plain;
    let tag = seal_page(&keys.page, 1001, &mut page);
    let file: Named = vec![("sealed-page", [&page[..], &tag].concat())];
    write_if_asked(&file);
    let bytes = frozen("sealed-page");
    assert!(bytes == file[0].1, "pages are sealed another way now");
    let (mut page, tag) = (*bytes.first_chunk().unwrap(), *bytes.last_chunk().unwrap());
    assert!(open_page(&keys.page, 1001, &mut page, &tag).is_ok());
    assert_eq!(page, plain);
}
