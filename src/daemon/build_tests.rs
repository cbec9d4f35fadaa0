use crate::crypto::Phrase;
use crate::crypto::Secret;
use crate::crypto::keys::RootKey;
use crate::daemon::build::create;
use crate::daemon::build::open_for_check;
use crate::daemon::paths::PodPaths;
use crate::format::keyfile::Bundle;

#[test]
fn a_fresh_pod_is_in_order_also_when_only_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let paths = PodPaths::of(folder.path().to_str().unwrap()).unwrap();
    let phrase = Phrase::from_entropy(&Secret::from_bytes(&[7; 32]));
    let root = RootKey::derive(&phrase.seed(), None);
    let entropy = |bytes: &mut [u8]| {
        bytes.fill(9);
        Ok(())
    };
    let bundle = || Bundle::enrol(&root, 0, 0, 0, &mut entropy.clone()).unwrap();
    create(&paths, &bundle()).unwrap();
    for read_only in [true, false, true] {
        let house = open_for_check(&paths, &bundle(), read_only).unwrap();
        assert_eq!(house.damage(), None);
        let seen = house.check(true).unwrap();
        assert_eq!((seen.found, seen.inodes), (0, 1), "{:?}", seen.findings);
        house.close().unwrap();
    }
}
