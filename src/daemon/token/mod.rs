//! A token that keeps a key and never gives it out, spoken to through the PKCS #11 module of its maker. The one place
//! that names `cryptoki`.
//!
//! A module is code that runs in our process, so it is only ever loaded from where its user says: never from the state
//! folder, and not from a file that others can write. It is let go as soon as the token has answered.

mod key;
mod library;
mod refusal;

use std::path::Path;

use cryptoki::context::CInitializeArgs;
use cryptoki::context::CInitializeFlags;
use cryptoki::context::Pkcs11;
use cryptoki::error::Error;
use cryptoki::error::RvError;
use cryptoki::session::Session;
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use cryptoki::types::RawAuthPin;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::fault::Quoted;
use crate::daemon::passphrase::Passphrase;
pub(super) use crate::daemon::token::library::sound_module;
use crate::daemon::token::refusal::fault;
use crate::daemon::token::refusal::pin_locked;
use crate::daemon::token::refusal::reason;
use crate::format::keyfile::Challenge;
use crate::format::keyfile::KeyId;
use crate::format::keyfile::SERIAL_LEN;
use crate::format::keyfile::TOKEN_LABEL_LEN;
use crate::format::keyfile::TokenKey;

/// A module that is loaded and initialized.
pub(super) struct Module(Option<Pkcs11>);

/// A token that is there.
#[derive(Clone, Debug)]
pub(super) struct Token {
    slot: Slot,
    /// Known to its maker by this.
    pub(super) serial: String,
    /// Known to people by this.
    pub(super) label: String,
}

/// A token that has taken the PIN. Its session ends before its module does.
pub(super) struct OpenToken<'module> {
    session: Session,
    token: Token,
    _module: &'module Module,
}

impl Module {
    /// Loads the library at `path`, unless [`sound_module`] refuses it.
    pub(super) fn load(path: &Path, state: &Path) -> Result<Self, Fault> {
        let path = sound_module(path, state)?;
        let broken = |error: &Error| {
            let what = format!("cannot load the PKCS #11 module {}", Quoted(&path));
            Fault::new(FaultKind::NoToken, format!("{what}: {}", reason(error)))
                .next("look whether the library is the right one, and its settings are in order")
        };
        let pkcs11 = Pkcs11::new(&path).map_err(|error| broken(&error))?;
        let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        pkcs11
            .initialize(arguments)
            .map_err(|error| broken(&error))?;
        Ok(Self(Some(pkcs11)))
    }

    /// The tokens that are there.
    pub(super) fn tokens(&self) -> Result<Vec<Token>, Fault> {
        let pkcs11 = self.pkcs11()?;
        let failed = |error: Error| fault("that was looked for", &error);
        let mut tokens = Vec::new();
        for slot in pkcs11.get_slots_with_token().map_err(failed)? {
            match pkcs11.get_token_info(slot) {
                Ok(info) if info.token_initialized() => tokens.push(Token {
                    slot,
                    serial: info.serial_number().to_owned(),
                    label: info.label().to_owned(),
                }),
                Ok(_) => {}
                // Pulled out meanwhile, or not a token that this module knows: the others may be the right ones.
                Err(error) => tracing::debug!(why = reason(&error), "a token is passed over"),
            }
        }
        Ok(tokens)
    }

