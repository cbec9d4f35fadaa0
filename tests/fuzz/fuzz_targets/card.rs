//! Cards as anybody may hand them over, and what people type instead.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::format::card::{CARD_LEN, Card, SignedCard};
use podfs::format::rows::{Contact, OwnCard};
use podfs::format::text;

fuzz_target!(|data: &[u8]| {
    if let Ok(card) = Card::decode(data) {
        assert_eq!(card.encode(), data);
    }
    let mut padded = data.to_vec();
    padded.resize(data.len().max(CARD_LEN), 0);
    if let Ok(card) = Card::decode(&padded) {
        assert_eq!(card.encode(), padded);
    }
    if let Ok(signed) = SignedCard::read(data) {
        assert!(SignedCard::read(signed.bytes()).unwrap() == signed);
    }
    if let Ok(row) = OwnCard::decode(data) {
        assert_eq!(row.encode(), data);
    }
    if let Ok(row) = Contact::decode(data) {
        assert_eq!(row.encode(), data);
        drop(row.card());
    }
    let Ok(typed) = str::from_utf8(data) else {
        return;
    };
    if let Ok(owner) = text::read_identity(typed) {
        assert_eq!(text::read_identity(&text::identity(&owner)), Ok(owner));
    }
    if let Ok(share) = text::read_share(typed) {
        assert_eq!(*text::share(&share), typed.trim().to_lowercase());
    }
});
