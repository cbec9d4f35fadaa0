//! The closed lists that keep every use of a key apart from every other.
//!
//! Three lists: contexts of key derivation ([`Domain`]), one-byte prefixes of the keyed hash ([`Prefix`]) and
//! names that head associated data ([`ad`]). A new purpose means a new row; a row once released is never reused.

macro_rules! domains {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// What a derived key is for: the `NAME` in `KDF[NAME]`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Domain {
            $($(#[$doc])* $variant,)+
        }

        impl Domain {
            /// Every domain there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The context string of BLAKE3 key derivation, for example `podfs 2026-11-20 v1 root`.
            pub const fn context(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("podfs 2026-11-20 v1 ", $name),)+
                }
            }
        }
    };
}

domains! {
    /// The root of the key tree, from the phrase.
    Root = "root",
    /// Salt of the optional passphrase beside the phrase.
    PassSalt = "pass-salt",
    /// Cold identity key.
    IdSign = "id-sign",
    /// X25519 private key of an epoch.
    KemX25519 = "kem-x25519",
    /// X-Wing seed of an epoch.
    KemXwing = "kem-xwing",
    /// Identifier of a pod, from its counter.
    PodId = "pod-id",
    /// Secret of a pod in an epoch.
    Pod = "pod",
    /// Secret of a box in an epoch.
    Box = "box",
    /// Sealing key of a box made with one scope for all its files.
    Conv = "conv",
    /// Sealing key of one file scope.
    ConvFile = "conv-file",
    /// Key under which new scopes of a box are named.
    Scope = "scope",
    /// Sealing key of heads.
    HeadAead = "head-aead",
    /// Nonce key of heads.
    HeadNonce = "head-nonce",
    /// Commitment key of heads.
    HeadCommit = "head-commit",
    /// Signer of the feed of a box and a device.
    FeedSigner = "feed-signer",
    /// Topic of the feed of a box and a device.
    FeedTopic = "feed-topic",
    /// Secret of one grant.
    Grant = "grant",
    /// The part of a grant that is handed over.
    GrantCap = "grant-cap",
    /// Sealing key of a grant's feed.
    GrantAead = "grant-aead",
    /// Nonce key of a grant's feed.
    GrantNonce = "grant-nonce",
    /// Commitment key of a grant's feed.
    GrantCommit = "grant-commit",
    /// Secret shared by two people.
    Pairwise = "pairwise",
    /// Signer of an inbox feed.
    InboxSigner = "inbox-signer",
    /// Topic of an inbox feed.
    InboxTopic = "inbox-topic",
    /// Sealing key of inbox messages.
    InboxAead = "inbox-aead",
    /// Signer of a door slot, which anybody can compute.
    Door = "door",
    /// Topic of a door slot.
    DoorTopic = "door-topic",
    /// Ring in a head: what seals the secret of a box in the epoch before.
    GroupRing = "group-ring",
    /// Epoch of a group.
    GroupEpoch = "group-epoch",
    /// Key under which audit events are sealed.
    AuditLeaf = "audit-leaf",
    /// Key of the nodes that hold the audit tree.
    AuditNode = "audit-node",
    /// Hash key of names in the local index.
    LocalIndexKey = "local-index-key",
    /// Sealing key of values in the local index.
    LocalIndexVal = "local-index-val",
    /// Keys of the local log and of what stands beside it.
    Journal = "journal",
    /// Keys a keyfile slot wraps with.
    KeyfileKek = "keyfile-kek",
    /// Keys under the file key of a keyfile.
    KeyfileSlot = "keyfile-slot",
    /// Key of a bearer link.
    ShareLink = "share-link",
    /// Short authentication string.
    Sas = "sas",
    /// Which shares of a phrase belong together.
    PhraseShare = "phrase-share",
    /// Random numbers for the shares of a phrase.
    PhraseShareStream = "phrase-share-stream",
    /// Random numbers for the encapsulation of a message.
    MessageStream = "message-stream",
}

/// First byte of every input to the keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Key of a data page.
    Block,
    /// Key of a node.
    Node,
    /// Nonce of a head, or of a record of a grant's feed.
    Head,
    /// Commitment.
    Commitment,
    /// Key in the local index.
    Index,
    /// Name of a file scope.
    Scope,
}

impl Prefix {
    /// Every prefix there is.
    pub const ALL: &[Self] = &[
        Self::Block,
        Self::Node,
        Self::Head,
        Self::Commitment,
        Self::Index,
        Self::Scope,
    ];

