//! What was received is lifted into the tray before it is changed: as a file of the owner's own with the same contents,
//! which stay where they are. So it takes one record, however large the file is.

use std::ops::Range;

use crate::format::rows::{Bucket, FileKind, Inode, Key, RunKind, Xattr, Xattrs};
use crate::journal::{Batch, Class, Sealed};
use crate::pod::Pod;
use crate::pod::contents::SharedGuard;
use crate::pod::edit::Edit;
use crate::pod::error::PodError;
use crate::pod::tray::Layers;
use crate::types::limits::{BUCKET_PAGES, LIFTED_NAMES_MAX};
use crate::types::{Ino, Name};

/// How often something may change while it is lifted.
const TURNS_MAX: usize = 8;
/// Bytes that a record brings to the log, roughly.
const STEP_BYTES: u64 = 128 * 1024;
/// Its owner may write to what was lifted.
const WRITABLE: u32 = 0o200;

impl Pod {
    /// A file that was received becomes one of the tray; one that was removed and is open still, one without a name. Gives
    /// its number.
    ///
    /// # Errors
    /// [`PodError::ReadOnly`]: it may not be changed. [`PodError::Stale`]: it was removed.
    pub(super) fn lift(&self, received: Ino) -> Result<Ino, PodError> {
        if self.inode(received)?.kind() != FileKind::Regular {
            return Err(PodError::ReadOnly);
        }
        for _ in 0..TURNS_MAX {
            let (dir, name) = self.name_of(received)?.ok_or(PodError::ReadOnly)?;
            let place = self.place_of(dir, &name)?.ok_or(PodError::ReadOnly)?;
            let layers = self.make_layers(dir, &place)?;
            match self.lift_to((dir, &name), received, layers) {
                // Another version came, or a directory of the tray went, just now.
                Err(PodError::NotFound) => {}
                lifted => return lifted,
            }
        }
        Err(PodError::NotFound)
    }

    fn lift_to(
        &self,
        (dir, name): (Ino, &Name),
        received: Ino,
        layers: Layers,
    ) -> Result<Ino, PodError> {
        let spot = |dir| self.spot(dir, name.as_bytes());
        let (theirs, now, was) = (spot(dir)?, spot(layers.now)?, spot(layers.was)?);
        self.rows.admit(STEP_BYTES)?;
        let own = self.fresh_ino();
        let held = [dir, received, layers.now, layers.was, own];
        let held = self.locks.lock(&held);
        let inode = self.inode(received)?;
        let mut edit = Edit::new(self);
        if edit.entry(&theirs)?.map(|(ino, _)| ino) != Some(received) {
            return Err(PodError::NotFound);
        }
        if let Some(own) = self.became(received) {
            return Ok(own);
        }
        // Another stands there, or nothing: it was removed, and is who has it open alone.
        let is_removed = edit.entry(&now)?.is_some() || edit.entry(&was)?.is_some();
        if is_removed && !self.has_open(received) {
            return Err(PodError::Stale);
        }
        let mut lifted = Inode {
            mode: inode.mode | WRITABLE,
            nlink: u32::from(!is_removed),
            pages: 0,
            cut: u64::MAX,
            ..inode
        };
        let mut batch = Batch::new(Class::Data);
        let guard = self.put_contents((received, own), &mut lifted, &mut batch)?;
        let mut sealed = None;
        if !is_removed {
            edit.insert(&now, own, FileKind::Regular)?;
            edit.count(layers.now, 1, 0, self.now())?;
            sealed = self.add_note(&mut edit, &was, received, &mut batch)?;
        }
        edit.add(own, lifted);
        edit.finish(&mut batch);
        self.append_lifted((received, own), batch, sealed)?;
        let open = self.becomes(received, own);
        if is_removed {
            self.opens.doom(own);
        }
        drop((guard, held));
        self.release_received(received, open);
        self.release(own)?;
        Ok(own)
    }

