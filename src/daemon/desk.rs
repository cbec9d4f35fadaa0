//! What the daemon tells programs in `.pod`, and does for those who set attributes.

use std::sync::Arc;

use serde::Serialize;

use crate::daemon::config::SharedBy;
use crate::daemon::live::Live;
use crate::daemon::message_report::report;
use crate::daemon::messages::Mail;
use crate::daemon::shelf::read_state;
use crate::format::message::MessageBody;
use crate::format::wire::Malformed;
use crate::pod::Caller;
use crate::pod::Desk;
use crate::pod::Doing;
use crate::pod::Drawer;
use crate::pod::Item;
use crate::pod::Opening;
use crate::pod::PodError;
use crate::pod::ShareWish;
use crate::pod::Told;
use crate::share::audit::LOG;
use crate::share::audit::Line;
use crate::share::audit::read;
use crate::share::messages::Kept;
use crate::share::messages::MessageError;
use crate::share::messages::Way;
use crate::types::Ino;
use crate::types::limits::READ_DEADLINE;

/// Behind the id of a message, in the name of its file.
const SUFFIX: &str = ".json";

impl Desk for Live {
    fn items(
        &self,
        drawer: Drawer,
        behind: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Item>, PodError> {
        let items = items(self.mail(), drawer, behind, limit);
        items.map_err(|error| unread(&error))
    }

    fn find(&self, drawer: Drawer, name: &str) -> Result<Option<Item>, PodError> {
        let Some(id) = name.strip_suffix(SUFFIX).filter(|id| id.len() == 32) else {
            return Ok(None);
        };
        match self.mail().messages().one(id) {
            Ok(kept) => Ok(item(drawer, &kept).filter(|item| item.name == name)),
            Err(MessageError::Unknown(_) | MessageError::NoId(_)) => Ok(None),
            Err(error) => Err(unread(&error)),
        }
    }

    fn read(&self, told: Told) -> Doing<'_, Vec<u8>> {
        Box::pin(async move {
            match told {
                Told::Status => {
                    let live = self.clone();
                    let made = tokio::task::spawn_blocking(move || live.report()).await;
                    pretty(&made.map_err(|error| unread(&error))?)
                }
                Told::Audit => self.audit_lines().await,
                Told::Item(drawer, place) => self.message(drawer, place),
            }
        })
    }

    fn shared_with(&self, ino: Ino, who: &str, asked: Caller) -> Result<Option<String>, PodError> {
        self.house().sharing().shared_with(ino, who, asked)
    }

    fn all_shared_with(&self, ino: Ino, asked: Caller) -> Result<String, PodError> {
        self.house().sharing().all_shared_with(ino, asked)
    }

    fn share(&self, ino: Ino, wish: ShareWish, asked: Caller) -> Doing<'_, ()> {
        if self.config().shared_by == SharedBy::Commands {
            // A program that copies attributes must not give anything away that its user did not mean to give.
            tracing::info!("nothing is shared by an attribute: mounted without -o share_xattr");
            return Box::pin(std::future::ready(Err(PodError::NotPermitted)));
        }
        let sharing = Arc::clone(self.house().sharing());
        to_its_end(async move { sharing.share_by_attribute(ino, &wish, asked).await })
    }

    fn failed(&self, ino: Ino, error: &PodError) {
        let now = (crate::daemon::clock::clock())();
        self.failures().failed(ino, error, now);
    }

    fn opened(&self, ino: Ino, opening: Opening) {
        let now = (crate::daemon::clock::clock())();
        self.openings().opened(ino, opening, now);
    }

    fn unshare(&self, ino: Ino, who: String, asked: Caller) -> Doing<'_, ()> {
        let sharing = Arc::clone(self.house().sharing());
        to_its_end(async move { sharing.unshare_by_attribute(ino, &who, asked).await })
    }
}

impl Live {
    fn mail(&self) -> &Mail {
        self.house().people().mail()
    }

