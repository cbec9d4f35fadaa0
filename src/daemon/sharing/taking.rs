//! What others added to folders of the owner, or changed of what is shared with them: brought out of sight, and taken
//! over file by file.

use std::collections::BTreeMap;

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::merging::Coming;
use crate::daemon::sharing::placing::OtherKind;
use crate::daemon::sharing::rest::NotNow;
use crate::daemon::sharing::rest::Rest;
use crate::format::rows::FileKind;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::format::rows::Received;
use crate::pod::Attr;
use crate::pod::PodError;
use crate::share::copy_name;
use crate::share::is_written_to;
use crate::types::ADDED;
use crate::types::Ino;
use crate::types::Name;
use crate::types::limits::ADDED_COPIES_MAX;
use crate::types::limits::ADDED_SETTLES;
use crate::types::limits::PAGE;

/// Bytes of the unit in which room is told.
const BLOCK: u64 = 512;

/// Whose additions are taken over, and into what.
pub(super) struct Taking<'a> {
    pub(super) given: &'a Given,
    person: Name,
    /// Whether they may change what is there.
    pub(super) is_written: bool,
}

/// What came back: what is there now, and what changes were made from.
#[derive(Clone, Copy)]
pub(super) struct Came {
    pub(super) now: Ino,
    pub(super) was: Option<Ino>,
}

impl Sharing {
    pub(super) async fn take_over_from(&self, received: &Received, given: &Given) -> Rest {
        let mut rest = Rest::default();
        let person = self.refuse_stopped(&given.contact);
        let person = person.and_then(|()| self.person(received));
        let taking = person.map(|person| Taking {
            given,
            person,
            is_written: is_written_to(&given.terms),
        });
        let done = match taking {
            Ok(taking) => self.take_over_all(received, &taking, &mut rest).await,
            Err(why) => Err(NotNow::Failed(why)),
        };
        let synced = self.pod.rows().sync();
        rest.add(done);
        rest.add(synced.map_err(|error| NotNow::Failed(error.to_string())));
        rest
    }

    async fn take_over_all(
        &self,
        received: &Received,
        taking: &Taking<'_>,
        rest: &mut Rest,
    ) -> Result<(), NotNow> {
        // What was removed is told from what did not come yet only when all of it is here, and stays.
        let _stays = if taking.is_written {
            Some(self.stays(&received.id).await)
        } else {
            None
        };
        let seen = self.received.seen(&received.feed);
        let seen = seen.map_err(|error| NotNow::Failed(error.to_string()))?;
        if taking.is_written && !seen.is_some_and(|seen| seen.is_brought) {
            return Ok(());
        }
        let Some(came) = self.came(received, taking)? else {
            return Ok(());
        };
        if taking.given.terms.kind != FileKind::Directory {
            return self.take_single_over(taking, came).await;
        }
        let others = self.take_over_below(taking, came, rest).await;
        // What was renamed is there under its new name before it goes under the old one.
        if let Some(was) = came.was
            && rest.is_known()
        {
            self.remove_what_went(taking, (was, came.now), rest).await;
        }
        if !rest.is_left() {
            self.put_in_place(taking, &others, rest).await;
        }
        Ok(())
    }

    /// What came back, if it is here.
    fn came(&self, received: &Received, taking: &Taking<'_>) -> Result<Option<Came>, NotNow> {
        let name = added_name(received).map_err(NotNow::Failed)?;
        let find = |dir, name: &[u8]| {
            let found = self.found(dir, name)?;
            Ok::<_, NotNow>(found.map(|found| found.ino))
        };
        let Some(top) = find(ADDED, name.as_bytes())? else {
            return Ok(None);
        };
        if !taking.is_written {
            return Ok(Some(Came {
                now: top,
                was: None,
            }));
        }
        let (now, was) = (find(top, b"now")?, find(top, b"was")?);
        Ok(now.filter(|_| was.is_some()).map(|now| Came { now, was }))
    }

    /// Everything below, one directory after the other. Gives what is of another kind than what it was made from.
    async fn take_over_below(
        &self,
        taking: &Taking<'_>,
        top: Came,
        rest: &mut Rest,
    ) -> Vec<OtherKind> {
        let mut others = Vec::new();
        let mut open = vec![(top, Vec::<Name>::new())];
        while let Some((at, path)) = open.pop() {
            let names = self.pod.received_names(at.now);
            let notes = at
                .was
                .map_or(Ok(Vec::new()), |was| self.pod.received_names(was));
            let (Ok(mut names), Ok(notes)) = (names, notes) else {
                rest.is_unknown();
                continue;
            };
            let notes: BTreeMap<Name, Ino> = notes.into_iter().collect();
            names.sort_unstable();
            for (name, ino) in names {
                let note = notes.get(&name).copied();
                let of_note = note.map(|note| self.pod.getattr(note)).transpose();
                let (Ok(attr), Ok(of_note)) = (self.pod.getattr(ino), of_note) else {
                    rest.is_unknown();
                    continue;
                };
                let is_dir = |attr: &Attr| attr.kind == FileKind::Directory;
                let alike = note.filter(|_| of_note.as_ref().map(is_dir) == Some(is_dir(&attr)));
                if let (Some(note), None) = (note, alike) {
                    others.push(OtherKind {
                        path: path.clone(),
                        name: name.clone(),
                        came: ino,
                        note,
                    });
                }
                if is_dir(&attr) {
                    let below = Came {
                        now: ino,
                        was: alike,
                    };
                    open.push((
                        below,
                        [path.as_slice(), std::slice::from_ref(&name)].concat(),
                    ));
                }
                let taken = self
                    .take_one_over(taking, &path, (&name, &attr, (note, alike)))
                    .await;
                match &taken {
                    Ok(()) => {}
                    Err(NotNow::Over) => return Vec::new(),
                    Err(NotNow::Later | NotNow::Failed(_)) => rest.waits(&attr, alike),
                }
                rest.add(taken.map_err(|why| why.of(&name)));
            }
        }
        others
    }

