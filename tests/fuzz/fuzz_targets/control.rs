//! Messages of the daemon's socket, and the content of the lock file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::control::{Request, Response};
use podfs::daemon::lock::LockHolder;
use serde::{Serialize, de::DeserializeOwned};

/// What is read is written and read again as the same message, in one line.
fn comes_back<T: Serialize + DeserializeOwned + PartialEq>(data: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<T>(data) {
        // Paths that are no UTF-8 cannot be said in JSON; none can have been read from it.
        let line = serde_json::to_vec(&message).unwrap();
        assert!(!line.contains(&b'\n'));
        assert!(serde_json::from_slice::<T>(&line).unwrap() == message);
    }
}

fuzz_target!(|data: &[u8]| {
    comes_back::<Request>(data);
    comes_back::<Response>(data);
    comes_back::<LockHolder>(data);
});
