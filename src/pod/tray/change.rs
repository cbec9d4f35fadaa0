//! Names that are made, taken away and moved in what was received: in its tray.

use std::sync::Arc;

use crate::format::rows::FileKind;
use crate::pod::Pod;
use crate::pod::error::PodError;
use crate::pod::rename::Taken;
use crate::pod::tray::{At, Place, Tray};
use crate::types::{Ino, ROOT};

/// How often directories of a tray may go, being empty, while something is done in them.
const TURNS_MAX: usize = 8;

/// Where a rename takes place.
pub(in crate::pod) struct Moving {
    pub(in crate::pod) from: Ino,
    pub(in crate::pod) to: Ino,
    /// Directories that were received, and what they are once it is done.
    pub(in crate::pod) lifted: Vec<(Ino, Ino)>,
}

impl Moving {
    const fn plain(from: Ino, to: Ino) -> Self {
        Self {
            from,
            to,
            lifted: Vec::new(),
        }
    }
}

impl Pod {
    /// Where a new name in `dir` is to be made: in its tray, when it was received.
    ///
    /// # Errors
    /// [`PodError::ReadOnly`]: nobody may add to it. [`PodError::Exists`]: the other one has that name.
    /// [`PodError::NotPermitted`]: what only files and folders are added to.
    pub(in crate::pod) fn to_add(&self, at: At<'_>, kind: FileKind) -> Result<Ino, PodError> {
        let is_shared = matches!(kind, FileKind::Regular | FileKind::Directory);
        if !at.0.is_received() {
            let is_refused = !is_shared && self.tray_around(at.0)?.is_some();
            return if is_refused {
                Err(PodError::NotPermitted)
            } else {
                Ok(at.0)
            };
        }
        let place = self.place(at.0)?.ok_or(PodError::ReadOnly)?;
        if self.seen(at)?.is_some() {
            return Err(PodError::Exists);
        }
        if !is_shared {
            return Err(PodError::NotPermitted);
        }
        self.make_place(at.0, &place)
    }

    /// A directory was made or moved under a name, in the tray: one of the other one's that was removed there does not
    /// come back with it.
    pub(in crate::pod) fn is_in_place_of(
        &self,
        (dir, name): At<'_>,
        tray: Ino,
    ) -> Result<(), PodError> {
        if let Some((theirs, FileKind::Directory)) = self.named(&self.any_spot(dir, name)?)?
            && let Some((own, FileKind::Directory)) = self.named(&self.spot(tray, name)?)?
        {
            self.is_hidden_by(theirs, own);
        }
        Ok(())
    }

    /// Where a name in `dir` stands that is to be taken away: in its tray, when it was received. Nothing when it is
    /// gone by then.
    ///
    /// # Errors
    /// [`PodError::ReadOnly`]: it is the other one's, or nobody may add to it. [`PodError::NotFound`].
    pub(in crate::pod) fn to_remove(
        &self,
        at: At<'_>,
        is_dir: bool,
    ) -> Result<Option<Ino>, PodError> {
        if !at.0.is_received() {
            return Ok(Some(at.0));
        }
        let place = self.place(at.0)?.ok_or(PodError::ReadOnly)?;
        if place.tray.was.is_some() {
            return self.take_away(at, &place, is_dir);
        }
        if self.has_theirs(at)? {
            return Err(PodError::ReadOnly);
        }
        let behind = self.follow(place.tray.now, &place.below)?;
        behind.map(Some).ok_or(PodError::NotFound)
    }

    /// The same where it may be changed: what the other one has there is noted, and so gone.
    fn take_away(
        &self,
        (dir, name): At<'_>,
        place: &Place,
        is_dir: bool,
    ) -> Result<Option<Ino>, PodError> {
        for _ in 0..TURNS_MAX {
            let spot = self.seen_spot(dir, name)?.ok_or(PodError::NotFound)?;
            let (ino, kind) = self.named(&spot)?.ok_or(PodError::NotFound)?;
            match (kind == FileKind::Directory, is_dir) {
                (true, false) => return Err(PodError::IsADirectory),
                (false, true) => return Err(PodError::NotADirectory),
                (true, true) if !self.is_seen_empty(ino)? => return Err(PodError::NotEmpty),
                _ => {}
            }
            if spot.dir != dir {
                return Ok(Some(spot.dir));
            }
            let layers = self.make_layers(dir, place)?;
            match self.note_base((dir, name), layers) {
                Err(PodError::NotFound) => continue,
                noted => noted?,
            }
            self.keep_for_those_who_have_it_open(ino);
            let own = self.named(&self.spot(layers.now, name)?)?;
            return Ok(own.map(|_| layers.now));
        }
        Err(PodError::NotFound)
    }

    /// Something that was received was removed: it is theirs who have it open, and goes with the last of them.
    fn keep_for_those_who_have_it_open(&self, received: Ino) {
        if self.has_open(received)
            && let Err(error) = self.lift(received)
        {
            tracing::debug!(%error, "a file that was removed is lifted once it is written to");
        }
    }

    /// Whether the other one has that name.
    pub(super) fn has_theirs(&self, (dir, name): At<'_>) -> Result<bool, PodError> {
        Ok(dir.is_received() && self.named(&self.any_spot(dir, name)?)?.is_some())
    }

