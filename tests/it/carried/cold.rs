//! What is not here is fetched as it is asked for: few requests, none that nobody needs, many at once.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use crate::carried::{REQUIREMENTS, carried, confirmed, mounted, recovered};
use crate::node::{Node, Route};
use crate::support::mount::Mount;
use crate::support::random::Random;
use crate::support::{applicable, rounds};

const PAGE: u64 = 4096;
/// A large file: any page of it is behind an inode and three nodes.
const LARGE: u64 = 1 << 30;
/// Pages below one node.
const NODE: u64 = 51;
/// Places in the large file where there is something: three of the pages of one node each.
const SPOTS: u64 = 25;
/// Bytes of a photo: too many for an inode.
const PHOTO: usize = 1_200_000;
/// Requests for less than 32 KiB.
const LITTLE: u64 = 7;

/// The first pages of the spots of the large file, far from each other.
fn spots() -> impl Iterator<Item = u64> {
    (0..SPOTS).map(|nth| nth * (LARGE / PAGE / SPOTS) / NODE * NODE)
}

/// Which pages of a spot are data.
const PAGES: [u64; 3] = [2, 23, 41];

fn gets(node: &Node) -> u64 {
    node.counts().requests(Route::GetChunk)
}

fn random_reads(mount: &Mount<'_>, node: &Node, large: &[Vec<u8>]) {
    let file = File::open(mount.path("large")).unwrap();
    let mut counts = Vec::new();
    // From the middle page, so that no read goes on from the one before.
    for nth in [1, 2, 0] {
        for (spot, bytes) in spots().zip(large.chunks(PAGES.len())) {
            let mut page = vec![0; 4096];
            let before = gets(node);
            file.read_exact_at(&mut page, (spot + PAGES[nth]) * PAGE)
                .unwrap();
            counts.push(gets(node) - before);
            assert!(page == bytes[nth]);
        }
    }
    println!("requests for random pages: {counts:?}");
    assert!(counts[0] <= 5, "the first read took {} requests", counts[0]);
    let (cold, warm) = counts.split_at(spots().count());
    assert!(cold.iter().all(|count| *count <= 4.max(counts[0])));
    assert!(
        warm.iter().all(|count| *count == 1),
        "with warm nodes: {warm:?}"
    );
}

fn first_pages(mount: &Mount<'_>, node: &Node, photos: u64, photo: &[u8]) {
    let mut page = vec![0; 4096];
    for nth in 0..photos {
        let before = gets(node);
        let file = File::open(mount.path(&format!("photo {nth}"))).unwrap();
        file.read_exact_at(&mut page, 0).unwrap();
        let count = gets(node) - before;
        assert!(
            count <= LITTLE,
            "{count} requests for the first page of photo {nth}"
        );
        assert!(page[8..] == photo[8..4096]);
    }
}

fn sequence(mount: &Mount<'_>, node: &Node, film: &[u8]) {
    let latency = node
        .faults()
        .set_latency(Route::GetChunk, Duration::from_millis(50));
    node.reset_counts();
    let begun = Instant::now();
    assert!(fs::read(mount.path("film")).unwrap() == film);
    let took = begun.elapsed();
    node.faults().remove(latency);
    // Bytes in a millisecond are kilobytes in a second.
    let rate = film.len() as u128 / took.as_millis();
    let (counts, chunks) = (node.counts(), film.len() as u64 / PAGE);
    println!(
        "{rate} kB/s, {} at once, {} requests for {chunks} chunks",
        counts.in_flight_max,
        gets(node)
    );
    assert!(
        counts.in_flight_max >= 40 && counts.in_flight_max <= 64,
        "{}",
        counts.in_flight_max
    );
    // The nodes, and nothing twice.
    assert!(gets(node) <= chunks + chunks / 40 + 5);
    let least = u128::from(rounds(1000, 4200));
    assert!(rate >= least, "{rate} kB/s");
}

#[test]
fn what_is_not_here_takes_few_requests() {
    if !applicable("what_is_not_here_takes_few_requests", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("cold reads");
    let (pod, node) = carried();
    let mount = mounted(&pod, &[]);
    let large: Vec<_> = (0..SPOTS * 3).map(|_| random.bytes(4096)).collect();
    let file = File::create(mount.path("large")).unwrap();
    file.set_len(LARGE).unwrap();
    for (spot, bytes) in spots().zip(large.chunks(PAGES.len())) {
        for (page, bytes) in PAGES.iter().zip(bytes) {
            file.write_all_at(bytes, (spot + page) * PAGE).unwrap();
        }
    }
    drop(file);
    let photos = rounds(8, 1000);
    let mut photo = random.bytes(PHOTO);
    for nth in 0..photos {
        photo[..8].copy_from_slice(&nth.to_le_bytes());
        fs::write(mount.path(&format!("photo {nth}")), &photo).unwrap();
    }
    let movie = random.bytes(usize::try_from(rounds(6, 64) << 20).unwrap());
    fs::write(mount.path("film"), &movie).unwrap();
    confirmed(&pod);
    mount.unmount();
    let pod = recovered(pod, &node);
    let mount = mounted(&pod, &[]);
    random_reads(&mount, &node, &large);
    first_pages(&mount, &node, photos, &photo);
    sequence(&mount, &node, &movie);
}
