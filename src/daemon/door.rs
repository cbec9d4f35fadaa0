//! Doors: those of others, at which requests wait, and the own one, where people who are no contacts ask.

use tokio::time::Instant;

use crate::daemon::messages::Mail;
use crate::share::messages::Collected;
use crate::share::messages::MessageError;
use crate::share::messages::Way;
use crate::store::endpoints::Endpoints;
use crate::types::limits::DOOR_AGAIN;

impl Mail {
    /// Puts what is asked for at the doors of others, and looks at the own one when it is time or somebody asks.
    pub(super) async fn doors(
        &self,
        endpoints: &Endpoints,
        is_asked: bool,
    ) -> Result<Collected, MessageError> {
        let now = (self.clock)();
        let put = self.messages.knock(endpoints, &self.node, now).await;
        let begun = Instant::now();
        let is_due = self.door_due.lock().is_none_or(|due| due <= begun);
        if !is_due && !is_asked {
            put?;
            return Ok(Collected::default());
        }
        let before = self.messages.newest(Way::Received)?;
        let seen = self.messages.look_at_door(endpoints, now).await?;
        *self.door_due.lock() = begun.checked_add(DOOR_AGAIN);
        self.has_come(seen.received, before).await?;
        if seen.received > 0 {
            // That it has arrived is told at once.
            self.messages.send(endpoints, &self.node, now).await?;
        }
        let (received, skipped, put) = (seen.received, seen.skipped, put?);
        if received + skipped + put > 0 {
            tracing::info!(received, skipped, put, "at the doors");
        }
        if seen.is_door_full {
            tracing::info!("more people who are no contacts ask than are kept");
        }
        Ok(seen)
    }
}
