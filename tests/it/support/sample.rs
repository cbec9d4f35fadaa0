//! A small pod that holds something of everything, made through the library in two sessions.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use podfs::crypto::Phrase;
use podfs::crypto::Secret;
use podfs::crypto::keys::RootKey;
use podfs::crypto::passphrase::CostBounds;
use podfs::daemon::keyfile::system_entropy;
use podfs::format::keyfile::Bundle;
use podfs::format::keyfile::NewPassphrase;
use podfs::format::keyfile::create;
use podfs::format::keyfile::unlock_with_phrase;
use podfs::index::Rows;
use podfs::index::RowsParts;
use podfs::pod::Caller;
use podfs::pod::Nowhere;
use podfs::pod::Pod;
use podfs::pod::PodParts;
use podfs::pod::Remote;
use podfs::pod::SetAttr;
use podfs::pod::SetTime;
use podfs::pod::Taken;
use podfs::pod::XattrMode;
use podfs::types::Clock;
use podfs::types::Ino;
use podfs::types::ROOT;
use podfs::types::Timespec;
use rustix::fs::FallocateFlags;

const OWNER: Caller = Caller {
    uid: 1000,
    gid: 1001,
};

/// The phrase of the golden files.
pub fn phrase() -> Phrase {
    Phrase::from_entropy(&Secret::from_bytes(&[0; 32]))
}

fn root_key() -> RootKey {
    RootKey::derive(&phrase().seed(), None)
}

/// Writes keyfile and empty log of a new pod that the phrase opens.
pub fn make(state: &Path) {
    let root = root_key();
    let bundle = Bundle::enrol(&root, 0, 0, 1, &mut system_entropy).unwrap();
    let new = NewPassphrase {
        passphrase: b"correct horse battery staple",
        cost: CostBounds::RELEASED.floor,
    };
    let recovery = root.recovery(&bundle.pod_id);
    let keyfile = create(&bundle, &new, &recovery, &mut system_entropy).unwrap();
    fs::write(state.join("podfs.key"), keyfile).unwrap();
    Rows::create(&parts(state)).unwrap();
}

/// The state, opened with the phrase alone.
fn parts(state: &Path) -> RowsParts {
    parts_of(state, &root_key())
}

fn parts_of(state: &Path, root: &RootKey) -> RowsParts {
    let keyfile = fs::read(state.join("podfs.key")).unwrap();
    let bundle = unlock_with_phrase(&keyfile, &root.recovery(&root.pod_id(0))).unwrap();
    RowsParts {
        dir: state.to_owned(),
        secret: bundle.device_secret,
        budget: None,
        read_only: false,
    }
}

/// Opens the pod; its clock moves a second at each look, from 2026-11-20 on.
pub fn open(state: &Path) -> Pod {
    open_with(state, Arc::new(Nowhere))
}

/// Opens the pod of another phrase.
pub fn open_as(state: &Path, root: &RootKey) -> Pod {
    over(&parts_of(state, root), Arc::new(Nowhere))
}

/// Opens the pod, with pages that are elsewhere.
pub fn open_with(state: &Path, remote: Arc<dyn Remote>) -> Pod {
    over(&parts(state), remote)
}

fn over(parts: &RowsParts, remote: Arc<dyn Remote>) -> Pod {
    let ticks = AtomicI64::new(1_795_000_000);
    let clock: Clock = Arc::new(move || Timespec {
        secs: ticks.fetch_add(1, Ordering::Relaxed),
        nanos: 123_456_789,
    });
    Pod::over(PodParts {
        rows: Arc::new(Rows::open(parts).unwrap()),
        remote,
        clock,
        device: 1,
        owner: OWNER,
    })
    .unwrap()
}

/// Bytes that differ from page to page.
fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

fn file(pod: &Pod, dir: Ino, name: &[u8], contents: &[u8]) -> Ino {
    let ino = pod.create(dir, name, 0o644, OWNER).unwrap().ino;
    pod.write(ino, 0, contents, false).unwrap();
    pod.release(ino).unwrap();
    ino
}

