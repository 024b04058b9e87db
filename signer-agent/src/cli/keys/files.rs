//! Keys in files: PKCS#8 in and out, and another passphrase for the file of secrets.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, bail};
use custody::keys::{
    backends::Kinds,
    encrypted_file::SECTION,
    key_file::{KeyFile, PASSPHRASE_CHARS_MIN},
    pkcs8_file::{self, Pkcs8Error},
    secret_key::SecretKey,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::{
    super::{
        End,
        arguments::{ChangePassphrase, ExportKey, ImportKey},
        print::{self, Form},
        secrets::{self, Descriptor, Secrets},
    },
    named,
};
use crate::{
    custodian::{Custodian, Opener, Place},
    folder::Folder,
    process,
};

/// Puts a PKCS#8 file's key into the encrypted file; where it is found there, to be pinned. No other backend is opened.
pub fn import(folder: &Folder, file: &Path, import: &ImportKey) -> anyhow::Result<(Custodian, Place)> {
    let given = import.key_passphrase_fd.map(|fd| Descriptor::open(fd, "--key-passphrase-fd")).transpose()?;
    let mut secrets = Secrets::read(&import.with.passphrase, false)?;
    let given = given.map(Descriptor::read).transpose()?;
    let secret = read(file, given, import.accept_plaintext)?;
    let mut keys = KeyFile::open(&folder.keys(), &secrets.passphrase)?;
    let fingerprint = keys.import(import.purpose.into(), secret)?;
    let config = folder.config()?;
    let node = process::node(&config.participant, &config.participant_access, &config.synchronizer)?;
    let opener = Opener { folder, kinds: &Kinds::default(), ask: &mut secrets.ask, node };
    let custodian = opener.join(keys, &BTreeMap::new())?;
    Ok((custodian, Place { section: SECTION.to_owned(), reference: Some(fingerprint.to_string()) }))
}

fn read(file: &Path, given: Option<SecretString>, accept_plaintext: bool) -> anyhow::Result<SecretKey> {
    match pkcs8_file::read(file, given.as_ref(), accept_plaintext) {
        Err(Pkcs8Error::NeedsPassphrase { path }) => {
            let asked = rpassword::prompt_password(format!("Passphrase of {}: ", path.display()));
            let asked = SecretString::from(asked.map_err(|_| Pkcs8Error::NeedsPassphrase { path })?);
            Ok(pkcs8_file::read(file, Some(&asked), accept_plaintext)?)
        }
        other => Ok(other?),
    }
}

pub fn export(folder: &Folder, export: &ExportKey, form: &Form) -> anyhow::Result<End> {
    let given = export.key_passphrase_fd.map(|fd| Descriptor::open(fd, "--key-passphrase-fd")).transpose()?;
    let secrets = Secrets::read(&export.with.passphrase, false)?;
    let keys = folder.pinned_keys()?;
    let key = named(&keys, &export.key)?;
    if key.backend != SECTION {
        bail!("key {} lives in [backends.{}]; it never leaves it", key.name, key.backend);
    }
    let file = KeyFile::open(&folder.keys(), &secrets.passphrase)?;
    let secret = file.secret(key.fingerprint()).context("the file of secrets does not hold it; restore the file")?;
    let passphrase = new_passphrase(given, "--key-passphrase-fd")?;
    pkcs8_file::write(&export.out, secret, &passphrase, export.form.into())?;
    let value = json!({ "name": key.name, "fingerprint": key.fingerprint().to_string(), "file": export.out.display().to_string() });
    print::value("the key is written; it is in two places now", &value, form)?;
    Ok(End::Done)
}

pub fn change_passphrase(folder: &Folder, change: &ChangePassphrase, form: &Form) -> anyhow::Result<End> {
    let given = change.new_passphrase_fd.map(|fd| Descriptor::open(fd, "--new-passphrase-fd")).transpose()?;
    let _alone = folder.hold_keys()?;
    let secrets = Secrets::read(&change.with.passphrase, false)?;
    let mut file = KeyFile::open(&folder.keys(), &secrets.passphrase)?;
    file.change_passphrase(&new_passphrase(given, "--new-passphrase-fd")?)?;
    let value = json!({ "file": folder.keys().display().to_string() });
    print::value("the new passphrase counts; copies of the old file open with the old one still", &value, form)?;
    Ok(End::Done)
}

fn new_passphrase(given: Option<Descriptor>, option: &str) -> anyhow::Result<SecretString> {
    let passphrase = match given {
        Some(given) => given.read()?,
        None => secrets::asked("New passphrase", true).with_context(|| format!("or name it with {option}"))?,
    };
    if passphrase.expose_secret().chars().count() < PASSPHRASE_CHARS_MIN {
        bail!("new passphrase: at least {PASSPHRASE_CHARS_MIN} characters are needed");
    }
    Ok(passphrase)
}
