//! How a backend gets its PIN, token or passphrase: asked for at the terminal, read from a descriptor, or read from a file
//! that nobody else may read. Never from an argument or the environment, which others can read.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

/// Longest secret that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

/// Where a secret comes from, as it stands in a configuration: `{ file = "/etc/countersign/pin" }`; asked for, or read
/// from a descriptor named on the command line, where nothing is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// A file with the secret on its first line, mode 0400 or 0600; systemd's credentials are such files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// Why there is no secret.
#[derive(Debug, Error)]
pub enum CredentialError {
    /// The file does not read.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others may read the file.
    #[error("{path}: its mode is {mode:o}, others may read the secret in it; run `chmod 600 {path}`")]
    Mode {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The first line is empty, or not text.
    #[error("{path}: its first line is empty, or is not text")]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// Nobody answers.
    #[error("{what}: {reason}")]
    NotGiven {
        /// What was asked for.
        what: String,
        /// Why not.
        reason: String,
    },
}

/// Whoever can be asked for a secret: a terminal, or descriptors that were read before.
pub trait AskSecret {
    /// The secret of one backend's section.
    ///
    /// # Errors
    /// [`CredentialError::NotGiven`].
    fn ask(&mut self, section: &str, what: &str) -> Result<SecretString, CredentialError>;
}

impl Credential {
    /// Reads the secret, or asks for it.
    ///
    /// # Errors
    /// See [`CredentialError`].
    pub fn resolve(&self, section: &str, what: &str, ask: &mut dyn AskSecret) -> Result<SecretString, CredentialError> {
        self.source(section, what, ask)?.current()
    }

    /// Asks for the secret where it is to be asked for; a file is read later, each time that the secret is needed.
    ///
    /// # Errors
    /// [`CredentialError::NotGiven`].
    pub fn source(&self, section: &str, what: &str, ask: &mut dyn AskSecret) -> Result<Source, CredentialError> {
        match &self.file {
            Some(path) => Ok(Source::File(path.clone())),
            None => ask.ask(section, what).map(Source::Given),
        }
    }
}

/// Where a secret comes from that others may renew while the agent runs.
#[derive(Debug)]
pub enum Source {
    /// It was given once.
    Given(SecretString),
    /// Whoever renews it writes it here.
    File(PathBuf),
}

impl Source {
    /// The secret of this moment: the first line of the file.
    ///
    /// # Errors
    /// See [`CredentialError`].
    pub fn current(&self) -> Result<SecretString, CredentialError> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => {
                let whole = whole_file(path)?;
                first_line(&whole).ok_or_else(|| CredentialError::Empty { path: path.clone() })
            }
        }
    }
}

/// A file of secrets that nobody else may read, with all its lines.
///
/// # Errors
/// See [`CredentialError`].
pub fn whole_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    let failed = |error| CredentialError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(CredentialError::Mode { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX as usize));
    file.take(SECRET_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The first line without its end; `None` where it is empty or not text.
pub fn first_line(bytes: &[u8]) -> Option<SecretString> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).ok().filter(|text| !text.is_empty())?;
    Some(SecretString::from(text.to_owned()))
}
