//! Looks whether the network holds what a node took: only then is a chunk done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use crate::format::published::Place;
use crate::format::rows::{HeadState, Key, OwnHead};
use crate::store::endpoints::{Sought, Verdict};
use crate::store::retry::{self, Next};
use crate::store::{Outage, StoreError};
use crate::sync::edit::Look;
use crate::sync::error::SyncError;
use crate::sync::heads::OwnFeed;
use crate::sync::kept::Kept;
use crate::sync::load::{each_row, places};
use crate::sync::network::Network;
use crate::sync::notes::Notes;
use crate::sync::pace::{Pace, Work};
use crate::sync::progress::Progress;
use crate::sync::publisher::Publisher;
use crate::sync::queue::Mark;
use crate::sync::remake::Remake;
use crate::types::limits::{CONFIRM_PAUSE, CONFIRMING, RETRIEVE_TRIES};
use crate::types::{Address, Ino};

/// What is not to be had yet, and when it is asked for again.
#[derive(Default)]
pub(super) struct Later {
    places: HashMap<(Ino, Place), (u32, Instant)>,
    /// Row that the next pass begins with.
    from: Option<Key>,
}

/// What one pass learns.
struct Pass {
    notes: Notes,
    /// Looks in a row that told nothing, and why the last did not.
    silent: u32,
    why: Option<StoreError>,
    told: bool,
}

/// What is looked for, and through whom.
#[derive(Clone)]
pub(super) struct Confirm {
    pub(super) kept: Arc<Kept>,
    pub(super) network: Network,
    pub(super) progress: Arc<Progress>,
    pub(super) pace: Arc<Pace>,
}

impl Publisher {
    pub(super) async fn confirm(
        &self,
        network: Network,
        later: &mut Later,
    ) -> Result<(), SyncError> {
        let confirm = Confirm {
            kept: Arc::clone(&self.kept),
            network,
            progress: Arc::clone(&self.progress),
            pace: Arc::clone(&self.pace),
        };
        if self.kept.waiting().1 > 0 {
            confirm.look_for_all(later).await?;
        }
        let Some((head, _)) = self.last_head()? else {
            return Ok(());
        };
        // A head is what all of it hangs from: it is looked for when everything else was found.
        if head.state == HeadState::Sent && self.kept.waiting() == (0, 0) {
            let looked = confirm.head(&self.feed(), &head).await;
            if let Err(error @ SyncError::Forked) = &looked {
                self.standing.is_overtaken(error);
            }
            let state = looked?;
            if state > head.state {
                let mut now = head.clone();
                now.state = state;
                if state == HeadState::Confirmed {
                    now.confirmed = now.publication;
                }
                if self.replace_head(&head, &now)? {
                    self.changed.notify_waiters();
                }
            }
        }
        Ok(())
    }
}

impl Confirm {
    /// Looks for what was sent, in one pass over some of it. What a pass cannot tell of does not keep the next from
    /// what is behind it. Gives how many chunks are still to be looked for.
    ///
    /// # Errors
    /// When nobody who could tell answers, or the log fails; what was found is noted.
    pub(super) async fn look_for_all(&self, later: &mut Later) -> Result<u64, SyncError> {
        let kept = Arc::clone(&self.kept);
        let from = later.from.take().unwrap_or(Key::queued(Ino(0), 0));
        let rows = tokio::task::spawn_blocking(move || sent_rows(&kept, from)).await;
        let rows = rows.map_err(|_| SyncError::Interrupted)??;
        let whole = rows.len() < ROWS;
        let mut pass = Pass {
            notes: Notes::new(&self.kept),
            silent: 0,
            why: None,
            told: false,
        };
        let mut looking = JoinSet::new();
        let mut outcome = Ok(());
        for (ino, bucket, mask) in rows {
            later.from = Key::queued(ino, bucket).successor();
            let kept = Arc::clone(&self.kept);
            let found = tokio::task::spawn_blocking(move || {
                let mut remake = Remake::new(&kept, None, ino)?;
                let wanted = remake.look_up(places(bucket, mask))?;
                Ok::<_, SyncError>((remake.publication(), wanted))
            });
            let (publication, wanted) = found.await.map_err(|_| SyncError::Interrupted)??;
            for one in wanted {
                if looking.len() >= CONFIRMING {
                    outcome = take(self, looking.join_next().await, &mut pass, later);
                }
                if outcome.is_err() {
                    break;
                }
                let address = one.reference.map(|reference| reference.address());
                let look = Look {
                    ino,
                    place: one.place,
                    address,
                    publication,
                    mark: Mark::Done,
                };
                self.start(look, &mut looking, &mut pass.notes, later);
            }
            pass.notes.flush_if_due().await?;
            if outcome.is_err() {
                break;
            }
        }
        while let Some(done) = looking.join_next().await {
            outcome = outcome.and(take(self, Some(done), &mut pass, later));
        }
        pass.notes.flush().await?;
        outcome?;
        if whole {
            later.from = None;
        }
        if let Some(why) = pass.why.filter(|_| !pass.told) {
            return Err(why.into());
        }
        let (_, sent) = self.kept.waiting();
        Ok(sent)
    }

