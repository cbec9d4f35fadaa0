//! Manifests, opened.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::format::manifest::Manifest;

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::decode(data) {
        assert_eq!(manifest.encode(), data);
    }
});
