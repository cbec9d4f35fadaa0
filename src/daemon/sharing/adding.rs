//! What the owner adds to folders of others, or changes of what they share: kept in trays, and given to those whose it
//! is.

use crate::daemon::sharing::Sharing;
use crate::format::grant::Ended;
use crate::format::rows::Epochs;
use crate::format::rows::FileKind;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::format::rows::Received;
use crate::format::rows::ReceivedState;
use crate::pod::PodError;
use crate::pod::Tray;
use crate::share::back_id;
use crate::share::back_terms;
use crate::share::is_added_to;
use crate::share::is_written_to;
use crate::types::Ino;
use crate::types::Name;
use crate::types::ROOT;
use crate::types::SHARED;

/// Names that are tried for what nobody took over.
pub(super) const NAMES_MAX: usize = 1000;

impl Sharing {
    /// Shows what was added before, as far as it is known on this machine: before anybody looks.
    pub(super) fn show_trays(&self) {
        let Ok(all) = self.received.all() else {
            return;
        };
        for received in all.iter().filter(|received| is_added_now(received)) {
            if let Err(why) = self.show_tray(received) {
                tracing::warn!(%why, "what was added to a folder of others is not seen in it yet");
            }
        }
    }

    fn show_tray(&self, received: &Received) -> Result<(), String> {
        let top = self.top_of(received)?;
        let (Some(top), Some(tray)) = (top, self.tray_of(received)?) else {
            return Ok(());
        };
        if received.terms.kind == FileKind::Directory {
            let shown = self.pod.set_tray(top, tray);
            return shown.map_err(|error| error.to_string());
        }
        self.pod.set_file_tray(top, &received.label, tray);
        Ok(())
    }

    /// The tray, if it is laid.
    pub(super) fn tray_of(&self, received: &Received) -> Result<Option<Tray>, String> {
        let dir = self.pod.find_state_subdirectory(&tray_name(received));
        let Some(dir) = dir.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let tray = self.pod.find_tray(dir, is_written_to(&received.terms));
        tray.map_err(|error| error.to_string())
    }

