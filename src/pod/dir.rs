use std::collections::VecDeque;

use crate::format::rows::{Dentries, FileKind, Key};
use crate::pod::Pod;
use crate::pod::attr::Attr;
use crate::pod::error::PodError;
use crate::pod::received::SHARED_NAME;
use crate::pod::state::is_reserved;
use crate::types::{ADDED, Ino, ROOT, SHARED, TOLD};

/// Rows read at a time while a directory is listed.
const SCAN: usize = 128;
/// Cookie of `.`.
const SELF: u64 = 1;
/// Cookie of `..`.
const PARENT: u64 = 2;
/// Cookie of what stands in the root directory without a row; hashes of names are below it, or nearly never the same.
const LAST: u64 = i64::MAX as u64;

/// One entry of a listing.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// What it names.
    pub ino: Ino,
    /// Its kind.
    pub kind: FileKind,
    /// Its name: `.` and `..` come first.
    pub name: &'a [u8],
    /// Where a listing goes on behind it. Cookies stay right whatever else is made or removed meanwhile.
    pub cookie: u64,
}

impl Pod {
    /// What `name` in `dir` names.
    pub fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Attr, PodError> {
        if is_reserved(dir, name) {
            return self.told_top();
        }
        if dir.is_told() {
            return self.lookup_told(dir, name);
        }
        // A rename or unlink may come between the reads, and what stands in a tray may go: then it is looked for again.
        for _ in 0..8 {
            let spot = self.seen_spot(dir, name)?;
            let spot = spot.ok_or(PodError::NotFound)?;
            let Some((ino, _)) = self.named(&spot)? else {
                if spot.dir == dir {
                    return Err(PodError::NotFound);
                }
                continue;
            };
            if let Some(inode) = self.find_inode(ino)? {
                return self.shown(ino, &inode);
            }
        }
        Err(PodError::Corrupt("a name without its inode".into()))
    }

    /// Target of a symlink.
    pub fn readlink(&self, ino: Ino) -> Result<Box<[u8]>, PodError> {
        let inode = self.inode(ino)?;
        if inode.target.is_empty() {
            Err(PodError::InvalidArgument)
        } else {
            Ok(inode.target)
        }
    }

    /// The directory that holds `dir`; of the root the root, of a removed directory itself.
    pub fn parent(&self, dir: Ino) -> Result<Ino, PodError> {
        if matches!(dir, ROOT | SHARED | ADDED | TOLD) {
            return Ok(ROOT);
        }
        let (from, to) = (
            Key::parent(dir, Ino(0), 0),
            Key::parent(dir, Ino(u64::MAX), u64::MAX),
        );
        if dir.is_told() {
            return Ok(TOLD);
        }
        let found = self.rows.scan(&from, &to, 1)?;
        Ok(found.first().map_or(dir, |(key, _)| Ino(key.field(1))))
    }

    /// Gives the entries of `dir` behind `cookie` (0 for all) to `take` in the order of their cookies, until it
    /// answers false: then that entry was not taken.
    pub fn readdir(
        &self,
        dir: Ino,
        cookie: u64,
        mut take: impl FnMut(Entry<'_>) -> bool,
    ) -> Result<(), PodError> {
        for (at, name) in [(SELF, &b"."[..]), (PARENT, b"..")] {
            if cookie >= at {
                continue;
            }
            let entry = Entry {
                ino: if at == SELF {
                    dir
                } else {
                    self.seen_parent(dir)?
                },
                kind: FileKind::Directory,
                name,
                cookie: at,
            };
            if !take(entry) {
                return Ok(());
            }
        }
        if dir.is_told() {
            return self.list_told(dir, cookie, take);
        }
        let next = cookie.max(PARENT).saturating_add(1);
        let mut own = Listing::new(self, (dir, dir), next);
        let behind = self.behind(dir)?;
        let mut added = behind.map(|behind| Listing::new(self, (dir, behind), next));
        while let Some((hash, mut row)) = first(&mut own, added.as_mut())? {
            row.0
                .retain(|entry| !is_reserved(dir, entry.name.as_bytes()));
            if !list_row(hash, &row, &mut take) {
                return Ok(());
            }
        }
        if cookie < LAST
            && dir == ROOT
            && let Some(shared) = self.shared_entry(SHARED_NAME)?
        {
            take(Entry {
                ino: shared.ino,
                kind: shared.kind,
                name: SHARED_NAME,
                cookie: LAST,
            });
        }
        Ok(())
    }
}

/// The rows of a directory in the order of their hashes.
struct Listing<'p> {
    pod: &'p Pod,
    /// The directory that is listed, and the one that this is of.
    of: (Ino, Ino),
    read: VecDeque<(u64, Dentries)>,
    /// Hash from which to read on; nothing when all is read.
    next: Option<u64>,
}

impl<'p> Listing<'p> {
    const fn new(pod: &'p Pod, of: (Ino, Ino), from: u64) -> Self {
        Self {
            pod,
            of,
            read: VecDeque::new(),
            next: Some(from),
        }
    }

