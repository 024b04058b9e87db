//! Signing keys as Canton reads, normalises and names them, and encryption keys as far as topology carries them.
//!
//! Source: `topology-protocol` 1.6 and 2.4. A key keeps two readings: as it was written (its bytes in the transaction)
//! and as Canton keeps it (format SPKI, usages normalised). Equality is Canton's: the second.

mod ber;
mod encryption;
mod normal;
mod rsa;
mod signing;
mod spki;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    id::Fingerprint,
    wire::{
        DecodeError, DecodeErrorKind, Exception, Message, Node,
        schema::{Field, Kind, Schema},
    },
};

pub use self::{
    encryption::{EncryptionKeySpec, EncryptionPublicKey},
    signing::{KeyAsWritten, SigningPublicKey},
};

// Fields whose names end in `_retired` were written by releases of old and stand in MainNet's history; Canton ignores
// them today, the view shows them.
pub(crate) static SIGNING_PUBLIC_KEY: Schema = Schema {
    name: "SigningPublicKey",
    fields: &[
        Field::retired(1, "id_retired"),
        Field::one(2, "format", Kind::Enum(&KEY_FORMATS)),
        Field::one(3, "public_key", Kind::Bytes),
        Field::one(4, "scheme", Kind::Enum(&[(1, "ED25519"), (2, "EC_DSA_P256"), (3, "EC_DSA_P384")])),
        Field::many(5, "usage", Kind::Enum(&USAGES)),
        Field::one(6, "key_spec", Kind::Enum(&KEY_SPECS)),
    ],
};

pub(crate) static ENCRYPTION_PUBLIC_KEY: Schema = Schema {
    name: "EncryptionPublicKey",
    fields: &[
        Field::retired(1, "id_retired"),
        Field::one(2, "format", Kind::Enum(&KEY_FORMATS)),
        Field::one(3, "public_key", Kind::Bytes),
        Field::one(4, "scheme", Kind::Enum(&ENCRYPTION_SCHEMES)),
        Field::one(5, "key_spec", Kind::Enum(&[(1, "EC_P256"), (2, "RSA_2048")])),
    ],
};

// The second name is misspelt in Canton.
static ENCRYPTION_SCHEMES: [(i32, &str); 3] =
    [(1, "ECIES_P256_HKDF_HMAC_SHA256_AES128GCM"), (2, "ECIES_P256_HMAC_SHA256A_ES128CBC"), (3, "RSA2048_OAEP_SHA256")];
static KEY_FORMATS: [(i32, &str); 5] = [
    (2, "DER"),
    (3, "RAW"),
    (4, "DER_X509_SUBJECT_PUBLIC_KEY_INFO"),
    (5, "DER_PKCS8_PRIVATE_KEY_INFO"),
    (10_000, "SYMBOLIC"),
];
pub(crate) static KEY_SPECS: [(i32, &str); 4] =
    [(1, "EC_CURVE25519"), (2, "EC_P256"), (3, "EC_P384"), (4, "EC_SECP256K1")];
static USAGES: [(i32, &str); 5] = [
    (1, "NAMESPACE"),
    (2, "IDENTITY_DELEGATION"),
    (3, "SEQUENCER_AUTHENTICATION"),
    (4, "PROTOCOL"),
    (5, "PROOF_OF_OWNERSHIP"),
];

/// The curve of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[repr(u8)]
pub enum KeySpec {
    /// `EC_CURVE25519`
    Ed25519 = 1,
    /// `EC_P256`
    P256 = 2,
    /// `EC_P384`
    P384 = 3,
    /// `EC_SECP256K1`
    Secp256k1 = 4,
}

impl KeySpec {
    /// Every curve.
    pub const ALL: [Self; 4] = [Self::Ed25519, Self::P256, Self::P384, Self::Secp256k1];

    /// Canton's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "EC_CURVE25519",
            Self::P256 => "EC_P256",
            Self::P384 => "EC_P384",
            Self::Secp256k1 => "EC_SECP256K1",
        }
    }
}

