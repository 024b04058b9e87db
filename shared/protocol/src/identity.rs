//! Identity keys: the Ed25519 keys with which owners and the coordinator sign Countersign's own statements, and the
//! certificate by which an owner's namespace key vouches for one.
//!
//! Who believes an identity key, and why: its owner's namespace key certified it, once, and the namespace stands in
//! the reader's own book or in topology. The coordinator vouches for nobody.

use std::{fmt, str::FromStr};

use canton_topology::{
    Timestamp,
    id::{Namespace, SynchronizerId},
    key::SigningPublicKey,
    signature::Signature,
};
use ed25519_dalek::{Signature as Ed25519Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    encoding::{self, EncodingError},
    registry::Kind,
};

/// The public half of an identity key: 32 bytes, a valid Ed25519 point. Prints as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "[u8; 32]", into = "[u8; 32]")]
pub struct IdentityPublicKey([u8; 32]);

/// The bytes are not an Ed25519 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an identity key: expected the 64 hex digits (32 bytes) of an Ed25519 public key")]
pub struct NotAnIdentityKey;

impl IdentityPublicKey {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` (64 bytes) is this key's strict RFC 8032 signature over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(&self.0), Ed25519Signature::from_slice(signature))
        else {
            return false;
        };
        key.verify_strict(message, &signature).is_ok()
    }
}

impl TryFrom<[u8; 32]> for IdentityPublicKey {
    type Error = NotAnIdentityKey;

    fn try_from(bytes: [u8; 32]) -> Result<Self, NotAnIdentityKey> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| NotAnIdentityKey)?;
        if key.is_weak() { Err(NotAnIdentityKey) } else { Ok(Self(bytes)) }
    }
}

impl From<IdentityPublicKey> for [u8; 32] {
    fn from(key: IdentityPublicKey) -> Self {
        key.0
    }
}

impl fmt::Display for IdentityPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for IdentityPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityPublicKey({self})")
    }
}

impl FromStr for IdentityPublicKey {
    type Err = NotAnIdentityKey;

    fn from_str(text: &str) -> Result<Self, NotAnIdentityKey> {
        let bytes: [u8; 32] = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(NotAnIdentityKey)?;
        Self::try_from(bytes)
    }
}

/// What a namespace key says about an identity key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityClaim {
    /// The owner's namespace key, whose fingerprint is the owner's namespace.
    pub namespace_key: SigningPublicKey,
    /// The identity key that may speak for the owner.
    pub identity: IdentityPublicKey,
    /// The one logical synchronizer for which it may.
    pub synchronizer: SynchronizerId,
    /// When the owner said so, by its own clock.
    pub issued_at: Timestamp,
}

/// An [`IdentityClaim`] with the namespace key's signature: believed by whoever believes the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityCertificate {
    claim: IdentityClaim,
    signature: Signature,
    bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    payload: Vec<u8>,
    /// Canton's encoding of a signature, as its own keys make it.
    signature: Vec<u8>,
}

/// Why an identity certificate is not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The bytes do not decode.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// The signature inside does not decode.
    #[error("identity certificate: the signature cannot be read: {0}")]
    Signature(String),
    /// The signature is not the namespace key's over this claim.
    #[error("identity certificate: not signed by the namespace key {namespace} that it names")]
    NotSigned {
        /// The namespace whose key should have signed.
        namespace: Namespace,
    },
}

impl IdentityClaim {
    /// The bytes that the namespace key signs.
    pub fn message(&self) -> Vec<u8> {
        Kind::Identity.message(&encoding::encode(self)).expect("a claim holds two keys and is longer than 34 bytes")
    }
}

impl IdentityCertificate {
    /// Joins a claim and the signature made over [`IdentityClaim::message`].
    ///
    /// # Errors
    /// [`CertificateError::NotSigned`] where the signature is not the namespace key's.
    pub fn new(claim: IdentityClaim, signature: Signature) -> Result<Self, CertificateError> {
        let namespace = Namespace::from(claim.namespace_key.fingerprint());
        let signed = signature.signed_by() == namespace.fingerprint()
            && signature.verify(&claim.namespace_key, &claim.message()).is_ok();
        if !signed {
            return Err(CertificateError::NotSigned { namespace });
        }
        let bytes = encoding::encode(&Wire { payload: encoding::encode(&claim), signature: signature.encode() });
        Ok(Self { claim, signature, bytes })
    }

    /// Reads and verifies a certificate.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        let wire: Wire = encoding::decode("identity certificate", bytes)?;
        let claim = encoding::decode("identity claim", &wire.payload)?;
        let signature =
            Signature::parse(&wire.signature).map_err(|error| CertificateError::Signature(error.to_string()))?;
        let certificate = Self::new(claim, signature)?;
        if certificate.bytes != bytes {
            return Err(EncodingError::NotCanonical { what: "identity certificate" }.into());
        }
        Ok(certificate)
    }

    /// The certificate as it is sent and stored.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was certified.
    pub fn claim(&self) -> &IdentityClaim {
        &self.claim
    }

    /// The owner: the namespace whose key signed.
    pub fn owner(&self) -> Namespace {
        Namespace::from(self.claim.namespace_key.fingerprint())
    }

    /// The certified identity key.
    pub fn identity(&self) -> IdentityPublicKey {
        self.claim.identity
    }

    /// The namespace key's signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }
}
