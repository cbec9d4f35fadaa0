//! Limits of what has to do with other people.

use std::time::Duration;

/// Longest name of a contact, in bytes.
pub const CONTACT_NAME_MAX: usize = 64;
/// Longest purpose of a grant or of a request, in bytes.
pub const PURPOSE_MAX: usize = 400;
/// Longest grant, in bytes: it travels in one message.
pub const GRANT_MAX: usize = 1200;
/// Grants that the owner gives, and that one person may give to the owner.
pub const GRANTS_MAX: usize = 1000;
/// How often what is shared is looked after.
pub const SHARING_TICK: Duration = Duration::from_secs(30);
/// How often it is looked whether what was offered, and not accepted, is over.
pub const OFFERED_AGAIN: Duration = Duration::from_secs(600);
/// Grants of others that are looked for at once.
pub const SHARES_AT_ONCE: usize = 8;
/// How long one look at a grant takes, and how long one bringing, before it is the turn of others.
pub const BRING_PATIENCE: Duration = Duration::from_secs(120);
/// Messages that are looked at together for grants.
pub const MESSAGES_TAKEN: usize = 64;
/// How long something that others added rests before it is taken over: until then it may be half written.
pub const ADDED_SETTLES: Duration = Duration::from_secs(5);
/// Names that are tried for something that others added.
pub const ADDED_COPIES_MAX: usize = 1000;
/// How long something that was changed waits for the owner, who has another version by now, to keep it too.
pub const CHANGED_PATIENCE: Duration = Duration::from_secs(600);
/// How long what was not taken over waits, from the end of the grant on, for pages of it that do not come.
pub const ADOPTED_PATIENCE: Duration = Duration::from_secs(28 * 24 * 3600);
/// Names in a directory of others that is moved in one step; one with more is copied by whoever moves it.
pub const LIFTED_NAMES_MAX: usize = if cfg!(test) { 100 } else { 10_000 };
/// Bytes of a path that are shown: as many as a request of the kernel has.
pub const PATH_SHOWN_MAX: usize = 4096;
/// Indices one after the other at which a feed of a grant may have nothing: no postage batch had room there, or the last
/// of them is left out because the grant ended.
pub const GRANT_GAP: u64 = 4;
/// How far behind what is known the newest record of a grant is looked for: up to two to this power.
pub const GRANT_REACH: u32 = 20;
/// Contacts of a pod.
pub const CONTACTS_MAX: usize = 10_000;
/// People who are blocked.
pub const BLOCKED_MAX: usize = 10_000;
/// Cards that are looked for at once above the newest one known: so many lost in a row hide what is above them.
pub const CARD_REACH: u64 = 8;
/// Cards between the one that is pinned and a newer one, at most: each has to be fetched, to see that they are a chain.
pub const CARD_CHAIN_MAX: u64 = 256;
/// Bits of the epoch on a card. What is above them counts the identities that somebody had before.
pub const CARD_EPOCH_BITS: u32 = 24;
/// Highest epoch on a card.
pub const CARD_EPOCH_MAX: u32 = (1 << CARD_EPOCH_BITS) - 1;
/// Highest epoch that is recovered: all feeds up to it are looked for.
pub const SOUGHT_EPOCH_MAX: u32 = 4096;
/// Identities that somebody had before the one that they have.
pub const IDENTITIES_MAX: usize = 255;
/// Contacts in one answer on the control socket.
pub const CONTACTS_AT_ONCE: usize = 64;
/// How long a command about a card waits for the network.
pub const CARD_PATIENCE: Duration = Duration::from_secs(150);
/// And the command for the daemon.
pub const PEOPLE_PATIENCE: Duration = Duration::from_secs(200);
/// How long a command about people waits for those that another machine knew, after which it is told that they are still
/// being fetched.
pub const PEOPLE_WAIT: Duration = Duration::from_secs(15);
/// A file about people that has to be fetched has this long.
pub const PEOPLE_FILE_PATIENCE: Duration = Duration::from_secs(60);
/// Files about people fetched at once.
pub const PEOPLE_AT_ONCE: usize = 16;
/// Pause before what could not be fetched about people is tried again: the first, and the longest.
pub const PEOPLE_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Shares that a phrase is split into, at most.
pub const SHARES_MAX: u8 = 32;
/// Longest file with a share or a phrase, in bytes.
pub const PHRASE_FILE_MAX: u64 = 4096;

