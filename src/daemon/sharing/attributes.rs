//! Sharing by attributes: `user.pod.share.NAME` of a file or folder.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::control::Refusal;
use crate::daemon::refused::Refused;
use crate::daemon::sharing::Sharing;
use crate::daemon::sharing::answers::Wish;
use crate::format::grant::RevocationLevel;
use crate::format::rows::Given;
use crate::format::rows::GivenState;
use crate::pod::Caller;
use crate::pod::PodError;
use crate::pod::ShareWish;
use crate::pod::XattrMode;
use crate::share::ShareError;
use crate::share::messages::MessageError;
use crate::types::Ino;
use crate::types::Rights;

impl Sharing {
    /// The rights under which an inode itself is shared with a contact of that name.
    pub(in crate::daemon) fn shared_with(
        &self,
        ino: Ino,
        who: &str,
        asked: Caller,
    ) -> Result<Option<String>, PodError> {
        let all = self.shared_now(ino, asked)?;
        let rights = all.iter().filter(|(name, _)| name == who);
        let most = rights
            .map(|(_, given)| given.terms.rights)
            .max_by_key(|it| it.bits());
        Ok(most.map(|rights| rights.to_string()))
    }

    /// All contacts that it is shared with, a line each.
    pub(in crate::daemon) fn all_shared_with(
        &self,
        ino: Ino,
        asked: Caller,
    ) -> Result<String, PodError> {
        let all = self.shared_now(ino, asked)?;
        let mut lines: Vec<String> = all
            .iter()
            .map(|(name, given)| format!("{}\t{name}\n", given.terms.rights))
            .collect();
        lines.sort_unstable();
        lines.dedup();
        Ok(lines.concat())
    }

    /// Shares it with a contact under these rights, in place of others that they had. Whoever has the same already keeps
    /// what they have.
    pub(in crate::daemon) async fn share_by_attribute(
        &self,
        ino: Ino,
        wish: &ShareWish,
        asked: Caller,
    ) -> Result<(), PodError> {
        let rights: Rights = wish.rights.parse().map_err(|_| PodError::InvalidArgument)?;
        let mut before = self.given_to(ino, &wish.who, asked).await?;
        match wish.mode {
            XattrMode::Create if !before.is_empty() => return Err(PodError::Exists),
            XattrMode::Replace if before.is_empty() => return Err(PodError::NoData),
            XattrMode::Either | XattrMode::Create | XattrMode::Replace => {}
        }
        if before.iter().any(|given| given.terms.rights == rights) {
            before.retain(|given| given.terms.rights != rights);
        } else {
            let names = self.publishing.reader().path_of(ino);
            let names = names.ok_or(PodError::NotPermitted)?;
            let parts = names.iter().map(|name| OsStr::from_bytes(name.as_bytes()));
            let given = Wish {
                path: &parts.collect::<PathBuf>(),
                with: &wish.who,
                rights: &wish.rights,
                from: None,
                until: None,
                purpose: "",
                snapshot: false,
                answers: None,
            };
            self.share(&given).await.map_err(refused)?;
        }
        self.end_all(&before).await
    }

    /// Shares it no more with a contact.
    pub(in crate::daemon) async fn unshare_by_attribute(
        &self,
        ino: Ino,
        who: &str,
        asked: Caller,
    ) -> Result<(), PodError> {
        let before = self.given_to(ino, who, asked).await?;
        if before.is_empty() {
            return Err(PodError::NoData);
        }
        self.end_all(&before).await
    }

    async fn end_all(&self, grants: &[Given]) -> Result<(), PodError> {
        for given in grants {
            let ended = self.take_back(given, RevocationLevel::Feed).await;
            ended.map_err(refused)?;
        }
        Ok(())
    }

    /// What a contact has of it, for whoever may change that.
    async fn given_to(&self, ino: Ino, who: &str, asked: Caller) -> Result<Vec<Given>, PodError> {
        if !self.is_owner(asked) || ino.is_received() {
            return Err(PodError::NotPermitted);
        }
        if !self.publishing.is_running() {
            return Err(PodError::ReadOnly);
        }
        self.people.complete().await.map_err(refused)?;
        let contact = self.people.contacts().named(who);
        contact.map_err(|error| refused(error.into()))?;
        let all = self.shared_now(ino, asked)?.into_iter();
        let theirs = all.filter(|(name, _)| name == who);
        Ok(theirs.map(|(_, given)| given).collect())
    }

    /// Grants of the inode itself that are not over, with what those are called who have them. Nobody but the owner of the
    /// pod, and root, is told.
    fn shared_now(&self, ino: Ino, asked: Caller) -> Result<Vec<(String, Given)>, PodError> {
        if !self.is_owner(asked) {
            return Ok(Vec::new());
        }
        let failed = |error: ShareError| refused(error.into());
        let mut shared = Vec::new();
        let added = self.added_to_others().map_err(failed)?;
        for given in self.given.all().map_err(failed)? {
            let is_over = matches!(given.state, GivenState::Ended { .. });
            if given.target == ino && !is_over && !added.contains(&given.id) {
                let name = self.name_of(&given.contact);
                let name = name.map_err(|error: MessageError| refused(error.into()))?;
                shared.push((name, given));
            }
        }
        Ok(shared)
    }

    const fn is_owner(&self, asked: Caller) -> bool {
        asked.is_root() || asked.uid == self.owner.uid
    }
}

/// What a program is told; the log says why, without names.
fn refused(Refused(why, what): Refused) -> PodError {
    tracing::info!(?why, "not shared by an attribute");
    match why {
        Refusal::Unknown => PodError::NoSuchPerson,
        Refusal::Alarm | Refusal::Card => PodError::Denied,
        Refusal::Taken => PodError::NotPermitted,
        Refusal::Network | Refusal::Missing => PodError::Busy,
        Refusal::State => PodError::Io(what),
        Refusal::NoGrant
        | Refusal::Over
        | Refusal::NoNode
        | Refusal::Node
        | Refusal::Message
        | Refusal::Wrong => PodError::InvalidArgument,
    }
}
