//! Several writers at once, each in a folder of its own, who remember what was answered and what was made durable.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crate::support::operation::Operation;
use crate::support::random::Random;
use crate::support::tree::Tree;
use crate::support::tree::look;

/// How many write at once.
pub const WRITERS: usize = 3;

/// What the writers tell while they work. Counts are operations since the writers started.
#[derive(Default)]
pub struct Progress {
    /// The crash was set off: from now on an error is what is expected.
    crashing: AtomicBool,
    /// How many of each writer's were answered.
    answered: [AtomicU64; WRITERS],
    /// How many of each writer's were answered before an fsync began that returned before the crash.
    durable: [AtomicU64; WRITERS],
}

/// Writers at work.
pub struct Load {
    progress: Arc<Progress>,
    threads: Vec<JoinHandle<Vec<Operation>>>,
}

/// What the writers did until the crash.
pub struct Done {
    pub operations: Vec<Vec<Operation>>,
    pub answered: Vec<usize>,
    pub durable: Vec<usize>,
}

/// How much must be there after the crash.
#[derive(Clone, Copy)]
pub enum Bar {
    /// Everything that was answered.
    Answered,
    /// Everything up to the last fsync.
    Durable,
}

impl Load {
    /// Starts the writers below `dir`, on the trees that are there.
    pub fn start(dir: &Path, trees: &[Tree], random: &mut Random) -> Self {
        let progress = Arc::new(Progress::default());
        let mut start = |writer: usize| {
            let folder = dir.join(format!("writer-{writer}"));
            fs::create_dir_all(&folder).unwrap();
            File::open(&folder).unwrap().sync_all().unwrap();
            let (tree, random) = (trees[writer].clone(), Random::seeded(random.next()));
            let progress = Arc::clone(&progress);
            std::thread::spawn(move || write(&folder, writer, tree, random, &progress))
        };
        let threads = (0..WRITERS).map(&mut start).collect();
        Self { progress, threads }
    }

    /// Operations answered so far, all writers together.
    pub fn answered(&self) -> u64 {
        self.progress
            .answered
            .iter()
            .map(|count| count.load(Ordering::SeqCst))
            .sum()
    }

    /// Sets off the crash and waits until every writer met it.
    pub fn crash(self, set_off: impl FnOnce()) -> Done {
        self.progress.crashing.store(true, Ordering::SeqCst);
        set_off();
        let operations = self
            .threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        let counts = |all: &[AtomicU64]| {
            all.iter()
                .map(|n| usize::try_from(n.load(Ordering::SeqCst)).unwrap())
                .collect()
        };
        Done {
            operations,
            answered: counts(&self.progress.answered),
            durable: counts(&self.progress.durable),
        }
    }
}

/// Works until an operation fails; gives all operations, the failed one last.
fn write(
    dir: &Path,
    writer: usize,
    mut tree: Tree,
    mut random: Random,
    progress: &Progress,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    loop {
        let operation = Operation::choose(&tree, &mut random);
        let before: Vec<_> = progress
            .answered
            .iter()
            .map(|count| count.load(Ordering::SeqCst))
            .collect();
        operations.push(operation.clone());
        if let Err(error) = operation.perform(dir) {
            let expected = progress.crashing.load(Ordering::SeqCst);
            assert!(expected, "writer {writer}: {operation:?}: {error}");
            return operations;
        }
        operation.apply(&mut tree);
        progress.answered[writer].fetch_add(1, Ordering::SeqCst);
        // ext4 may answer a sync that is under way while the power goes; nobody could hear that answer.
        let heard = !progress.crashing.load(Ordering::SeqCst);
        if heard && matches!(operation, Operation::Sync { .. }) {
            for (durable, before) in progress.durable.iter().zip(before) {
                durable.fetch_max(before, Ordering::SeqCst);
            }
        }
    }
}

impl Done {
    /// Compares what is below `dir` with the trees after some prefix of what was done; the trees become what was found.
    pub fn verify(&self, dir: &Path, trees: &mut [Tree], bar: Bar) -> Result<(), String> {
        for (writer, tree) in trees.iter_mut().enumerate() {
            let least = match bar {
                Bar::Answered => self.answered[writer],
                Bar::Durable => self.durable[writer],
            };
            let operations = &self.operations[writer];
            let seen = look(&dir.join(format!("writer-{writer}")))
                .map_err(|error| format!("writer {writer}: {error}"))?;
            let before = tree.clone();
            tree.replay(&operations[..least]);
            let Err(first) = tree.compare(&seen) else {
                continue;
            };
            let (done, rest) = operations.split_at(least);
            if !rest.iter().any(|next| next.ends_here(tree, &seen)) {
                let mut earlier = before;
                let fits = done
                    .iter()
                    .position(|next| next.ends_here(&mut earlier, &seen));
                let around = &operations[least.saturating_sub(1)..operations.len().min(least + 2)];
                return Err(format!(
                    "writer {writer}: {} answered, at least {least} expected, found what was there after {fits:?}: {first}\n\
                     around the end: {around:?}",
                    self.answered[writer]
                ));
            }
        }
        Ok(())
    }
}