    /// The directory that was received, or the one that a single file is in; if it is here.
    pub(super) fn top_of(&self, received: &Received) -> Result<Option<Ino>, String> {
        let person = self.person(received)?;
        let is_folder = received.terms.kind == FileKind::Directory;
        let label = is_folder.then_some(&received.label);
        let mut at = SHARED;
        for name in [Some(&person), label].into_iter().flatten() {
            match self.pod.lookup(at, name.as_bytes()) {
                Ok(found) if found.kind == FileKind::Directory => at = found.ino,
                Ok(_) | Err(PodError::NotFound) => return Ok(None),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(Some(at))
    }

    /// How many files were added, changed or removed, and are not let go yet.
    pub(super) fn count_added(&self, received: &Received) -> Option<u64> {
        if !is_added_now(received) {
            return None;
        }
        let Some(tray) = self.tray_of(received).ok()? else {
            return Some(0);
        };
        let mut count = 0_u64;
        if let Some(was) = tray.was {
            count = self.count_removed(tray.now, was).ok()?;
        }
        let mut left = vec![tray.now];
        while let Some(dir) = left.pop() {
            for entry in self.pod.own_names(dir).ok()? {
                if entry.kind == FileKind::Directory {
                    left.push(entry.ino);
                } else {
                    count = count.saturating_add(1);
                }
            }
        }
        Some(count)
    }

    /// How many notes are of what is there no more.
    fn count_removed(&self, now: Ino, was: Ino) -> Result<u64, PodError> {
        let (mut left, mut count) = (vec![(Some(now), was)], 0_u64);
        while let Some((now, was)) = left.pop() {
            let own = now.map(|now| self.pod.own_names(now)).transpose()?;
            let own = own.unwrap_or_default();
            for note in self.pod.own_names(was)? {
                let beside = own.iter().find(|own| own.name == note.name);
                if note.kind == FileKind::Directory {
                    // A file in the place of a folder has nothing below it.
                    left.push((beside.map(|beside| beside.ino), note.ino));
                }
                if beside.is_none() {
                    count = count.saturating_add(1);
                }
            }
        }
        Ok(count)
    }

    /// Makes the tray of what may be added to or changed, and gives it to the one whose folder it is.
    pub(super) fn lay_tray(&self, received: &Received) -> Result<(), String> {
        if !is_added_now(received) {
            return Ok(());
        }
        let name = tray_name(received);
        let tray = self.pod.state_subdirectory(&name, self.owner);
        let tray = tray.map_err(|error| error.to_string())?;
        let is_written = is_written_to(&received.terms);
        let laid = self.pod.tray_in(tray, is_written, self.owner);
        laid.map_err(|error| error.to_string())?;
        let given = self.given_back(received);
        if given?.is_none() {
            self.give_back(received, tray, &name)?;
        }
        self.show_tray(received)?;
        self.is_due(&received.id);
        Ok(())
    }

    pub(super) fn given_back(&self, received: &Received) -> Result<Option<Given>, String> {
        let given = self.given.find(&back_id(&received.id));
        given.map_err(|error| error.to_string())
    }

    /// It goes off like every grant: now, or as soon as messages do.
    fn give_back(&self, received: &Received, tray: Ino, name: &str) -> Result<(), String> {
        let contact = self.messages.contact(&received.contact);
        let contact = contact.map_err(|error| error.to_string())?;
        let contact = contact.ok_or("who gave it is a contact no more: nothing reaches them")?;
        let given = Given {
            id: back_id(&received.id),
            contact: received.contact,
            contact_name: contact.name,
            target: tray,
            directory: self.pod.parent(tray).map_err(|error| error.to_string())?,
            name: Name::parse(name.as_bytes()).map_err(|error| error.to_string())?,
            terms: back_terms(&received.terms),
            made: (self.clock)(),
            epochs: Epochs::default(),
            state: GivenState::Waiting,
            answers: None,
        };
        self.given.give(&given).map_err(|error| error.to_string())?;
        let handed_over = self.hand_over(&given);
        handed_over.map_err(|error| error.to_string())
    }

    /// Nothing is added any more. What nobody took over is given back to who added it, in a folder of their own.
    pub(super) async fn take_tray_away(&self, received: &Received) -> Result<(), String> {
        if !is_added_to(&received.terms) {
            return Ok(());
        }
        if let Some(given) = self.given_back(received)?
            && !matches!(given.state, GivenState::Ended { .. })
        {
            let ended = self.end(&given, Ended::Revoked).await;
            ended.map_err(|error| error.to_string())?;
        }
        let Some(tray) = self.tray_of(received)? else {
            return Ok(());
        };
        // As long as it is not all here it is seen where it was.
        self.adopt_tray(received, tray.now).await?;
        self.pod.unset_tray(tray);
        // And what was changed meanwhile.
        if let Err(why) = self.adopt_tray(received, tray.now).await {
            self.show_tray(received)?;
            return Err(why);
        }
        let given_back = self.empty_tray(received, tray);
        given_back.map_err(|error| error.to_string())
    }

    fn empty_tray(&self, received: &Received, tray: Tray) -> Result<(), PodError> {
        let name = tray_name(received);
        if let Some(was) = tray.was {
            self.clear(was)?;
        }
        self.prune(tray.now, 0)?;
        if !self.pod.own_names(tray.now)?.is_empty() {
            self.seal_as_own(tray.now)?;
            self.give_back_files(received, tray.now)?;
        }
        let Some(dir) = self.pod.find_state_subdirectory(&name)? else {
            return Ok(());
        };
        self.prune(dir, 0)?;
        let above = self.pod.parent(dir)?;
        self.pod.rmdir(above, name.as_bytes())
    }

    /// The directory of what was not taken over becomes one that is seen.
    fn give_back_files(&self, received: &Received, now: Ino) -> Result<(), PodError> {
        let above = self.pod.parent(now)?;
        let names = self.pod.own_names(above)?;
        let own = names.into_iter().find(|entry| entry.ino == now);
        let own = own.ok_or(PodError::NotFound)?.name;
        for nth in 1..=NAMES_MAX {
            let shown = left_name(&received.label, nth)?;
            match self.pod.move_own((above, own.as_bytes()), (ROOT, &shown)) {
                Err(PodError::Exists) => {}
                shown => return shown,
            }
        }
        Err(PodError::Exists)
    }

    /// Everything in a directory goes.
    pub(super) fn clear(&self, dir: Ino) -> Result<(), PodError> {
        for entry in self.pod.own_names(dir)? {
            if entry.kind == FileKind::Directory {
                self.clear(entry.ino)?;
                self.pod.rmdir(dir, entry.name.as_bytes())?;
            } else {
                self.pod.unlink(dir, entry.name.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Directories with nothing in them go.
    fn prune(&self, dir: Ino, depth: usize) -> Result<(), PodError> {
        if depth > crate::types::limits::RECEIVED_DEPTH_MAX {
            return Ok(());
        }
        for entry in self.pod.own_names(dir)? {
            if entry.kind != FileKind::Directory {
                continue;
            }
            self.prune(entry.ino, depth.saturating_add(1))?;
            match self.pod.rmdir(dir, entry.name.as_bytes()) {
                Ok(()) | Err(PodError::NotEmpty | PodError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether the owner may add to it now.
fn is_added_now(received: &Received) -> bool {
    is_added_to(&received.terms) && received.state == ReceivedState::Accepted
}

/// A name for what nobody took over: `lab (not taken over)`, and from the second on `lab (not taken over 2)`.
pub(super) fn left_name(label: &Name, nth: usize) -> Result<Name, PodError> {
    let number = if nth > 1 {
        format!(" {nth}")
    } else {
        String::new()
    };
    let end = format!(" (not taken over{number})");
    let label = label.as_bytes();
    let label = label.get(..label.len().min(200)).unwrap_or_default();
    Ok(Name::parse(&[label, end.as_bytes()].concat())?)
}

fn tray_name(received: &Received) -> String {
    format!("tray-{}", hex::encode(received.id))
}
