//! Messages as somebody who is a contact may write them, before and behind the seal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::crypto::Secret;
use podfs::crypto::identity::Fingerprint;
use podfs::crypto::keys::{KemXwingSeed, Topic};
use podfs::crypto::message::{
    Correspondents, MESSAGE_BODY_LEN, MessageBytes, MessagePlace, open_message,
};
use podfs::crypto::scalar::Owner;
use podfs::format::message::Message;
use podfs::types::PlainText;

fuzz_target!(|data: &[u8]| {
    if let Ok(message) = Message::decode(data) {
        assert!(message.encode().as_deref() == Ok(data));
        assert!(Message::decode_padded(&message.padded().unwrap()) == Ok(message));
    }
    let mut padded = MessageBytes::new([0; MESSAGE_BODY_LEN]);
    for (to, from) in padded.iter_mut().zip(data) {
        *to = *from;
    }
    if let Ok(message) = Message::decode_padded(&padded) {
        assert!(*message.padded().unwrap() == *padded);
    }
    if let Ok(text) = str::from_utf8(data) {
        drop(PlainText::parse(text));
    }
    let place = MessagePlace {
        owner: Owner([1; 20]),
        topic: Topic([2; 32]),
        index: 3,
    };
    let print = Fingerprint([4; 32]);
    let between = Correspondents {
        sender: &print,
        recipient: &print,
    };
    let own = KemXwingSeed::restore(Secret::from_bytes(&[5; 32]));
    assert!(open_message(data, &place, between, &[6; 32], &own).is_err());
});
