//! Where keys live. A backend signs only what the journal has recorded.

pub mod encrypted_file;
pub mod parcel_key;

use canton_topology::{id::Fingerprint, key::SigningPublicKey, signature::Signature};
use thiserror::Error;

use crate::ladder::Recorded;

/// What a key is for. A key pinned to one purpose refuses another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The owner's namespace: signs topology, certifies the identity key.
    Namespace,
    /// An inline signing key of parties.
    Party,
    /// Countersign's own statements.
    Identity,
    /// Opening what others have sealed for this owner's agent. Signs nothing.
    Parcel,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 4] = [Self::Namespace, Self::Party, Self::Identity, Self::Parcel];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Party => "party",
            Self::Identity => "identity",
            Self::Parcel => "parcel",
        }
    }
}

/// A key that a backend holds, as it was pinned when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The public half.
    pub public: SigningPublicKey,
    /// What it is for.
    pub purpose: Purpose,
}

/// Why a backend does not sign.
#[derive(Debug, Error)]
pub enum KeyError {
    /// It does not hold the key.
    #[error("no backend holds key {0}")]
    UnknownKey(Fingerprint),
    /// The key is for something else.
    #[error("key {key} is for {purpose}, not for this", purpose = purpose.name())]
    Purpose {
        /// The key.
        key: Fingerprint,
        /// What it is for.
        purpose: Purpose,
    },
    /// The backend failed.
    #[error("the key backend failed: {0}")]
    Backend(String),
}

/// Something that holds keys and signs with them.
pub trait KeyBackend: Send {
    /// Its name, as in a configuration.
    fn name(&self) -> &'static str;

    /// The keys that it holds.
    fn keys(&self) -> Vec<KeyInfo>;

    /// Signs the hash of a recorded request. What comes out is verified by the caller before it goes anywhere.
    ///
    /// # Errors
    /// See [`KeyError`].
    fn sign(&mut self, recorded: &Recorded) -> Result<Signature, KeyError>;
}
