//! What the owner added to things of others, or changed of them, is let go once they have it.

use std::collections::BTreeMap;

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::adding::NAMES_MAX;
use crate::daemon::sharing::adding::left_name;
use crate::daemon::sharing::far::Held;
use crate::daemon::sharing::far::adopt;
use crate::format::rows::Dentry;
use crate::format::rows::FileKind;
use crate::format::rows::Received;
use crate::pod::Attr;
use crate::pod::PodError;
use crate::share::is_copy_name;
use crate::types::Ino;
use crate::types::Name;
use crate::types::ROOT;

/// Names of a directory, and what they are of.
type Names = BTreeMap<Name, Attr>;

/// Directories that lie on each other.
#[derive(Clone, Copy)]
struct Lying {
    /// Of the tray: what is there now.
    now: Ino,
    /// Of the tray: what that was made from.
    was: Option<Ino>,
    /// What the other one has.
    theirs: Option<Ino>,
}

/// What becomes of a file of a tray.
enum Went {
    /// The other one has it.
    Gone,
    /// Somebody has it open, or what it was made from, or changed it just now.
    Open,
    Stays,
}

/// A directory of a tray that goes if it is empty, and whether the other one has it.
struct Emptied {
    at: Lying,
    own: Ino,
    name: Name,
    /// What the other one has under that name.
    there: Option<Ino>,
    is_theirs: bool,
}

impl Sharing {
    /// Lets go what was taken over. Tells whether everything was looked at.
    pub(super) async fn let_go_of(&self, received: &Received) -> Result<bool, String> {
        // What the other one has no more is told from what did not come yet only when all of it is here.
        let seen = self.received.seen(&received.feed);
        let seen = seen.map_err(|error| error.to_string())?;
        if !seen.is_some_and(|seen| seen.is_brought) {
            return Ok(true);
        }
        let top = self.top_of(received)?;
        let (Some(top), Some(tray)) = (top, self.tray_of(received)?) else {
            return Ok(true);
        };
        let at = Lying {
            now: tray.now,
            was: tray.was,
            theirs: Some(top),
        };
        let is_all = if received.terms.kind == FileKind::Directory {
            self.let_all_go(at).await
        } else {
            self.let_single_go(at, &received.label).await
        };
        is_all.map_err(|error| error.to_string())
    }

