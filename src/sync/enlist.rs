//! All that is published, queued anew: for a pod that is carried to another node.
//!
//! The rows tell only what this machine keeps, so the published trees are walked, and nodes that are not here are
//! fetched and kept: with them, what is sent finds every page. Nothing is sent before all of it is queued, so a walk
//! that was interrupted is begun again and queues nothing twice.

use crate::format::rows::{Key, Published};
use crate::journal::Class;
use crate::sync::edit::KeptEdit;
use crate::sync::error::SyncError;
use crate::sync::kept::damaged;
use crate::sync::network::Network;
use crate::sync::publisher::Publisher;
use crate::sync::walk::{Errand, Walk};
use crate::types::Ino;

/// Rows that are looked at together.
const ROWS: usize = 256;

impl Publisher {
    /// Queues everything that is published. Nothing is prepared meanwhile.
    ///
    /// # Errors
    /// When a node is not to be had now, or there is no room for it.
    pub(super) async fn enlist(&self, network: &Network) -> Result<(), SyncError> {
        let errand = Errand::Queue(network, KeptEdit::new(Class::Meta));
        let mut walk = Walk::new(self, errand);
        walk.heads()?;
        let last = Key::published(Ino::LAST_OWN);
        let mut next = Some(Key::published(Ino(1)));
        while let Some(from) = next {
            let rows = self.kept.rows().scan(&from, &last, ROWS)?;
            next = rows.last().and_then(|(key, _)| key.successor());
            if rows.len() < ROWS {
                next = None;
            }
            for (key, row) in rows {
                let published = Published::decode(&row).map_err(damaged)?;
                walk.begin(Ino(key.field(0)), published);
                walk.go_on(ROWS).await?;
            }
        }
        walk.end().await.map(drop)
    }
}
