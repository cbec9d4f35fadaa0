//! The key tree: every derivation from the phrase down, in one place.
//!
//! ```text
//! phrase ─BIP-39─► seed64            (+ factor: Argon2id(passphrase, KDF[pass-salt](seed64)))
//!   ROOT = KDF[root](enc(seed64, factor32 | ""))                 only at set-up, recovery, rotation; never stored
//!    ├─ ID[n]    = SCALAR[id-sign](enc(ROOT, le32 n))
//!    ├─ KEM[e]   = KDF[kem-x25519 | kem-xwing](enc(ROOT, le32 e))
//!    ├─ pod id   = KDF[pod-id](enc(ROOT, le32 counter))[0..16]
//!    ├─ recovery = KDF[keyfile-kek](enc("recovery", ROOT, pod id))
//!    └─ POD[e]   = KDF[pod](enc(ROOT, pod id, le32 e))           what an enrolled device keeps
//!         └─ BOX[b,f] = KDF[box](enc(POD[e], id16 b, le32 f))
//!              ├─ conv      = KDF[conv](BOX)          conv-file(s) = KDF[conv-file](enc(BOX, s))
//!              ├─ scope key = KDF[scope](BOX)         s = PRF(scope key, 'S' ‖ enc(le64 directory, name))[0..16]
//!              │                                      after a renewal: enc(le64 directory, name, renewal)
//!              ├─ head keys = KDF[head-aead | head-nonce | head-commit](BOX)
//!              ├─ signer[d] = SCALAR[feed-signer](enc(BOX, id16 d))
//!              ├─ topic[d]  = KDF[feed-topic](enc(BOX, id16 d))     replica: KDF[feed-topic](enc(BOX, id16 d, le32 1))
//!              ├─ GRANT[g,t] = KDF[grant](enc(BOX, g, le32 t | nothing for t = 0)) → SCALAR[feed-signer](enc(GRANT)), KDF[feed-topic](enc(GRANT)),
//!              │              cap = KDF[grant-cap](GRANT) → KDF[grant-aead | grant-nonce | grant-commit](cap)
//!              ├─ ring      = KDF[group-ring](BOX)    seals the secret of the box in the epoch before
//!              └─ audit     = KDF[audit-leaf](BOX)
//! ```
//!
//! Pod, box and device ids are counters from 0, so the phrase finds them all; `id16 x` is the counter as 16
//! little-endian bytes. Each key has a type of its own: none can be taken for another.

use crate::crypto::derive::{kdf, kdf_fields, prf_fields};
use crate::crypto::domain::{Domain, Prefix};
use crate::crypto::passphrase::{Cost, StretchError, stretch};
use crate::crypto::phrase::Seed;
use crate::crypto::scalar::{Owner, owner, public_key, scalar};
use crate::crypto::secret::Secret;

macro_rules! key_types {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        $(
            $(#[$doc])*
            pub struct $name(Secret<32>);

            impl $name {
                /// The bytes, for the primitive this key is for.
                pub fn secret(&self) -> &Secret<32> {
                    &self.0
                }
            }
        )+
    };
}

macro_rules! stored_keys {
    ($($name:ident)+) => {
        $(impl $name {
            /// The key that was kept elsewhere as these bytes.
            pub fn restore(secret: Secret<32>) -> Self {
                Self(secret)
            }
        })+
    };
}

