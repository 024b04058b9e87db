//! Passphrases and PINs: from descriptors, or asked for at the terminal. Never from an argument or the environment, which
//! others can read.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _},
};

use anyhow::{Context as _, bail};
use custody::keys::credential::{AskSecret, CredentialError, first_line};
use secrecy::SecretString;
use zeroize::Zeroize as _;

use super::arguments::Passphrase;

/// Longest secret that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

/// The passphrase of the file of secrets, and whoever is asked for the secrets of backends. From here on the process
/// leaves no core dump and lets nobody look into it.
pub struct Secrets {
    /// The passphrase.
    pub passphrase: SecretString,
    /// What the descriptors held, by section; the terminal for the rest.
    pub ask: Asked,
}

impl Secrets {
    /// Reads every descriptor, asks for the passphrase where none was named, and hardens the process.
    ///
    /// # Errors
    /// Where a descriptor does not read, or nobody answers.
    pub fn read(from: &Passphrase, twice: bool) -> anyhow::Result<Self> {
        let mut given = BTreeMap::new();
        for (section, fd) in &from.secret_fds {
            given.insert(section.clone(), from_descriptor(*fd, "--secret-fd")?);
        }
        let passphrase = match from.passphrase_fd {
            Some(fd) => from_descriptor(fd, "--passphrase-fd")?,
            None => asked("Passphrase", twice).context("no terminal; use --passphrase-fd")?,
        };
        // After the descriptors are read: a process that cannot be looked into cannot open its own descriptors by name
        // either.
        custody::hardening::harden().context("core dumps cannot be turned off; no key is opened")?;
        Ok(Self { passphrase, ask: Asked(given) })
    }
}

/// The secrets of backends.
pub struct Asked(BTreeMap<String, SecretString>);

impl AskSecret for Asked {
    fn ask(&mut self, section: &str, what: &str) -> Result<SecretString, CredentialError> {
        if let Some(given) = self.0.get(section) {
            return Ok(given.clone());
        }
        let prompt = format!("{what} of [backends.{section}]: ");
        let read = rpassword::prompt_password(prompt).map_err(|_| CredentialError::NotGiven {
            what: format!("{what} of [backends.{section}]"),
            reason: format!(
                "no terminal to ask at; name a descriptor with --secret-fd {section}=FD, or a file in the section"
            ),
        })?;
        Ok(SecretString::from(read))
    }
}

/// Reads the first line of a descriptor.
///
/// # Errors
/// Where it does not read.
pub fn from_descriptor(fd: u32, option: &str) -> anyhow::Result<SecretString> {
    let file = std::fs::File::open(format!("/proc/self/fd/{fd}"))
        .with_context(|| format!("{option} {fd}: not an open descriptor"))?;
    let mut line = Vec::new();
    BufReader::new(file.take(SECRET_BYTES_MAX)).read_until(b'\n', &mut line)?;
    let secret = first_line(&line);
    line.zeroize();
    // An empty passphrase is refused by its length, where it matters.
    Ok(secret.unwrap_or_else(|| SecretString::from(String::new())))
}

/// Asks at the terminal.
///
/// # Errors
/// Where there is none, or both answers differ.
pub fn asked(what: &str, twice: bool) -> anyhow::Result<SecretString> {
    let first = rpassword::prompt_password(format!("{what}: "))?;
    if twice {
        let mut second = rpassword::prompt_password(format!("{what} again: "))?;
        let same = first == second;
        second.zeroize();
        if !same {
            bail!("the two passphrases differ");
        }
    }
    Ok(SecretString::from(first))
}
