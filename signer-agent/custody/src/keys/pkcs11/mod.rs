//! The backend `pkcs11`: keys on a token behind a vendor's PKCS#11 library. Opening it reads its section and its PIN; a
//! device that is away is found out by a probe, and when a key is asked to sign.
//!
//! Every call runs on a thread that is left alone where the library hangs. A key is found by CKA_ID and public key,
//! handles live no longer than their session, and whatever fails is tried again with another session, and a new one at
//! last: but for the PIN, of whose tries a token has few.

mod attributes;
mod curve;
mod failure;
mod generation;
mod login;
mod module;
mod objects;
mod pool;
mod signing;
mod token;

use std::{path::PathBuf, sync::Arc, time::Duration};

use canton_topology::key::KeySpec;
use secrecy::SecretString;
use serde::Deserialize;

use self::{
    attributes::Acceptable,
    failure::Failure,
    login::Logins,
    objects::Pair,
    pool::Pool,
    signing::Sought,
    token::{Open, Token},
};
use super::{
    Abilities, Held, KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
    backends::{OpenError, Opening},
    credential::Credential,
    to_sign::ToSign,
    worker::NoAnswer,
};
use crate::random;

/// The word for it in a section.
pub const KIND: &str = "pkcs11";

/// CKA_ID of a key that is made here, in bytes.
const ID_BYTES: usize = 16;
/// Most sessions of one section. More than two help only where more than one hangs.
const SESSIONS_MAX: usize = 8;

/// A section `[backends.NAME]` with `kind = "pkcs11"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The vendor's library, by its whole path.
    pub module: PathBuf,
    /// The token's serial number: nothing else names one token.
    #[serde(default)]
    pub serial: Option<String>,
    /// The token's label, where its serial is not known.
    #[serde(default)]
    pub label: Option<String>,
    /// Where the user's PIN comes from.
    #[serde(default)]
    pub pin: Credential,
    /// Weaknesses of keys that the owner accepts.
    #[serde(default)]
    pub accept: Vec<Acceptable>,
    /// How long one call may take, in milliseconds.
    #[serde(default = "time_limit_ms")]
    pub time_limit_ms: u64,
    /// How many sessions are kept open: one signs, and the others are ready for when it fails or hangs.
    #[serde(default = "sessions")]
    pub sessions: usize,
}

fn time_limit_ms() -> u64 {
    10_000
}

fn sessions() -> usize {
    2
}

/// What a section says, with its PIN.
struct Settings {
    module: PathBuf,
    serial: Option<String>,
    label: Option<String>,
    pin: SecretString,
    accept: Vec<Acceptable>,
    sessions: usize,
    logins: Logins,
}

impl Settings {
    /// The token, for people.
    fn wanted(&self) -> String {
        match (&self.serial, &self.label) {
            (Some(serial), Some(label)) => format!("the token with serial {serial:?} and label {label:?}"),
            (Some(serial), None) => format!("the token with serial {serial:?}"),
            (None, Some(label)) => format!("the token with label {label:?}"),
            (None, None) => "the token".to_owned(),
        }
    }
}

/// The backend.
pub struct Pkcs11Keys {
    pool: Pool,
    time_limit: Duration,
    /// What the token has, as far as is known.
    specs: &'static [KeySpec],
    settings: Arc<Settings>,
}

impl std::fmt::Debug for Pkcs11Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pkcs11Keys")
    }
}

/// Opens the backend of a section.
///
/// # Errors
/// Names the field.
pub fn open(opening: Opening<'_>) -> Result<Box<dyn KeyBackend>, OpenError> {
    let config: Config = opening.config()?;
    let wrong = |reason: &str| OpenError::Config { section: opening.section.to_owned(), reason: reason.to_owned() };
    if !config.module.is_absolute() {
        return Err(wrong("module: give the whole path of the vendor's library, from `/` on"));
    }
    if config.serial.is_none() && config.label.is_none() {
        return Err(wrong(
            "serial: say which token, by its serial number (or by `label`); `pkcs11-tool -L` lists both",
        ));
    }
    if config.time_limit_ms == 0 {
        return Err(wrong("time_limit_ms: at least 1"));
    }
    if !(1..=SESSIONS_MAX).contains(&config.sessions) {
        return Err(wrong(&format!("sessions: 1 to {SESSIONS_MAX}")));
    }
    let pin = config.pin.resolve(opening.section, "PIN", opening.ask);
    let pin = pin.map_err(|error| OpenError::Credential { section: opening.section.to_owned(), error })?;
    let Config { module, serial, label, pin: _, accept, time_limit_ms, sessions } = config;
    let settings = Arc::new(Settings { module, serial, label, pin, accept, sessions, logins: Logins::default() });
    let of_token = settings.clone();
    let time_limit = Duration::from_millis(time_limit_ms);
    Ok(Box::new(Pkcs11Keys {
        pool: Pool::new(sessions, time_limit, move || Token::new(of_token.clone())),
        time_limit,
        specs: &KeySpec::ALL,
        settings,
    }))
}

