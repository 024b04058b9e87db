//! Why an introduction, or one of its keys, is not believed.

use canton_topology::id::{Fingerprint, SynchronizerId};
use thiserror::Error;

use super::{NAMESPACE, PARTY};
use crate::{identity::IdentityPublicKey, limits, statement::StatementError};

/// Why an introduction is not one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IntroductionError {
    /// It is too long.
    #[error("introduction: {found} bytes; the limit is {max}", max = limits::INTRODUCTION_BYTES_MAX)]
    TooLong {
        /// Its length.
        found: usize,
    },
    /// It is no statement, or of another kind.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The name could mislead.
    #[error("introduction: field card.name: {0:?}: use 1 to {max} letters, digits, '-', '_' or '.'", max = limits::NAME_CHARS_MAX)]
    Name(String),
    /// Somebody else signed it.
    #[error("introduction: signed by {signer}; the card's identity key is {identity}: somebody else made it")]
    Signer {
        /// The identity key of the card.
        identity: IdentityPublicKey,
        /// Who signed.
        signer: IdentityPublicKey,
    },
    /// It answers another coordinator's nonce.
    #[error("introduction: field coordinator: made for {found}; this is {expected}: run `keys prove` again here")]
    OtherCoordinator {
        /// What it says.
        found: IdentityPublicKey,
        /// Who is asked about.
        expected: IdentityPublicKey,
    },
    /// Its keys are pinned to another synchronizer.
    #[error("introduction: field synchronizer: {found}; expected {expected}")]
    OtherSynchronizer {
        /// What it says.
        found: SynchronizerId,
        /// What was expected.
        expected: SynchronizerId,
    },
    /// It has too many keys.
    #[error("introduction: field keys: {found} keys; the limit is {max}", max = limits::INTRODUCED_KEYS_MAX)]
    TooManyKeys {
        /// How many.
        found: usize,
    },
    /// The key that makes the owner is not among them.
    #[error("introduction: field keys: the card's namespace key {0} is not among them; nobody vouches for the card")]
    NoNamespaceKey(Fingerprint),
    /// A key stands there twice.
    #[error("introduction: field keys: key {0} stands there twice")]
    KeyTwice(Fingerprint),
    /// A key whose proof is not one.
    #[error("introduction: field keys: key {key}: {error}")]
    Proof {
        /// The key.
        key: Fingerprint,
        /// Why.
        error: ProofError,
    },
}

/// Why a key is not proved.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// Nothing is for that.
    #[error("purpose {0:?}: expected {NAMESPACE:?} or {PARTY:?}")]
    Purpose(String),
    /// Canton would not take it for that.
    #[error("it cannot be for {0:?}: Canton would not take it for that")]
    Usage(String),
    /// The card says that it is for something else.
    #[error("it is for {found:?} here and for {expected:?} on the card")]
    OtherPurpose {
        /// What it is for here.
        found: String,
        /// What it is for on the card.
        expected: &'static str,
    },
    /// The backend's name could mislead.
    #[error("backend {0:?}: use 1 to {max} letters, digits, '-', '_' or '.'", max = limits::NAME_CHARS_MAX)]
    Backend(String),
    /// The attestation is too long.
    #[error("its attestation has {found} bytes; the limit is {max}", max = limits::ATTESTATION_BYTES_MAX)]
    Attestation {
        /// Its length.
        found: usize,
    },
    /// The signature does not decode.
    #[error("its proof cannot be read: {0}")]
    Unreadable(String),
    /// The signature is not the key's over this nonce, purpose, owner, card and coordinator.
    #[error(
        "its proof is not its signature over this nonce, purpose, owner, card and coordinator; it was made for something else, or by another key"
    )]
    NotSigned,
}
