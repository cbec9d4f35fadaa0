use crate::daemon::sharing::Sharing;
use crate::format::audit::SignedCheckpoint;
use crate::format::grant::Renewed;
use crate::format::rows::Given;
use crate::format::rows::Revocation;
use crate::share::ShareError;
use crate::share::Told;
use crate::sync::Followed;
use crate::sync::Followers;
use crate::sync::Seen;
use crate::types::Address;

impl Followers for Sharing {
    fn followed(&self) -> Result<Vec<Followed>, String> {
        let given = self.given.followed().map_err(failed)?;
        let given = given.iter();
        let told = given.filter(|given| !self.is_silent(given));
        Ok(told.map(followed).collect())
    }

    fn published(&self, seen: Vec<(Followed, Option<Seen>)>) -> Result<(), String> {
        let checkpoint = self.publishing.publisher().published_checkpoint();
        if let Some(Ok(checkpoint)) = checkpoint.map(|bytes| SignedCheckpoint::decode(&bytes)) {
            self.given
                .set_log(self.people.audit().published(checkpoint));
        }
        // A grant that came meanwhile asks for itself; one that ended has said so.
        for given in self.given.followed().map_err(failed)? {
            if self.is_silent(&given) {
                continue;
            }
            let of_grant = followed(&given);
            let Some((_, seen)) = seen.iter().find(|(it, _)| *it == of_grant) else {
                continue;
            };
            let seen = seen.as_ref().map(|seen| {
                let (dir, name) = &seen.now.place;
                ((seen.now.ino, *dir, name), seen.attributes.clone())
            });
            let told = self.given.is_published(&given, seen, (self.clock)());
            let mut untold = self.untold.lock();
            match told {
                Ok(told) => {
                    untold.remove(&given.id);
                    if told == Told::Later {
                        self.again.store(true, std::sync::atomic::Ordering::Release);
                    }
                }
                // It keeps nobody else from being told.
                Err(error) => {
                    tracing::warn!(%error, "a grant is not told what was published");
                    untold.insert(given.id, format!("the new version is not told: {error}"));
                }
            }
        }
        self.wake.notify_one();
        Ok(())
    }

    fn records(&self) -> Result<Vec<Address>, String> {
        self.given.records().map_err(failed)
    }

    fn renewed(&self, asked: &Revocation, renewed: Renewed) -> Result<(), String> {
        self.is_renewed(asked, renewed).map_err(failed)
    }

    fn has_no_room(&self, asked: &Revocation) -> Result<(), String> {
        self.has_too_little_room(asked).map_err(failed)
    }
}

fn followed(given: &Given) -> Followed {
    Followed {
        ino: given.target,
        place: (given.directory, given.name.clone()),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn failed(error: ShareError) -> String {
    error.to_string()
}
