//! Grants that come back, for what others add to what is shared with them.

use std::collections::BTreeMap;

use crate::crypto::identity::Fingerprint;
use crate::daemon::sharing::Sharing;
use crate::format::rows::Given;
use crate::share::ShareError;
use crate::share::back_id;
use crate::share::is_added_to;
use crate::share::takes_place_of;

impl Sharing {
    /// The grant that the owner gave to that person, for which this one comes back.
    pub(super) fn answered_by(
        &self,
        id: &[u8; 16],
        contact: &Fingerprint,
    ) -> Result<Option<Given>, ShareError> {
        let mut given = self.given.all()?.into_iter();
        Ok(given.find(|given| {
            given.contact == *contact && is_added_to(&given.terms) && back_id(&given.id) == *id
        }))
    }

    /// Whether a grant of that id belongs to somebody who adds: nobody else gives it.
    pub(super) fn is_place_of_answer(&self, id: &[u8; 16]) -> Result<bool, ShareError> {
        let given = self.given.all()?;
        let mut added_to = given.iter().filter(|given| is_added_to(&given.terms));
        Ok(added_to.any(|given| takes_place_of(id, &given.id)))
    }

    /// The grants that come back, with what they come back for.
    pub(super) fn added_by_others(&self) -> Result<BTreeMap<[u8; 16], Given>, ShareError> {
        let given = self.given.all()?.into_iter();
        let given = given.filter(|given| is_added_to(&given.terms));
        Ok(given.map(|given| (back_id(&given.id), given)).collect())
    }

    /// The ids of grants that the owner gives back for what they add: nobody asked for them.
    pub(super) fn added_to_others(&self) -> Result<Vec<[u8; 16]>, ShareError> {
        let all = self.received.all()?;
        let added_to = all.iter().filter(|received| is_added_to(&received.terms));
        Ok(added_to.map(|received| back_id(&received.id)).collect())
    }
}
