//! Files of this format's first version, which every later program must read the same way.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::support::listing::listing;
use crate::support::pod::Files;
use crate::support::pod::read_files;
use crate::support::pod::write_files;
use crate::support::sample;

const POD: &str = "tests/golden/v1/pod";

/// Writes the golden pod anew when `PODFS_WRITE_GOLDEN` is set: only when the format is deliberately changed.
fn write_pod() {
    if std::env::var_os("PODFS_WRITE_GOLDEN").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path();
    sample::make(state);
    let pod = sample::open(state);
    sample::first_session(&pod);
    pod.rows().close(true).unwrap();
    drop(pod);
    let pod = sample::open(state);
    sample::second_session(&pod);
    fs::write(Path::new(POD).join("listing.txt"), listing(&pod)).unwrap();
    pod.rows().close(false).unwrap();
    drop(pod);
    let mut files = Files::new();
    read_files(state, Path::new(""), &mut files);
    files.retain(|(path, _)| !path.starts_with("index"));
    for (path, bytes) in &mut files {
        // What lies behind the end of a segment reads as zeros.
        if path.extension().is_some_and(|it| it == "seg") {
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            bytes.truncate(used.next_multiple_of(4096));
        }
    }
    write_files(Path::new(POD), &files);
}

/// A copy of the golden pod, as it was left: one session closed cleanly, one not.
fn pod_copy(state: &Path) -> String {
    let mut files = Files::new();
    read_files(Path::new(POD), Path::new(""), &mut files);
    let (listed, files): (Files, Files) = files
        .into_iter()
        .partition(|(path, _)| path == Path::new("listing.txt"));
    write_files(state, &files);
    String::from_utf8(listed[0].1.clone()).unwrap()
}

#[test]
fn the_golden_pod_is_read_the_same_for_ever() {
    write_pod();
    let dir = tempfile::tempdir().unwrap();
    let expected = pod_copy(dir.path());
    for clean in [true, false, true] {
        let pod = sample::open(dir.path());
        assert_eq!(pod.rows().journal().broken(), None);
        assert_eq!(listing(&pod), expected);
        let report = pod.check(true).unwrap();
        assert_eq!(report.found, 0, "{:?}", report.findings);
        pod.reap_all().unwrap();
        assert_eq!(listing(&pod), expected);
        pod.rows().close(clean).unwrap();
    }
}

#[test]
fn damage_to_the_golden_pod_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let expected = pod_copy(dir.path());
    // The first record behind the checkpoint, which a watermark and later records call durable.
    let log = dir.path().join("log/0000000000000001.seg");
    let file = fs::File::options().write(true).open(log).unwrap();
    file.write_all_at(&[0xff; 8], 4096 + 40).unwrap();
    let pod = sample::open(dir.path());
    let broken = pod.rows().journal().broken().unwrap();
    assert!(broken.contains("damaged at record"), "{broken}");
    assert_ne!(listing(&pod), expected);
    pod.rows().close(false).unwrap();
}
