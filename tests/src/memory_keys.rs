//! Keys in memory, for tests alone: no shipped program has this backend.

use canton_topology::{
    Timestamp,
    key::{KeySpec, SigningPublicKey},
};
use custody::keys::{
    Abilities, Held, KeyBackend, KeyError, KeyState, NewKey, Outcome, PinnedKey, Purpose, keyring::Keyring,
    secret_key::SecretKey, to_sign::ToSign,
};

/// The backend.
#[derive(Debug, Default)]
pub struct MemoryKeys(Vec<(Purpose, SecretKey)>);

impl MemoryKeys {
    fn held(&self, reference: &str) -> Option<(&SecretKey, SigningPublicKey)> {
        let public = |(purpose, secret): &'_ (Purpose, SecretKey)| secret.public(*purpose);
        let found = self.0.iter().find(|key| public(key).fingerprint_ref().as_str() == reference)?;
        Some((&found.1, public(found)))
    }
}

impl KeyBackend for MemoryKeys {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: &KeySpec::ALL, makes: true }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        Ok(Vec::new())
    }

    fn generate(&mut self, wanted: &NewKey) -> Result<Held, KeyError> {
        let secret = SecretKey::generate(wanted.spec).map_err(|error| KeyError::Backend(error.to_string()))?;
        let public = secret.public(wanted.purpose);
        self.0.push((wanted.purpose, secret));
        Ok(Held { reference: public.fingerprint().to_string(), public, facts: Vec::new(), weaknesses: Vec::new() })
    }

    fn find(&mut self, reference: &str, _: Purpose) -> Result<Held, KeyError> {
        let missing = || KeyError::Missing { reference: reference.to_owned(), reason: "it was never made".to_owned() };
        let (_, public) = self.held(reference).ok_or_else(missing)?;
        Ok(Held { public, reference: reference.to_owned(), facts: Vec::new(), weaknesses: Vec::new() })
    }

    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        let missing = || KeyError::Missing { reference: key.reference.clone(), reason: "it was never made".to_owned() };
        let (secret, _) = self.held(&key.reference).ok_or_else(missing)?;
        Ok(Outcome::Signed(secret.sign(wanted.message(), wanted.key().clone())))
    }
}

/// A keyring whose keys are in memory.
pub fn keyring(keys: Vec<(Purpose, SecretKey)>) -> Keyring {
    let pinned = keys.iter().map(|(purpose, secret)| pinned(*purpose, &secret.public(*purpose), "memory")).collect();
    let backend: Box<dyn KeyBackend> = Box::new(MemoryKeys(keys));
    Keyring::new(pinned, [("memory".to_owned(), backend)].into())
}

/// A key as it is pinned, found by its fingerprint.
pub fn pinned(purpose: Purpose, public: &SigningPublicKey, backend: &str) -> PinnedKey {
    PinnedKey {
        name: format!("{purpose}-{}", public.fingerprint()),
        purpose,
        public: public.clone(),
        backend: backend.to_owned(),
        reference: public.fingerprint().to_string(),
        pinned_at: Timestamp(0),
        state: KeyState::Active,
        drilled_at: None,
    }
}
