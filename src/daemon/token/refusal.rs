//! What tokens refuse, in our words.

use cryptoki::context::Function;
use cryptoki::error::Error;
use cryptoki::error::RvError;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;

/// What the token said, in the words of the standard: short, and what a search finds.
pub(super) fn reason(error: &Error) -> String {
    if let Error::Pkcs11(code, function) = error {
        return format!("{function:?} gives {code:?}");
    }
    error.to_string()
}

/// It was wrong too often.
pub(super) fn pin_locked(token: &str) -> Fault {
    let what = format!("the PIN of the token {token} is locked: it was wrong too often");
    Fault::new(FaultKind::PinWrong, what)
        .next("unlock it with the program of the token's maker, and its PUK or SO PIN")
}

/// A refusal of a token, and what to do.
pub(super) fn fault(token: &str, error: &Error) -> Fault {
    let of = |kind, what: &str, next: &str| {
        Fault::new(kind, format!("the token {token} {what}")).next(next)
    };
    let is = |codes: &[RvError]| matches!(error, Error::Pkcs11(code, _) if codes.contains(code));
    if is(&[
        RvError::PinIncorrect,
        RvError::PinInvalid,
        RvError::PinLenRange,
    ]) {
        let what = format!("wrong PIN for the token {token}");
        let next = "try again; after too many wrong ones the token locks itself";
        return Fault::new(FaultKind::PinWrong, what).next(next);
    }
    if is(&[RvError::PinLocked]) {
        return pin_locked(token);
    }
    if is(&[RvError::PinExpired, RvError::UserPinNotInitialized]) {
        let next = "set its PIN with the program of the token's maker";
        return of(FaultKind::PinWrong, "has no PIN that holds", next);
    }
    if is(&[
        RvError::TokenNotPresent,
        RvError::TokenNotRecognized,
        RvError::DeviceRemoved,
        RvError::SlotIdInvalid,
    ]) {
        let next = "insert it, then try again";
        return of(FaultKind::NoToken, "is not there any more", next);
    }
    if is(&[
        RvError::MechanismInvalid,
        RvError::MechanismParamInvalid,
        RvError::ArgumentsBad,
        RvError::KeyFunctionNotPermitted,
        RvError::FunctionNotSupported,
    ]) {
        let next = "use a token and a key that can encrypt with AES-CBC; with --rsa, decrypt with RSA-OAEP and SHA-256";
        let what = format!("cannot do what is asked of it: {}", reason(error));
        return of(FaultKind::NoToken, &what, next);
    }
    if is_not_opened(error) {
        let next = "it has another key than the pod was closed with, or the keyfile is damaged: the recovery phrase helps, \
                    podfs passwd --phrase-file FILE";
        let what = format!("does not open the pod: {}", reason(error));
        return of(FaultKind::PassphraseWrong, &what, next);
    }
    let what = format!("fails: {}", reason(error));
    of(
        FaultKind::NoToken,
        &what,
        "take it out and insert it again, then try again",
    )
}

/// What was sealed to an RSA key was not opened by the one on the token. By the standard that is `EncryptedDataInvalid`; the
/// module of TPMs knows no more than that it failed.
const fn is_not_opened(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::DataInvalid
                | RvError::DataLenRange
                | RvError::FunctionFailed
                | RvError::GeneralError,
            Function::Decrypt
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_says_has_a_kind_and_advice() {
        let said = |code| fault("\"t\"", &Error::Pkcs11(code, Function::Login));
        for (code, kind, word) in [
            (RvError::PinIncorrect, FaultKind::PinWrong, "wrong PIN"),
            (RvError::PinLocked, FaultKind::PinWrong, "locked"),
            (
                RvError::UserPinNotInitialized,
                FaultKind::PinWrong,
                "no PIN",
            ),
            (RvError::DeviceRemoved, FaultKind::NoToken, "not there"),
            (
                RvError::MechanismInvalid,
                FaultKind::NoToken,
                "MechanismInvalid",
            ),
            (RvError::DeviceError, FaultKind::NoToken, "DeviceError"),
        ] {
            let fault = said(code);
            assert_eq!(fault.kind, kind, "{code:?}");
            assert!(fault.what.contains(word), "{}", fault.what);
            assert!(fault.next.is_some(), "{code:?}");
        }
        let error = Error::Pkcs11(RvError::GeneralError, Function::Decrypt);
        assert_eq!(fault("\"t\"", &error).kind, FaultKind::PassphraseWrong);
    }
}
