use super::*;
use crate::pod::fake::Fake;
use crate::pod::{Caller, SetAttr, Taken};
use crate::types::limits::PAGE;
use std::sync::Arc;

const OWNER: Caller = Caller { uid: 0, gid: 0 };

fn read(pod: &Pod, name: &str) -> Option<Vec<u8>> {
    let (ino, size) = pod.state_file(name).unwrap()?;
    let mut out = Vec::new();
    pod.open(ino).unwrap();
    pod.read(ino, 0, u32::try_from(size).unwrap(), &mut out)
        .unwrap();
    pod.release(ino).unwrap();
    Some(out)
}

fn assert_clean(pod: &Pod) {
    assert_eq!(pod.check(true).unwrap().findings, []);
}

fn names(pod: &Pod, dir: Ino) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    pod.readdir(dir, 0, |entry| {
        found.push(entry.name.to_vec());
        true
    })
    .unwrap();
    found
}

#[test]
fn a_file_holds_what_was_put_last() {
    let pod = Pod::in_memory();
    assert_eq!(pod.state_names().unwrap(), Vec::<String>::new());
    assert_eq!(read(&pod, "one"), None);
    pod.remove_state("one").unwrap();
    for size in [0, 1, PAGE, PAGE + 1, STATE_FILE_MAX, 3, STATE_FILE_MAX - 1] {
        let bytes = vec![u8::try_from(size % 251).unwrap(); size];
        pod.put_state("one", &bytes).unwrap();
        assert_eq!(read(&pod, "one").unwrap(), bytes);
        assert_clean(&pod);
    }
    pod.put_state("two", b"2").unwrap();
    assert_eq!(pod.state_names().unwrap(), ["one", "two"]);
    pod.remove_state("one").unwrap();
    pod.remove_state("one").unwrap();
    assert_eq!(pod.state_names().unwrap(), ["two"]);
    let (ino, size) = pod.state_file("two").unwrap().unwrap();
    let two = pod.getattr(ino).unwrap();
    assert_eq!((two.perm, two.uid, size), (0o600, 0, 1));
    assert_clean(&pod);
}

#[test]
fn what_is_appended_comes_behind_what_is_there() {
    let pod = Pod::in_memory();
    let mut all = Vec::new();
    for nth in 0..40_u8 {
        let bytes = vec![nth; usize::from(nth) * 37];
        pod.append_state("log", &bytes).unwrap();
        all.extend_from_slice(&bytes);
    }
    assert_eq!(read(&pod, "log").unwrap(), all);
    pod.put_state("log", b"new").unwrap();
    pod.append_state("log", b"er").unwrap();
    assert_eq!(read(&pod, "log").unwrap(), b"newer");
    assert_clean(&pod);
}

#[test]
fn what_is_too_large_or_no_name_is_refused() {
    let pod = Pod::in_memory();
    let large = vec![0; STATE_FILE_MAX + 1];
    for refused in [pod.put_state("a", &large), pod.append_state("a", &large)] {
        assert!(matches!(refused, Err(PodError::TooLarge)));
    }
    for bad in ["", ".", "..", "a/b"] {
        assert!(matches!(
            pod.put_state(bad, b""),
            Err(PodError::NameInvalid)
        ));
    }
    assert_eq!(pod.state_names().unwrap(), Vec::<String>::new());
}

#[test]
fn who_reads_a_file_reads_it_to_its_end() {
    let pod = Pod::in_memory();
    pod.put_state("a", &[1; 9000]).unwrap();
    let (ino, _) = pod.state_file("a").unwrap().unwrap();
    pod.open(ino).unwrap();
    pod.put_state("a", b"other").unwrap();
    let mut out = Vec::new();
    pod.read(ino, 0, 9000, &mut out).unwrap();
    assert_eq!(out, [1; 9000]);
    pod.release(ino).unwrap();
    assert!(pod.find_inode(ino).unwrap().is_none());
    assert_clean(&pod);
}

