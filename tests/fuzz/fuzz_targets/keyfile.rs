//! Keyfiles and bundles: what decodes, encodes to the same bytes; what opens, holds a bundle that does so too.
//!
//! Passphrases are left out: each try costs 64 MiB and three passes. The phrase opens the same file through the same code.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::crypto::keys::{RecoveryKey, RootKey};
use podfs::crypto::{Phrase, Secret};
use podfs::format::keyfile::{Bundle, KEYFILE_LEN_MAX, Layout, pod_id, unlock_with_phrase};
use std::sync::LazyLock;

/// Opens the golden keyfiles, which are the first inputs.
static RECOVERY: LazyLock<RecoveryKey> = LazyLock::new(|| {
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[0; 32]));
    let root = RootKey::derive(&phrase.seed(), None);
    root.recovery(&root.pod_id(0))
});

fuzz_target!(|data: &[u8]| {
    let layout = Layout::decode(data);
    if let Ok(layout) = &layout {
        assert!(data.len() <= KEYFILE_LEN_MAX);
        assert_eq!(layout.encode(), data);
    }
    assert_eq!(pod_id(data).ok(), layout.map(|layout| layout.pod_id).ok());
    if let Ok(bundle) = unlock_with_phrase(data, &RECOVERY) {
        assert!(Bundle::decode(&bundle.encode(0)).is_ok());
    }
    if let Ok(bundle) = Bundle::decode(data) {
        assert_eq!(bundle.encode(0).as_slice(), data);
    }
});
