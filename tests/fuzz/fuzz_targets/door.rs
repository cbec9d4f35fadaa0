//! What anybody may put into a slot of somebody's door, before and behind the seal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podfs::crypto::Secret;
use podfs::crypto::door::{DOOR_BODY_LEN, DoorSlot, has_work, open_door};
use podfs::crypto::identity::Fingerprint;
use podfs::crypto::keys::KemXwingSeed;
use podfs::format::door::Knock;
use podfs::format::rows::{Blocked, Key, forgotten_message};

fuzz_target!(|data: &[u8]| {
    let mut padded = data.to_vec();
    padded.resize(DOOR_BODY_LEN, 0);
    for said in [data, &padded] {
        if let Ok(knock) = Knock::decode_padded(said) {
            assert_eq!(knock.padded().unwrap().as_slice(), said);
        }
    }
    if let Ok(blocked) = Blocked::decode(data) {
        assert_eq!(blocked.encode(), data);
    }
    if let Some((key, row)) = data.split_at_checked(17)
        && let Some(key) = Key::parse(key)
        && let Ok(id) = forgotten_message(&key, row)
    {
        assert_eq!(id.0, row);
    }
    let slot = DoorSlot::of(&Fingerprint([4; 32]), 3, 2);
    let own = KemXwingSeed::restore(Secret::from_bytes(&[5; 32]));
    let opened = open_door(data, slot.place(), &own);
    assert!(opened.is_err() || has_work(data, slot.place()));
});
