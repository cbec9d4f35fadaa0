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

    /// The lineage that a file begins; of a directory that of its nodes.
    pub(super) fn new_scope(&self, ino: Ino) -> Result<ScopeId, SyncError> {
        if self.view.inode(ino)?.is_some_and(|inode| inode.is_dir()) {
            return self.directory_scope(ino);
        }
        let parents = self.view.parents(ino)?;
        let (dir, name) = parents
            .first()
            .ok_or(SyncError::Contradiction(ino, "it has links and no name"))?;
        self.in_box(ino, |secret, _| {
            secret.scope_key().scope_id(dir.0, name.as_bytes())
        })
    }

    /// The lineage of the nodes of a directory, and of the inode that has its attributes.
    pub(super) fn directory_scope(&self, dir: Ino) -> Result<ScopeId, SyncError> {
        self.in_box(dir, |secret, _| secret.scope_key().scope_id(dir.0, b""))
    }

    /// What is made of an inode is sealed with this, in the box that it is in.
    pub(super) fn conv(&self, ino: Ino, scope: &ScopeId) -> Result<ConvKey, SyncError> {
        self.in_box(ino, |secret, one_scope| {
            if one_scope {
                secret.conv()
            } else {
                secret.conv_file(scope)
            }
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
