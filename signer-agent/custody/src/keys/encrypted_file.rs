//! The backend `encrypted-file`: software keys in the owner's own file of secrets.

use canton_topology::key::KeySpec;

use super::{
    Abilities, Held, KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
    key_file::{FileKey, KeyFile},
    secret_key::SecretKey,
    to_sign::ToSign,
};
use crate::locked::Locked;

/// The name of its one section, which is always there.
pub const SECTION: &str = "file";

/// The backend.
#[derive(Debug)]
pub struct EncryptedFile(KeyFile);

impl EncryptedFile {
    /// Over an opened file.
    pub fn new(file: KeyFile) -> Self {
        Self(file)
    }

    fn key(&self, reference: &str) -> Option<&FileKey> {
        self.0.keys().iter().find(|key| key.secret.public(key.purpose).fingerprint_ref().as_str() == reference)
    }
}

fn held(key: &FileKey) -> Held {
    let public = key.secret.public(key.purpose);
    let reference = public.fingerprint().to_string();
    let facts = vec![("encryption".to_owned(), "XChaCha20-Poly1305 under Argon2id".to_owned())];
    Held { public, reference, facts, weaknesses: Vec::new() }
}

impl KeyBackend for EncryptedFile {
    fn kind(&self) -> &'static str {
        "encrypted-file"
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: &KeySpec::ALL, makes: true }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        Ok(vec![("keys".to_owned(), self.0.keys().len().to_string())])
    }

    fn generate(&mut self, wanted: &NewKey) -> Result<Held, KeyError> {
        let secret = SecretKey::generate(wanted.spec).map_err(|error| KeyError::Backend(error.to_string()))?;
        let secret = Locked::new(secret).map_err(|error| KeyError::Backend(error.to_string()))?;
        let key = FileKey { purpose: wanted.purpose, secret };
        let made = held(&key);
        self.0.add(key).map_err(|error| KeyError::Backend(error.to_string()))?;
        Ok(made)
    }

    fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError> {
        let missing = |reason: &str| KeyError::Missing { reference: reference.to_owned(), reason: reason.to_owned() };
        let key = self.key(reference).ok_or_else(|| missing("the file has none with that fingerprint"))?;
        if key.purpose == purpose { Ok(held(key)) } else { Err(missing("it is for something else")) }
    }

    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        let missing = || KeyError::Missing {
            reference: key.reference.clone(),
            reason: "the file had none when it was opened: start the agent again where the key was made since, and \
                     restore the file where another one took its place"
                .to_owned(),
        };
        let file_key = self.key(&key.reference).ok_or_else(missing)?;
        Ok(Outcome::Signed(file_key.secret.sign(wanted.message(), wanted.key().clone())))
    }
}