    /// Appends the record of what is lifted, which is open from then on. Whoever sees it is told the number that they
    /// know.
    fn append_lifted(
        &self,
        (received, own): (Ino, Ino),
        batch: Batch,
        sealed: Option<Sealed>,
    ) -> Result<(), PodError> {
        self.is_to_become(received, own);
        self.opens.open(own);
        let appended = self.rows.append(batch, sealed);
        if appended.is_err() {
            self.opens.close(own);
            self.is_itself_again(own);
        }
        Ok(appended?)
    }

    /// Gives a new inode what another one has that was received: its pages, where they are, and its attributes.
    fn put_contents(
        &self,
        (received, own): (Ino, Ino),
        lifted: &mut Inode,
        batch: &mut Batch,
    ) -> Result<SharedGuard<'_>, PodError> {
        let pages = self.remote_pages(received)?;
        let guard = self.put_remote(own, lifted, &pages, batch)?;
        self.copy_attributes(received, own, batch)?;
        // It is published as it was, until it is published anew.
        if let Some(published) = self.find_published(received)?
            && published.contents.is_some()
        {
            batch.put(Key::published(own), published.encode());
        }
        Ok(guard)
    }

    /// Where a file has pages that are published.
    fn remote_pages(&self, ino: Ino) -> Result<Vec<Range<u64>>, PodError> {
        let (from, to) = (Key::extent(ino, 0), Key::extent(ino, u64::MAX));
        let mut pages: Vec<Range<u64>> = Vec::new();
        for (key, row) in self.rows.scan(&from, &to, usize::MAX)? {
            let first = key.field(1).saturating_mul(BUCKET_PAGES as u64);
            for run in Bucket::decode(&row)?.runs {
                let start = first.saturating_add(u64::from(run.start));
                let end = start.saturating_add(u64::from(run.count));
                match pages.last_mut() {
                    _ if run.kind != RunKind::Remote => {}
                    Some(last) if last.end == start => last.end = end,
                    _ => pages.push(start..end),
                }
            }
        }
        Ok(pages)
    }

    /// Gives a new inode the extended attributes of another.
    pub(in crate::pod) fn copy_attributes(
        &self,
        from: Ino,
        to: Ino,
        batch: &mut Batch,
    ) -> Result<(), PodError> {
        for (key, row) in self.attribute_rows(to, &self.all_attributes(from)?) {
            batch.put(key, row);
        }
        Ok(())
    }

    /// The extended attributes of an inode, in the order of their names.
    pub(in crate::pod) fn all_attributes(&self, ino: Ino) -> Result<Vec<Xattr>, PodError> {
        let mut xattrs = Vec::new();
        self.each_xattr_row(ino, |_, row| {
            xattrs.extend(Xattrs::decode(row)?.0);
            Ok(())
        })?;
        xattrs.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(xattrs)
    }

    /// Lifts a directory that was received with all that is seen below it. Gives what each of the directories is to
    /// become; nothing looks other than before.
    ///
    /// # Errors
    /// [`PodError::CrossDevice`]: it is too much, or there is something that cannot be lifted.
    pub(super) fn lift_tree(&self, top: Ino) -> Result<Vec<(Ino, Ino)>, PodError> {
        let (mut left, mut lifted, mut names) = (vec![top], Vec::new(), 0_usize);
        while let Some(dir) = left.pop() {
            let place = self.place(dir)?.ok_or(PodError::ReadOnly)?;
            let layers = self.make_layers(dir, &place)?;
            lifted.push((dir, layers.now));
            for (name, ino) in self.received_names(dir)? {
                names = names.saturating_add(1);
                if names > LIFTED_NAMES_MAX {
                    return Err(PodError::CrossDevice);
                }
                let seen = self.seen_spot(dir, name.as_bytes())?;
                if seen.is_none_or(|spot| spot.dir != dir) {
                    continue;
                }
                match self.inode(ino)?.kind() {
                    FileKind::Regular => match self.lift(ino) {
                        // It was removed just now.
                        Err(PodError::Stale) => {}
                        lifted => drop(lifted?),
                    },
                    FileKind::Directory => left.push(ino),
                    FileKind::Symlink
                    | FileKind::Fifo
                    | FileKind::Socket
                    | FileKind::CharDevice
                    | FileKind::BlockDevice => return Err(PodError::CrossDevice),
                }
            }
        }
        Ok(lifted)
    }
}
