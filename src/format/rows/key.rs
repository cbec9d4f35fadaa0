use crate::crypto::identity::Fingerprint;
use crate::crypto::keys::GrantFeed;
use crate::format::rows::Slot;
use crate::types::Ino;

/// Bytes of the longest key (a parent row).
const KEY_MAX: usize = 25;

/// Key of a row, held inline: 9, 17 or 25 bytes. Ordered as its bytes.
#[derive(Clone, Copy)]
pub struct Key {
    len: u8,
    bytes: [u8; KEY_MAX],
}

impl Key {
    fn build(kind: u8, fields: &[u64]) -> Self {
        let mut bytes = [0; KEY_MAX];
        let mut len = 1_u8;
        let (first, rest) = bytes.split_at_mut(1);
        first.fill(kind);
        for (place, field) in rest.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_be_bytes());
            len = len.saturating_add(8);
        }
        Self { len, bytes }
    }

    /// `I ‖ ino`: the inode.
    pub fn inode(ino: Ino) -> Self {
        Self::build(b'I', &[ino.0])
    }

    /// `D ‖ directory ‖ name hash`: the entries of a directory whose names have that hash.
    pub fn dentry(dir: Ino, hash: u64) -> Self {
        Self::build(b'D', &[dir.0, hash])
    }

    /// `P ‖ ino ‖ directory ‖ name hash`: one of the places where an inode has a name.
    pub fn parent(ino: Ino, dir: Ino, hash: u64) -> Self {
        Self::build(b'P', &[ino.0, dir.0, hash])
    }

    /// `E ‖ ino ‖ bucket`: where 32 pages of a file are.
    pub fn extent(ino: Ino, bucket: u64) -> Self {
        Self::build(b'E', &[ino.0, bucket])
    }

    /// `X ‖ ino ‖ name hash`: extended attributes whose names have that hash.
    pub fn xattr(ino: Ino, hash: u64) -> Self {
        Self::build(b'X', &[ino.0, hash])
    }

    /// `O ‖ ino`: an inode with work left: unlinked while open, or cut and not yet reaped.
    pub fn orphan(ino: Ino) -> Self {
        Self::build(b'O', &[ino.0])
    }

    /// `R ‖ segment and page`: how often a run of shared pages is named.
    pub fn shared(slot: Slot) -> Self {
        Self::build(b'R', &[slot.as_u64()])
    }

    /// `F ‖ ino`: what is published of an inode.
    pub fn published(ino: Ino) -> Self {
        Self::build(b'F', &[ino.0])
    }

    /// `N ‖ ino ‖ bucket`: the kept pages and nodes of 32 places of what is published.
    pub fn nodes(ino: Ino, bucket: u64) -> Self {
        Self::build(b'N', &[ino.0, bucket])
    }

    /// `Q ‖ ino ‖ bucket`: how far 32 places of what is published are on their way.
    pub fn queued(ino: Ino, bucket: u64) -> Self {
        Self::build(b'Q', &[ino.0, bucket])
    }

    /// `H ‖ 0`: the newest head of the own feed.
    pub fn own_head() -> Self {
        Self::build(b'H', &[0])
    }

    /// `H ‖ 1`: the heads that were seen.
    pub fn seen_heads() -> Self {
        Self::build(b'H', &[1])
    }

    /// `H ‖ 1 + number`: the newest head of a box.
    pub fn box_head(number: u32) -> Self {
        Self::build(b'H', &[u64::from(number).saturating_add(1)])
    }

    /// The first and the last key that the head of a box can have.
    pub fn all_box_heads() -> (Self, Self) {
        (Self::box_head(1), Self::box_head(u32::MAX))
    }

    /// `K ‖ ino`: the inode, and what is below it, is to stay on this machine.
    pub fn pinned(ino: Ino) -> Self {
        Self::build(b'K', &[ino.0])
    }

    /// `C ‖ 0`: the owner's own card.
    pub fn own_card() -> Self {
        Self::build(b'C', &[0])
    }

    /// `C ‖ number`: a contact. Sorts behind [`Key::own_card`] for every number but 0.
    pub fn contact(number: u64) -> Self {
        Self::build(b'C', &[number])
    }

    /// The same, by the first eight bytes of the fingerprint of a public key. Nobody has the place of the own card.
    pub fn contact_of(identity: &[u8; 65]) -> Self {
        Self::contact_with(&Fingerprint::of(identity))
    }

    /// The same of a fingerprint.
    pub fn contact_with(fingerprint: &Fingerprint) -> Self {
        let number = fingerprint.0.first_chunk().copied();
        Self::contact(number.map_or(0, u64::from_be_bytes).max(1))
    }

    /// `G ‖ first 8 bytes of its id`: a grant that the owner gave.
    pub fn given(grant: &[u8; 16]) -> Self {
        Self::build(b'G', &[first_8(grant)])
    }

    /// The first and the last key that a grant which the owner gave can have.
    pub fn all_given() -> (Self, Self) {
        (Self::build(b'G', &[0]), Self::build(b'G', &[u64::MAX]))
    }

    /// `S ‖ first 8 bytes of its id`: a grant that the owner received.
    pub fn received(grant: &[u8; 16]) -> Self {
        Self::build(b'S', &[first_8(grant)])
    }

    /// The first and the last key that a grant which the owner received can have.
    pub fn all_received() -> (Self, Self) {
        (Self::build(b'S', &[0]), Self::build(b'S', &[u64::MAX]))
    }

    /// `L ‖ first 8 bytes of its topic`: the newest record of the feed of a grant that the owner gave.
    pub fn last_record(feed: &GrantFeed) -> Self {
        Self::build(b'L', &[first_8(&feed.topic.0)])
    }

    /// `V ‖ first 8 bytes of its topic`: the newest record that was seen in the feed of a grant that the owner received.
    pub fn seen_record(feed: &GrantFeed) -> Self {
        Self::build(b'V', &[first_8(&feed.topic.0)])
    }

    /// `A ‖ ino`: the box that is attached to a directory.
    pub fn attached(ino: Ino) -> Self {
        Self::build(b'A', &[ino.0])
    }

    /// `A ‖ 0`: the number of the next box.
    pub fn next_box() -> Self {
        Self::attached(Ino(0))
    }

    /// The first and the last key that an attached box can have.
    pub fn all_attached() -> (Self, Self) {
        (Self::attached(Ino(1)), Self::attached(Ino(u64::MAX)))
    }

    /// `W ‖ first 8 bytes of the id of a grant`: what was done when the owner ended it.
    pub fn revocation(grant: &[u8; 16]) -> Self {
        Self::build(b'W', &[first_8(grant)])
    }

    /// The first and the last key that such a row can have.
    pub fn all_revocations() -> (Self, Self) {
        (Self::build(b'W', &[0]), Self::build(b'W', &[u64::MAX]))
    }

    /// `Z ‖ first eight bytes of the fingerprint`: what was seen of the audit log of a contact.
    pub fn seen_log(contact: &Fingerprint) -> Self {
        Self::build(b'Z', &[Self::contact_with(contact).field(0)])
    }

    /// The first and the last key that such a row can have.
    pub fn all_seen_logs() -> (Self, Self) {
        (Self::build(b'Z', &[0]), Self::build(b'Z', &[u64::MAX]))
    }

    /// `B ‖ ino`: what another person added under that number, and is taken over.
    pub fn taken_over(ino: Ino) -> Self {
        Self::build(b'B', &[ino.0])
    }

    /// `M ‖ 0 received, 1 sent ‖ number`: a message.
    pub fn message(sent: bool, number: u64) -> Self {
        Self::build(b'M', &[sent.into(), number])
    }

    /// `T ‖ first eight bytes of the fingerprint`: how far the feeds of a contact are read and written.
    pub fn feeds(contact: &Fingerprint) -> Self {
        let number = contact.0.first_chunk().copied();
        Self::build(b'T', &[number.map_or(0, u64::from_be_bytes)])
    }

    /// `U ‖ first eight bytes of the fingerprint`: somebody of whom nothing is taken any more.
    pub fn blocked(who: &Fingerprint) -> Self {
        let number = who.0.first_chunk().copied();
        Self::build(b'U', &[number.map_or(0, u64::from_be_bytes)])
    }

    /// The first and the last key that somebody blocked can have.
    pub fn all_blocked() -> (Self, Self) {
        (Self::build(b'U', &[0]), Self::build(b'U', &[u64::MAX]))
    }

    /// `Y ‖ day ‖ first eight bytes of its id`: a message that was received on that day and forgotten.
    pub fn forgotten(day: u32, id: &[u8; 16]) -> Self {
        Self::build(b'Y', &[day.into(), first_8(id)])
    }

    /// The first and the last key of those that were received up to this day.
    pub fn forgotten_until(day: u32) -> (Self, Self) {
        let last = Self::build(b'Y', &[day.into(), u64::MAX]);
        (Self::build(b'Y', &[0, 0]), last)
    }

    /// The key of these bytes, if any row can have it.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let known = match bytes.first()? {
            b'A' | b'B' | b'I' | b'O' | b'R' | b'F' | b'H' | b'K' | b'C' | b'G' | b'S' | b'L'
            | b'V' | b'T' | b'U' | b'W' | b'Z' => bytes.len() == 9,
            b'D' | b'E' | b'X' | b'N' | b'Q' | b'M' | b'Y' => bytes.len() == 17,
            b'P' => bytes.len() == 25,
            _ => false,
        };
        if !known {
            return None;
        }
        let mut key = Self {
            len: u8::try_from(bytes.len()).ok()?,
            bytes: [0; KEY_MAX],
        };
        key.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(key)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Field `at` (0, 1, 2) of the key; 0 where it has none.
    pub fn field(&self, at: usize) -> u64 {
        let start = at.saturating_mul(8).saturating_add(1);
        let field = self
            .as_bytes()
            .get(start..)
            .and_then(|tail| tail.first_chunk::<8>());
        field.map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// The key right after this one among keys of its length.
    pub fn successor(&self) -> Option<Self> {
        self.neighbour(|byte| byte.overflowing_add(1))
    }

    /// The key right before this one among keys of its length.
    pub fn predecessor(&self) -> Option<Self> {
        self.neighbour(|byte| byte.overflowing_sub(1))
    }

    fn neighbour(&self, step: impl Fn(u8) -> (u8, bool)) -> Option<Self> {
        let mut key = *self;
        for byte in key
            .bytes
            .get_mut(1..usize::from(self.len))?
            .iter_mut()
            .rev()
        {
            let (stepped, carry) = step(*byte);
            *byte = stepped;
            if !carry {
                return Some(key);
            }
        }
        None
    }

    /// Whether the row is about a file of the owner as everybody sees it, and not about where it is kept.
    pub fn is_of_files(&self) -> bool {
        matches!(self.kind(), b'D' | b'E' | b'I' | b'X') && !Ino(self.field(0)).is_received()
    }

    /// The type byte.
    pub const fn kind(&self) -> u8 {
        self.bytes[0]
    }
}

fn first_8(id: &[u8]) -> u64 {
    id.first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl Eq for Key {}
impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}
impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{:x}:{:x}",
            char::from(self.kind()),
            self.field(0),
            self.field(1)
        )
    }
}
