//! Words everybody uses: ids, names, time and limits. Nothing here can fail late or touch the world.

mod contact;
mod id;
pub mod limits;
mod name;
mod plain_text;
mod purpose;
mod rights;
mod time;

pub use contact::{ContactName, ContactNameError};
pub use id::{ADDED, Address, AddressError, Ino, RECEIVED, ROOT, SHARED, TOLD};
pub use name::{Name, NameError};
pub use plain_text::{PlainText, PlainTextError};
pub use purpose::{Purpose, PurposeError};
pub use rights::{Rights, RightsError};
pub use time::{Clock, Timespec, system_clock};
