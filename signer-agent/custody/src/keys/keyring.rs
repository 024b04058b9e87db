//! The keyring: which keys the owner has, what each is for, which backend holds it. Every signature of an owner's key
//! that Canton or another owner is to believe is made through here.

use std::collections::BTreeMap;

use canton_topology::{Timestamp, id::Fingerprint, key::SigningPublicKey, signature::Signature};
use protocol::registry::Shape;
use thiserror::Error;

use super::{Held, KeyBackend, KeyError, KeyState, NewKey, Outcome, PinnedKey, Purpose, to_sign::ToSign};

/// Why a key is not pinned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PinError {
    /// Its name is in use.
    #[error("the name {0:?} is taken by another key; choose another --name")]
    NameTaken(String),
    /// Its name could mislead.
    #[error("--name {0:?}: use 1 to 64 letters, digits, '-', '_' or '.'")]
    Name(String),
    /// It is pinned already.
    #[error("key {key} is pinned already, as {name:?}")]
    AlreadyPinned {
        /// The key.
        key: Fingerprint,
        /// Its name.
        name: String,
    },
    /// It is weaker than it should be.
    #[error("key {key}, which is {reference:?} of [backends.{section}], is not taken: {}", weaknesses.join("; "))]
    Weak {
        /// The key.
        key: Fingerprint,
        /// The section whose backend holds it.
        section: String,
        /// How that backend finds it.
        reference: String,
        /// Why.
        weaknesses: Vec<String>,
    },
    /// Its usages are not those of the purpose.
    #[error(
        "key {key}, which is {reference:?} of [backends.{section}], cannot be for {purpose}: Canton would not take it for that"
    )]
    Usage {
        /// The key.
        key: Fingerprint,
        /// The section whose backend holds it.
        section: String,
        /// How that backend finds it.
        reference: String,
        /// The purpose.
        purpose: Purpose,
    },
    /// The backend.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The keys of one owner and the backends that hold them, by the names of their sections.
#[derive(Default)]
pub struct Keyring {
    keys: Vec<PinnedKey>,
    backends: BTreeMap<String, Box<dyn KeyBackend>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({} keys, {} backends)", self.keys.len(), self.backends.len())
    }
}

impl Keyring {
    /// Joins the pinned keys and the backends that opened.
    pub fn new(keys: Vec<PinnedKey>, backends: BTreeMap<String, Box<dyn KeyBackend>>) -> Self {
        Self { keys, backends }
    }

    /// Every key, in the order of its pinning.
    pub fn keys(&self) -> &[PinnedKey] {
        &self.keys
    }

    /// Puts what was pinned anew in the place of what was.
    pub fn set_keys(&mut self, keys: Vec<PinnedKey>) {
        self.keys = keys;
    }

    /// The keys that sign.
    pub fn active(&self) -> impl Iterator<Item = &PinnedKey> {
        self.keys.iter().filter(|key| key.state == KeyState::Active)
    }

    /// The backends, by section.
    pub fn backends(&mut self) -> impl Iterator<Item = (&String, &mut Box<dyn KeyBackend>)> {
        self.backends.iter_mut()
    }

    /// One backend.
    ///
    /// # Errors
    /// [`KeyError::UnknownBackend`].
    pub fn backend(&mut self, section: &str) -> Result<&mut (dyn KeyBackend + 'static), KeyError> {
        let found = self.backends.get_mut(section).map(Box::as_mut);
        found.ok_or_else(|| KeyError::UnknownBackend(section.to_owned()))
    }

    /// Makes a key in a backend and pins it.
    ///
    /// # Errors
    /// See [`PinError`].
    pub fn generate(&mut self, section: &str, wanted: &NewKey, now: Timestamp) -> Result<&PinnedKey, PinError> {
        self.must_be_free(&wanted.name)?;
        let backend = self.backend(section)?;
        let abilities = backend.abilities();
        if !abilities.makes {
            let words = format!("{} makes no keys; make it there and take it with `keys import`", backend.kind());
            return Err(KeyError::Unable(words).into());
        }
        if !abilities.specs.contains(&wanted.spec) {
            let able = abilities.specs.iter().map(|spec| spec.name()).collect::<Vec<_>>().join(", ");
            let words = format!("--spec {}: {} has {able}", wanted.spec.name(), backend.kind());
            return Err(KeyError::Unable(words).into());
        }
        self.must_certify(section, wanted.purpose)?;
        let held = self.backend(section)?.generate(wanted)?;
        self.pin(section, &wanted.name, wanted.purpose, held, now)
    }