    /// The lines of `podfs audit --json`.
    async fn audit_lines(&self) -> Result<Vec<u8>, PodError> {
        let log = read_state(self.house().pod(), LOG, READ_DEADLINE).await;
        let log = log.map_err(|error| unread(&error))?.unwrap_or_default();
        let mut lines = Vec::new();
        for (number, record) in (0..).zip(read(&log)) {
            let record = record.map_err(|error: Malformed| unread(&error))?;
            let line = serde_json::to_writer(&mut lines, &Line::of(number, &record));
            line.map_err(|error| unread(&error))?;
            lines.push(b'\n');
        }
        Ok(lines)
    }

    fn message(&self, drawer: Drawer, place: u64) -> Result<Vec<u8>, PodError> {
        let (way, number) = of_place(drawer, place);
        let messages = self.mail().messages();
        let kept = messages.all(way, number.saturating_sub(1), 1);
        let kept = kept.map_err(|error| unread(&error))?.into_iter().next();
        let kept = kept.filter(|kept| kept.number == number && item(drawer, kept).is_some());
        let kept = kept.ok_or(PodError::NotFound)?;
        pretty(&report(messages, &kept).map_err(|error| unread(&error))?)
    }
}

fn items(
    mail: &Mail,
    drawer: Drawer,
    behind: Option<u64>,
    limit: usize,
) -> Result<Vec<Item>, MessageError> {
    let ways: &[Way] = match drawer {
        Drawer::Inbox => &[Way::Received],
        Drawer::Requests => &[Way::Received, Way::Sent],
    };
    let mut all = Vec::new();
    for way in ways {
        // Of each way those that can be behind that place.
        let mut after = behind.map_or(0, |place| of_place(drawer, place).1.saturating_sub(1));
        let mut found = 0;
        while found < limit {
            let read = mail.messages().all(*way, after, limit)?;
            let is_last = read.len() < limit;
            after = read.last().map_or(after, |last| last.number);
            let new = read.iter().filter_map(|kept| item(drawer, kept));
            let before = all.len();
            all.extend(new.filter(|item| behind.is_none_or(|behind| item.place > behind)));
            found = found.saturating_add(all.len().saturating_sub(before));
            if is_last {
                break;
            }
        }
    }
    all.sort_unstable_by_key(|item| item.place);
    all.truncate(limit);
    Ok(all)
}

/// Messages that came stand at their numbers; requests of both ways at the even and the odd places.
const fn of_place(drawer: Drawer, place: u64) -> (Way, u64) {
    match drawer {
        Drawer::Inbox => (Way::Received, place),
        Drawer::Requests if place & 1 == 0 => (Way::Received, place >> 1),
        Drawer::Requests => (Way::Sent, place >> 1),
    }
}

/// The item that a message is, if it is one of that directory.
fn item(drawer: Drawer, kept: &Kept) -> Option<Item> {
    let is_own = kept.way == Way::Sent;
    let place = match (drawer, &kept.row.message.body) {
        (Drawer::Inbox, MessageBody::Witness(_)) => return None,
        (Drawer::Inbox, _) if !is_own => kept.number,
        (Drawer::Requests, MessageBody::Request(_)) => kept.number << 1 | u64::from(is_own),
        _ => return None,
    };
    Some(Item {
        place,
        name: format!("{}{SUFFIX}", hex::encode(kept.row.message.id.0)),
        since: kept.row.since,
    })
}

/// What has begun is done, whether somebody waits for it or not.
fn to_its_end(
    work: impl Future<Output = Result<(), PodError>> + Send + 'static,
) -> Doing<'static, ()> {
    let task = tokio::spawn(work);
    Box::pin(async move { task.await.unwrap_or_else(|error| Err(unread(&error))) })
}

fn pretty(value: &impl Serialize) -> Result<Vec<u8>, PodError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| unread(&error))?;
    text.push(b'\n');
    Ok(text)
}

fn unread(why: &dyn std::fmt::Display) -> PodError {
    PodError::Io(why.to_string())
}
