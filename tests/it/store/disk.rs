//! What is on the disk after a crash, a full disk, damage.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use podfs::store::{Disk, Outage, Store, StoreError};

use crate::store::random_chunks;
use crate::support::random::Random;

fn file(dir: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.open(dir.join("chunks")).unwrap()
}

#[tokio::test]
async fn chunks_are_there_after_opening_again() {
    let mut random = Random::new("chunks_are_there_after_opening_again");
    let (dir, chunks) = (tempfile::tempdir().unwrap(), random_chunks(&mut random, 50));
    for half in chunks.chunks(25) {
        let disk = Disk::open(dir.path()).unwrap();
        for chunk in half {
            disk.put(chunk).await.unwrap();
        }
    }
    let disk = Disk::open(dir.path()).unwrap();
    assert_eq!((disk.len(), disk.addresses().len()), (50, 50));
    for chunk in &chunks {
        assert_eq!(disk.get(chunk.address()).await.as_ref(), Ok(chunk));
    }
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::open(dir.path()).unwrap();
    let Err(StoreError::Unavailable { why, .. }) = Disk::open(dir.path()) else {
        panic!("opened twice")
    };
    assert!(matches!(why, Outage::Disk(_)), "{why}");
    drop(disk);
    Disk::open(dir.path()).unwrap();
}

/// Whatever the last write left, everything before it is there and the store takes more.
#[tokio::test]
async fn a_torn_end_costs_the_last_chunk_only() {
    let mut random = Random::new("a_torn_end_costs_the_last_chunk_only");
    let chunks = random_chunks(&mut random, 12);
    let (last, before) = chunks.split_last().unwrap();
    for _ in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path()).unwrap();
        for chunk in before {
            disk.put(chunk).await.unwrap();
        }
        let end = file(dir.path()).metadata().unwrap().len();
        disk.put(last).await.unwrap();
        drop(disk);
        let torn = file(dir.path());
        let size = torn.metadata().unwrap().len();
        match random.below(3) {
            0 => torn.set_len(end + random.below(4000)).unwrap(),
            1 => torn
                .write_all_at(&[0; 512], end + random.below(3000))
                .unwrap(),
            _ => {
                torn.set_len(end).unwrap();
                torn.set_len(size + random.below(9000)).unwrap();
            }
        }
        let disk = Disk::open(dir.path()).unwrap();
        for chunk in before {
            assert_eq!(disk.get(chunk.address()).await.as_ref(), Ok(chunk));
        }
        let torn = disk.get(last.address()).await;
        assert!(torn == Err(StoreError::NotFound) || torn.as_ref() == Ok(last));
        disk.put(last).await.unwrap();
        drop(disk);
        let disk = Disk::open(dir.path()).unwrap();
        for chunk in &chunks {
            assert_eq!(disk.get(chunk.address()).await.as_ref(), Ok(chunk));
        }
    }
}

/// Any flipped bit is noticed: the chunk is right or an error, the others are there, and putting it again heals it.
#[tokio::test]
async fn damage_is_noticed_and_healed_by_putting_again() {
    let mut random = Random::new("damage_is_noticed_and_healed_by_putting_again");
    let chunks = random_chunks(&mut random, 6);
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::open(dir.path()).unwrap();
    for chunk in &chunks {
        disk.put(chunk).await.unwrap();
    }
    drop(disk);
    let pristine = std::fs::read(dir.path().join("chunks")).unwrap();
    for _ in 0..500 {
        let at = random.below(pristine.len() as u64);
        let byte = pristine[at as usize] ^ (1 << random.below(8));
        file(dir.path()).set_len(pristine.len() as u64).unwrap();
        file(dir.path()).write_all_at(&pristine, 0).unwrap();
        file(dir.path()).write_all_at(&[byte], at).unwrap();
        let disk = Disk::open(dir.path()).unwrap();
        let mut lost = 0;
        for chunk in &chunks {
            match disk.get(chunk.address()).await {
                Ok(got) => assert_eq!(&got, chunk),
                Err(StoreError::NotFound | StoreError::Corrupt) => lost += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(lost <= 1, "a flipped bit at {at} costs {lost} chunks");
        for chunk in &chunks {
            disk.put(chunk).await.unwrap();
            assert_eq!(disk.get(chunk.address()).await.as_ref(), Ok(chunk));
        }
    }
}