#[test]
fn programs_do_not_see_it_and_cannot_make_it() {
    let pod = Pod::in_memory();
    let before = (pod.getattr(ROOT).unwrap(), names(&pod, ROOT));
    for made in [false, true] {
        assert!(matches!(pod.lookup(ROOT, b".pod"), Err(PodError::NotFound)));
        assert_eq!((pod.getattr(ROOT).unwrap(), names(&pod, ROOT)), before);
        let nothing = SetAttr {
            ctime: Some(before.0.ctime),
            ..SetAttr::default()
        };
        let set = pod.setattr(ROOT, &nothing, OWNER).unwrap();
        assert_eq!(set, before.0, "made: {made}");
        pod.put_state("a", b"1").unwrap();
    }
    let file = pod.mknod(ROOT, b"f", (0o600, 0), OWNER).unwrap().ino;
    let reserved = (ROOT, &b".pod"[..]);
    for refused in [
        pod.create(ROOT, b".pod", 0o600, OWNER).map(drop),
        pod.mknod(ROOT, b".pod", (0o600, 0), OWNER).map(drop),
        pod.mkdir(ROOT, b".pod", 0o700, OWNER).map(drop),
        pod.symlink(ROOT, b".pod", b"f", OWNER).map(drop),
        pod.link(file, ROOT, b".pod").map(drop),
        pod.unlink(ROOT, b".pod"),
        pod.rmdir(ROOT, b".pod"),
        pod.rename((ROOT, b"f"), reserved, Taken::Replace),
        pod.rename((ROOT, b"f"), reserved, Taken::Exchange),
        pod.rename(reserved, (ROOT, b"g"), Taken::Keep),
        pod.rename(reserved, (ROOT, b"f"), Taken::Exchange),
    ] {
        assert!(matches!(refused, Err(PodError::NotPermitted)));
    }
    assert_eq!(read(&pod, "a").unwrap(), b"1");
    let below = pod.mkdir(ROOT, b"d", 0o700, OWNER).unwrap().ino;
    pod.mkdir(below, b".pod", 0o700, OWNER).unwrap();
    assert!(pod.lookup(below, b".pod").is_ok(), "only in the root");
    assert_clean(&pod);
}

/// A pod of a time before the name was reserved.
fn with_reserved(pod: &Pod, kind: FileKind) -> Ino {
    let (from, name) = ((ROOT, &b"old"[..]), pod.any_spot(ROOT, RESERVED).unwrap());
    let ino = if kind == FileKind::Directory {
        pod.mkdir(ROOT, b"old", 0o755, OWNER).unwrap().ino
    } else {
        pod.mknod(ROOT, b"old", (0o644, 0), OWNER).unwrap().ino
    };
    let mut edit = Edit::new(pod);
    edit.remove(&pod.spot(from.0, from.1).unwrap()).unwrap();
    edit.insert(&name, ino, kind).unwrap();
    let mut batch = Batch::new(Class::Meta);
    edit.finish(&mut batch);
    pod.rows.append(batch, None).unwrap();
    assert_clean(pod);
    ino
}

#[test]
fn a_directory_that_a_program_made_is_used_and_loses_nothing() {
    let pod = Pod::in_memory();
    let dir = with_reserved(&pod, FileKind::Directory);
    pod.mkdir(dir, b"sub", 0o700, OWNER).unwrap();
    pod.mknod(dir, b"\xff", (0o600, 0), OWNER).unwrap();
    pod.put_state("a", b"1").unwrap();
    assert!(matches!(
        pod.put_state("sub", b"1"),
        Err(PodError::IsADirectory)
    ));
    assert!(matches!(
        pod.remove_state("sub"),
        Err(PodError::IsADirectory)
    ));
    assert_eq!(pod.state_names().unwrap(), ["a"]);
    assert_eq!(pod.state_file("sub").unwrap(), None);
    assert_eq!(pod.getattr(ROOT).unwrap().nlink, 2);
    assert!(pod.lookup(dir, b"sub").is_ok());
    assert_clean(&pod);
}

#[test]
fn a_file_that_a_program_made_is_left_alone() {
    let pod = Pod::in_memory();
    let file = with_reserved(&pod, FileKind::Regular);
    pod.write(file, 0, b"mine", false).unwrap();
    for refused in [pod.put_state("a", b"1"), pod.append_state("a", b"1")] {
        assert!(matches!(refused, Err(PodError::NotADirectory)));
    }
    pod.remove_state("a").unwrap();
    assert_eq!(pod.state_names().unwrap(), Vec::<String>::new());
    assert_eq!(pod.state_file("a").unwrap(), None);
    assert_eq!(pod.getattr(ROOT).unwrap().nlink, 2);
    assert_eq!(names(&pod, ROOT).len(), 2);
    assert_eq!(pod.getattr(file).unwrap().size, 4);
}

#[test]
fn what_is_remote_can_be_replaced_and_has_to_be_fetched_to_be_appended_to() {
    let fake = Arc::new(Fake::default());
    let pod = Pod::in_memory_with(Arc::clone(&fake) as Arc<dyn crate::pod::Remote>);
    for name in ["put", "append"] {
        pod.put_state(name, &[7; 5000]).unwrap();
        fake.take(&pod, pod.state_file(name).unwrap().unwrap().0);
    }
    pod.put_state("put", b"new").unwrap();
    assert_eq!(read(&pod, "put").unwrap(), b"new");
    let early = pod.append_state("append", b"x");
    assert!(matches!(early, Err(PodError::Absent { .. })));
    fake.wait(|| pod.append_state("append", b"x")).unwrap();
    let (ino, size) = pod.state_file("append").unwrap().unwrap();
    let mut out = Vec::new();
    fake.wait(|| pod.read(ino, 0, 6000, &mut out)).unwrap();
    assert_eq!((size, out.last()), (5001, Some(&b'x')));
    assert_clean(&pod);
}
