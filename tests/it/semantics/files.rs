//! Contents of files.

use std::fs;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, Mode, OFlags, SeekFrom as Find};
use rustix::io::Errno;

use super::{examples, on_a_mount, refusal};

#[test]
fn examples_of_files() {
    on_a_mount(examples![
        appends_do_not_overwrite_each_other,
        exclusive_creation_has_one_winner,
        truncating_at_open_empties_the_file,
        a_running_program_is_not_emptied,
        growing_a_file_shows_zeros,
        holes_take_no_room_and_can_be_found,
        room_can_be_set_aside,
        holes_can_be_punched,
        ranges_can_be_zeroed,
        copies_inside_share_their_room,
        a_file_has_a_largest_size,
    ]);
}

fn open(path: &Path) -> File {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap()
}

fn appends_do_not_overwrite_each_other(dir: &Path) {
    let path = dir.join("log");
    let append = || {
        File::options()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap()
    };
    let (mut one, mut two) = (append(), append());
    for _ in 0..100 {
        one.write_all(b"one\n").unwrap();
        two.write_all(b"two\n").unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n".repeat(100));
}

fn exclusive_creation_has_one_winner(dir: &Path) {
    for round in 0..20 {
        let path = dir.join(round.to_string());
        let won = std::thread::scope(|scope| {
            let create = || File::create_new(&path).is_ok();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
            let won = threads.into_iter().filter_map(|thread| thread.join().ok());
            won.filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }
}

fn truncating_at_open_empties_the_file(dir: &Path) {
    let path = dir.join("file");
    fs::write(&path, vec![1; 100_000]).unwrap();
    let emptied = File::create(&path).unwrap();
    let seen = emptied.metadata().unwrap();
    assert_eq!((seen.len(), seen.blocks()), (0, 0));
}

fn a_running_program_is_not_emptied(dir: &Path) {
    let program = dir.join("cat");
    fs::copy("/bin/cat", &program).unwrap();
    let before = fs::read(&program).unwrap();
    let mut child = std::process::Command::new(&program)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    for how in [OFlags::WRONLY, OFlags::RDONLY | OFlags::TRUNC] {
        let opened = rustix::fs::open(&program, how, Mode::empty());
        assert_eq!(refusal(opened), Errno::TXTBSY);
    }
    assert!(fs::read(&program).unwrap() == before);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn growing_a_file_shows_zeros(dir: &Path) {
    let file = open(&dir.join("file"));
    file.write_all_at(&[1; 10_000], 0).unwrap();
    file.set_len(5_000).unwrap();
    file.set_len(20_000).unwrap();
    let mut read = vec![9; 20_000];
    file.read_exact_at(&mut read, 0).unwrap();
    assert!(read[..5_000].iter().all(|byte| *byte == 1));
    assert!(read[5_000..].iter().all(|byte| *byte == 0));
}

fn holes_take_no_room_and_can_be_found(dir: &Path) {
    let file = open(&dir.join("sparse"));
    file.set_len(1 << 40).unwrap();
    file.write_all_at(b"island", 1 << 30).unwrap();
    assert_eq!(file.metadata().unwrap().blocks(), 8);
    let data = rustix::fs::seek(&file, Find::Data(0)).unwrap();
    assert_eq!(data, 1 << 30);
    let hole = rustix::fs::seek(&file, Find::Hole(data)).unwrap();
    assert_eq!(hole, (1 << 30) + 4096);
    let none = rustix::fs::seek(&file, Find::Data(hole));
    assert_eq!(refusal(none), Errno::NXIO);
}

fn room_can_be_set_aside(dir: &Path) {
    let file = open(&dir.join("file"));
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, 100_000).unwrap();
    let seen = file.metadata().unwrap();
    assert_eq!((seen.len(), seen.blocks()), (100_000, 25 * 8));
    rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 100_000, 100_000).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 100_000);
    assert!(file.metadata().unwrap().blocks() > 25 * 8);
    let mut read = Vec::new();
    (&file).read_to_end(&mut read).unwrap();
    assert!(read.len() == 100_000 && read.iter().all(|byte| *byte == 0));
}

fn holes_can_be_punched(dir: &Path) {
    let file = open(&dir.join("file"));
    file.write_all_at(&vec![7; 40_960], 0).unwrap();
    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&file, how, 4_000, 20_000).unwrap();
    let mut read = vec![0; 40_960];
    file.read_exact_at(&mut read, 0).unwrap();
    let zeros = |range: &[u8]| range.iter().all(|byte| *byte == 0);
    assert!(zeros(&read[4_000..24_000]));
    assert_eq!((read[3_999], read[24_000]), (7, 7));
    assert_eq!(file.metadata().unwrap().blocks(), (10 - 4) * 8);
}

fn ranges_can_be_zeroed(dir: &Path) {
    let file = open(&dir.join("file"));
    file.write_all_at(&[7; 8192], 0).unwrap();
    rustix::fs::fallocate(&file, FallocateFlags::ZERO_RANGE, 100, 10_000).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 10_100);
    let mut read = vec![9; 10_100];
    file.read_exact_at(&mut read, 0).unwrap();
    assert!(read[..100].iter().all(|byte| *byte == 7));
    assert!(read[100..].iter().all(|byte| *byte == 0));
}

fn copies_inside_share_their_room(dir: &Path) {
    let (source, target) = (open(&dir.join("source")), open(&dir.join("target")));
    let bytes: Vec<u8> = (0..4_u32 << 20).map(|n| (n % 251) as u8).collect();
    source.write_all_at(&bytes, 0).unwrap();
    source.sync_all().unwrap();
    let free = rustix::fs::statvfs(dir).unwrap().f_bfree;
    let mut done = 0;
    while done < bytes.len() {
        let copied = rustix::fs::copy_file_range(&source, None, &target, None, bytes.len() - done);
        done += copied.unwrap();
    }
    let taken = free.saturating_sub(rustix::fs::statvfs(dir).unwrap().f_bfree);
    assert!(taken < 512, "{taken} pages for a copy of 1024");
    source.write_all_at(b"changed", 0).unwrap();
    let mut read = Vec::new();
    let mut target = &target;
    target.seek(SeekFrom::Start(0)).unwrap();
    target.read_to_end(&mut read).unwrap();
    assert!(read == bytes, "the copy is a file of its own");
}

fn a_file_has_a_largest_size(dir: &Path) {
    let file = File::options()
        .write(true)
        .create_new(true)
        .custom_flags(libc::O_LARGEFILE)
        .open(dir.join("file"))
        .unwrap();
    let largest = i64::MAX as u64 & !4095;
    file.set_len(largest).unwrap();
    let beyond = rustix::fs::ftruncate(&file, largest + 1);
    assert_eq!(refusal(beyond), Errno::FBIG);
}
