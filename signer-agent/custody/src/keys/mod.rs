//! Where keys live. A backend signs only a [`ToSign`], which this crate alone builds; what it signs goes
//! nowhere before the [`Keyring`](keyring::Keyring) has verified it against the pinned public key.

pub mod backends;
pub mod credential;
pub mod encrypted_file;
pub mod external_command;
pub mod key_file;
pub mod keyring;
pub mod parcel_key;
pub mod pkcs11;
pub mod pkcs8_file;
pub mod secret_key;
pub mod to_sign;
pub mod worker;

use std::{fmt, time::Duration};

use canton_topology::{
    Timestamp,
    id::Fingerprint,
    key::{KeySpec, KeyUsage, SigningPublicKey},
    signature::Signature,
};
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::to_sign::ToSign;

/// What a key is for. A key pinned to one purpose refuses another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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

    /// The usages that Canton must see on a key for this purpose. Identity and parcel keys are none of Canton's.
    pub fn usage(self) -> &'static [KeyUsage] {
        match self {
            Self::Namespace => &[KeyUsage::Namespace],
            // As Canton writes it: a participant that signs first builds the transaction with both.
            Self::Party => &[KeyUsage::Protocol, KeyUsage::ProofOfOwnership],
            Self::Identity | Self::Parcel => &[],
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a key signs still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// It signs.
    Active,
    /// It signs no more, since then. Nothing brings it back.
    Retired(Timestamp),
}

/// A key as it was pinned when it was made or taken: what comes back from its backend is held against this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedKey {
    /// The owner's name for it; unique in the keyring.
    pub name: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The public half, with the usages that Canton is told.
    pub public: SigningPublicKey,
    /// The section of the configuration whose backend holds it.
    pub backend: String,
    /// How that backend finds it: an id of the backend's own, never a label that two keys can have.
    pub reference: String,
    /// When it was pinned.
    pub pinned_at: Timestamp,
    /// Whether it signs still.
    pub state: KeyState,
    /// When it last signed a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drilled_at: Option<Timestamp>,
}

impl PinnedKey {
    /// Its fingerprint.
    pub fn fingerprint(&self) -> &Fingerprint {
        self.public.fingerprint_ref()
    }
}

/// What a backend is asked to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The owner's name for it. A backend may use it as a label; it never finds a key by it.
    pub name: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Its curve.
    pub spec: KeySpec,
}

/// A key that a backend holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The public half, as the backend shows it.
    pub public: SigningPublicKey,
    /// How the backend finds it again.
    pub reference: String,
    /// What the backend says of it, for people: `("extractable", "no")`.
    pub facts: Vec<(String, String)>,
    /// What makes it weaker than it should be. A key with any is not pinned.
    pub weaknesses: Vec<String>,
}

/// What a backend can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// The curves that it signs with.
    pub specs: &'static [KeySpec],
    /// Whether it makes keys; otherwise they are made elsewhere and taken with `keys import`.
    pub makes: bool,
}

/// What comes of asking a backend to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It signed.
    Signed(Signature),
    /// Whoever signs takes time. Asking again for the same thing asks how far it is, and asks nobody twice.
    Pending {
        /// What the backend says of it, for people.
        note: String,
        /// When asking again may be worth it.
        retry_after: Duration,
    },
}

