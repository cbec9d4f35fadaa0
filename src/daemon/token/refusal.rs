//! What tokens refuse, in our words.

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
        RvError::KeyFunctionNotPermitted,
        RvError::FunctionNotSupported,
    ]) {
        let next = "use a token and a key that can encrypt with AES-CBC";
        let what = format!("cannot do what is asked of it: {}", reason(error));
        return of(FaultKind::NoToken, &what, next);
    }
    let what = format!("fails: {}", reason(error));
    of(
        FaultKind::NoToken,
        &what,
        "take it out and insert it again, then try again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki::context::Function;

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
    }
}