impl Pkcs11Keys {
    fn call<R: Send + 'static>(
        &mut self,
        job: impl Fn(&mut Open) -> Result<R, Failure> + Send + Sync + 'static,
    ) -> Result<R, KeyError> {
        if let Some(reason) = self.settings.logins.refused() {
            return Err(KeyError::Unable(reason));
        }
        match self.pool.call(job) {
            Ok(done) => Ok(done?),
            Err(no_answer) => Err(Failure::Lost(self.words(no_answer)).into()),
        }
    }

    fn words(&self, no_answer: NoAnswer) -> String {
        match no_answer {
            NoAnswer::TookTooLong => format!(
                "the token did not answer within {} ms (`time_limit_ms`); the next call takes another session",
                self.time_limit.as_millis()
            ),
            NoAnswer::Died => {
                "the library's answer made no sense at all; the next call takes another session".to_owned()
            }
            NoAnswer::TooManyHang => {
                "too many calls hang in the library; look after the device, or start the agent again".to_owned()
            }
            NoAnswer::NoThread(kind) => format!("the system gives no thread: {kind}"),
        }
    }
}

fn held(pair: Pair, id: &[u8], open: &Open) -> Held {
    let weaknesses = pair.attributes.weaknesses(&open.settings.accept);
    Held { public: pair.public, reference: hex::encode(id), facts: pair.attributes.facts(), weaknesses }
}

impl KeyBackend for Pkcs11Keys {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: self.specs, makes: true }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        let (facts, specs) = self.call(|open| {
            // Not what was true when the session was opened.
            open.session.get_session_info()?;
            Ok((facts(open), curve::of_mechanisms(&open.mechanisms)))
        })?;
        self.specs = specs;
        Ok(facts)
    }

    fn generate(&mut self, wanted: &NewKey) -> Result<Held, KeyError> {
        let id: [u8; ID_BYTES] = *random::secret().map_err(|error| KeyError::Backend(error.to_string()))?;
        let wanted = wanted.clone();
        let made = self.call(move |open| Ok(held(generation::generate(open, &id, &wanted)?, &id, open)));
        made.map_err(|error| match error {
            KeyError::Backend(reason) => KeyError::Backend(format!(
                "{reason}; if the key was made all the same, its CKA_ID is {}: `keys import` takes it",
                hex::encode(id)
            )),
            other => other,
        })
    }

    fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError> {
        let id = objects::id_of(reference)?;
        self.call(move |open| Ok(held(objects::find(&open.session, &id, purpose)?, &id, open)))
    }

    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        let id = objects::id_of(&key.reference)?;
        let sought = Arc::new(Sought { id, public: key.public.clone(), purpose: key.purpose });
        let (wanted, message) = (sought.clone(), wanted.message().to_vec());
        let signature = self.call(move |open| signing::sign(open, &wanted, &message))?;
        self.pool.seek(&sought);
        Ok(Outcome::Signed(signature))
    }

    fn doubted(&mut self) -> bool {
        self.pool.empty()
    }
}

fn facts(open: &Open) -> Vec<(String, String)> {
    let info = &open.info;
    let fact = |name: &str, value: String| (name.to_owned(), value);
    vec![
        fact("token", info.label().to_owned()),
        fact("serial", info.serial_number().to_owned()),
        fact("manufacturer", info.manufacturer_id().to_owned()),
        fact("model", info.model().to_owned()),
        fact("firmware", info.firmware_version().to_string()),
        fact("sessions", format!("{}; the token: {}", open.settings.sessions, token::words(info.max_session_count()))),
        fact("library", format!("{} {}", open.library.library_description(), open.library.library_version())),
        fact("pin", if info.user_pin_count_low() { "was mistyped since the last login" } else { "taken" }.to_owned()),
    ]
}
