//! The keys on a token: making them, asking them.

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::MechanismType;
use cryptoki::mechanism::rsa::PkcsMgfType;
use cryptoki::mechanism::rsa::PkcsOaepParams;
use cryptoki::mechanism::rsa::PkcsOaepSource;
use cryptoki::object::Attribute;
use cryptoki::object::AttributeType;
use cryptoki::object::KeyType;
use cryptoki::object::ObjectClass;
use cryptoki::object::ObjectHandle;
use zeroize::Zeroizing;

use crate::crypto::Entropy;
use crate::crypto::EntropyError;
use crate::crypto::Secret;
use crate::crypto::entropy::random_bytes;
use crate::crypto::entropy::random_secret;
use crate::crypto::rsa_seal::RsaSealError;
use crate::crypto::rsa_seal::seal_to_rsa;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::token::OpenToken;
use crate::format::keyfile::Challenge;
use crate::format::keyfile::KeyId;
use crate::format::keyfile::KeyKind;
use crate::format::keyfile::Sealed;
use crate::format::keyfile::TokenAnswer;
use crate::format::keyfile::TokenKey;

/// Bytes of an AES key used here: AES-256.
const AES_BYTES: u64 = 32;
/// Bits of the RSA keys made here: the most that every TPM and card has.
const RSA_BITS: u64 = 2048;
/// What the keys made here are called on the token.
const KEY_LABEL: &[u8] = b"podfs";

