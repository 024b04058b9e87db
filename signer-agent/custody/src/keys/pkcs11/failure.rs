//! What can go wrong with a token, sorted by what is to be done about it.

use cryptoki::error::{Error, RvError};

use crate::keys::KeyError;

/// Why a call to a token came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The PIN is not taken. Never tried again: after a few tries a token locks itself.
    Pin(String),
    /// The section asks for more than the token has.
    Settings(String),
    /// What was asked for is not there, or cannot be done.
    Key(KeyError),
    /// The device, the session or a handle was lost, or what came back makes no sense.
    Lost(String),
}

impl Failure {
    /// Whether it may go better with new sessions. Also what is missing may be there then: a session that was logged out
    /// sees no private objects.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Pin(_) | Self::Settings(_) => false,
            Self::Key(_) | Self::Lost(_) => true,
        }
    }
}

impl Failure {
    /// Of a login.
    pub fn from_login(error: &Error) -> Self {
        match error {
            Error::Pkcs11(code, _) if is_about_the_pin(*code) => Self::Pin(format!(
                "the token does not take the PIN ({code:?}); it is not tried again, as a token locks itself after a few \
                 tries: correct `pin` or what was typed, and start again"
            )),
            Error::Pkcs11(code, function) => Self::Lost(format!("C_{function:?} answers {code:?}")),
            other => Self::Lost(other.to_string()),
        }
    }
}

impl From<Failure> for KeyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Pin(reason) | Failure::Settings(reason) => Self::Unable(reason),
            Failure::Key(error) => error,
            Failure::Lost(reason) => Self::Backend(reason),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(code, function) => Self::Lost(format!("C_{function:?} answers {code:?}")),
            other => Self::Lost(other.to_string()),
        }
    }
}

fn is_about_the_pin(code: RvError) -> bool {
    matches!(
        code,
        RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinExpired
            | RvError::PinLocked
            | RvError::PinTooWeak
            | RvError::UserPinNotInitialized
    )
}
