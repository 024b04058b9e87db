//! Introductions: an owner's card, with a proof of possession for each of its keys, signed by its identity key.
//!
//! A coordinator carries them and vouches for none. Whoever reads one verifies all of it again, and even then believes
//! it only when its code was heard over another path and it stands in the reader's own book.

mod error;

use std::collections::BTreeSet;

use canton_topology::{
    Timestamp,
    id::{Namespace, SynchronizerId},
    key::{KeyUsage, SigningPublicKey},
    signature::Signature,
};
use serde::{Deserialize, Serialize};

pub use self::error::{IntroductionError, ProofError};
use crate::{
    book::{Card, Entry, is_plain_name},
    identity::IdentityPublicKey,
    limits,
    possession::Possession,
    registry::Kind,
    statement::{Body, Statement},
};

/// What a namespace key is for, as it stands in a proof of possession.
pub const NAMESPACE: &str = "namespace";
/// What a party key is for.
pub const PARTY: &str = "party";

/// One key of an owner, and the proof that the owner holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntroducedKey {
    /// The key.
    pub key: SigningPublicKey,
    /// What it is for: [`NAMESPACE`] or [`PARTY`].
    pub purpose: String,
    /// The kind of backend that holds it, as the owner says.
    pub backend: String,
    /// Its signature over [`Possession::message`], in Canton's encoding.
    pub proof: Vec<u8>,
    /// What the maker of the device says of the key. Carried, never judged here.
    pub attestation: Option<Vec<u8>>,
}

/// An owner's keys at one moment, for one coordinator's mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// Who.
    pub card: Card,
    /// The synchronizer that the keys are pinned to.
    pub synchronizer: SynchronizerId,
    /// The coordinator whose nonce was answered.
    pub coordinator: IdentityPublicKey,
    /// The nonce.
    pub nonce: [u8; 32],
    /// When, by the owner's clock.
    pub at: Timestamp,
    /// The keys that answered; the card's namespace key among them.
    pub keys: Vec<IntroducedKey>,
}

impl Body for Introduction {
    const KIND: Kind = Kind::Card;
}

/// What a reader knows of an introduction before it reads it.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The coordinator whose mailbox it is.
    pub coordinator: IdentityPublicKey,
    /// The synchronizer; absent where the reader works on none.
    pub synchronizer: Option<SynchronizerId>,
}