/// How a key's bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyFormat {
    /// `DER` (2), of old releases.
    LegacyDer,
    /// `RAW` (3): the 32 bytes of an Ed25519 key.
    Raw,
    /// `DER_X509_SUBJECT_PUBLIC_KEY_INFO` (4).
    Spki,
    /// `SYMBOLIC` (10000), of Canton's own tests: read without any check, never verifies.
    Symbolic,
}

impl KeyFormat {
    fn number(self) -> i64 {
        match self {
            Self::LegacyDer => 2,
            Self::Raw => 3,
            Self::Spki => 4,
            Self::Symbolic => 10_000,
        }
    }
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[repr(u8)]
pub enum KeyUsage {
    /// Signs topology for a namespace.
    Namespace = 1,
    /// Authenticates at a sequencer.
    SequencerAuthentication = 3,
    /// Signs the protocol's messages; a party's key has it.
    Protocol = 4,
    /// Proves that its holder holds it.
    ProofOfOwnership = 5,
}

impl KeyUsage {
    /// Every usage.
    pub const ALL: [Self; 4] = [Self::Namespace, Self::SequencerAuthentication, Self::Protocol, Self::ProofOfOwnership];

    /// Canton's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "NAMESPACE",
            Self::SequencerAuthentication => "SEQUENCER_AUTHENTICATION",
            Self::Protocol => "PROTOCOL",
            Self::ProofOfOwnership => "PROOF_OF_OWNERSHIP",
        }
    }
}

/// The text is no such name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not one of {expected}")]
pub struct NotAName {
    /// The text.
    pub text: String,
    /// What was expected.
    pub expected: String,
}

/// Text form, by Canton's names, of an enum that has `ALL` and `name()`.
macro_rules! named {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = NotAName;

            fn from_str(text: &str) -> Result<Self, NotAName> {
                Self::ALL.into_iter().find(|one| one.name() == text).ok_or_else(|| NotAName {
                    text: text.to_owned(),
                    expected: Self::ALL.map(Self::name).join(", "),
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAName;

            fn try_from(text: String) -> Result<Self, NotAName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(one: $name) -> Self {
                one.name().to_owned()
            }
        }
    )*};
}

named!(KeySpec, KeyUsage);

/// Why something is not a signing key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The bytes are not a key of that spec in that format.
    #[error("not a {spec} public key in this format: {reason}", spec = spec.name())]
    Bytes {
        /// The spec that was named.
        spec: KeySpec,
        /// Why not.
        reason: &'static str,
    },
    /// The bytes are something else altogether, on which Canton's parser fails without an answer of its own.
    #[error("no {spec} public key; Canton fails with {exception}", spec = spec.name())]
    Thrown {
        /// The spec that was named.
        spec: KeySpec,
        /// The class of what is thrown.
        exception: Exception,
    },
    /// Canton has no such combination.
    #[error("usage PROOF_OF_OWNERSHIP alone or with NAMESPACE alone is not taken")]
    Usage,
    /// Not even hex digits.
    #[error("not a key: expected the hex digits of Canton's message SigningPublicKey")]
    NotHex,
    /// The message does not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl KeyError {
    /// How Canton calls it where it reads a message.
    pub(crate) fn decoding_kind(&self) -> DecodeErrorKind {
        match self {
            Self::Thrown { exception, .. } => DecodeErrorKind::Thrown(*exception),
            Self::Bytes { .. } | Self::Usage | Self::NotHex | Self::Decode(_) => {
                DecodeErrorKind::Crypto(self.to_string())
            }
        }
    }
}

/// The fingerprint of a key's message; `None` where the message is none, or no key that Canton takes.
pub(crate) fn key_fingerprint(message: &Message<'_>) -> Option<Fingerprint> {
    let node = Node::root(message, "key");
    match message.name() {
        "SigningPublicKey" => SigningPublicKey::from_node(&node).ok().map(|key| key.fingerprint()),
        "EncryptionPublicKey" => EncryptionPublicKey::from_node(&node).ok().map(|key| key.fingerprint()),
        _ => None,
    }
}
