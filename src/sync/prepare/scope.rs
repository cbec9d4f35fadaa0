//! Lineages: under which key a file is sealed that was not published before.

use crate::crypto::keys::ScopeId;
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
        Ok(self.scope_of(*dir, name.as_bytes()))
    }

    /// The lineage of a file: the one that it has, unless all of it is sealed anew.
    pub(super) fn scope(&self, ino: Ino, before: Option<ScopeId>) -> Result<ScopeId, SyncError> {
        let is_directory = self.view.inode(ino)?.is_some_and(|inode| inode.is_dir());
        if is_directory || self.renewals.has(ino) {
            return Ok(self.own_scope(ino));
        }
        before.map_or_else(|| self.new_scope(ino), Ok)
    }

    /// The lineage of the nodes of a directory, and of the inode that has its attributes; of a file that was sealed anew.
    pub(super) fn own_scope(&self, ino: Ino) -> ScopeId {
        self.scope_of(ino, b"")
    }

    fn scope_of(&self, directory: Ino, name: &[u8]) -> ScopeId {
        let key = self.secret.scope_key();
        match &self.renewals.newest {
            Some(renewal) => key.renewed_id(renewal, directory.0, name),
            None => key.scope_id(directory.0, name),
        }
    }
}
