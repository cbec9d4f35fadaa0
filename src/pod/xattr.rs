use crate::format::rows::{Key, Xattr, Xattrs};
use crate::journal::{Batch, Class, Value};
use crate::pod::Pod;
use crate::pod::error::PodError;
use crate::pod::received::refuse_received;
use crate::types::Ino;
use crate::types::limits::{NAME_MAX, XATTR_LIST_MAX, XATTR_VALUE_MAX};

/// The one namespace that is offered.
const USER: &[u8] = b"user.";
/// Answered by podfs itself, never stored.
const RESERVED: &[u8] = b"user.pod.";
/// How far the inode has come into the network.
const STATE: &[u8] = b"user.pod.state";
/// Rows read at a time.
const SCAN: usize = 32;
/// Attributes up to which the list cannot be too long, whatever their names.
const LIST_SAFE: usize = XATTR_LIST_MAX / (NAME_MAX + 1);

/// Whether the attribute must be new or must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XattrMode {
    /// Neither.
    Either,
    /// [`PodError::Exists`] if it is there (`XATTR_CREATE`).
    Create,
    /// [`PodError::NoData`] if it is not (`XATTR_REPLACE`).
    Replace,
}

impl Pod {
    /// Sets an extended attribute.
    pub fn setxattr(
        &self,
        ino: Ino,
        name: &[u8],
        value: &[u8],
        mode: XattrMode,
    ) -> Result<(), PodError> {
        check_name(name)?;
        if name.starts_with(RESERVED) {
            return Err(PodError::NotPermitted);
        }
        if value.len() > XATTR_VALUE_MAX {
            return Err(PodError::TooLarge);
        }
        refuse_received(&[ino])?;
        self.rows.admit(value.len() as u64)?;
        let _held = self.locks.lock(&[ino]);
        let mut inode = self.inode(ino)?;
        let (key, mut row) = self.xattr_row(ino, name)?;
        let place = row.0.iter_mut().find(|xattr| *xattr.name == *name);
        match (place, mode) {
            (Some(_), XattrMode::Create) => return Err(PodError::Exists),
            (None, XattrMode::Replace) => return Err(PodError::NoData),
            (Some(xattr), _) => xattr.value = value.into(),
            (None, _) => {
                if inode.xattrs as usize >= LIST_SAFE {
                    let list = self.listxattr(ino)?.len() + name.len() + 1;
                    if list > XATTR_LIST_MAX {
                        return Err(PodError::NoSpace);
                    }
                }
                inode.xattrs = inode.xattrs.saturating_add(1);
                row.0.push(Xattr {
                    name: name.into(),
                    value: value.into(),
                });
            }
        }
        inode.ctime = self.now();
        let mut batch = Batch::new(Class::Data);
        batch.put(key, row.encode());
        batch.put(Key::inode(ino), inode.encode());
        Ok(self.rows.append(batch, None)?)
    }

    /// Value of an extended attribute, or what podfs itself answers under a name of its own; [`PodError::NoData`] when
    /// there is none.
    pub fn getxattr(&self, ino: Ino, name: &[u8]) -> Result<Box<[u8]>, PodError> {
        check_name(name)?;
        if ino.is_told() {
            return Err(PodError::NoData);
        }
        let inode = self.inode(ino)?;
        if name == STATE {
            return Ok(self.remote.state(ino).as_bytes().into());
        }
        if inode.xattrs == 0 {
            return Err(PodError::NoData);
        }
        let (_, row) = self.xattr_row(ino, name)?;
        let found = row.0.into_iter().find(|xattr| *xattr.name == *name);
        found.map(|xattr| xattr.value).ok_or(PodError::NoData)
    }

    /// Names of all extended attributes, each with a NUL behind it. Those of podfs are not among them: whoever copies
    /// all attributes of a file would fail to set them.
    pub fn listxattr(&self, ino: Ino) -> Result<Vec<u8>, PodError> {
        let mut names = Vec::new();
        if ino.is_told() {
            return Ok(names);
        }
        if self.inode(ino)?.xattrs == 0 {
            return Ok(names);
        }
        self.each_xattr_row(ino, |_, row| {
            for xattr in Xattrs::decode(row)?.0 {
                names.extend_from_slice(&xattr.name);
                names.push(0);
            }
            Ok(())
        })?;
        Ok(names)
    }

    /// Removes an extended attribute; [`PodError::NoData`] when there is none.
    pub fn removexattr(&self, ino: Ino, name: &[u8]) -> Result<(), PodError> {
        check_name(name)?;
        if name.starts_with(RESERVED) {
            return Err(PodError::NotPermitted);
        }
        refuse_received(&[ino])?;
        self.rows.admit(0)?;
        let _held = self.locks.lock(&[ino]);
        let mut inode = self.inode(ino)?;
        let (key, mut row) = self.xattr_row(ino, name)?;
        let at = row.0.iter().position(|xattr| *xattr.name == *name);
        row.0.remove(at.ok_or(PodError::NoData)?);
        inode.xattrs = inode.xattrs.saturating_sub(1);
        inode.ctime = self.now();
        let mut batch = Batch::new(Class::Meta);
        if row.0.is_empty() {
            batch.delete(key);
        } else {
            batch.put(key, row.encode());
        }
        batch.put(Key::inode(ino), inode.encode());
        Ok(self.rows.append(batch, None)?)
    }