impl Introduction {
    /// Reads an introduction and verifies all of it but the proofs: see [`Introduction::proof_of`].
    ///
    /// # Errors
    /// See [`IntroductionError`].
    pub fn open(bytes: &[u8]) -> Result<Self, IntroductionError> {
        if bytes.len() > limits::INTRODUCTION_BYTES_MAX {
            return Err(IntroductionError::TooLong { found: bytes.len() });
        }
        let statement = Statement::parse(bytes)?;
        let introduction: Self = statement.open()?;
        let Self { card, keys, .. } = &introduction;
        if !is_plain_name(&card.name) {
            return Err(IntroductionError::Name(card.name.clone()));
        }
        if statement.signer() != card.identity {
            return Err(IntroductionError::Signer { identity: card.identity, signer: statement.signer() });
        }
        if keys.len() > limits::INTRODUCED_KEYS_MAX {
            return Err(IntroductionError::TooManyKeys { found: keys.len() });
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = keys.iter().find(|key| !seen.insert(key.key.fingerprint_ref())) {
            return Err(IntroductionError::KeyTwice(twice.key.fingerprint()));
        }
        if !keys.iter().any(|one| one.key == card.namespace_key) {
            return Err(IntroductionError::NoNamespaceKey(card.namespace_key.fingerprint()));
        }
        Ok(introduction)
    }

    /// Verifies that it is meant for this reader, and every proof.
    ///
    /// # Errors
    /// See [`IntroductionError`].
    pub fn check(&self, expected: &Expected) -> Result<(), IntroductionError> {
        if self.coordinator != expected.coordinator {
            let (found, expected) = (self.coordinator, expected.coordinator);
            return Err(IntroductionError::OtherCoordinator { found, expected });
        }
        if let Some(expected) = expected.synchronizer.as_ref().filter(|expected| **expected != self.synchronizer) {
            let (found, expected) = (self.synchronizer.clone(), expected.clone());
            return Err(IntroductionError::OtherSynchronizer { found, expected });
        }
        self.check_proofs()
    }

    /// Verifies every proof.
    ///
    /// # Errors
    /// [`IntroductionError::Proof`] of the first key that has none.
    pub fn check_proofs(&self) -> Result<(), IntroductionError> {
        self.keys.iter().try_for_each(|key| {
            self.proof_of(key).map_err(|error| IntroductionError::Proof { key: key.key.fingerprint(), error })
        })
    }

    /// Verifies the proof of one of its keys.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn proof_of(&self, introduced: &IntroducedKey) -> Result<(), ProofError> {
        let IntroducedKey { key, purpose, backend, proof, attestation } = introduced;
        let usage = match purpose.as_str() {
            NAMESPACE => KeyUsage::Namespace,
            PARTY => KeyUsage::Protocol,
            _ => return Err(ProofError::Purpose(purpose.clone())),
        };
        if !key.usage().contains(&usage) {
            return Err(ProofError::Usage(purpose.clone()));
        }
        if let Some(expected) = self.purpose_on_card(key).filter(|expected| expected != purpose) {
            return Err(ProofError::OtherPurpose { found: purpose.clone(), expected });
        }
        if !is_plain_name(backend) {
            return Err(ProofError::Backend(backend.clone()));
        }
        if let Some(long) = attestation.as_ref().filter(|bytes| bytes.len() > limits::ATTESTATION_BYTES_MAX) {
            return Err(ProofError::Attestation { found: long.len() });
        }
        let signature = Signature::parse(proof).map_err(|error| ProofError::Unreadable(error.to_string()))?;
        let message = self.possession(key, purpose).message();
        let is_its = signature.signed_by() == key.fingerprint_ref() && signature.verify(key, &message).is_ok();
        if is_its { Ok(()) } else { Err(ProofError::NotSigned) }
    }

    /// What a key signs to prove itself in this introduction.
    pub fn possession(&self, key: &SigningPublicKey, purpose: &str) -> Possession {
        Possession {
            key: key.clone(),
            purpose: purpose.to_owned(),
            owner: self.owner(),
            card: self.card.digest(),
            coordinator: self.coordinator,
            nonce: self.nonce,
        }
    }

    fn purpose_on_card(&self, key: &SigningPublicKey) -> Option<&'static str> {
        if *key == self.card.namespace_key {
            return Some(NAMESPACE);
        }
        (self.card.party_key.as_ref() == Some(key)).then_some(PARTY)
    }

    /// The owner that it introduces.
    pub fn owner(&self) -> Namespace {
        self.card.owner()
    }

    /// The keys beside those of the card, in the order of their fingerprints.
    pub fn more_keys(&self) -> Vec<SigningPublicKey> {
        let beside = self.keys.iter().filter(|key| self.purpose_on_card(&key.key).is_none());
        let mut keys: Vec<SigningPublicKey> = beside.map(|key| key.key.clone()).collect();
        keys.sort_by_key(SigningPublicKey::fingerprint);
        keys
    }

    /// The keys of the card that did not answer.
    pub fn unproved(&self) -> Vec<&SigningPublicKey> {
        let answered = |key: &SigningPublicKey| self.keys.iter().any(|one| one.key == *key);
        let on_card = [&self.card.namespace_key].into_iter().chain(&self.card.party_key);
        on_card.filter(|key| !answered(key)).collect()
    }

    /// The code to be compared over a second path. It covers the card and every key.
    pub fn code(&self) -> String {
        self.card.code_with(&self.more_keys())
    }

    /// What a book enters of it.
    pub fn entry(&self, name: &str) -> Entry {
        Entry { name: name.to_owned(), card: self.card.clone(), more_keys: self.more_keys() }
    }
}
