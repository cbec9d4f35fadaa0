use std::collections::BTreeSet;

use super::*;
use crate::types::limits::PAGE;

/// A file as Linux keeps it: pages in memory, those that changed are marked, and a sync that fails takes the marks away.
#[derive(Clone, Default)]
struct Unreliable(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    memory: Vec<u8>,
    disk: Vec<u8>,
    changed: BTreeSet<usize>,
    fails: bool,
}

impl Unreliable {
    fn open(&self) -> Disk {
        Disk::on(Box::new(self.clone())).unwrap()
    }

    fn fail(&self) {
        self.0.lock().fails = true;
    }

    fn cut_power(&self) {
        let mut pages = self.0.lock();
        pages.memory = pages.disk.clone();
        pages.changed.clear();
    }
}

impl Medium for Unreliable {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.lock().memory.len() as u64)
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let (pages, at) = (self.0.lock(), usize::try_from(at).unwrap());
        bytes.copy_from_slice(&pages.memory[at..at + bytes.len()]);
        Ok(())
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let (mut pages, at) = (self.0.lock(), usize::try_from(at).unwrap());
        let end = at + bytes.len();
        let size = pages.memory.len().max(end);
        pages.memory.resize(size, 0);
        pages.memory[at..end].copy_from_slice(bytes);
        pages.changed.extend(at / PAGE..end.div_ceil(PAGE));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut pages = self.0.lock();
        let changed = std::mem::take(&mut pages.changed);
        if std::mem::take(&mut pages.fails) {
            return Err(Errno::IO.into());
        }
        let size = pages.memory.len();
        pages.disk.resize(size, 0);
        for page in changed {
            let bytes = page * PAGE..((page + 1) * PAGE).min(size);
            let Pages { memory, disk, .. } = &mut *pages;
            disk[bytes.clone()].copy_from_slice(&memory[bytes]);
        }
        Ok(())
    }
}

fn chunk(number: u8) -> SealedChunk {
    SealedChunk::content(&[number; PAGE])
}

#[tokio::test]
async fn what_a_failed_sync_left_is_not_kept_until_it_is_written_again() {
    let (file, chunks) = (Unreliable::default(), [1, 2, 3].map(chunk));
    let disk = file.open();
    assert_eq!(disk.put(&chunks[0]).await, Ok(Receipt::Kept));
    file.fail();
    let lost = StoreError::unavailable(Outage::Disk(io::Error::from(Errno::IO).to_string()));
    assert_eq!(disk.put(&chunks[1]).await, Err(lost.clone()));
    assert_eq!(disk.put(&chunks[2]).await, Err(lost.clone()));
    assert_eq!(disk.pulse().await, Err(lost));

    let disk = file.open();
    assert_eq!(disk.put(&chunks[1]).await, Ok(Receipt::Kept));
    file.cut_power();
    let disk = file.open();
    for chunk in &chunks[..2] {
        assert_eq!(disk.get(chunk.address()).await.as_ref(), Ok(chunk));
    }
    assert_eq!(disk.len(), 2);
}

#[tokio::test]
async fn a_store_whose_disk_still_fails_takes_nothing() {
    let (file, chunk) = (Unreliable::default(), chunk(1));
    let disk = file.open();
    file.fail();
    assert!(disk.put(&chunk).await.is_err());
    file.fail();
    let disk = file.open();
    assert_eq!(disk.get(chunk.address()).await.as_ref(), Ok(&chunk));
    assert!(disk.put(&chunk).await.is_err() && disk.pulse().await.is_err());
    file.cut_power();
    assert!(file.open().is_empty());
}
