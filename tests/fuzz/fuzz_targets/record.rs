//! Headers and bodies of log records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::format::record::{self, HEADER_LEN, RecordBody, RecordHeader};

fuzz_target!(|data: &[u8]| {
    if let Some(header) = data.first_chunk::<HEADER_LEN>() {
        if let Ok(decoded) = RecordHeader::decode(header) {
            assert_eq!(decoded.encode(), *header);
        }
    }
    if let Ok(body) = RecordBody::decode(data) {
        let mut encoded = Vec::new();
        record::put_head(&mut encoded, body.base, body.reserve, &body.frees);
        for (key, value) in &body.rows {
            record::put_row(&mut encoded, key, value.as_deref());
        }
        assert_eq!(encoded, data);
        let lengths = body.rows.iter();
        let lengths =
            lengths.map(|(key, value)| (key.as_bytes().len(), value.as_ref().map(Vec::len)));
        assert_eq!(record::body_len(body.frees.len(), lengths), data.len());
    }
});