    async fn let_all_go(&self, top: Lying) -> Result<bool, PodError> {
        let mut open = vec![top];
        let (mut emptied, mut is_all) = (Vec::new(), true);
        while let Some(at) = open.pop() {
            is_all &= self.let_go_in(at, &mut open, &mut emptied).await?;
        }
        // The innermost first: it stands behind the one that it is in.
        for Emptied {
            at,
            own,
            name,
            there,
            is_theirs,
        } in emptied.into_iter().rev()
        {
            if !self.makes_way((own, there))? {
                is_all = false;
                continue;
            }
            if let Some(was) = at.was {
                self.pod.drop_layers((was, at.now), &name, is_theirs)?;
            } else if is_theirs {
                match self.pod.rmdir(at.now, name.as_bytes()) {
                    Ok(()) | Err(PodError::NotEmpty | PodError::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            self.is_seen_anew(at, &name);
        }
        Ok(is_all)
    }

    /// The same in one directory; `open` gets those below it, `emptied` those that may go when they are empty.
    async fn let_go_in(
        &self,
        at: Lying,
        open: &mut Vec<Lying>,
        emptied: &mut Vec<Emptied>,
    ) -> Result<bool, PodError> {
        let mut is_all = true;
        let theirs = at.theirs.map(|theirs| self.names_in(theirs)).transpose()?;
        let theirs = theirs.unwrap_or_default();
        let notes = at.was.map(|was| self.pod.own_names(was)).transpose()?;
        let notes = notes.unwrap_or_default();
        let own = self.pod.own_names(at.now)?;
        for note in &notes {
            if !own.iter().any(|own| own.name == note.name) {
                is_all &= self
                    .let_removed_go(at, note, theirs.get(&note.name))
                    .await?;
            }
        }
        for entry in own {
            let note = notes.iter().find(|note| note.name == entry.name);
            let there = theirs.get(&entry.name);
            let is_undecided = self.is_undecided_about(&entry, note, there).await?;
            // They put what is of another kind than theirs beside it at first, and it may have to stay there.
            let is_dir = |kind| kind == FileKind::Directory;
            let is_placed = there.is_none_or(|there| is_dir(there.kind) == is_dir(entry.kind));
            let is_early = is_undecided && (is_placed || self.is_changed_lately(entry.ino)?);
            is_all &= is_placed || !is_early;
            // A copy that was changed here, or removed, is not what they keep this under.
            let is_file = |note: &Dentry| note.kind != FileKind::Directory;
            let is_noted = |name: &Name| notes.iter().any(|it| it.name == *name && is_file(it));
            let is_copy = |name: &Name| {
                *name == entry.name
                    || (!is_early && is_copy_name(&entry.name, name) && !is_noted(name))
            };
            let copies = theirs.iter().filter(|(name, _)| is_copy(name));
            let copies = copies.map(|(_, copy)| *copy);
            let copies: Vec<_> = copies.filter(|copy| copy.kind == entry.kind).collect();
            if entry.kind == FileKind::Directory {
                let note = note.filter(|note| note.kind == FileKind::Directory);
                let below = |theirs| Lying {
                    now: entry.ino,
                    was: note.map(|note| note.ino),
                    theirs,
                };
                emptied.push(Emptied {
                    at,
                    own: entry.ino,
                    name: entry.name.clone(),
                    there: there.map(|there| there.ino),
                    is_theirs: !copies.is_empty(),
                });
                if copies.is_empty() {
                    open.push(below(None));
                }
                open.extend(copies.iter().map(|copy| below(Some(copy.ino))));
            } else if entry.kind == FileKind::Regular {
                if is_undecided && self.may_be_done_otherwise(note, entry.ino)? {
                    is_all = false;
                    continue;
                }
                is_all &= match self
                    .let_file_go((at, there), (&entry, note), &copies)
                    .await?
                {
                    Went::Gone => true,
                    Went::Open => false,
                    Went::Stays => is_undecided || !self.waits_in_vain(at, &entry, there)?,
                };
            }
        }
        Ok(is_all)
    }

    /// Lets a file go when one of these has all its bytes, fetched from where the other one published
    /// them: it is not given up before it was seen to be there. `there` is what is seen then.
    async fn let_file_go(
        &self,
        (at, there): (Lying, Option<&Attr>),
        (entry, note): (&Dentry, Option<&Dentry>),
        copies: &[Attr],
    ) -> Result<Went, PodError> {
        let makes_way = self.makes_way((entry.ino, there.map(|there| there.ino)))?;
        if !makes_way || self.pod.is_open(entry.ino) {
            return Ok(Went::Open);
        }
        let ours = self.pod.getattr(entry.ino)?;
        for copy in copies {
            let is_other =
                copy.size != ours.size || (at.was.is_some() && !self.pod.are_alike(&ours, copy)?);
            if is_other {
                continue;
            }
            let is_same = {
                let mine = Held::open(&self.pod, entry.ino, ours.size)?;
                let theirs = Held::open(&self.pod, copy.ino, copy.size)?;
                mine.is_as(&theirs).await?
            };
            // It may be what they were told first, and they are about to put in its place what they were told since.
            let is_first = is_same && copy.mtime != ours.mtime;
            if is_first && self.may_be_done_otherwise(note, entry.ino)? {
                return Ok(Went::Open);
            }
            if is_same {
                self.drop_notes_below(at, &entry.name)?;
                let went = self.pod.let_go((at.now, &entry.name), &ours, at.was)?;
                self.is_seen_anew(at, &entry.name);
                return Ok(if went { Went::Gone } else { Went::Open });
            }
        }
        Ok(Went::Stays)
    }

    /// Whether what the other one has may be seen where something of a tray is seen now.
    fn makes_way(&self, (own, there): (Ino, Option<Ino>)) -> Result<bool, PodError> {
        there.map_or(Ok(true), |there| self.pod.may_be_seen(there, own))
    }

    /// Where the other one has neither what a file was made from nor the file itself, they keep it beside theirs; or they
    /// had it, and changed it before they told. So it stands beside theirs after a while. Tells whether it is too early.
    fn waits_in_vain(
        &self,
        at: Lying,
        entry: &Dentry,
        theirs: Option<&Attr>,
    ) -> Result<bool, PodError> {
        if at.was.is_none() || theirs.is_none() {
            return Ok(false);
        }
        if self.is_changed_lately(entry.ino)? {
            return Ok(true);
        }
        self.set_beside(at, (at.now, &entry.name))?;
        Ok(false)
    }

    /// A file of a tray gets a name that tells that it was not taken over, and its note goes.
    fn set_beside(&self, at: Lying, (to, name): (Ino, &Name)) -> Result<(), PodError> {
        for nth in 1..=NAMES_MAX {
            let shown = left_name(name, nth)?;
            match self.pod.move_own((at.now, name.as_bytes()), (to, &shown)) {
                Err(PodError::Exists) => {}
                moved => {
                    moved?;
                    self.is_seen_anew(at, &shown);
                    break;
                }
            }
        }
        self.drop_notes_below(at, name)?;
        if let Some(was) = at.was {
            match self.pod.unlink(was, name.as_bytes()) {
                Ok(()) | Err(PodError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        self.is_seen_anew(at, name);
        Ok(())
    }

    /// What a file was made from may have been a folder.
    fn drop_notes_below(&self, at: Lying, name: &Name) -> Result<(), PodError> {
        let Some(was) = at.was else { return Ok(()) };
        match self.pod.lookup(was, name.as_bytes()) {
            Ok(note) if note.kind == FileKind::Directory => {
                self.clear(note.ino)?;
                self.pod.rmdir(was, name.as_bytes())
            }
            Ok(_) | Err(PodError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Lets the note of something go that was removed, once the other one does not have it, or has something else. Tells
    /// whether everything below it was looked at.
    async fn let_removed_go(
        &self,
        at: Lying,
        note: &Dentry,
        theirs: Option<&Attr>,
    ) -> Result<bool, PodError> {
        let Some(was) = at.was else { return Ok(true) };
        let is_settled = match theirs {
            None => true,
            Some(theirs) if note.kind == FileKind::Directory => {
                if theirs.kind == FileKind::Directory && self.has_more(theirs.ino, note.ino).await?
                {
                    // It is there again, without what was removed in it.
                    let made = self
                        .pod
                        .mkdir(at.now, note.name.as_bytes(), 0o700, self.owner);
                    made?;
                    self.is_seen_anew(at, &note.name);
                    return Ok(false);
                }
                theirs.kind != FileKind::Directory
            }
            Some(theirs) => !self.is_undecided(Some(note), Some(theirs)).await?,
        };
        if !is_settled {
            return Ok(true);
        }
        self.drop_notes_below(at, &note.name)?;
        if note.kind != FileKind::Directory {
            self.pod.unlink(was, note.name.as_bytes())?;
        }
        self.is_seen_anew(at, &note.name);
        Ok(true)
    }

    /// A single file: when they have it, it goes; when they have another by then, it is given back, for nothing will
    /// ever tell whether they have it beside that.
    async fn let_single_go(&self, at: Lying, name: &Name) -> Result<bool, PodError> {
        // The note first: both come and go in one record.
        let notes = at.was.map(|was| self.pod.own_names(was)).transpose()?;
        let note = notes.into_iter().flatten().find(|note| note.name == *name);
        let own = self.pod.own_names(at.now)?;
        let Some(own) = own.into_iter().find(|own| own.name == *name) else {
            // It was given back, and a crash left the note.
            if let (Some(was), Some(_)) = (at.was, note) {
                self.pod.unlink(was, name.as_bytes())?;
                self.is_seen_anew(at, name);
            }
            return Ok(true);
        };
        let theirs = at.theirs.map(|theirs| self.names_in(theirs)).transpose()?;
        let Some(theirs) = theirs.and_then(|theirs| theirs.get(name).copied()) else {
            return Ok(true);
        };
        let is_undecided = self.is_undecided(note.as_ref(), Some(&theirs)).await?;
        if is_undecided && self.may_be_done_otherwise(note.as_ref(), own.ino)? {
            return Ok(false);
        }
        match self
            .let_file_go((at, Some(&theirs)), (&own, note.as_ref()), &[theirs])
            .await?
        {
            Went::Gone => return Ok(true),
            Went::Open => return Ok(false),
            Went::Stays => {}
        }
        let Some(note) = note else { return Ok(true) };
        if is_undecided || self.read_base(note.ino).await?.is_none() {
            return Ok(true);
        }
        // There it is the owner's alone, and so are its pages.
        adopt(&self.pod, own.ino).await?;
        self.seal_as_own(own.ino)?;
        self.set_beside(at, (ROOT, name))?;
        Ok(true)
    }

    fn is_seen_anew(&self, at: Lying, name: &Name) {
        if let Some(theirs) = at.theirs {
            self.pod.is_another(theirs, name);
        }
    }

    pub(super) fn names_in(&self, dir: Ino) -> Result<Names, PodError> {
        let mut names = Names::new();
        for (name, ino) in self.pod.received_names(dir)? {
            names.insert(name, self.pod.getattr(ino)?);
        }
        Ok(names)
    }
}
