//! What was not taken over becomes its writer's again, with all its pages.

use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::bring::in_time;
use crate::daemon::sharing::far::adopt;
use crate::format::rows::FileKind;
use crate::format::rows::GivenState;
use crate::format::rows::Received;
use crate::format::rows::Revocation;
use crate::pod::PodError;
use crate::types::Ino;
use crate::types::limits::ADOPTED_PATIENCE;

impl Sharing {
    /// All that stands in a directory of a tray becomes the owner's with all its pages. What did not come for long stays
    /// as it is.
    pub(super) async fn adopt_tray(&self, received: &Received, top: Ino) -> Result<(), String> {
        let adopted = in_time(self.adopt_all(top)).await;
        let adopted = adopted.and_then(|adopted| adopted.map_err(|error| error.to_string()));
        let Err(why) = adopted else { return Ok(()) };
        if self.is_over_for_long(received)? {
            tracing::warn!(%why, "what was not taken over is in part where the other one keeps it");
            return Ok(());
        }
        Err(format!(
            "what was not taken over is given back once all of it is here: {why}"
        ))
    }

    /// Whether the grant that goes back ended long ago, or never was.
    fn is_over_for_long(&self, received: &Received) -> Result<bool, String> {
        let since = match self.given_back(received)?.map(|given| given.state) {
            Some(GivenState::Ended { when, .. }) => when.secs,
            Some(GivenState::Waiting | GivenState::Offered) => return Ok(false),
            None => return Ok(true),
        };
        let patience = i64::try_from(ADOPTED_PATIENCE.as_secs()).unwrap_or(i64::MAX);
        Ok((self.clock)().secs.saturating_sub(since) >= patience)
    }

    /// Takes over what it can. Fails when there is something that may come later.
    async fn adopt_all(&self, top: Ino) -> Result<(), PodError> {
        let (mut left, mut adopted) = (vec![top], Ok(()));
        while let Some(dir) = left.pop() {
            for entry in self.pod.own_names(dir)? {
                match entry.kind {
                    FileKind::Directory => left.push(entry.ino),
                    FileKind::Regular => match adopt(&self.pod, entry.ino).await {
                        Ok(()) | Err(PodError::NotFound) => {}
                        Err(
                            error @ (PodError::Unreachable(_) | PodError::NoSpace | PodError::Busy),
                        ) => {
                            adopted = adopted.and(Err(error));
                        }
                        Err(error) => {
                            tracing::warn!(%error, "a file that was not taken over is given back as it is");
                        }
                    },
                    FileKind::Symlink
                    | FileKind::Fifo
                    | FileKind::Socket
                    | FileKind::CharDevice
                    | FileKind::BlockDevice => {}
                }
            }
        }
        adopted
    }

    /// What others published of something, all below it included, is sealed anew by the next publication: in the network it
    /// stays though they pay for it no more. Asked for before it is given back, so that no crash comes between.
    pub(super) fn seal_as_own(&self, target: Ino) -> Result<(), PodError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| PodError::Io(error.to_string()))?;
        let asked = Revocation::adopted(target, (self.clock)(), id);
        let put = self.put_revocation(&asked);
        put.map_err(|error| PodError::Io(error.to_string()))
    }
}
