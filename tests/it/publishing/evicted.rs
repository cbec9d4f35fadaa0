//! Pages that were given up once they were published: whatever changes around them, they are still published.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use podfs::format::rows::{Bucket, Key};
use podfs::pod::{Fetch, FileKind, Pod, PodError, Remote};
use podfs::types::Ino;

use crate::publishing::shelf::{Desk, Shelf};
use crate::publishing::world::World;
use crate::support::rounds;

/// Contents as they were published.
#[derive(Default)]
pub struct Copies(Mutex<HashMap<Ino, Vec<u8>>>);

impl Remote for Copies {
    fn page(&self, ino: Ino, page: u64, out: &mut [u8; 4096]) -> Result<bool, PodError> {
        let copies = self.0.lock();
        let at = page as usize * 4096;
        let bytes = copies.get(&ino).and_then(|bytes| bytes.get(at..));
        out.fill(0);
        if let Some(bytes) = bytes {
            let len = bytes.len().min(4096);
            out[..len].copy_from_slice(&bytes[..len]);
        }
        Ok(copies.contains_key(&ino))
    }

    fn fetch(&self, _ino: Ino, _pages: Range<u64>) -> Fetch<'_> {
        Box::pin(std::future::ready(Err(PodError::Unreachable("no".into()))))
    }
}

pub(super) fn buckets(pod: &Pod, ino: Ino) -> Vec<(u64, Bucket)> {
    let (from, to) = (Key::extent(ino, 0), Key::extent(ino, u64::MAX));
    let rows = pod.rows().scan(&from, &to, usize::MAX).unwrap();
    let rows = rows.iter();
    rows.map(|(key, row)| (key.field(1), Bucket::decode(row).unwrap()))
        .collect()
}

/// Takes copies of all files, which were just published, and gives up pages of some.
pub(super) fn give_up(world: &mut World) -> u64 {
    let mut given = 0;
    for ino in world.all(FileKind::Regular) {
        let mut bytes = Vec::new();
        world.pod().read(ino, 0, u32::MAX, &mut bytes).unwrap();
        world.remote.0.lock().insert(ino, bytes);
        if world.random.below(2) == 0 {
            let mut buckets = buckets(world.pod(), ino);
            if world.random.below(2) == 0 && !buckets.is_empty() {
                let at = world.random.index(buckets.len());
                buckets.remove(at);
            }
            given += world.pod().give_up(ino, &buckets).unwrap();
        }
    }
    given
}

#[test]
fn what_was_given_up_is_published_with_what_changed_around_it() {
    let mut world = World::new("given up pages");
    let shelf = Arc::new(Shelf::default());
    let mut desk = Desk::new(world.pod(), &shelf);
    for round in 0..rounds(10, 200) {
        world.live(if round == 0 { 250 } else { 60 });
        desk.publish();
        world.compare(&shelf.chunks.lock());
        let given = give_up(&mut world);
        assert_eq!(desk.publish(), [], "nothing changed");
        world.compare(&shelf.chunks.lock());
        println!("round {round}: {given} pages given up");
        if world.random.below(3) == 0 {
            desk.stop();
            world.reopen(true);
            desk = Desk::new(world.pod(), &shelf);
        }
    }
    desk.stop();
}