    fn start(&self, look: Look, looking: &mut JoinSet<Looked>, notes: &mut Notes, later: &Later) {
        let Some(address) = look.address else {
            notes.looked(look);
            return;
        };
        if later.is_early(look.ino, look.place) {
            return;
        }
        let network = self.network.clone();
        let pace = Arc::clone(&self.pace);
        looking.spawn(async move {
            let verdict = look_for(&network, &pace, address).await;
            (look, verdict)
        });
    }

    /// Looks for the newest head; says how far it is now.
    ///
    /// # Errors
    /// When nobody who could tell answers; [`SyncError::Forked`] when another head stands in its place.
    pub(super) async fn head(
        &self,
        feed: &OwnFeed,
        head: &OwnHead,
    ) -> Result<HeadState, SyncError> {
        let mut others = 0;
        let chunks = feed.chunks(head)?;
        for chunk in &chunks {
            let sought = Sought::Owned(chunk);
            let verdict = self
                .network
                .endpoints
                .verify(sought, &self.network.writer)
                .await?;
            match verdict {
                // One stands for both: perhaps there was no room at the other address.
                Verdict::Held(_) => return Ok(HeadState::Confirmed),
                Verdict::Other => others += 1,
                Verdict::NotYet => {}
            }
        }
        if others == chunks.len() {
            return Err(SyncError::Forked);
        }
        Ok(HeadState::Sent)
    }
}

/// What one look gave.
type Looked = (Look, Result<Verdict, StoreError>);

async fn look_for(network: &Network, pace: &Pace, address: Address) -> Result<Verdict, StoreError> {
    let mut attempt = 0;
    loop {
        let sought = Sought::Content(address);
        let turn = pace.turn(Work::Confirming).await;
        let verdict = network.endpoints.verify(sought, &network.writer).await;
        drop(turn);
        let error = match verdict {
            Ok(verdict) => return Ok(verdict),
            Err(error) => error,
        };
        let is_late = is_late(&error);
        let Next::Again(pause) = retry::next(&error, attempt, 0) else {
            return Err(error);
        };
        if is_late || attempt >= PATIENT {
            return Err(error);
        }
        attempt += 1;
        tokio::time::sleep(pause).await;
    }
}

/// How often one look is repeated before all of them wait.
const PATIENT: u32 = 3;
/// Looks in a row that tell nothing until a pass is given up.
const SILENT_MAX: u32 = 16;

/// Whether the time for a look was over: a chunk that is nowhere is searched for as long.
const fn is_late(error: &StoreError) -> bool {
    let StoreError::Unavailable { why, .. } = error else {
        return false;
    };
    matches!(why, Outage::Late(_))
}

