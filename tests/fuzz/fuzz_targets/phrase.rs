//! Recovery phrases as they are typed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::crypto::Phrase;

fuzz_target!(|text: &str| {
    if let Ok(phrase) = Phrase::parse(text) {
        let written = phrase.text();
        let read = Phrase::parse(&written).ok().map(|phrase| phrase.text());
        assert_eq!(read.as_ref(), Some(&written));
    }
});
