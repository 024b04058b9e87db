//! Passphrases and PINs: from descriptors, or asked for at the terminal. Never from an argument or the environment, which
//! others can read.

use std::{collections::BTreeMap, fs::File, io::Read as _};

use anyhow::{Context as _, bail};
use custody::keys::credential::{AskSecret, CredentialError, first_line};
use secrecy::SecretString;
use zeroize::{Zeroize as _, Zeroizing};

use super::arguments::Passphrase;

/// Longest secret that is read, in bytes.
const SECRET_BYTES_MAX: usize = 4096;

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
        // First opened: a process that cannot be looked into cannot open its own descriptors by name either. Then hardened,
        // and only then is any secret read.
        let of_section = |(section, fd): &(String, u32)| Ok((section.clone(), Descriptor::open(*fd, "--secret-fd")?));
        let of_sections = from.secret_fds.iter().map(of_section).collect::<anyhow::Result<Vec<_>>>()?;
        let descriptor = from.passphrase_fd.map(|fd| Descriptor::open(fd, "--passphrase-fd")).transpose()?;
        custody::hardening::harden().context("core dumps cannot be turned off; no key is opened")?;
        let mut given = BTreeMap::new();
        for (section, descriptor) in of_sections {
            given.insert(section, descriptor.read()?);
        }
        let passphrase = match descriptor {
            Some(descriptor) => descriptor.read()?,
            None => asked("Passphrase", twice).context("no terminal; use --passphrase-fd")?,
        };
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

/// A descriptor that holds a secret.
pub struct Descriptor {
    file: File,
    /// What it was named by.
    name: String,
}

impl Descriptor {
    /// Opens it, and reads nothing yet.
    ///
    /// # Errors
    /// Where it is none that is open.
    pub fn open(fd: u32, option: &str) -> anyhow::Result<Self> {
        let name = format!("{option} {fd}");
        let file = File::open(format!("/proc/self/fd/{fd}"));
        let file = file.with_context(|| format!("{name}: not an open descriptor"))?;
        Ok(Self { file, name })
    }

    /// Its first line.
    ///
    /// # Errors
    /// Where it does not read.
    pub fn read(self) -> anyhow::Result<SecretString> {
        // In one place, which is wiped: nothing in between buffers it.
        let mut line = Zeroizing::new(vec![0; SECRET_BYTES_MAX]);
        let (mut file, mut length) = (self.file, 0);
        while length < SECRET_BYTES_MAX && !line[..length].contains(&b'\n') {
            match file.read(&mut line[length..]).with_context(|| format!("{}: does not read", self.name))? {
                0 => break,
                more => length += more,
            }
        }
        // An empty passphrase is refused by its length, where it matters.
        Ok(first_line(&line[..length]).unwrap_or_else(|| SecretString::from(String::new())))
    }
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
