//! Headers of log segments, opened.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::format::segment::{PLAIN_LEN, SegmentHeader};

fuzz_target!(|data: &[u8]| {
    let mut page = data.to_vec();
    page.resize(PLAIN_LEN, 0);
    for bytes in [data, &page] {
        if let Ok(header) = SegmentHeader::decode(bytes) {
            assert_eq!(header.encode(), bytes);
        }
    }
});