/// Files of what podfs tells that are open at once: each is kept as it was when it was opened.
pub const TOLD_OPEN_MAX: usize = 64;
/// Files of which a failed read is recorded in one stretch of time; other failures are counted.
pub const FAILURES_TOLD: usize = 8;
/// Openings of files that are recorded in one stretch of time, when they are; others are counted.
pub const OPENINGS_TOLD: usize = 256;
/// What happened last before a mount ends has so long to be recorded.
pub const AUDIT_LAST: Duration = Duration::from_secs(5);
/// How long such a stretch is.
pub const LATELY_WINDOW: Duration = Duration::from_secs(3600);
/// Longest text in a message, in bytes: a path, a purpose, a reason.
pub const MESSAGE_TEXT_MAX: usize = 1024;
/// Messages of one contact that are kept in each direction; more are not read, and not written.
pub const MESSAGES_KEPT_MAX: usize = 1024;
/// Chunks of one feed that are read in one go.
pub const MESSAGES_AT_ONCE: u64 = 256;
/// Contacts whose feeds are read at once.
pub const MAIL_CONTACTS_AT_ONCE: usize = 8;
/// Weeks back that feeds are read, at most.
pub const MAIL_WEEKS_MAX: u32 = 60;
/// Weeks that are read before the one in which a contact was added, and again when keys are replaced: what came before
/// was perhaps written to this pod and could not be opened.
pub const MAIL_WEEKS_BEFORE: u32 = 8;
/// Weeks of a contact that are looked at at once.
pub const MAIL_WEEKS_AT_ONCE: usize = 16;
/// A week.
pub const MAIL_WEEK: i64 = 7 * 86_400;
/// Clocks of two people differ by less.
pub const MAIL_SKEW: i64 = 86_400;
/// The feed of a week that is over is left when nothing more was there twice, so many seconds apart: nodes answer
/// "not found" also for what is there.
pub const MAIL_SURE: i64 = 900;
/// Places of a feed that are looked at behind one at which nothing is: what stood there may be lost.
pub const MAIL_AHEAD: u64 = 4;
/// Days for which the id of a message that was forgotten is kept: longer than any feed is read again.
pub const MAIL_FORGOTTEN: u32 = (MAIL_WEEKS_MAX + 2) * 7;
/// Ids of such messages that are left at once.
pub const MAIL_FORGOTTEN_AT_ONCE: usize = 256;
/// How long replacing keys waits for nodes at each step; what is left follows by itself.
pub const KEYS_PATIENCE: Duration = Duration::from_secs(20);
/// How often messages are looked for and sent.
pub const MAIL_AGAIN: Duration = Duration::from_secs(30);
/// How long a command waits for a look into the network.
pub const MAIL_PATIENCE: Duration = Duration::from_secs(50);
/// Messages in one answer on the control socket.
pub const MESSAGES_IN_ANSWER: usize = 8;

/// How long the hook may run for one message.
pub const HOOK_PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether the mount has ended meanwhile.
pub const HOOK_LOOKS: Duration = Duration::from_millis(200);
/// Messages that wait for the hook.
pub const HOOK_QUEUED: usize = 256;
/// Slots of a door on one day.
pub const DOOR_SLOTS: u32 = 32;
/// Zero bits that the hash of what stands in a slot begins with: about a million tries, some tenths of a second.
pub const DOOR_WORK: u32 = 20;
/// A day.
pub const DOOR_DAY: i64 = 86_400;
/// Slots that are looked at at once.
pub const DOOR_AT_ONCE: usize = 16;
/// How often a mounted pod looks at its door by itself.
pub const DOOR_AGAIN: Duration = Duration::from_secs(600);
/// Requests that are kept of people who are no contacts, and of one of them.
pub const DOOR_KEPT: (usize, usize) = (128, 4);
/// Seconds after which it is looked whether what was put into a slot is there still: at first, and at most.
pub const DOOR_PAUSE: (i64, i64) = (5, 1800);
/// How often one request is put on one day: each time takes a stamp.
pub const DOOR_PUTS: u32 = 32;
/// Seconds after which a request that nobody answered is no more put there.
pub const DOOR_GIVES_UP: i64 = 14 * DOOR_DAY;
/// Slots that are tried for one that is free.
pub const DOOR_TRIES: usize = 8;
/// Longest path and purpose of a request together, in bytes: they fit at the door, beside a card.
pub const REQUEST_TEXTS_MAX: usize = 1280;

/// Longest path or name in an event of the audit log, in bytes.
pub const AUDIT_OBJECT_MAX: usize = 4096;
/// Longest name of somebody there, in bytes: as long as that of a contact.
pub const AUDIT_NAME_MAX: usize = CONTACT_NAME_MAX;
/// Longest purpose or reason there, in bytes: as long as in a message.
pub const AUDIT_TEXT_MAX: usize = MESSAGE_TEXT_MAX;
/// Longest record of the audit log that is read: one of a later podfs may be longer than ours.
pub const AUDIT_RECORD_MAX: usize = 16 << 10;
/// Bytes of the audit log in one answer on the control socket, where they are hexadecimal digits.
pub const AUDIT_AT_ONCE: usize = 24 << 10;
/// Longest line of an exported log that is read: a record in hexadecimal digits, and what it says.
pub const AUDIT_LINE_MAX: usize = 64 << 10;
/// How long after a checkpoint of somebody's audit log was countersigned a later one is.
pub const WITNESS_AGAIN: Duration = Duration::from_secs(86_400);
/// How long after that a log that was not shown to go on there is worth a word.
pub const WITNESS_PATIENCE: Duration = Duration::from_secs(7 * 86_400);
/// Hashes in the proof that an audit log goes on where it was seen to end: enough for any log that fits.
pub const LOG_PROOF_MAX: usize = 33;
/// Countersigned checkpoints that are kept.
pub const WITNESSES_MAX: usize = 1000;
/// How often a command that follows the inbox has it looked into.
pub const MAIL_FOLLOW: Duration = Duration::from_secs(5);
