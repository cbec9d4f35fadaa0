use parking_lot::{Mutex, MutexGuard};

use crate::types::Ino;

/// Stripes: enough that two busy files rarely meet in one.
const STRIPES: usize = 1024;
/// Most inodes one operation locks: a rename with both directories, the moved inode and the replaced one; or what is
/// taken over in that way, and what it was taken from.
const HELD_MAX: usize = 5;

/// Locks on inodes. An operation that changes rows of an inode holds the inode's lock from reading the old row until
/// `append` has returned, so that the rows are read and written as one step. Readers take none.
pub(super) struct Locks {
    stripes: Box<[Mutex<()>]>,
    moves: Mutex<()>,
}

/// Locks held until it is dropped.
#[must_use = "the locks are released when this is dropped"]
pub(super) struct Held<'a> {
    _guards: [Option<MutexGuard<'a, ()>>; HELD_MAX],
}

impl Locks {
    /// All free.
    pub(super) fn new() -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            moves: Mutex::new(()),
        }
    }

    /// Locks up to five inodes. Stripes are taken in one order and each only once, so that no two callers wait for
    /// each other in a ring; nobody may call this while holding a [`Held`].
    pub(super) fn lock(&self, inos: &[Ino]) -> Held<'_> {
        debug_assert!(inos.len() <= HELD_MAX, "more inodes than can be held");
        let mut wanted = [usize::MAX; HELD_MAX];
        for (place, ino) in wanted.iter_mut().zip(inos) {
            *place = stripe(*ino);
        }
        wanted.sort_unstable();
        let mut last = usize::MAX;
        let guards = wanted.map(|at| {
            if at == last {
                return None;
            }
            last = at;
            self.stripes.get(at).map(Mutex::lock)
        });
        Held { _guards: guards }
    }

    /// Moves of directories to another parent go one by one: a chain of ancestors that was checked must not change
    /// before the move is done. Taken before [`Locks::lock`].
    pub(super) fn moves(&self) -> MutexGuard<'_, ()> {
        self.moves.lock()
    }
}

impl Default for Locks {
    fn default() -> Self {
        Self::new()
    }
}

/// Counters are handed out one by one, so their low bits spread well; devices are mixed in.
fn stripe(ino: Ino) -> usize {
    let mixed = ino.0 ^ (ino.0 >> Ino::COUNTER_BITS);
    usize::try_from(mixed % STRIPES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stripe_that_two_inodes_share_is_locked_once() {
        let locks = Locks::new();
        let (a, b) = (Ino(5), Ino(5 + STRIPES as u64));
        assert_eq!(stripe(a), stripe(b));
        let held = locks.lock(&[a, b, a]);
        assert!(locks.stripes[stripe(a)].try_lock().is_none());
        drop(held);
        assert!(locks.stripes[stripe(a)].try_lock().is_some());
    }

    #[test]
    fn opposite_orders_do_not_wait_for_each_other() {
        let locks = Locks::new();
        std::thread::scope(|scope| {
            for order in [[Ino(1), Ino(2)], [Ino(2), Ino(1)]] {
                let locks = &locks;
                scope.spawn(move || {
                    for _ in 0..20_000 {
                        let _held = locks.lock(&order);
                    }
                });
            }
        });
    }
}
