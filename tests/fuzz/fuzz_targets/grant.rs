//! Grants as others may send them, the records of their feeds, receipts, and the rows that keep them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::crypto::publish::HEAD_LEN;
use podfs::format::base::Base;
use podfs::format::grant::{Grant, GrantRecord, SignedReceipt};
use podfs::format::rows::{Given, LastRecord, Received, Revocation, SeenLog, SeenRecord};

fuzz_target!(|data: &[u8]| {
    if let Ok(grant) = Grant::decode(data) {
        assert_eq!(*grant.encode().unwrap(), data);
    }
    if let Ok(base) = Base::decode(data) {
        assert_eq!(base.encode(), data);
    }
    let mut padded = data.to_vec();
    padded.resize(data.len().max(HEAD_LEN), 0);
    for bytes in [data, padded.as_slice()] {
        if let Ok(record) = GrantRecord::decode(bytes) {
            assert_eq!(record.encode().unwrap().expose(), bytes);
            assert!(GrantRecord::said(record.until, &record.state).is_ok());
        }
    }
    if let Ok(row) = Given::decode(data) {
        assert_eq!(row.encode().unwrap(), data);
    }
    if let Ok(row) = Received::decode(data) {
        assert_eq!(*row.encode().unwrap(), data);
    }
    if let Ok(row) = LastRecord::decode(data) {
        assert_eq!(row.encode().unwrap(), data);
    }
    if let Ok(receipt) = SignedReceipt::read(data) {
        assert_eq!(receipt.0, data);
        assert!(!receipt.is_signed() || receipt.says().is_ok());
    }
    if let Ok(row) = Revocation::decode(data) {
        assert_eq!(row.encode(), data);
    }
    if let Ok(row) = SeenLog::decode(data) {
        assert_eq!(row.encode(), data);
    }
    if let Ok(row) = SeenRecord::decode(data) {
        assert_eq!(row.encode().unwrap(), data);
    }
});