    /// The hash of the next row.
    fn peek(&mut self) -> Result<Option<u64>, PodError> {
        if self.read.is_empty()
            && let Some(next) = self.next
        {
            let (_, at) = self.of;
            let (from, to) = (Key::dentry(at, next), Key::dentry(at, u64::MAX));
            let rows = self.pod.rows.scan(&from, &to, SCAN)?;
            let last = rows.last().filter(|_| rows.len() == SCAN);
            self.next = last.map(|(key, _)| key.field(1).saturating_add(1));
            for (key, value) in &rows {
                let row = Dentries::decode(value)?;
                self.read.push_back((key.field(1), row));
            }
        }
        Ok(self.read.front().map(|(hash, _)| *hash))
    }

    /// The next row, as far as it is seen.
    fn pop(&mut self) -> Result<Option<(u64, Dentries)>, PodError> {
        let next = self.read.pop_front();
        next.map(|(hash, row)| Ok((hash, self.pod.seen_entries(self.of, row)?)))
            .transpose()
    }
}

/// The next row of a directory, and of what was added to it: two rows of one hash are as one.
fn first(
    own: &mut Listing<'_>,
    added: Option<&mut Listing<'_>>,
) -> Result<Option<(u64, Dentries)>, PodError> {
    let Some(added) = added else {
        own.peek()?;
        return own.pop();
    };
    let (next, behind) = (own.peek()?, added.peek()?);
    let is_own = next.is_some_and(|next| behind.is_none_or(|behind| next <= behind));
    let mut row = if is_own { own.pop()? } else { None };
    let is_added = behind.is_some_and(|behind| next.is_none_or(|next| behind <= next));
    if is_added && let Some((hash, more)) = added.pop()? {
        // Names have other hashes in another directory: these are only for the order.
        let (_, row) = row.get_or_insert_with(|| (hash, Dentries::default()));
        row.0.extend(more.0);
    }
    Ok(row)
}

/// Of several names in one row all but the last carry the cookie before the row, so that a listing that stopped
/// between them repeats the row and skips none.
fn list_row(hash: u64, row: &Dentries, take: &mut impl FnMut(Entry<'_>) -> bool) -> bool {
    let last = row.0.len().saturating_sub(1);
    row.0.iter().enumerate().all(|(at, entry)| {
        take(Entry {
            ino: entry.ino,
            kind: entry.kind,
            name: entry.name.as_bytes(),
            cookie: if at == last { hash } else { hash - 1 },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::rows::Dentry;
    use crate::pod::Caller;
    use crate::types::Name;

    const OWNER: Caller = Caller { uid: 0, gid: 0 };

    fn list(pod: &Pod, dir: Ino, cookie: u64, most: usize) -> Vec<(Vec<u8>, u64)> {
        let mut found = Vec::new();
        pod.readdir(dir, cookie, |entry| {
            let room = found.len() < most;
            if room {
                found.push((entry.name.to_vec(), entry.cookie));
            }
            room
        })
        .unwrap();
        found
    }

    #[test]
    fn a_listing_in_pieces_is_whole_while_others_come_and_go() {
        let pod = Pod::in_memory();
        for n in 0..400 {
            pod.create(ROOT, format!("f{n}").as_bytes(), 0o600, OWNER)
                .unwrap();
        }
        let mut names = Vec::new();
        let mut cookie = 0;
        loop {
            let piece = list(&pod, ROOT, cookie, 7);
            let Some((_, last)) = piece.last() else { break };
            cookie = *last;
            names.extend(piece.into_iter().map(|(name, _)| name));
            pod.create(ROOT, format!("new{cookie}").as_bytes(), 0o600, OWNER)
                .unwrap();
            pod.unlink(ROOT, format!("new{cookie}").as_bytes()).unwrap();
        }
        assert_eq!(&names[..2], [b".".to_vec(), b"..".to_vec()]);
        let mut files: Vec<_> = names.split_off(2);
        files.sort();
        let mut wanted: Vec<_> = (0..400).map(|n| format!("f{n}").into_bytes()).collect();
        wanted.sort();
        assert_eq!(files, wanted);
    }

    #[test]
    fn names_of_one_hash_are_repeated_rather_than_skipped() {
        let dentry = |name: &[u8]| Dentry {
            ino: Ino(9),
            kind: FileKind::Regular,
            name: Name::parse(name).unwrap(),
        };
        let row = Dentries(vec![dentry(b"a"), dentry(b"b"), dentry(b"c")]);
        let mut cookies = Vec::new();
        list_row(77, &row, &mut |entry| {
            cookies.push(entry.cookie);
            true
        });
        assert_eq!(cookies, [76, 76, 77]);
    }

    #[test]
    fn dot_dot_is_the_parent() {
        let pod = Pod::in_memory();
        let outer = pod.mkdir(ROOT, b"outer", 0o755, OWNER).unwrap().ino;
        let inner = pod.mkdir(outer, b"inner", 0o755, OWNER).unwrap().ino;
        assert_eq!(pod.parent(inner).unwrap(), outer);
        assert_eq!(pod.parent(outer).unwrap(), ROOT);
        assert_eq!(pod.parent(ROOT).unwrap(), ROOT);
    }
}
