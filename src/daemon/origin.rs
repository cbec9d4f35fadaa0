//! Which audit log a pod has: what the keys say that it began with, for ever.

use crate::daemon::audit::Audit;
use crate::daemon::audit::not_recorded;
use crate::daemon::audit::unread;
use crate::daemon::fault::Fault;
use crate::format::wire::Malformed;
use crate::share::audit::ORIGIN;

impl Audit {
    /// Which log it is: it stays that when the pod is handed over.
    pub(super) async fn origin(&self) -> Result<[u8; 32], Fault> {
        let read = async || {
            let file = self.whole(ORIGIN).await?;
            match file.as_slice() {
                [] => Ok(self.began),
                kept => kept.try_into().map_err(|_| unread(&Malformed("origin"))),
            }
        };
        self.origin.get_or_try_init(read).await.copied()
    }

    /// From now on the pod itself says which log it is, whatever its keys are derived from. Durable when this returns.
    ///
    /// # Errors
    /// When the pod does not take or give it.
    pub(super) async fn keep_origin(&self) -> Result<(), Fault> {
        let origin = self.origin().await?;
        if self.whole(ORIGIN).await?.is_empty() {
            let put = self.pod.put_state(ORIGIN, &origin);
            put.map_err(|error| not_recorded(&error))?;
        }
        let synced = self.pod.rows().sync();
        synced.map_err(|error| not_recorded(&error))
    }
}
