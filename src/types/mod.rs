//! Words everybody uses: ids, names, time and limits. Nothing here can fail late or touch the world.

mod contact;
mod id;
pub mod limits;
mod name;
mod plain_text;
mod time;

pub use contact::{ContactName, ContactNameError};
pub use id::{Address, AddressError, Ino, ROOT};
pub use name::{Name, NameError};
pub use plain_text::{PlainText, PlainTextError};
pub use time::{Clock, Timespec, system_clock};