/// Why a backend does not sign.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// No key with that fingerprint is pinned.
    #[error("no backend holds key {0}")]
    UnknownKey(Fingerprint),
    /// The key is for something else.
    #[error("key {key} is for {purpose}; it does not sign {what}")]
    Purpose {
        /// The key.
        key: Fingerprint,
        /// What it is for.
        purpose: Purpose,
        /// What it was asked to sign.
        what: &'static str,
    },
    /// The message could pass for something else than it says.
    #[error("key {key} does not sign this message: it is said to be {what}, and does not look like that")]
    Shape {
        /// The key.
        key: Fingerprint,
        /// What it is said to be.
        what: &'static str,
    },
    /// The key was retired.
    #[error("key {key} was retired at {}; it signs nothing any more", canton_topology::show::moment(*at))]
    Retired {
        /// The key.
        key: Fingerprint,
        /// When.
        at: Timestamp,
    },
    /// The configuration has no such backend.
    #[error(
        "there is no backend {0:?}; add a section [backends.{0}] to agent.toml, `keys backends` shows those that are"
    )]
    UnknownBackend(String),
    /// What came back is not a signature of the pinned key: a wrong key answered, or nobody's.
    #[error("what came back is not a signature of key {key}; nothing was released")]
    NotThePinnedKey {
        /// The pinned key.
        key: Fingerprint,
    },
    /// The backend holds no such key (any more).
    #[error("the backend holds no key {reference:?}: {reason}")]
    Missing {
        /// How it was looked for.
        reference: String,
        /// What was found instead, or what to do.
        reason: String,
    },
    /// Whoever holds the key says no.
    #[error("whoever holds key {key} refuses to sign: {reason}")]
    Refused {
        /// The key.
        key: Fingerprint,
        /// Why.
        reason: String,
    },
    /// The backend cannot do that.
    #[error("{0}")]
    Unable(String),
    /// The backend failed; the same may work later.
    #[error("the key backend failed: {0}")]
    Backend(String),
}

/// A public key as most devices show it: the 32 bytes of Ed25519, or the two coordinates of a point. `None` where it is none.
pub fn public_key_from_point(spec: KeySpec, point: &[u8], purpose: Purpose) -> Option<SigningPublicKey> {
    let sec1 = || [&[4], point].concat();
    let der = match spec {
        KeySpec::Ed25519 => return SigningPublicKey::ed25519(point.try_into().ok()?, purpose.usage()).ok(),
        KeySpec::P256 => p256::PublicKey::from_sec1_bytes(&sec1()).ok()?.to_public_key_der(),
        KeySpec::P384 => p384::PublicKey::from_sec1_bytes(&sec1()).ok()?.to_public_key_der(),
        KeySpec::Secp256k1 => k256::PublicKey::from_sec1_bytes(&sec1()).ok()?.to_public_key_der(),
    };
    SigningPublicKey::from_spki(spec, der.ok()?.as_bytes(), purpose.usage()).ok()
}

/// A signature as most of the world writes it: 64 bytes for Ed25519, ASN.1 for ECDSA. `None` where it cannot be one.
pub fn signature_from_bytes(bytes: &[u8], key: &SigningPublicKey) -> Option<Signature> {
    let by = key.fingerprint();
    match key.spec() {
        KeySpec::Ed25519 => bytes.try_into().ok().map(|bytes| Signature::new_ed25519(bytes, by)),
        spec @ (KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1) => {
            Some(Signature::new_ecdsa_der(bytes.to_vec(), by, spec))
        }
    }
}

/// Something that holds keys and signs with them.
pub trait KeyBackend: Send {
    /// Its kind, as in the configuration.
    fn kind(&self) -> &'static str;

    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// Whether it signs nothing but topology transactions: no certificate, no proof, no drill. It then comes last of all
    /// who sign one, because it wants a signature to be there.
    fn signs_topology_alone(&self) -> bool {
        false
    }

    /// Whether it answers now; what it says of itself, for people: `("token", "alice")`.
    ///
    /// # Errors
    /// Says what is wrong, and what to do.
    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError>;

    /// Makes a key.
    ///
    /// # Errors
    /// See [`KeyError`]. A key that was made all the same is named there.
    fn generate(&mut self, wanted: &NewKey) -> Result<Held, KeyError>;

    /// Looks a key up that is there already.
    ///
    /// # Errors
    /// [`KeyError::Missing`] where there is none, or more than one.
    fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError>;

    /// Signs. What comes out is verified by the caller before it goes anywhere.
    ///
    /// # Errors
    /// See [`KeyError`].
    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError>;

    /// What it signed last did not verify. A backend that remembers where its keys are forgets it here, and says whether
    /// asking once more may help.
    fn doubted(&mut self) -> bool {
        false
    }
}