    fn xattr_row(&self, ino: Ino, name: &[u8]) -> Result<(Key, Xattrs), PodError> {
        let key = Key::xattr(ino, self.rows.name_hash(ino, name));
        let row = match self.rows.get(&key)? {
            Some(row) => Xattrs::decode(&row)?,
            None => Xattrs::default(),
        };
        Ok((key, row))
    }

    /// Shows all attribute rows of the inode, a few at a time: their values may be large.
    pub(super) fn each_xattr_row(
        &self,
        ino: Ino,
        mut see: impl FnMut(Key, &Value) -> Result<(), PodError>,
    ) -> Result<(), PodError> {
        let mut next = 0;
        loop {
            let (from, to) = (Key::xattr(ino, next), Key::xattr(ino, u64::MAX));
            let rows = self.rows.scan(&from, &to, SCAN)?;
            for (key, row) in &rows {
                see(*key, row)?;
                next = key.field(1).saturating_add(1);
            }
            if rows.len() < SCAN {
                return Ok(());
            }
        }
    }
}

fn check_name(name: &[u8]) -> Result<(), PodError> {
    if !name.starts_with(USER) {
        Err(PodError::NotSupported)
    } else if name.len() == USER.len() {
        Err(PodError::InvalidArgument)
    } else if name.len() > NAME_MAX {
        Err(PodError::Range)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::Caller;
    use crate::types::ROOT;

    #[test]
    fn attributes_are_kept_listed_and_removed() {
        let pod = Pod::in_memory();
        let owner = Caller { uid: 0, gid: 0 };
        let ino = pod.mknod(ROOT, b"f", (0o600, 0), owner).unwrap().ino;
        assert!(matches!(
            pod.getxattr(ino, b"user.a"),
            Err(PodError::NoData)
        ));
        pod.setxattr(ino, b"user.a", b"one", XattrMode::Create)
            .unwrap();
        pod.setxattr(ino, b"user.b", &vec![7; XATTR_VALUE_MAX], XattrMode::Either)
            .unwrap();
        let again = pod.setxattr(ino, b"user.a", b"x", XattrMode::Create);
        assert!(matches!(again, Err(PodError::Exists)));
        let missing = pod.setxattr(ino, b"user.c", b"x", XattrMode::Replace);
        assert!(matches!(missing, Err(PodError::NoData)));
        pod.setxattr(ino, b"user.a", b"", XattrMode::Replace)
            .unwrap();
        assert_eq!(*pod.getxattr(ino, b"user.a").unwrap(), *b"");
        let list = pod.listxattr(ino).unwrap();
        let mut names: Vec<_> = list.split(|b| *b == 0).collect();
        names.sort_unstable();
        assert_eq!(names, [&b""[..], b"user.a", b"user.b"]);
        pod.removexattr(ino, b"user.a").unwrap();
        assert!(matches!(
            pod.removexattr(ino, b"user.a"),
            Err(PodError::NoData)
        ));
        assert_eq!(pod.inode(ino).unwrap().xattrs, 1);
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let pod = Pod::in_memory();
        let set = |name: &[u8], value: &[u8]| pod.setxattr(ROOT, name, value, XattrMode::Either);
        assert!(matches!(
            set(b"security.capability", b"x"),
            Err(PodError::NotSupported)
        ));
        assert!(matches!(
            set(b"user.pod.state", b"x"),
            Err(PodError::NotPermitted)
        ));
        let long = vec![0; XATTR_VALUE_MAX + 1];
        assert!(matches!(set(b"user.a", &long), Err(PodError::TooLarge)));
        let removed = pod.removexattr(ROOT, b"user.pod.state");
        assert!(matches!(removed, Err(PodError::NotPermitted)));
        let unknown = pod.getxattr(ROOT, b"user.pod.other");
        assert!(matches!(unknown, Err(PodError::NoData)));
    }

    #[test]
    fn the_state_is_answered_by_name_and_not_listed() {
        let pod = Pod::in_memory();
        assert_eq!(*pod.getxattr(ROOT, STATE).unwrap(), *b"local");
        assert_eq!(pod.listxattr(ROOT).unwrap(), b"");
        let gone = pod.getxattr(Ino(99), STATE);
        assert!(matches!(gone, Err(PodError::NotFound)));
        let fake = std::sync::Arc::new(crate::pod::fake::Fake::default());
        let pod = Pod::in_memory_with(fake);
        pod.setxattr(ROOT, b"user.a", b"", XattrMode::Either)
            .unwrap();
        assert_eq!(*pod.getxattr(ROOT, STATE).unwrap(), *b"confirmed");
        assert_eq!(pod.listxattr(ROOT).unwrap(), b"user.a\0");
    }

    #[test]
    fn the_list_has_a_bound() {
        let pod = Pod::in_memory();
        let refused = (0..400).find_map(|n| {
            let name = format!("user.{n:0250}");
            pod.setxattr(ROOT, name.as_bytes(), b"", XattrMode::Create)
                .err()
        });
        assert!(matches!(refused, Some(PodError::NoSpace)));
        assert!(pod.listxattr(ROOT).unwrap().len() <= XATTR_LIST_MAX);
    }
}
