//! Words everybody uses: ids, names, time and limits. Nothing here can fail late or touch the world.

mod contact;
mod id;
pub mod limits;
mod name;
mod time;

pub use contact::{ContactName, ContactNameError};
pub use id::{Address, AddressError, Ino, RECEIVED, ROOT, SHARED};
pub use name::{Name, NameError};
pub use time::{Clock, Timespec, system_clock};
