//! Lineages: under which key a file is sealed that was not published before.

use crate::crypto::keys::{BoxSecret, ConvKey, ScopeId};
use crate::format::rows::Published;
use crate::sync::error::SyncError;
use crate::sync::prepare::Preparation;
use crate::types::Ino;

impl Preparation<'_> {
    /// What was last published under the name of a file that is new: saving again through a temporary file and a
    /// rename goes on with it. Of several names the smallest counts.
    pub(super) fn lineage(&self, ino: Ino) -> Result<Option<(Ino, Published)>, SyncError> {
        let Some((base, _)) = self.base else {
            return Ok(None);
        };
        let parents = self.view.parents(ino)?;
        let Some((dir, name)) = parents.first() else {
            return Ok(None);
        };
        let hash = self.kept.rows().name_hash(*dir, name.as_bytes());
        let Some(before) = base
            .named(*dir, hash, name)?
            .filter(|before| *before != ino)
        else {
            return Ok(None);
        };
        Ok(self
            .kept
            .published(before)?
            .map(|published| (before, published)))
    }

    /// The lineage that a file begins.
    fn new_scope(&self, ino: Ino) -> Result<ScopeId, SyncError> {
        let parents = self.view.parents(ino)?;
        let (dir, name) = parents
            .first()
            .ok_or(SyncError::Contradiction(ino, "it has links and no name"))?;
        self.scope_of(ino, *dir, name.as_bytes())
    }

    /// The lineage of a file: the one that it has, unless all of it is sealed anew.
    pub(super) fn scope(&self, ino: Ino, before: Option<ScopeId>) -> Result<ScopeId, SyncError> {
        let is_directory = self.view.inode(ino)?.is_some_and(|inode| inode.is_dir());
        if is_directory || self.renews(ino) {
            return self.own_scope(ino);
        }
        before.map_or_else(|| self.new_scope(ino), Ok)
    }

    /// The lineage of the nodes of a directory, and of the inode that has its attributes; of a file that was sealed anew.
    pub(super) fn own_scope(&self, ino: Ino) -> Result<ScopeId, SyncError> {
        self.scope_of(ino, ino, b"")
    }

    fn scope_of(&self, ino: Ino, directory: Ino, name: &[u8]) -> Result<ScopeId, SyncError> {
        self.in_box(ino, |secret, _| {
            let key = secret.scope_key();
            match &self.renewals.newest {
                Some(renewal) => key.renewed_id(renewal, directory.0, name),
                None => key.scope_id(directory.0, name),
            }
        })
    }

    /// What is made of an inode is sealed with this, in the box that it is in.
    pub(super) fn conv(&self, ino: Ino, scope: &ScopeId) -> Result<ConvKey, SyncError> {
        let newest = self.renewals.newest.as_ref();
        self.in_box(ino, |secret, one_scope| match newest {
            _ if !one_scope => secret.conv_file(scope),
            None => secret.conv(),
            // Somebody who could open a file of the scope should open no more: another scope is that of all.
            Some(renewal) => secret.conv_file(&secret.scope_key().renewed_id(renewal, 0, b"")),
        })
    }

    fn in_box<T>(
        &self,
        ino: Ino,
        derive: impl FnOnce(&BoxSecret, bool) -> T,
    ) -> Result<T, SyncError> {
        Ok(match self.borders.of(ino)? {
            Some(attached) => derive(&self.boxes.of(attached.number), attached.one_scope),
            None => derive(self.secret, false),
        })
    }
}
