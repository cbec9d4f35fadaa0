//! The kernel's table of mounts, in which anybody can have names of his choice, and mount options.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::daemon::MountOptions;
use podfs::daemon::mountinfo;
use podfs::daemon::units::{parse_duration, parse_size};

fuzz_target!(|data: &[u8]| {
    for mount in mountinfo::parse(data) {
        assert!(mount.point.as_os_str().len() <= data.len());
        let _ = (mount.is_ours(), mount.owner());
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = (parse_duration(text), parse_size(text));
    if let Ok(options) = MountOptions::parse([text]) {
        let again = MountOptions::parse([text]).ok();
        assert!(again.as_ref() == Some(&options));
    }
});