    /// Pins a key that a backend holds already.
    ///
    /// # Errors
    /// See [`PinError`].
    pub fn take(
        &mut self,
        section: &str,
        reference: &str,
        name: &str,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<&PinnedKey, PinError> {
        self.must_be_free(name)?;
        self.must_certify(section, purpose)?;
        let held = self.backend(section)?.find(reference, purpose)?;
        self.pin(section, name, purpose, held, now)
    }

    /// The first namespace key certifies the identity key: it must be one that can.
    fn must_certify(&mut self, section: &str, purpose: Purpose) -> Result<(), KeyError> {
        let is_first = purpose == Purpose::Namespace && self.first(purpose).is_none();
        let backend = self.backend(section)?;
        if is_first && backend.signs_topology_alone() {
            return Err(KeyError::Unable(format!(
                "the first namespace key certifies the identity key, and {} signs topology alone; let it live elsewhere, such as in the encrypted file",
                backend.kind()
            )));
        }
        Ok(())
    }

    /// Whether the backend of a key signs topology alone.
    pub fn signs_topology_alone(&self, key: &Fingerprint) -> bool {
        let pinned = self.keys.iter().find(|pinned| pinned.fingerprint() == key);
        let backend = pinned.and_then(|pinned| self.backends.get(&pinned.backend));
        backend.is_some_and(|backend| backend.signs_topology_alone())
    }

    fn must_be_free(&self, name: &str) -> Result<(), PinError> {
        if !protocol::book::is_plain_name(name) {
            return Err(PinError::Name(name.to_owned()));
        }
        if self.keys.iter().any(|key| key.name == name) {
            return Err(PinError::NameTaken(name.to_owned()));
        }
        Ok(())
    }

    fn pin(
        &mut self,
        section: &str,
        name: &str,
        purpose: Purpose,
        held: Held,
        now: Timestamp,
    ) -> Result<&PinnedKey, PinError> {
        let key = held.public.fingerprint();
        if let Some(pinned) = self.keys.iter().find(|pinned| *pinned.fingerprint() == key) {
            return Err(PinError::AlreadyPinned { key, name: pinned.name.clone() });
        }
        if !held.weaknesses.is_empty() {
            let (section, reference) = (section.to_owned(), held.reference);
            return Err(PinError::Weak { key, section, reference, weaknesses: held.weaknesses });
        }
        if purpose.usage().is_empty() || !purpose.usage().iter().all(|usage| held.public.usage().contains(usage)) {
            let (section, reference) = (section.to_owned(), held.reference);
            return Err(PinError::Usage { key, section, reference, purpose });
        }
        self.keys.push(PinnedKey {
            name: name.to_owned(),
            purpose,
            public: held.public,
            backend: section.to_owned(),
            reference: held.reference,
            pinned_at: now,
            state: KeyState::Active,
            drilled_at: None,
        });
        Ok(self.keys.last().expect("it was just pushed"))
    }

    /// The public half of an active key of that purpose that was pinned first.
    pub fn first(&self, purpose: Purpose) -> Option<&SigningPublicKey> {
        self.active().find(|key| key.purpose == purpose).map(|key| &key.public)
    }

    /// Has a key sign, and verifies what came back against what was pinned.
    ///
    /// # Errors
    /// See [`KeyError`]. Nothing is released then.
    pub fn sign(&mut self, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        let key = self.keys.iter().find(|key| key.fingerprint() == wanted.key());
        let key = key.ok_or_else(|| KeyError::UnknownKey(wanted.key().clone()))?;
        if let KeyState::Retired(at) = key.state {
            return Err(KeyError::Retired { key: wanted.key().clone(), at });
        }
        if !wanted.is_for(key.purpose) {
            let what = wanted.shape().name();
            return Err(KeyError::Purpose { key: wanted.key().clone(), purpose: key.purpose, what });
        }
        // A message that could pass for another kind is never signed, whoever built it.
        if Shape::of(wanted.message()) != Some(wanted.shape()) {
            return Err(KeyError::Shape { key: wanted.key().clone(), what: wanted.shape().name() });
        }
        let backend = self.backends.get_mut(&key.backend);
        let backend = backend.ok_or_else(|| KeyError::UnknownBackend(key.backend.clone()))?;
        match signed(backend.as_mut(), key, wanted) {
            Err(KeyError::NotThePinnedKey { .. }) if backend.doubted() => signed(backend.as_mut(), key, wanted),
            done => done,
        }
    }
}

fn signed(backend: &mut dyn KeyBackend, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
    let outcome = backend.sign(key, wanted)?;
    if let Outcome::Signed(signature) = &outcome {
        verified(signature, &key.public, wanted)?;
    }
    Ok(outcome)
}

fn verified(signature: &Signature, pinned: &SigningPublicKey, wanted: &ToSign<'_>) -> Result<(), KeyError> {
    let is_its = signature.signed_by() == wanted.key() && signature.verify(pinned, wanted.message()).is_ok();
    if is_its { Ok(()) } else { Err(KeyError::NotThePinnedKey { key: wanted.key().clone() }) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use canton_topology::key::KeySpec;
    use protocol::registry::Kind;

    use super::*;
    use crate::keys::{Abilities, secret_key::SecretKey};

    /// Signs whatever it is given.
    struct Willing(SecretKey);

    impl KeyBackend for Willing {
        fn kind(&self) -> &'static str {
            "willing"
        }

        fn abilities(&self) -> Abilities {
            Abilities { specs: &KeySpec::ALL, makes: false }
        }

        fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
            Ok(Vec::new())
        }

        fn generate(&mut self, _: &NewKey) -> Result<Held, KeyError> {
            Err(KeyError::Unable("it makes none".to_owned()))
        }

        fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError> {
            let (public, reference) = (self.0.public(purpose), reference.to_owned());
            Ok(Held { public, reference, facts: Vec::new(), weaknesses: Vec::new() })
        }

        fn sign(&mut self, _: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
            Ok(Outcome::Signed(self.0.sign(wanted.message(), wanted.key().clone())))
        }
    }

    #[test]
    fn a_message_that_is_not_what_it_says_is_not_signed() {
        let secret = SecretKey::generate(KeySpec::Ed25519).unwrap();
        let mut ring = Keyring::new(Vec::new(), [("willing".to_owned(), Box::new(Willing(secret)) as _)].into());
        let key = ring.take("willing", "1", "ours", Purpose::Namespace, Timestamp(1)).unwrap().fingerprint().clone();

        // As long as a hash of Canton's, and called a drill.
        let refused = ring.sign(&ToSign::misshapen(key.clone(), Shape::Ours(Kind::Drill), vec![7; 34]));

        assert_eq!(refused, Err(KeyError::Shape { key, what: Shape::Ours(Kind::Drill).name() }));
    }
}