    /// The byte itself.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Block => b'B',
            Self::Node => b'N',
            Self::Head => b'H',
            Self::Commitment => b'C',
            Self::Index => b'I',
            Self::Scope => b'S',
        }
    }
}

/// Names that head associated data. None is a prefix of another, so the sealed things cannot stand for each other.
pub mod ad {
    /// A published page.
    pub const BLOCK: &[u8] = b"podfs/1/blk";
    /// A published node.
    pub const NODE: &[u8] = b"podfs/1/node";
    /// A head.
    pub const HEAD: &[u8] = b"podfs/1/head";
    /// A record of a grant's feed.
    pub const CAP: &[u8] = b"podfs/1/cap";
    /// A message.
    pub const MESSAGE: &[u8] = b"podfs/1/msg";
    /// What the sender of a message signs.
    pub const SIGNED_MESSAGE: &[u8] = b"podfs/1/signed-msg";
    /// A message to somebody who does not know its sender.
    pub const DOOR: &[u8] = b"podfs/1/door";
    /// What its sender signs.
    pub const SIGNED_DOOR: &[u8] = b"podfs/1/signed-door";
    /// The work that was spent on it.
    pub const WORK: &[u8] = b"podfs/1/work";
    /// Where a message stands.
    pub const PLACE: &[u8] = b"podfs/1/place";
    /// A keyfile slot.
    pub const SLOT: &[u8] = b"podfs/1/slot";
    /// The bundle inside a keyfile.
    pub const BUNDLE: &[u8] = b"podfs/1/bundle";
    /// The public key of an identity, where its fingerprint is made.
    pub const IDENTITY: &[u8] = b"podfs/1/identity";
    /// The id of a grant, where that of the grant that comes back for it is made.
    pub const BACK: &[u8] = b"podfs/1/back";
    /// What a change was made from.
    pub const BASE: &[u8] = b"podfs/1/base";
    /// An audit event.
    pub const AUDIT: &[u8] = b"podfs/1/audit";
    /// Which audit log it is.
    pub const AUDIT_ORIGIN: &[u8] = b"podfs/1/origin";
    /// A checkpoint of an audit log.
    pub const CHECKPOINT: &[u8] = b"podfs/1/checkpoint";
    /// A checkpoint of somebody else, which was seen.
    pub const WITNESS: &[u8] = b"podfs/1/witness";
    /// What was done about a grant that ended.
    pub const RECEIPT: &[u8] = b"podfs/1/receipt";
    /// A key ring.
    pub const RING: &[u8] = b"podfs/1/ring";
    /// A page in the local log.
    pub const PAGE: &[u8] = b"podfs/1/page";
    /// A record of the local log.
    pub const RECORD: &[u8] = b"podfs/1/record";
    /// Header of a segment of the local log.
    pub const SEGMENT: &[u8] = b"podfs/1/segment";
    /// The manifest of the local log.
    pub const MANIFEST: &[u8] = b"podfs/1/manifest";
    /// The mark up to which the local log is durable.
    pub const WATERMARK: &[u8] = b"podfs/1/watermark";

    /// Every name there is.
    pub const ALL: &[&[u8]] = &[
        BLOCK,
        NODE,
        HEAD,
        CAP,
        MESSAGE,
        SIGNED_MESSAGE,
        DOOR,
        SIGNED_DOOR,
        WORK,
        PLACE,
        SLOT,
        BUNDLE,
        IDENTITY,
        BACK,
        BASE,
        AUDIT,
        AUDIT_ORIGIN,
        CHECKPOINT,
        WITNESS,
        RING,
        PAGE,
        RECORD,
        SEGMENT,
        MANIFEST,
        WATERMARK,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_context_stands_twice() {
        let contexts: BTreeSet<_> = Domain::ALL.iter().map(|domain| domain.context()).collect();
        assert_eq!(contexts.len(), Domain::ALL.len());
        assert!(contexts.contains("podfs 2026-11-20 v1 journal"));
    }

    #[test]
    fn no_prefix_stands_twice() {
        let bytes: BTreeSet<_> = Prefix::ALL.iter().map(|prefix| prefix.byte()).collect();
        assert_eq!(bytes.len(), Prefix::ALL.len());
    }

    #[test]
    fn no_associated_data_begins_another() {
        for (at, one) in ad::ALL.iter().enumerate() {
            for (beside, other) in ad::ALL.iter().enumerate() {
                assert!(
                    at == beside || !other.starts_with(one),
                    "{one:?} begins {other:?}"
                );
            }
        }
    }
}