macro_rules! signers {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        key_types! { $($(#[$doc])* $name,)+ }
        $(impl $name {
            /// Owner of the single-owner chunks that this key signs.
            pub fn owner(&self) -> Owner {
                owner(&self.0)
            }

            /// The public point, `04 ‖ x ‖ y`.
            pub fn public_key(&self) -> [u8; 65] {
                public_key(&self.0)
            }
        })+
    };
}

key_types! {
    /// Optional second factor: a passphrase that is needed beside the phrase.
    FactorKey,
    /// The root of everything. Never stored on a device.
    RootKey,
    /// X25519 private key of an epoch.
    KemX25519Key,
    /// Seed of the X-Wing (ML-KEM-768 and X25519) private key of an epoch.
    KemXwingSeed,
    /// What opens the recovery slot of a keyfile.
    RecoveryKey,
    /// Secret of a pod in an epoch: what an enrolled device keeps.
    PodSecret,
    /// Secret of a box in an epoch. Holds feed signers, so it is never given away.
    BoxSecret,
    /// Key from which the keys of pages and nodes are made. Never leaves the pod.
    ConvKey,
    /// Key that names new file scopes.
    ScopeKey,
    /// Seals heads.
    HeadAeadKey,
    /// Makes the nonces of heads.
    HeadNonceKey,
    /// Commits heads to their key.
    HeadCommitKey,
    /// Secret of one grant.
    GrantSecret,
    /// The only part of a grant that is handed over.
    CapKey,
    /// Seals the feed of a grant.
    GrantAeadKey,
    /// Makes the nonces of the feed of a grant.
    GrantNonceKey,
    /// Commits the feed of a grant to its key.
    GrantCommitKey,
    /// Seals audit events.
    AuditKey,
}

signers! {
    /// Cold identity key; owner of the feed of key cards.
    IdentityKey,
    /// Signs the feed of one box on one device, or of one grant.
    FeedSigner,
}

stored_keys! { PodSecret BoxSecret KemX25519Key KemXwingSeed CapKey }

/// Name of a feed. Not secret by itself, but only those who can derive it know what it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Topic(pub [u8; 32]);

/// Where the records of a grant stand: who signs them, and under which name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrantFeed {
    /// Owner of its single-owner chunks.
    pub owner: Owner,
    /// Its topic.
    pub topic: Topic,
}

/// Identifier of a pod, derived from its counter; it says nothing to who has not the phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub [u8; 16]);

/// A file's lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub [u8; 16]);

/// What was published before it is left to the keys it was published under: random, and noted before anything is sealed
/// with scopes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenewalId(pub [u8; 16]);

/// The three keys of heads.
pub struct HeadKeys {
    /// Seals.
    pub aead: HeadAeadKey,
    /// Makes nonces.
    pub nonce: HeadNonceKey,
    /// Commits.
    pub commit: HeadCommitKey,
}

impl FactorKey {
    /// Work spent on the factor. Fixed for ever: at recovery there is nothing to read another value from.
    pub const COST: Cost = Cost {
        memory_kib: 256 << 10,
        passes: 3,
        lanes: 4,
    };

    /// Stretches `passphrase` with a salt that the phrase gives. The bytes count as they are typed: UTF-8.
    ///
    /// # Errors
    /// When 256 MiB of memory cannot be had.
    pub fn derive(seed: &Seed, passphrase: &[u8]) -> Result<Self, StretchError> {
        let salt = kdf(Domain::PassSalt, seed.secret().expose());
        stretch(passphrase, salt.expose(), &Self::COST).map(Self)
    }
}

impl RootKey {
    /// The root of `seed`, with the factor when the pod was made with one.
    pub fn derive(seed: &Seed, factor: Option<&FactorKey>) -> Self {
        let factor: &[u8] = factor.map_or(&[], |key| key.0.expose());
        Self(kdf_fields(Domain::Root, &[seed.secret().expose(), factor]))
    }

    /// Identity `number`; the first is 0.
    pub fn identity(&self, number: u32) -> IdentityKey {
        IdentityKey(scalar(
            Domain::IdSign,
            &[self.0.expose(), &number.to_le_bytes()],
        ))
    }

    /// X25519 key of `epoch`.
    pub fn kem_x25519(&self, epoch: u32) -> KemX25519Key {
        KemX25519Key(kdf_fields(
            Domain::KemX25519,
            &[self.0.expose(), &epoch.to_le_bytes()],
        ))
    }

    /// X-Wing seed of `epoch`.
    pub fn kem_xwing(&self, epoch: u32) -> KemXwingSeed {
        KemXwingSeed(kdf_fields(
            Domain::KemXwing,
            &[self.0.expose(), &epoch.to_le_bytes()],
        ))
    }

    /// Id of the pod with this counter; the first is 0.
    pub fn pod_id(&self, counter: u32) -> PodId {
        let id = kdf_fields(Domain::PodId, &[self.0.expose(), &counter.to_le_bytes()]);
        PodId(first_16(&id))
    }

    /// Secret of a pod in `epoch`.
    pub fn pod(&self, pod: &PodId, epoch: u32) -> PodSecret {
        PodSecret(kdf_fields(
            Domain::Pod,
            &[self.0.expose(), &pod.0, &epoch.to_le_bytes()],
        ))
    }

    /// What opens the recovery slot in the keyfiles of a pod, so that a forgotten passphrase can be replaced.
    pub fn recovery(&self, pod: &PodId) -> RecoveryKey {
        RecoveryKey(kdf_fields(
            Domain::KeyfileKek,
            &[b"recovery", self.0.expose(), &pod.0],
        ))
    }
}

impl KemX25519Key {
    /// The public key (RFC 7748).
    pub fn public_key(&self) -> [u8; 32] {
        let secret = x25519_dalek::StaticSecret::from(*self.0.expose());
        x25519_dalek::PublicKey::from(&secret).to_bytes()
    }
}

impl PodSecret {
    /// Secret of the box with this counter (the pod's own is 0) in `epoch` of the box.
    pub fn box_secret(&self, counter: u32, epoch: u32) -> BoxSecret {
        let fields = [
            self.0.expose().as_slice(),
            &id_16(counter),
            &epoch.to_le_bytes(),
        ];
        BoxSecret(kdf_fields(Domain::Box, &fields))
    }
}

impl BoxSecret {
    /// The one key of a box that deduplicates across its files (`dedup=box`).
    pub fn conv(&self) -> ConvKey {
        ConvKey(kdf(Domain::Conv, self.0.expose()))
    }

    /// The key of one file scope.
    pub fn conv_file(&self, scope: &ScopeId) -> ConvKey {
        ConvKey(kdf_fields(Domain::ConvFile, &[self.0.expose(), &scope.0]))
    }

    /// The key that names new scopes; another one in each epoch of the box.
    pub fn scope_key(&self) -> ScopeKey {
        ScopeKey(kdf(Domain::Scope, self.0.expose()))
    }

    /// The keys of heads.
    pub fn head_keys(&self) -> HeadKeys {
        HeadKeys {
            aead: HeadAeadKey(kdf(Domain::HeadAead, self.0.expose())),
            nonce: HeadNonceKey(kdf(Domain::HeadNonce, self.0.expose())),
            commit: HeadCommitKey(kdf(Domain::HeadCommit, self.0.expose())),
        }
    }

    /// The signer of the feed of `device`.
    pub fn feed_signer(&self, device: u16) -> FeedSigner {
        FeedSigner(scalar(
            Domain::FeedSigner,
            &[self.0.expose(), &id_16(device.into())],
        ))
    }

    /// The primary topic of the feed of `device`.
    pub fn feed_topic(&self, device: u16) -> Topic {
        topic(&[self.0.expose(), &id_16(device.into())])
    }

    /// The topic under which the same payloads of `device` stand a second time.
    pub fn feed_replica_topic(&self, device: u16) -> Topic {
        topic(&[self.0.expose(), &id_16(device.into()), &1_u32.to_le_bytes()])
    }

    /// The secret of the grant with this id, to somebody who never replaced their keys.
    pub fn grant(&self, grant_id: &[u8; 16]) -> GrantSecret {
        self.grant_to(grant_id, 0)
    }

    /// The secret of the grant with this id, to somebody whose keys are of epoch `theirs`: who has their keys of an
    /// epoch that is over does not know where it goes on.
    pub fn grant_to(&self, grant_id: &[u8; 16], theirs: u32) -> GrantSecret {
        let epoch = theirs.to_le_bytes();
        let fields: [&[u8]; 3] = [self.0.expose(), grant_id, &epoch];
        let fields = fields.get(..if theirs == 0 { 2 } else { 3 });
        GrantSecret(kdf_fields(Domain::Grant, fields.unwrap_or_default()))
    }

    /// The key of audit events.
    pub fn audit_key(&self) -> AuditKey {
        AuditKey(kdf(Domain::AuditLeaf, self.0.expose()))
    }
}

impl ScopeKey {
    /// The scope that a file begins which is first published as `name` in `directory` (an inode number).
    pub fn scope_id(&self, directory: u64, name: &[u8]) -> ScopeId {
        let named = prf_fields(&self.0, Prefix::Scope, &[&directory.to_le_bytes(), name]);
        ScopeId(first_16(&named))
    }

    /// The same since a renewal.
    pub fn renewed_id(&self, renewal: &RenewalId, directory: u64, name: &[u8]) -> ScopeId {
        let fields = [&directory.to_le_bytes(), name, &renewal.0];
        ScopeId(first_16(&prf_fields(&self.0, Prefix::Scope, &fields)))
    }
}

impl GrantSecret {
    /// Signer of the grant's own feed.
    pub fn feed_signer(&self) -> FeedSigner {
        FeedSigner(scalar(Domain::FeedSigner, &[self.0.expose()]))
    }

    /// Topic of the grant's own feed.
    pub fn feed_topic(&self) -> Topic {
        topic(&[self.0.expose()])
    }

    /// Where the grant's own feed stands.
    pub fn feed(&self) -> GrantFeed {
        GrantFeed {
            owner: self.feed_signer().owner(),
            topic: self.feed_topic(),
        }
    }

    /// The part that is handed over.
    pub fn cap_key(&self) -> CapKey {
        CapKey(kdf(Domain::GrantCap, self.0.expose()))
    }
}

impl CapKey {
    /// Seals the records of the grant's feed.
    pub fn aead_key(&self) -> GrantAeadKey {
        GrantAeadKey(kdf(Domain::GrantAead, self.0.expose()))
    }

    /// Makes the nonces of the records of the grant's feed.
    pub fn nonce_key(&self) -> GrantNonceKey {
        GrantNonceKey(kdf(Domain::GrantNonce, self.0.expose()))
    }

    /// Commits the records of the grant's feed to their key.
    pub fn commit_key(&self) -> GrantCommitKey {
        GrantCommitKey(kdf(Domain::GrantCommit, self.0.expose()))
    }
}

/// `KDF[feed-topic](enc(fields))`.
fn topic(fields: &[&[u8]]) -> Topic {
    Topic(*kdf_fields(Domain::FeedTopic, fields).expose())
}

/// `id16`: a counter as 16 little-endian bytes.
fn id_16(counter: u32) -> [u8; 16] {
    u128::from(counter).to_le_bytes()
}

fn first_16(secret: &Secret<32>) -> [u8; 16] {
    secret.expose().first_chunk().copied().unwrap_or_default()
}
