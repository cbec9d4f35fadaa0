//! Audit logs, as somebody may have left or handed them over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::format::audit::{Event, Record, SignedCheckpoint, Witness, records};
use podfs::share::audit::{Evidence, Header, Line, Tail, read, verify};

fuzz_target!(|data: &[u8]| {
    if let Ok(event) = Event::decode(data) {
        assert_eq!(event.encode().unwrap(), data);
    }
    if let Ok(signed) = SignedCheckpoint::decode(data) {
        assert_eq!(signed.encode(), data);
        signed.is_signed();
    }
    if let Ok(witness) = Witness::decode(data) {
        assert_eq!(witness.encode(), data);
        witness.is_signed();
    }
    drop(Witness::decode_all(data));
    let good: Vec<Record> = records(data).map_while(Result::ok).collect();
    let again: Vec<u8> = good.iter().flat_map(Record::encode).collect();
    assert!(data.starts_with(&again));
    for (number, record) in (0..).zip(&good) {
        let line = Line::of(record.number().unwrap_or(number), record);
        assert_eq!(line.record(number).as_ref(), Ok(record));
    }
    let verdict = verify(read(data), &Evidence::default());
    assert!(verdict.records <= good.len() as u64);
    if verdict.fault.is_none() {
        assert_eq!(Tail::of([0; 32], data).unwrap().size(), verdict.records);
    }
    if let Ok(header) = serde_json::from_slice::<Header>(data) {
        drop((header.origin_and_key(), header.held()));
    }
    if let Ok(line) = serde_json::from_slice::<Line>(data) {
        drop(line.record(line.number));
    }
});
