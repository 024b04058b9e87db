//! The backend `command`: a program of the owner's that knows who signs. It gets JSON on its standard input and answers on
//! its standard output; no shell, no environment, and no word of anybody else's outside that JSON.

mod messages;
mod process;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use canton_topology::{
    key::{KeySpec, SigningPublicKey},
    show::escaped,
};
use serde::Deserialize;

use self::{
    messages::{Answer, Request},
    process::Bounds,
};
use super::{
    Abilities, Held, KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
    backends::{OpenError, Opening},
    signature_from_bytes,
    to_sign::ToSign,
};

/// Its kind in the configuration.
pub const KIND: &str = "command";
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long the program may be allowed to take, in seconds. Whoever needs longer answers "pending".
const TIMEOUT_S: std::ops::RangeInclusive<u64> = 1..=300;

/// Its section of `agent.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The program's path, from the root on.
    pub program: PathBuf,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// How long it may take, in seconds.
    #[serde(default = "usual_timeout")]
    pub timeout_s: u64,
    /// Where the beginning of its last standard error is kept, escaped; thrown away where absent. No error of ours quotes
    /// it: who knows what is in it.
    pub stderr_file: Option<PathBuf>,
}

fn usual_timeout() -> u64 {
    30
}

/// The backend.
#[derive(Debug)]
pub struct ExternalCommand {
    section: String,
    config: Config,
}

/// Opens one.
///
/// # Errors
/// See [`OpenError`].
pub fn open(opening: Opening<'_>) -> Result<Box<dyn KeyBackend>, OpenError> {
    let config: Config = opening.config()?;
    let wrong = |reason: &str| OpenError::Config { section: opening.section.to_owned(), reason: reason.to_owned() };
    if !config.program.is_absolute() {
        return Err(wrong("`program`: write its whole path, from / on; it is not looked for"));
    }
    if !TIMEOUT_S.contains(&config.timeout_s) {
        return Err(wrong("`timeout_s`: 1 to 300; who needs longer answers \"pending\""));
    }
    Ok(Box::new(ExternalCommand { section: opening.section.to_owned(), config }))
}

impl ExternalCommand {
    fn ask(&self, request: &Request<'_>) -> Result<Answer, KeyError> {
        self.check_program()?;
        let failed = |reason: &str| KeyError::Backend(format!("{}: {reason}", self.config.program.display()));
        let line = request.line().map_err(|error| failed(&error.to_string()))?;
        let bounds = Bounds { time: Duration::from_secs(self.config.timeout_s), answer_bytes: ANSWER_BYTES_MAX };
        let ended = process::run(&self.config.program, &self.config.arguments, &line, bounds);
        let kept = self.keep_stderr(&ended.stderr).map_err(|error| failed(&format!("`stderr_file`: {error}")))?;
        let answer = ended.answer.map_err(|error| error.to_string()).and_then(|answer| request.read(&answer));
        answer.map_err(|reason| failed(&format!("{reason}{kept}")))
    }

    /// Whoever may write the program, or put another in its place, is asked in its stead.
    fn check_program(&self) -> Result<(), KeyError> {
        let path = self.config.program.display();
        let metadata = fs::metadata(&self.config.program);
        let metadata = metadata.map_err(|error| KeyError::Backend(format!("`program` {path}: {error}")))?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o022 != 0 {
            return Err(KeyError::Backend(format!(
                "`program` {path}: its mode is {mode:o}, others may change it; run `chmod go-w {path}`"
            )));
        }
        Ok(())
    }

    /// Where to look for what the program complained of, in words to be put behind an error.
    fn keep_stderr(&self, stderr: &[u8]) -> io::Result<String> {
        if stderr.is_empty() {
            return Ok(String::new());
        }
        let Some(path) = &self.config.stderr_file else {
            let section = &self.section;
            return Ok(format!(
                "; to see what it wrote to its standard error, set `stderr_file` in [backends.{section}]"
            ));
        };
        write_stderr(path, stderr)?;
        Ok(format!("; its standard error stands in {}", path.display()))
    }
}

fn write_stderr(path: &Path, stderr: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    for line in String::from_utf8_lossy(stderr).lines() {
        writeln!(file, "{}", escaped(line))?;
    }
    Ok(())
}

/// A public key, of whatever curve it is.
fn public_key(spki: &[u8], purpose: Purpose) -> Option<SigningPublicKey> {
    KeySpec::ALL.into_iter().find_map(|spec| SigningPublicKey::from_spki(spec, spki, purpose.usage()).ok())
}

impl KeyBackend for ExternalCommand {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: &KeySpec::ALL, makes: false }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        match self.ask(&Request::probe())? {
            Answer::Ready(note) => {
                Ok(vec![("program".to_owned(), self.config.program.display().to_string()), ("says".to_owned(), note)])
            }
            answer => Err(self.not_given(answer)),
        }
    }

    fn generate(&mut self, _: &NewKey) -> Result<Held, KeyError> {
        Err(KeyError::Unable(format!("{KIND} makes no keys; make it there and take it with `keys import`")))
    }

    fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError> {
        let missing = |reason: String| KeyError::Missing { reference: reference.to_owned(), reason };
        match self.ask(&Request::describe(reference, purpose))? {
            Answer::Described(spki) => {
                let wrong = || missing("`public_key` of the answer is no key of a curve that Canton has".to_owned());
                let public = public_key(&spki, purpose).ok_or_else(wrong)?;
                let facts = vec![("program".to_owned(), self.config.program.display().to_string())];
                Ok(Held { public, reference: reference.to_owned(), facts, weaknesses: Vec::new() })
            }
            Answer::Refused(reason) => Err(missing(reason)),
            answer => Err(self.not_given(answer)),
        }
    }

    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        match self.ask(&Request::sign(&key.reference, &key.public, key.purpose, wanted))? {
            Answer::Signed(bytes) => {
                let signature = signature_from_bytes(&bytes, &key.public);
                let wrong = || KeyError::NotThePinnedKey { key: wanted.key().clone() };
                signature.map(Outcome::Signed).ok_or_else(wrong)
            }
            Answer::Pending { note, retry_after } => Ok(Outcome::Pending { note, retry_after }),
            Answer::Refused(reason) => Err(KeyError::Refused { key: wanted.key().clone(), reason }),
            answer @ (Answer::Ready(_) | Answer::Described(_)) => Err(self.not_given(answer)),
        }
    }
}

impl ExternalCommand {
    /// The error for an answer to another question; reading it has sorted these out.
    fn not_given(&self, answer: Answer) -> KeyError {
        let program = self.config.program.display();
        KeyError::Backend(match answer {
            Answer::Refused(reason) => format!("{program} refuses: {reason}"),
            Answer::Ready(_) | Answer::Described(_) | Answer::Signed(_) | Answer::Pending { .. } => {
                format!("{program} answered something that was not asked")
            }
        })
    }
}
