//! Frozen keyfiles: the good ones, and wrong ones that must be refused.

use super::*;

/// The first slot taken from another file with the same passphrase: it unwraps, but to another key.
fn foreign_slot(bytes: &[u8]) -> Vec<u8> {
    let other = Layout::decode(&keyfile("other", FLOOR)).unwrap();
    let mut layout = Layout::decode(bytes).unwrap();
    layout.slots[0] = other.slots[0].clone();
    layout.encode()
}

/// Keys that took the place of others.
fn replaced() -> Bundle {
    let replaced = Replaced {
        pod_secret: root().pod(&root().pod_id(0), 1),
        card: Some(Box::new([7; _])),
        leaked: true,
    };
    Bundle {
        replaced: Some(replaced),
        ..bundle()
    }
}

fn with_keys_of_before(bytes: &[u8]) -> Vec<u8> {
    let opener = Opener::Recovery(&recovery());
    change_bundle(bytes, opener, &replaced(), &mut entropy("replaced")).unwrap()
}

/// Recipes of the golden files. A file that opens is `Ok`; the others must be refused.
fn recipes() -> Vec<(&'static str, bool, Vec<u8>)> {
    let good = keyfile("good", FLOOR);
    let released = CostBounds::RELEASED;
    let bytes_at = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    let bundle_with = |edit: fn(&mut [u8])| {
        edited(&good, &released, |layout, key| {
            let mut plain = bundle().encode(BOX_OVERHEAD);
            edit(&mut plain);
            seal_box(
                &key.bundle_key(),
                layout.sealed_bundle.nonce,
                ad::BUNDLE,
                &mut plain,
            );
            layout.sealed_bundle.sealed = plain.to_vec();
        })
    };
    let slots = |count: usize| {
        edited(&good, &released, |layout, _| {
            layout.slots.resize(
                count,
                Slot::Unknown {
                    kind: 77,
                    body: Vec::new(),
                },
            );
        })
    };
    vec![
        ("good", true, good.clone()),
        ("unknown-slot", true, with_unknown_slot(&good)),
        ("eight-slots", true, slots(8)),
        ("wrong-magic", false, bytes_at(0, b"podfsKEY")),
        ("wrong-version", false, bytes_at(8, &[2, 0])),
        ("no-slots", false, slots(0)),
        ("nine-slots", false, slots(9)),
        (
            "wrong-pod-id",
            false,
            edited(&good, &released, |layout, _| layout.pod_id = PodId([7; 16])),
        ),
        ("cost-below-floor", false, keyfile("good", CHEAP)),
        (
            "cost-above-ceiling",
            false,
            bytes_at(32, &((4_u32 << 20) + 1).to_le_bytes()),
        ),
        ("foreign-slot", false, foreign_slot(&good)),
        (
            "wrong-code",
            false,
            bytes_at(good.len() - 1, &[!good[good.len() - 1]]),
        ),
        ("replaced", true, with_keys_of_before(&good)),
        ("bundle-version", false, bundle_with(|plain| plain[0] = 3)),
        (
            "bundle-padding",
            false,
            bundle_with(|plain| plain[BUNDLE_LEN - 1] = 1),
        ),
        ("truncated", false, good[..good.len() - 1].to_vec()),
        ("longer", false, [good.as_slice(), &[0]].concat()),
    ]
}

/// With `PODFS_WRITE_GOLDEN` set the files are written instead: only for a deliberate change of the format.
#[test]
fn golden_files_are_read_and_written_as_ever() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1");
    for (name, good, bytes) in recipes() {
        let path = format!("{folder}/keyfile-{name}.bin");
        if std::env::var_os("PODFS_WRITE_GOLDEN").is_some() {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let frozen = std::fs::read(&path).unwrap();
        assert!(
            frozen == bytes,
            "{name}: what is written now differs from the golden file"
        );
        match unlock(&frozen, WORD) {
            Ok(opened) => {
                let kept = if name == "replaced" {
                    replaced()
                } else {
                    bundle()
                };
                assert!(good && same(&opened, &kept), "{name}");
            }
            Err(error) => assert!(!good && error == KeyfileError::NotOpened, "{name}: {error}"),
        }
    }
}
