//! What the owner adds to folders of others: kept in trays, given to whose folders they are, and let go once it was
//! taken over.

use std::collections::BTreeMap;

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::far::Held;
use crate::format::grant::Ended;
use crate::format::rows::Epochs;
use crate::format::rows::FileKind;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::format::rows::Received;
use crate::format::rows::ReceivedState;
use crate::pod::Attr;
use crate::pod::PodError;
use crate::share::back_id;
use crate::share::back_terms;
use crate::share::is_added_to;
use crate::share::is_copy_name;
use crate::types::Ino;
use crate::types::Name;
use crate::types::SHARED;

/// Names that are tried for what nobody took over.
const NAMES_MAX: usize = 1000;

/// Names of a directory, and what they are of.
type Names = BTreeMap<Name, Attr>;

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
        let tray = self.pod.find_state_subdirectory(&tray_name(received));
        let top = self.top_of(received)?;
        if let (Some(top), Some(tray)) = (top, tray.map_err(|error| error.to_string())?) {
            let shown = self.pod.set_tray(top, tray);
            shown.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// The directory that was received, if it is here.
    fn top_of(&self, received: &Received) -> Result<Option<Ino>, String> {
        let person = self.person(received)?;
        let mut at = SHARED;
        for name in [&person, &received.label] {
            match self.pod.lookup(at, name.as_bytes()) {
                Ok(found) if found.kind == FileKind::Directory => at = found.ino,
                Ok(_) | Err(PodError::NotFound) => return Ok(None),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(Some(at))
    }

    /// How many files were added and are not let go yet.
    pub(super) fn count_added(&self, received: &Received) -> Option<u64> {
        if !is_added_now(received) {
            return None;
        }
        let tray = self.pod.find_state_subdirectory(&tray_name(received));
        let mut left: Vec<_> = tray.ok()?.into_iter().collect();
        let mut count = 0_u64;
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

    /// Makes the tray of a folder that may be added to, and gives it to the one whose folder it is.
    pub(super) fn lay_tray(&self, received: &Received) -> Result<(), String> {
        if !is_added_now(received) {
            return Ok(());
        }
        let name = tray_name(received);
        let tray = self.pod.state_subdirectory(&name, self.owner);
        let tray = tray.map_err(|error| error.to_string())?;
        let given = self.given_back(received);
        if given?.is_none() {
            self.give_back(received, tray, &name)?;
        }
        self.show_tray(received)?;
        self.is_due(&received.id);
        Ok(())
    }

    fn given_back(&self, received: &Received) -> Result<Option<Given>, String> {
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
        };
        self.given.give(&given).map_err(|error| error.to_string())?;
        let handed_over = self.hand_over(&given, None);
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
        if let Some(top) = self.top_of(received)? {
            self.pod.unset_tray(top);
        }
        let given_back = self.empty_tray(received);
        given_back.map_err(|error| error.to_string())
    }

    fn empty_tray(&self, received: &Received) -> Result<(), PodError> {
        let name = tray_name(received);
        let Some(tray) = self.pod.find_state_subdirectory(&name)? else {
            return Ok(());
        };
        self.prune(tray, 0)?;
        if self.pod.own_names(tray)?.is_empty() {
            let above = self.pod.parent(tray)?;
            return self.pod.rmdir(above, name.as_bytes());
        }
        for nth in 1..=NAMES_MAX {
            let number = if nth > 1 {
                format!(" {nth}")
            } else {
                String::new()
            };
            let end = format!(" (not taken over{number})");
            let label = received.label.as_bytes();
            let label = label.get(..label.len().min(200)).unwrap_or_default();
            let shown = Name::parse(&[label, end.as_bytes()].concat())?;
            match self.pod.show_state_subdirectory(&name, &shown) {
                Err(PodError::Exists) => {}
                shown => return shown,
            }
        }
        Err(PodError::Exists)
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

    /// Lets go what was taken over. Tells whether everything was looked at.
    pub(super) async fn let_go_of(&self, received: &Received) -> Result<bool, String> {
        let tray = self.pod.find_state_subdirectory(&tray_name(received));
        let top = self.top_of(received)?;
        let (Some(top), Some(tray)) = (top, tray.map_err(|error| error.to_string())?) else {
            return Ok(true);
        };
        let mut open = vec![(tray, top)];
        let (mut emptied, mut is_all) = (Vec::new(), true);
        while let Some((dir, theirs)) = open.pop() {
            let of_dir = self.let_go_in((dir, theirs), &mut open, &mut emptied).await;
            is_all &= of_dir.map_err(|error| error.to_string())?;
        }
        // The innermost first: it stands behind the one that it is in.
        for (dir, name, seen_in) in emptied.into_iter().rev() {
            match self.pod.rmdir(dir, name.as_bytes()) {
                Ok(()) => self.pod.is_another(seen_in, &name),
                Err(PodError::NotEmpty | PodError::NotFound) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(is_all)
    }

    /// The same in one directory; `open` gets those below it, `emptied` those that may go when they are empty.
    async fn let_go_in(
        &self,
        (dir, theirs): (Ino, Ino),
        open: &mut Vec<(Ino, Ino)>,
        emptied: &mut Vec<(Ino, Name, Ino)>,
    ) -> Result<bool, PodError> {
        let mut is_all = true;
        let received = self.names_in(theirs)?;
        for entry in self.pod.own_names(dir)? {
            let is_copy = |name: &Name| *name == entry.name || is_copy_name(&entry.name, name);
            let copies = received.iter().filter(|(name, _)| is_copy(name));
            let copies = copies.map(|(_, copy)| *copy);
            let copies = copies.filter(|copy| copy.kind == entry.kind);
            if entry.kind == FileKind::Directory {
                for copy in copies {
                    emptied.push((dir, entry.name.clone(), theirs));
                    open.push((entry.ino, copy.ino));
                }
            } else if entry.kind == FileKind::Regular {
                let copies: Vec<_> = copies.collect();
                is_all &= self
                    .let_file_go((dir, &entry.name, theirs), entry.ino, &copies)
                    .await?;
            }
        }
        Ok(is_all)
    }

    /// Lets a file go when one of these has all its bytes, fetched from where the other one published
    /// them: it is not given up before it was seen to be there.
    async fn let_file_go(
        &self,
        (dir, name, seen_in): (Ino, &Name, Ino),
        ino: Ino,
        copies: &[Attr],
    ) -> Result<bool, PodError> {
        if self.pod.is_open(ino) {
            return Ok(false);
        }
        let ours = self.pod.getattr(ino)?;
        for copy in copies {
            if copy.size != ours.size {
                continue;
            }
            let is_same = {
                let mine = Held::open(&self.pod, ino, ours.size)?;
                let theirs = Held::open(&self.pod, copy.ino, copy.size)?;
                mine.is_as(&theirs).await?
            };
            if is_same {
                let went = self.pod.let_go((dir, name), &ours)?;
                self.pod.is_another(seen_in, name);
                return Ok(went);
            }
        }
        Ok(true)
    }

    fn names_in(&self, dir: Ino) -> Result<Names, PodError> {
        let mut names = Names::new();
        for (name, ino) in self.pod.received_names(dir)? {
            names.insert(name, self.pod.getattr(ino)?);
        }
        Ok(names)
    }
}

/// Whether the owner may add to it now.
fn is_added_now(received: &Received) -> bool {
    is_added_to(&received.terms) && received.state == ReceivedState::Accepted
}

fn tray_name(received: &Received) -> String {
    format!("tray-{}", hex::encode(received.id))
}