impl OpenToken<'_> {
    /// Makes a key that never leaves the token.
    pub(in crate::daemon) fn make_key(&self, kind: KeyKind, id: &KeyId) -> Result<(), Fault> {
        if !self.find(kind, id)?.is_empty() {
            let what = format!(
                "the token {} has a key of this id already",
                self.token.shown()
            );
            return Err(Fault::new(FaultKind::Usage, what).next("give another --id, or none"));
        }
        let common = [
            Attribute::Token(true),
            Attribute::Id(id.bytes().to_vec()),
            Attribute::Label(KEY_LABEL.to_vec()),
        ];
        let kept = [
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
        ];
        let made = match kind {
            KeyKind::Aes => {
                let own = [
                    Attribute::Encrypt(true),
                    Attribute::Decrypt(false),
                    Attribute::Wrap(false),
                    Attribute::Unwrap(false),
                    Attribute::ValueLen(AES_BYTES.into()),
                ];
                let template = [common.as_slice(), &kept, &own].concat();
                let made = self.session.generate_key(&Mechanism::AesKeyGen, &template);
                made.map(drop)
            }
            KeyKind::Rsa => {
                let public = [
                    Attribute::Encrypt(true),
                    Attribute::ModulusBits(RSA_BITS.into()),
                    Attribute::PublicExponent(vec![1, 0, 1]),
                ];
                let public = [common.as_slice(), &public].concat();
                let private = [common.as_slice(), &kept, &[Attribute::Decrypt(true)]].concat();
                let pair = Mechanism::RsaPkcsKeyPairGen;
                let made = self.session.generate_key_pair(&pair, &public, &private);
                made.map(drop)
            }
        };
        made.map_err(|error| self.fault(&error))
    }

    /// Takes a key away again that was just made.
    pub(in crate::daemon) fn destroy_key(&self, kind: KeyKind, id: &KeyId) -> Result<(), Fault> {
        let mut objects = vec![self.one(kind, id)?];
        if kind == KeyKind::Rsa {
            objects.extend(self.find_class(ObjectClass::PUBLIC_KEY, kind, id)?);
        }
        for object in objects {
            let destroyed = self.session.destroy_object(object);
            destroyed.map_err(|error| self.fault(&error))?;
        }
        Ok(())
    }

    /// Refuses a key that can be read out of the token: a copy of it would open the pod as well.
    pub(in crate::daemon) fn require_kept(&self, kind: KeyKind, id: &KeyId) -> Result<(), Fault> {
        let wanted = [
            AttributeType::Sensitive,
            AttributeType::Extractable,
            AttributeType::ValueLen,
        ];
        let found = self.attributes(kind, id, &wanted)?;
        let kept = [Attribute::Sensitive(true), Attribute::Extractable(false)];
        if !kept.iter().all(|wanted| found.contains(wanted)) {
            return Err(self.unfit("can be read out of it"));
        }
        let length = |is: &Attribute| matches!(is, Attribute::ValueLen(len) if **len != AES_BYTES);
        if kind == KeyKind::Aes && found.iter().any(length) {
            return Err(self.unfit("is not one of AES-256"));
        }
        Ok(())
    }

    /// A challenge for a key, new each time, and the answer to it.
    pub(in crate::daemon) fn challenge(
        &self,
        kind: KeyKind,
        id: &KeyId,
        entropy: &mut Entropy<'_>,
    ) -> Result<(TokenKey, TokenAnswer), Fault> {
        let failed = |error: EntropyError| Fault::new(FaultKind::Other, error.to_string());
        match kind {
            KeyKind::Aes => {
                let challenge = Challenge::Aes(random_bytes(entropy).map_err(failed)?);
                let key = self.token.key(id.clone(), challenge);
                let answer = self.answer(&key)?;
                Ok((key, answer))
            }
            KeyKind::Rsa => {
                let answer = random_secret(entropy).map_err(failed)?;
                let challenge = Challenge::Rsa(self.sealed(id, &answer, entropy)?);
                Ok((self.token.key(id.clone(), challenge), answer))
            }
        }
    }

    /// The answer, sealed to an RSA key. Its two numbers are taken from the private key itself: a public key that somebody
    /// else put beside it would open the pod to them.
    fn sealed(
        &self,
        id: &KeyId,
        answer: &TokenAnswer,
        entropy: &mut Entropy<'_>,
    ) -> Result<Sealed, Fault> {
        let wanted = [AttributeType::Modulus, AttributeType::PublicExponent];
        let found = self.attributes(KeyKind::Rsa, id, &wanted)?;
        let [modulus, exponent] = wanted.map(|kind| {
            let number = found.iter().find(|found| found.attribute_type() == kind);
            match number {
                Some(Attribute::Modulus(bytes) | Attribute::PublicExponent(bytes)) => bytes.clone(),
                _ => Vec::new(),
            }
        });
        let unfit = || self.unfit("is not one of RSA-2048 to RSA-4096");
        let sealed = seal_to_rsa(&modulus, &exponent, answer, entropy);
        let sealed = sealed.map_err(|error| match error {
            RsaSealError::Key => unfit(),
            RsaSealError::Entropy(error) => Fault::new(FaultKind::Other, error.to_string()),
        })?;
        Sealed::new(&sealed).ok_or_else(unfit)
    }

    /// What the key makes of the challenge.
    pub(in crate::daemon) fn answer(&self, key: &TokenKey) -> Result<TokenAnswer, Fault> {
        let object = self.one(key.challenge.kind(), &key.id)?;
        let answer = match &key.challenge {
            Challenge::Aes(challenge) => {
                let mechanism = Mechanism::AesCbc([0; 16]);
                self.session.encrypt(&mechanism, object, challenge)
            }
            Challenge::Rsa(sealed) => {
                let hash = MechanismType::SHA256;
                let mask = PkcsMgfType::MGF1_SHA256;
                let params = PkcsOaepParams::new(hash, mask, PkcsOaepSource::empty());
                let mechanism = Mechanism::RsaPkcsOaep(params);
                self.session.decrypt(&mechanism, object, sealed.bytes())
            }
        };
        let answer = Zeroizing::new(answer.map_err(|error| self.fault(&error))?);
        Secret::from_slice(&answer).ok_or_else(|| {
            let what = format!("the token {} answers nonsense", self.token.shown());
            Fault::new(FaultKind::NoToken, what)
        })
    }

    fn attributes(
        &self,
        kind: KeyKind,
        id: &KeyId,
        wanted: &[AttributeType],
    ) -> Result<Vec<Attribute>, Fault> {
        let found = self.session.get_attributes(self.one(kind, id)?, wanted);
        found.map_err(|error| self.fault(&error))
    }

    fn unfit(&self, why: &str) -> Fault {
        let what = format!("the key on the token {} {why}", self.token.shown());
        Fault::new(FaultKind::NoToken, what).next("have one made: podfs keys token add --create")
    }

    fn one(&self, kind: KeyKind, id: &KeyId) -> Result<ObjectHandle, Fault> {
        let found = self.find(kind, id)?;
        if let [one] = found.as_slice() {
            return Ok(*one);
        }
        let how = match (kind, found.is_empty()) {
            (KeyKind::Aes, true) => "no AES key",
            (KeyKind::Aes, false) => "several AES keys",
            (KeyKind::Rsa, true) => "no RSA key",
            (KeyKind::Rsa, false) => "several RSA keys",
        };
        let (token, id) = (self.token.shown(), hex::encode(id.bytes()));
        let what = format!("the token {token} has {how} of the id {id}");
        Err(Fault::new(FaultKind::NoToken, what)
            .next("without that key the recovery phrase helps: podfs passwd --phrase-file FILE"))
    }

    fn find(&self, kind: KeyKind, id: &KeyId) -> Result<Vec<ObjectHandle>, Fault> {
        let class = match kind {
            KeyKind::Aes => ObjectClass::SECRET_KEY,
            KeyKind::Rsa => ObjectClass::PRIVATE_KEY,
        };
        self.find_class(class, kind, id)
    }

    fn find_class(
        &self,
        class: ObjectClass,
        kind: KeyKind,
        id: &KeyId,
    ) -> Result<Vec<ObjectHandle>, Fault> {
        let template = [
            Attribute::Class(class),
            Attribute::KeyType(match kind {
                KeyKind::Aes => KeyType::AES,
                KeyKind::Rsa => KeyType::RSA,
            }),
            Attribute::Id(id.bytes().to_vec()),
        ];
        let found = self.session.find_objects(&template);
        found.map_err(|error| self.fault(&error))
    }
}