    /// Shows the token the PIN. With `write` objects can be made on it.
    pub(super) fn log_in(
        &self,
        token: &Token,
        pin: &Passphrase,
        write: bool,
    ) -> Result<OpenToken<'_>, Fault> {
        let pkcs11 = self.pkcs11()?;
        let failed = |error: Error| fault(&token.shown(), &error);
        let session = if write {
            pkcs11.open_rw_session(token.slot)
        } else {
            pkcs11.open_ro_session(token.slot)
        };
        let session = session.map_err(failed)?;
        let pin = RawAuthPin::new(Box::new(pin.expose().to_vec()));
        match session.login_with_raw(UserType::User, &pin) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => return Err(self.tries_left(token, fault(&token.shown(), &error))),
        }
        Ok(OpenToken {
            session,
            token: token.clone(),
            _module: self,
        })
    }

    /// Adds to a refusal what the token says of the tries that are left.
    fn tries_left(&self, token: &Token, refusal: Fault) -> Fault {
        let info = self
            .pkcs11()
            .ok()
            .and_then(|pkcs11| pkcs11.get_token_info(token.slot).ok());
        let Some(info) = info.filter(|_| refusal.kind == FaultKind::PinWrong) else {
            return refusal;
        };
        if info.user_pin_locked() {
            pin_locked(&token.shown())
        } else if info.user_pin_final_try() {
            let what = format!("{}; the next wrong one locks the token", refusal.what);
            Fault { what, ..refusal }
        } else {
            refusal
        }
    }

    fn pkcs11(&self) -> Result<&Pkcs11, Fault> {
        self.0
            .as_ref()
            .ok_or_else(|| Fault::new(FaultKind::NoToken, "the PKCS #11 module is gone"))
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(Pkcs11::finalize) {
            tracing::debug!(
                why = reason(&error),
                "the PKCS #11 module did not end in order"
            );
        }
    }
}

impl Token {
    /// For messages: the label, and the serial number when the token has one.
    pub(super) fn shown(&self) -> String {
        shown(&self.label, &self.serial)
    }

    /// Whether both are one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.slot == other.slot
    }

    /// Whether the key of a slot is to be found on it. A token without a serial number is known by its label; TPMs have one
    /// of zeros, all the same.
    pub(super) fn is_of(&self, key: &TokenKey) -> bool {
        let serial: [u8; SERIAL_LEN] = padded(&self.serial);
        let is_numbered = self.serial.bytes().any(|digit| digit != b'0');
        serial == key.serial && (is_numbered || padded(&self.label) == key.label)
    }

    /// What a slot says about a key on it.
    pub(super) fn key(&self, id: KeyId, challenge: Challenge) -> TokenKey {
        TokenKey {
            serial: padded::<SERIAL_LEN>(&self.serial),
            label: padded::<TOKEN_LABEL_LEN>(&self.label),
            id,
            challenge,
        }
    }
}

impl OpenToken<'_> {
    /// Which one it is.
    pub(super) const fn token(&self) -> &Token {
        &self.token
    }

    fn fault(&self, error: &Error) -> Fault {
        fault(&self.token.shown(), error)
    }
}

impl Drop for OpenToken<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.session.logout() {
            tracing::debug!(
                why = reason(&error),
                "the token was not logged out of in order"
            );
        }
    }
}

/// A token in a message. Control characters on it are shown as such.
pub(super) fn shown(label: &str, serial: &str) -> String {
    if serial.is_empty() {
        format!("{label:?}")
    } else {
        format!("{label:?} (serial number {})", serial.escape_debug())
    }
}

/// As PKCS #11 pads text: blanks behind.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [b' '; N];
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_serial_number_or_else_by_its_label() {
        let token = |serial: &str, label: &str| Token {
            slot: Slot::try_from(0_u64).unwrap(),
            serial: serial.to_owned(),
            label: label.to_owned(),
        };
        let key = |of: &Token| of.key(KeyId::new(&[1]).unwrap(), Challenge::Aes([0; 32]));
        let one = token("1234", "mine");
        assert!(one.is_of(&key(&one)) && token("1234", "renamed").is_of(&key(&one)));
        assert!(!token("1235", "mine").is_of(&key(&one)));
        for none in ["", "0000000000000000"] {
            let bare = token(none, "mine");
            assert!(bare.is_of(&key(&bare)) && !token(none, "yours").is_of(&key(&bare)));
        }
        // Text longer than its field is cut the same way each time.
        let long = token("123456789012345678", "ä".repeat(40).as_str());
        assert!(long.is_of(&key(&long)));
    }
}