    async fn take_one_over(
        &self,
        taking: &Taking<'_>,
        path: &[Name],
        (name, attr, (note, alike)): (&Name, &Attr, (Option<Ino>, Option<Ino>)),
    ) -> Result<(), NotNow> {
        if self.pod.is_taken_over(attr.ino)? {
            return Ok(());
        }
        match attr.kind {
            // It is there, or was, and holds what was changed in it.
            FileKind::Directory if alike.is_some() => Ok(()),
            FileKind::Directory => {
                let dir = self.into(taking, path)?;
                self.folder(taking, dir, name)?;
                Ok(self.pod.has_taken_over((attr.ino, None), None)?)
            }
            FileKind::Regular => {
                self.refuse_early(attr)?;
                let dir = self.into(taking, path)?;
                let of = Coming {
                    name,
                    attr: *attr,
                    note,
                };
                self.take_file_over(taking, dir, &of).await
            }
            // A link would lead the owner where somebody else wants.
            FileKind::Symlink
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => Ok(()),
        }
    }

    /// What changed a moment ago may be half a file; and what is more than fits waits.
    pub(super) fn refuse_early(&self, attr: &Attr) -> Result<(), NotNow> {
        let age = (self.clock)().secs.saturating_sub(attr.ctime.secs);
        let settles = i64::try_from(ADDED_SETTLES.as_secs()).unwrap_or(i64::MAX);
        if (0..settles).contains(&age) {
            return Err(NotNow::Later);
        }
        let free = self.pod.statfs().free.saturating_mul(PAGE as u64);
        let takes = attr.blocks.saturating_mul(BLOCK);
        if takes > free {
            return Err(NotNow::Failed(format!(
                "it has {takes} bytes, and there is room for {free}"
            )));
        }
        Ok(())
    }

    /// The folder as it is now, or the one that a single file is in; nothing is added to it when the grant is over, or it
    /// is gone.
    pub(super) fn shared_folder(&self, taking: &Taking<'_>) -> Result<Ino, NotNow> {
        let given = self.given.find(&taking.given.id);
        let given = given.map_err(|error| NotNow::Failed(error.to_string()))?;
        let given = given.ok_or(NotNow::Over)?;
        let now = (self.clock)().secs;
        let is_over = given.terms.until.is_some_and(|until| until <= now);
        if given.state != GivenState::Offered || is_over {
            return Err(NotNow::Over);
        }
        if given.terms.kind != FileKind::Directory {
            return self.folder_of_single(&given);
        }
        match self.pod.getattr(given.target) {
            Ok(attr) if attr.kind == FileKind::Directory && attr.nlink > 0 => Ok(attr.ino),
            Ok(_) | Err(PodError::NotFound) => Err(NotNow::Over),
            Err(error) => Err(error.into()),
        }
    }

    /// The owner's folder at a path below the shared one; what is missing of it is made.
    fn into(&self, taking: &Taking<'_>, path: &[Name]) -> Result<Ino, NotNow> {
        let mut at = self.shared_folder(taking)?;
        for name in path {
            at = self.folder(taking, at, name)?;
        }
        Ok(at)
    }

    /// The folder of that name, or the copy of it when something else has the name.
    fn folder(&self, taking: &Taking<'_>, dir: Ino, name: &Name) -> Result<Ino, NotNow> {
        for nth in 0..ADDED_COPIES_MAX {
            let name = taking.name(name, nth)?;
            match self.pod.take_directory_over(dir, &name, self.owner) {
                Err(PodError::NotADirectory) => {}
                made => return Ok(made?),
            }
        }
        Err(no_name())
    }
}

impl Taking<'_> {
    /// The name itself, or that of the nth copy.
    pub(super) fn name(&self, name: &Name, nth: usize) -> Result<Name, NotNow> {
        match nth {
            0 => Ok(name.clone()),
            1..ADDED_COPIES_MAX => copy_name(name, &self.person, nth).ok_or_else(no_name),
            _ => Err(no_name()),
        }
    }
}

/// Name of what one person added to one folder, among what others did.
pub(super) fn added_name(received: &Received) -> Result<Name, String> {
    let name = hex::encode(received.id);
    Name::parse(name.as_bytes()).map_err(|error| error.to_string())
}

fn no_name() -> NotNow {
    NotNow::Failed("no name is free for something that was added".to_owned())
}
