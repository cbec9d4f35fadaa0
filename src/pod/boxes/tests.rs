use super::*;
use crate::pod::rename::Taken;
use crate::pod::{Caller, Finding};
use crate::types::SHARED;

const OWNER: Caller = Caller { uid: 0, gid: 0 };

fn dir(pod: &Pod, at: Ino, name: &[u8]) -> Ino {
    pod.mkdir(at, name, 0o700, OWNER).unwrap().ino
}

fn file(pod: &Pod, at: Ino, name: &[u8]) -> Ino {
    pod.mknod(at, name, (0o100_600, 0), OWNER).unwrap().ino
}

#[test]
fn nothing_is_moved_or_linked_across_a_border() {
    let pod = Pod::in_memory();
    let (a, b) = (dir(&pod, ROOT, b"a"), dir(&pod, ROOT, b"b"));
    let deep = dir(&pod, a, b"deep");
    let (inside, outside) = (file(&pod, deep, b"f"), file(&pod, ROOT, b"f"));
    for at in [a, b] {
        pod.make_box(at, false, false).unwrap();
    }
    for (from, to) in [(ROOT, deep), (deep, ROOT), (deep, b)] {
        let moved = pod.rename((from, b"f"), (to, b"g"), Taken::Replace);
        assert!(matches!(moved, Err(PodError::CrossDevice)), "{from} {to}");
    }
    let exchanged = pod.rename((deep, b"f"), (ROOT, b"f"), Taken::Exchange);
    assert!(matches!(exchanged, Err(PodError::CrossDevice)));
    for (ino, to) in [(inside, ROOT), (inside, b), (outside, deep)] {
        let linked = pod.link(ino, to, b"l");
        assert!(matches!(linked, Err(PodError::CrossDevice)), "{ino} {to}");
    }
    // Within a box, and with a box as a whole, everything goes.
    pod.link(inside, a, b"l").unwrap();
    pod.rename((deep, b"f"), (a, b"g"), Taken::Replace).unwrap();
    pod.rename((ROOT, b"a"), (ROOT, b"moved"), Taken::Replace)
        .unwrap();
    let above = dir(&pod, ROOT, b"above");
    pod.rename((ROOT, b"moved"), (above, b"a"), Taken::Replace)
        .unwrap();
    pod.link(outside, above, b"l").unwrap();
    assert_eq!(pod.check(false).unwrap().found, 0);
}

#[test]
fn boxes_do_not_lie_in_one_another() {
    let pod = Pod::in_memory();
    let above = dir(&pod, ROOT, b"above");
    let boxed = dir(&pod, above, b"box");
    let below = dir(&pod, boxed, b"below");
    pod.make_box(boxed, true, false).unwrap();
    for at in [above, below] {
        let made = pod.make_box(at, false, false);
        assert!(matches!(made, Err(BoxError::Nested(_))), "{at}");
    }
    assert!(matches!(
        pod.make_box(boxed, false, false),
        Err(BoxError::Already)
    ));
    // Nor does one come into another.
    let other = dir(&pod, ROOT, b"other");
    pod.make_box(other, false, false).unwrap();
    let moved = pod.rename((ROOT, b"other"), (boxed, b"other"), Taken::Replace);
    assert!(matches!(moved, Err(PodError::CrossDevice)));
}

#[test]
fn only_folders_of_the_owner_become_boxes() {
    let pod = Pod::in_memory();
    pod.put_state("a", b"1").unwrap();
    let state = pod.state_directory().unwrap().unwrap();
    let below = pod.state_subdirectory("tray-1", OWNER).unwrap();
    for at in [ROOT, state, below, file(&pod, ROOT, b"f")] {
        let made = pod.make_box(at, false, false);
        assert!(matches!(made, Err(BoxError::NotAFolder)), "{at}");
    }
    assert!(pod.make_box(SHARED, false, false).is_err());
    assert!(matches!(pod.box_at(state), Err(BoxError::NoBox)));
    assert!(matches!(pod.unmake_box(state, false), Err(BoxError::NoBox)));
}

#[test]
fn a_folder_with_a_file_that_has_a_name_outside_becomes_none() {
    let pod = Pod::in_memory();
    let at = dir(&pod, ROOT, b"d");
    let linked = file(&pod, at, b"f");
    pod.link(linked, at, b"g").unwrap();
    pod.link(linked, ROOT, b"out").unwrap();
    let made = pod.make_box(at, false, false);
    assert!(matches!(made, Err(BoxError::Linked(ino)) if ino == linked));
    assert!(pod.boxes().is_empty());
    pod.link(linked, ROOT, b"more").unwrap();
    for name in [&b"out"[..], b"more"] {
        pod.unlink(ROOT, name).unwrap();
    }
    pod.make_box(at, false, false).unwrap();
}

#[test]
fn a_box_stays_until_it_is_removed_and_as_long_as_it_is_mounted() {
    let pod = Pod::in_memory();
    let at = dir(&pod, ROOT, b"d");
    let (_, extent) = pod.make_box(at, false, true).unwrap();
    assert_eq!((extent, pod.boxes().len()), (Extent::default(), 0));
    pod.make_box(at, false, false).unwrap();
    assert!(matches!(pod.rmdir(ROOT, b"d"), Err(PodError::IsBox)));
    dir(&pod, ROOT, b"e");
    let replaced = pod.rename((ROOT, b"e"), (ROOT, b"d"), Taken::Replace);
    assert!(matches!(replaced, Err(PodError::IsBox)));
    pod.set_mounted(at, true).unwrap();
    assert!(matches!(pod.set_mounted(at, true), Err(BoxError::Mounted)));
    assert!(matches!(pod.unmake_box(at, false), Err(BoxError::Mounted)));
    pod.set_mounted(at, false).unwrap();
    pod.unmake_box(at, true).unwrap();
    assert_eq!(pod.boxes().len(), 1);
    pod.unmake_box(at, false).unwrap();
    pod.rmdir(ROOT, b"d").unwrap();
    assert_eq!(pod.check(false).unwrap().found, 0);
}

#[test]
fn a_check_finds_boxes_that_are_at_odds() {
    let pod = Pod::in_memory();
    let at = dir(&pod, ROOT, b"d");
    let below = dir(&pod, at, b"e");
    let leaf = file(&pod, ROOT, b"f");
    pod.make_box(at, false, false).unwrap();
    let put = |dir: Ino, number| {
        let attached = Attached {
            number,
            one_scope: false,
        };
        let mut batch = Batch::new(Class::Meta);
        batch.put(Key::attached(dir), attached.encode());
        pod.rows.append(batch, None).unwrap();
    };
    let found = || pod.check(false).unwrap().findings;
    assert_eq!(found(), []);
    put(at, 2);
    assert_eq!(found(), [Finding::Box(at)]);
    put(at, 1);
    put(below, 1);
    assert_eq!(found(), [Finding::Box(below), Finding::Box(below)]);
    put(leaf, 1);
    assert!(found().contains(&Finding::NotADirectory(leaf)));
    put(Ino(999), 1);
    assert!(found().contains(&Finding::NoInode(Key::attached(Ino(999)))));
}