    /// Where both ends of a rename stand. What is the other one's goes nowhere and gives way to nothing, unless it may
    /// be changed.
    pub(in crate::pod) fn to_move(
        &self,
        from: At<'_>,
        to: At<'_>,
        taken: Taken,
    ) -> Result<Moving, PodError> {
        if self.trays.read().is_empty() && !from.0.is_received() && !to.0.is_received() {
            return Ok(Moving::plain(from.0, to.0));
        }
        let written = [self.is_written(from.0)?, self.is_written(to.0)?];
        if written[0] || written[1] {
            return self.to_move_written((from, written[0]), (to, written[1]), taken);
        }
        let (of_others, to_others) = (from.0.is_received(), to.0.is_received());
        let refused = if of_others == to_others {
            PodError::ReadOnly
        } else {
            PodError::CrossDevice
        };
        let source = match self.to_remove(from, false) {
            Err(PodError::ReadOnly) => return Err(refused),
            source => source?.ok_or(PodError::NotFound)?,
        };
        if to_others && self.place(to.0)?.is_none() {
            return Err(refused);
        }
        if self.has_theirs(to)? {
            return Err(match taken {
                Taken::Keep => PodError::Exists,
                Taken::Replace | Taken::Exchange => PodError::ReadOnly,
            });
        }
        let kind = self.named(&self.spot(source, from.1)?)?;
        let (_, kind) = kind.ok_or(PodError::NotFound)?;
        let is_shared = matches!(kind, FileKind::Regular | FileKind::Directory);
        if !is_shared && (to_others || self.tray_around(to.0)?.is_some()) {
            // A link or a device is moved to where it would be shared: a copy of what it leads to can be.
            return Err(if of_others {
                PodError::NotPermitted
            } else {
                PodError::CrossDevice
            });
        }
        Ok(Moving::plain(source, self.standing(to.0)?))
    }

    /// The same where one of them may be changed.
    fn to_move_written(
        &self,
        (from, of_written): (At<'_>, bool),
        (to, to_written): (At<'_>, bool),
        taken: Taken,
    ) -> Result<Moving, PodError> {
        // What stands in a tray has pages of others: a copy of it has its own.
        let is_of_others = from.0.is_received() || self.tray_around(from.0)?.is_some();
        if !to_written || (!of_written && (is_of_others || taken == Taken::Exchange)) {
            return Err(PodError::CrossDevice);
        }
        let spot = self.seen_spot(from.0, from.1)?.ok_or(PodError::NotFound)?;
        let (ino, kind) = self.named(&spot)?.ok_or(PodError::NotFound)?;
        if !matches!(kind, FileKind::Regular | FileKind::Directory) {
            return Err(PodError::CrossDevice);
        }
        let target = self.seen(to)?;
        if taken == Taken::Keep && target.is_some() {
            return Err(PodError::Exists);
        }
        if taken == Taken::Replace
            && let Some((target, FileKind::Directory)) = target
            && target != ino
            && !self.is_seen_empty(target)?
        {
            return Err(if kind == FileKind::Directory {
                PodError::NotEmpty
            } else {
                PodError::IsADirectory
            });
        }
        let mut lifted = Vec::new();
        if let Some((ino, kind)) = target
            && ino.is_received()
        {
            self.lift_any((ino, kind), &mut lifted)?;
        }
        if ino.is_received() {
            self.lift_any((ino, kind), &mut lifted)?;
        }
        Ok(Moving {
            from: self.standing(from.0)?,
            to: self.standing(to.0)?,
            lifted,
        })
    }

    fn lift_any(
        &self,
        (ino, kind): (Ino, FileKind),
        lifted: &mut Vec<(Ino, Ino)>,
    ) -> Result<(), PodError> {
        match kind {
            FileKind::Regular => self.lift(ino).map(drop),
            FileKind::Directory => {
                lifted.extend(self.lift_tree(ino)?);
                Ok(())
            }
            FileKind::Symlink
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => Err(PodError::CrossDevice),
        }
    }

    /// The directory of the tray that lies on one that was received; any other is what it is.
    fn standing(&self, dir: Ino) -> Result<Ino, PodError> {
        if !dir.is_received() {
            return Ok(dir);
        }
        let place = self.place(dir)?.ok_or(PodError::ReadOnly)?;
        self.make_place(dir, &place)
    }

    /// Whether what is in a directory may be changed though others share it.
    fn is_written(&self, dir: Ino) -> Result<bool, PodError> {
        let tray = if dir.is_received() {
            self.place(dir)?.map(|place| place.tray)
        } else {
            self.tray_around(dir)?
        };
        Ok(tray.is_some_and(|tray| tray.was.is_some()))
    }

    /// The tray that a directory of the owner's is, or stands in.
    pub(in crate::pod) fn tray_around(&self, dir: Ino) -> Result<Option<Tray>, PodError> {
        let trays = Arc::clone(&self.trays.read());
        let mut at = dir;
        while !trays.is_empty() && at != ROOT {
            if let Some((_, tray)) = trays.of(at) {
                return Ok(Some(tray));
            }
            let above = self.parent(at)?;
            if above == at {
                break;
            }
            at = above;
        }
        Ok(None)
    }
}
