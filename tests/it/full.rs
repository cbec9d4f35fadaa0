//! Disks that are full, read-only or gone: an early and honest error, and no harm to what was there.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::FallocateFlags;

use crate::support::applicable;
use crate::support::both;
use crate::support::bytes_below;
use crate::support::disk;
use crate::support::disk::Disk;
use crate::support::pod::Pod;
use crate::support::random::Random;
use crate::support::wait_until;

const MIB: usize = 1 << 20;
/// Space that was given back must be usable again within this time.
const HEAL_MAX: Duration = Duration::from_secs(30);

/// Writes files of 1 MiB until the disk is full; gives what each holds.
fn fill(dir: &Path, random: &mut Random) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    loop {
        let bytes = random.bytes(MIB);
        let path = dir.join(format!("{}", files.len()));
        match fs::write(&path, &bytes) {
            Ok(()) => files.push(bytes),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
                fs::remove_file(&path).ok();
                return files;
            }
        }
        assert!(files.len() < 4096, "never full");
    }
}

fn assert_holds(dir: &Path, files: &[Vec<u8>], from: usize) {
    for (number, bytes) in files.iter().enumerate().skip(from) {
        assert!(
            fs::read(dir.join(number.to_string())).unwrap() == *bytes,
            "file {number} changed"
        );
    }
}

/// Whether 1 MiB can be written and made durable.
fn takes_a_file(dir: &Path) -> bool {
    let path = dir.join("probe");
    let done = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![7; MIB])?;
        file.sync_all()
    });
    fs::remove_file(path).ok();
    done.is_ok()
}

#[test]
fn a_full_budget_heals_by_itself() {
    if !applicable("a_full_budget_heals_by_itself", &["/dev/fuse"]) {
        return;
    }
    let mut random = Random::new("budget");
    let pod = Pod::new();
    let mount = pod.mount_with(&["-o", "budget=400M"]);
    for round in 0..3 {
        let dir = mount.path(&round.to_string());
        fs::create_dir(&dir).unwrap();
        let files = fill(&dir, &mut random);
        assert!(
            files.len() >= 100,
            "round {round}: full after {} MiB of 400",
            files.len()
        );
        assert_holds(&dir, &files, 0);
        let stat = rustix::fs::statvfs(&dir).unwrap();
        assert!(
            stat.f_blocks > 0 && stat.f_bavail < stat.f_blocks / 4,
            "statfs: {} of {} blocks left",
            stat.f_bavail,
            stat.f_blocks
        );
        let half = files.len() / 2;
        for number in 0..half {
            fs::remove_file(dir.join(number.to_string())).unwrap();
        }
        assert!(
            wait_until(HEAL_MAX, || takes_a_file(&dir)),
            "round {round}: still full after half was deleted"
        );
        assert_holds(&dir, &files, half);
        fs::remove_dir_all(&dir).unwrap();
    }
    let used = bytes_below(&pod.state());
    assert!(
        used <= 400 * MIB as u64,
        "the state takes {used} bytes of a budget of 400 MiB"
    );
}

#[test]
fn a_disk_filled_by_another_program() {
    if !applicable(
        "a_disk_filled_by_another_program",
        &[disk::REQUIREMENTS, &["/dev/fuse"]].concat(),
    ) {
        return;
    }
    let mut random = Random::new("disk full");
    let disk = Disk::new(700);
    let pod = Pod::on(&disk.dir());
    let mount = pod.mount();
    mount.expect_warnings();
    fs::create_dir(mount.path("kept")).unwrap();
    let kept: Vec<_> = (0..20).map(|_| random.bytes(MIB)).collect();
    for (number, bytes) in kept.iter().enumerate() {
        fs::write(mount.path("kept").join(number.to_string()), bytes).unwrap();
    }
    let granted = File::create(mount.path("granted")).unwrap();
    rustix::fs::fallocate(&granted, FallocateFlags::empty(), 0, 16 * MIB as u64).unwrap();
    granted.sync_all().unwrap();

    let filler = disk.dir().join("filler");
    let mut other = File::create(&filler).unwrap();
    while other.write_all(&vec![0x55; MIB]).is_ok() {}
    other.sync_all().ok();

    let promised = random.bytes(16 * MIB);
    granted
        .write_all_at(&promised, 0)
        .expect("a write into what fallocate granted");
    granted
        .sync_all()
        .expect("an fsync of what fallocate granted");
    fs::create_dir(mount.path("more")).ok();
    let more = fill(&mount.path("more"), &mut random);
    assert_holds(&mount.path("kept"), &kept, 0);
    fs::remove_file(mount.path("kept/0")).expect("a full disk lets files be deleted");

    drop(other);
    fs::remove_file(filler).unwrap();
    assert!(
        wait_until(HEAL_MAX, || takes_a_file(mount.dir())),
        "still full after the other program left"
    );
    drop(granted);
    mount.unmount();
    let mount = pod.mount();
    assert_holds(&mount.path("kept"), &kept, 1);
    assert_holds(&mount.path("more"), &more, 0);
    assert!(
        fs::read(mount.path("granted")).unwrap() == promised,
        "what was granted changed"
    );
    mount.unmount();
}

#[test]
fn a_disk_that_is_read_only() {
    if !applicable(
        "a_disk_that_is_read_only",
        &[disk::REQUIREMENTS, &["/dev/fuse"]].concat(),
    ) {
        return;
    }
    let disk = Disk::new(300);
    let pod = Pod::on(&disk.dir());
    let mount = pod.mount();
    fs::write(mount.path("file"), "as it was").unwrap();
    mount.unmount();
    disk.unmount();
    disk.mount("ro");
    match pod.try_mount(&[]) {
        Err(output) => {
            let said = both(&output).to_lowercase();
            assert!(
                said.contains("read-only"),
                "exit {:?}: {said}",
                output.status.code()
            );
        }
        Ok(mount) => {
            mount.expect_warnings();
            assert_eq!(fs::read_to_string(mount.path("file")).unwrap(), "as it was");
            assert!(fs::write(mount.path("new"), "").is_err());
        }
    }
    disk.unmount();
    disk.mount("rw");
    let mount = pod.mount();
    assert_eq!(fs::read_to_string(mount.path("file")).unwrap(), "as it was");
    mount.unmount();
}

#[test]
fn a_disk_that_fails_is_told_and_stays_told() {
    if !applicable(
        "a_disk_that_fails_is_told_and_stays_told",
        &[disk::REQUIREMENTS, &["/dev/fuse"]].concat(),
    ) {
        return;
    }
    let disk = Disk::new(300);
    let pod = Pod::on(&disk.dir());
    let mount = pod.mount();
    mount.expect_warnings();
    fs::write(mount.path("synced"), "there").unwrap();
    File::open(mount.path("synced"))
        .unwrap()
        .sync_all()
        .unwrap();
    disk.breaker().cut();
    let write_and_sync = |name: &str| {
        let mut file = File::create(mount.path(name))?;
        file.write_all(b"lost")?;
        file.sync_all()
    };
    // A sync that failed once is never repeated and called a success: the kernel forgot the pages.
    for attempt in 0..20 {
        write_and_sync(&format!("late-{attempt}")).expect_err("an fsync on a dead disk");
    }
    let status = pod.status();
    assert_eq!(status["state"], "read-only", "{status}");
    assert!(status["reason"].is_string(), "{status}");
    mount.kill();
    disk.unmount();
    disk.mount("rw");
    let mount = pod.mount();
    mount.expect_warnings();
    assert_eq!(fs::read_to_string(mount.path("synced")).unwrap(), "there");
    mount.unmount();
}