/// Everything there is, then a clean close: all of it stands in a checkpoint.
pub fn first_session(pod: &Pod) {
    let documents = pod.mkdir(ROOT, b"Documents", 0o755, OWNER).unwrap().ino;
    let letter = file(pod, documents, b"letter.txt", &text(1, 20_000));
    let set = |ino, name: &[u8], value: &[u8]| {
        pod.setxattr(ino, name, value, XattrMode::Create).unwrap();
    };
    set(letter, b"user.note", b"zero \0 and \xff");
    set(letter, b"user.empty", b"");
    set(documents, b"user.colour", b"blue");
    pod.link(letter, documents, b"the same letter").unwrap();
    pod.symlink(ROOT, b"link", b"Documents/letter.txt", OWNER)
        .unwrap();
    file(pod, ROOT, b"empty", b"");
    file(pod, ROOT, b"na\xefve \xff", b"a name that is no UTF-8");
    file(pod, ROOT, &[b'n'; 255], b"the longest name");

    let hole = file(pod, ROOT, b"hole", b"begin");
    pod.write(hole, (1 << 20) + 100, b"end", false).unwrap();
    let clone = file(pod, ROOT, b"clone", b"");
    assert_eq!(pod.copy_range(letter, 0, clone, 4096, 8192).unwrap(), 8192);
    let reserved = file(pod, ROOT, b"preallocated", b"");
    pod.fallocate(reserved, 0, 40_960, FallocateFlags::empty())
        .unwrap();
    pod.write(reserved, 8192, b"in the middle", false).unwrap();

    pod.mknod(ROOT, b"pipe", (0o010_600, 0), OWNER).unwrap();
    pod.mknod(ROOT, b"null", (0o020_666, 0x103), OWNER).unwrap();
    let old = SetAttr {
        mtime: Some(SetTime::At(Timespec { secs: -5, nanos: 7 })),
        ..SetAttr::default()
    };
    let caller = Caller { uid: 0, gid: 0 };
    pod.setattr(hole, &old, caller).unwrap();
    let many = pod.mkdir(ROOT, b"many", 0o2770, OWNER).unwrap().ino;
    for number in 0..50 {
        file(
            pod,
            many,
            format!("{number:03} {}", "name ".repeat(9)).as_bytes(),
            b"",
        );
    }
}

/// Changes on top of the checkpoint, which only the log holds. Ends with a file that is deleted while it is open.
pub fn second_session(pod: &Pod) {
    let documents = pod.lookup(ROOT, b"Documents").unwrap().ino;
    let letter = pod.lookup(documents, b"letter.txt").unwrap().ino;
    pod.write(letter, 5000, &text(2, 3000), false).unwrap();
    let place = (ROOT, &b"Documents"[..]);
    pod.rename(place, (ROOT, b"Letters"), Taken::Replace)
        .unwrap();
    pod.removexattr(letter, b"user.empty").unwrap();
    let many = pod.lookup(ROOT, b"many").unwrap().ino;
    let name = format!("{:03} {}", 7, "name ".repeat(9));
    pod.unlink(many, name.as_bytes()).unwrap();
    let after = pod
        .mkdir(ROOT, b"after the checkpoint", 0o700, OWNER)
        .unwrap();
    file(pod, after.ino, b"new", &text(3, 12_345));
    let reserved = pod.lookup(ROOT, b"preallocated").unwrap().ino;
    let shorter = SetAttr {
        size: Some(9000),
        ..SetAttr::default()
    };
    pod.setattr(reserved, &shorter, OWNER).unwrap();
    let doomed = file(pod, ROOT, b"doomed", &text(4, 4096));
    pod.open(doomed).unwrap();
    pod.unlink(ROOT, b"doomed").unwrap();
    pod.fsync().unwrap();
}
