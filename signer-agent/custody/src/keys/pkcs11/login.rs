//! How often the PIN is given. A token locks itself after a few wrong ones, and not every token says by its answer that the
//! PIN was wrong: so an answer that is neither a yes nor the loss of the device is counted, whenever it comes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::{
    error::{Error, RvError},
    session::{Session, UserType},
};

use super::{Settings, failure::Failure};

/// The PIN is given so often without success.
const LOGINS_MAX: usize = 2;

/// The logins of a section, in the life of the process.
#[derive(Default)]
pub(super) struct Logins(Mutex<State>);

#[derive(Default)]
struct State {
    /// How many there were since the last success.
    without_success: usize,
    /// One has not answered yet.
    is_asked: bool,
    /// Why the PIN is not given again.
    refused: Option<String>,
}

impl Logins {
    /// Why the PIN is not given again, where it is not.
    pub fn refused(&self) -> Option<String> {
        self.state().refused.clone()
    }

    fn begin(&self) -> Result<(), Failure> {
        let mut state = self.state();
        if let Some(reason) = &state.refused {
            return Err(Failure::Pin(reason.clone()));
        }
        if state.is_asked {
            let words = "a login has not been answered yet, and the PIN is not given again before it is";
            return Err(Failure::Lost(words.to_owned()));
        }
        state.is_asked = true;
        Ok(())
    }

    fn end(&self, done: Result<(), Error>) -> Result<(), Failure> {
        let mut state = self.state();
        state.is_asked = false;
        let Err(error) = done else {
            state.without_success = 0;
            return Ok(());
        };
        let failure = Failure::from_login(&error);
        if let Error::Pkcs11(code, _) = error
            && says_what_was_lost(code)
        {
            return Err(failure);
        }
        state.without_success += 1;
        match &failure {
            Failure::Pin(reason) => state.refused = Some(reason.clone()),
            Failure::Lost(reason) if state.without_success >= LOGINS_MAX => {
                state.refused = Some(format!(
                    "the PIN was given {LOGINS_MAX} times, and the token neither took nor refused it ({reason}); it is not \
                     given again, as a token locks itself after a few tries: look after the token, and start again"
                ));
            }
            Failure::Lost(_) | Failure::Settings(_) | Failure::Key(_) => {}
        }
        Err(failure)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the PIN.
///
/// # Errors
/// [`Failure::Pin`] where it was not taken, now or before; [`Failure::Lost`].
pub(super) fn give_pin(session: &Session, user: UserType, settings: &Settings) -> Result<(), Failure> {
    settings.logins.begin()?;
    let done = match session.login(user, Some(&settings.pin)) {
        // By another section.
        Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        done => done,
    };
    // Also where nobody waits any more.
    settings.logins.end(done)
}

/// The token has not looked at the PIN, as it, its device or the session was not there.
fn says_what_was_lost(code: RvError) -> bool {
    matches!(
        code,
        RvError::CryptokiNotInitialized
            | RvError::DeviceRemoved
            | RvError::SessionClosed
            | RvError::SessionHandleInvalid
            | RvError::SlotIdInvalid
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
    )
}