fn take(
    confirm: &Confirm,
    done: Option<Result<Looked, tokio::task::JoinError>>,
    pass: &mut Pass,
    later: &mut Later,
) -> Result<(), SyncError> {
    let Some(done) = done else { return Ok(()) };
    let (mut look, verdict) = done.map_err(|_| SyncError::Interrupted)?;
    let (ino, place) = (look.ino, look.place);
    let is_lost = match &verdict {
        Ok(Verdict::Held(_)) => {
            later.places.remove(&(ino, place));
            confirm.progress.is_confirmed();
            pass.notes.looked(look);
            pass.told();
            return Ok(());
        }
        Ok(Verdict::NotYet | Verdict::Other) => true,
        Err(error) => is_late(error),
    };
    if !is_lost {
        later.postpone(ino, place);
    } else if later.is_over(ino, place) {
        tracing::warn!("a chunk that a node took is not in the network: it is sent again");
        look.mark = Mark::Unsent;
        pass.notes.looked(look);
    }
    match verdict {
        Ok(_) => pass.told(),
        Err(error) => pass.is_silent(error)?,
    }
    Ok(())
}

impl Pass {
    const fn told(&mut self) {
        self.silent = 0;
        self.told = true;
    }

    fn is_silent(&mut self, why: StoreError) -> Result<(), StoreError> {
        self.silent += 1;
        self.why = Some(why.clone());
        if self.silent < SILENT_MAX {
            Ok(())
        } else {
            Err(why)
        }
    }
}

impl Later {
    fn is_early(&self, ino: Ino, place: Place) -> bool {
        let known = self.places.get(&(ino, place));
        known.is_some_and(|(_, at)| Instant::now() < *at)
    }

    /// Notes that nobody could tell.
    fn postpone(&mut self, ino: Ino, place: Place) {
        let entry = self
            .places
            .entry((ino, place))
            .or_insert((0, Instant::now()));
        entry.1 = Instant::now() + CONFIRM_PAUSE;
    }

    /// Notes that it was looked for in vain; whether it was so too often.
    fn is_over(&mut self, ino: Ino, place: Place) -> bool {
        let entry = self
            .places
            .entry((ino, place))
            .or_insert((0, Instant::now()));
        entry.1 = Instant::now();
        if let Next::Again(pause) = retry::next(&StoreError::NotFound, entry.0, 0) {
            entry.1 += pause;
        }
        entry.0 += 1;
        let over = entry.0 >= RETRIEVE_TRIES;
        if over {
            self.places.remove(&(ino, place));
        }
        over
    }
}

/// Rows with something that was sent.
fn sent_rows(kept: &Kept, from: Key) -> Result<Vec<(Ino, u64, u32)>, SyncError> {
    let mut rows = Vec::new();
    each_row(kept, from, |ino, bucket, row| {
        if row.sent != 0 {
            rows.push((ino, bucket, row.sent));
        }
        Ok(rows.len() < ROWS)
    })?;
    Ok(rows)
}

/// Rows that one pass looks at: what comes behind has its turn in the next.
const ROWS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::sample::kept;

    #[test]
    fn only_much_silence_in_a_row_ends_a_pass() {
        let mut pass = Pass {
            notes: Notes::new(&kept()),
            silent: 0,
            why: None,
            told: false,
        };
        for _ in 0..3 {
            for _ in 1..SILENT_MAX {
                assert!(pass.is_silent(StoreError::Corrupt).is_ok());
            }
            pass.told();
        }
        for nth in 1..=SILENT_MAX {
            assert_eq!(
                pass.is_silent(StoreError::Corrupt).is_ok(),
                nth < SILENT_MAX
            );
        }
    }

    #[test]
    fn what_nobody_tells_of_waits_and_is_not_lost() {
        let (mut later, ino, place) = (Later::default(), Ino(7), Place::page(3));
        assert!(!later.is_early(ino, place));
        for _ in 0..2 * RETRIEVE_TRIES {
            later.postpone(ino, place);
            assert!(later.is_early(ino, place));
        }
        let lost = (1..=RETRIEVE_TRIES).map(|_| later.is_over(ino, place));
        assert_eq!(lost.filter(|lost| *lost).count(), 1);
        let late = Outage::Late(std::time::Duration::from_secs(45));
        assert!(is_late(&StoreError::unavailable(late)) && !is_late(&StoreError::Corrupt));
    }
}
