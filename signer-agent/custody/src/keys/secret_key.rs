//! A secret key in memory, of any curve that Canton signs with.

use canton_topology::{
    id::Fingerprint,
    key::{KeySpec, SigningPublicKey},
    signature::Signature,
};
use ed25519_dalek::{Signer as _, pkcs8::EncodePublicKey as _};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::Purpose;
use crate::random::{self, NotRandom};

/// The bytes are no secret key of that curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a secret key of {}", spec.name())]
pub struct NotASecretKey {
    /// The curve.
    pub spec: KeySpec,
}

/// A secret key. Wiped when it is dropped.
pub enum SecretKey {
    /// Ed25519.
    Ed25519(ed25519_dalek::SigningKey),
    /// P-256.
    P256(p256::ecdsa::SigningKey),
    /// P-384.
    P384(p384::ecdsa::SigningKey),
    /// secp256k1.
    Secp256k1(k256::ecdsa::SigningKey),
}

/// Each curve's key wipes itself.
impl ZeroizeOnDrop for SecretKey {}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.spec().name())
    }
}

impl SecretKey {
    /// Makes one.
    ///
    /// # Errors
    /// [`NotRandom`] where the system's random numbers are not.
    pub fn generate(spec: KeySpec) -> Result<Self, NotRandom> {
        // All but one scalar in 2^32 are below the order; the loop ends.
        for _ in 0..64 {
            let bytes: Zeroizing<[u8; 48]> = random::secret()?;
            if let Ok(key) = Self::from_bytes(spec, &bytes[..secret_length(spec)]) {
                return Ok(key);
            }
        }
        Err(NotRandom)
    }

    /// From the seed of an Ed25519 key or the big-endian scalar of another one.
    ///
    /// # Errors
    /// [`NotASecretKey`].
    pub fn from_bytes(spec: KeySpec, bytes: &[u8]) -> Result<Self, NotASecretKey> {
        let refused = NotASecretKey { spec };
        match spec {
            KeySpec::Ed25519 => bytes
                .try_into()
                .map(|seed| Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)))
                .map_err(|_| refused),
            KeySpec::P256 => p256::ecdsa::SigningKey::from_slice(bytes).map(Self::P256).map_err(|_| refused),
            KeySpec::P384 => p384::ecdsa::SigningKey::from_slice(bytes).map(Self::P384).map_err(|_| refused),
            KeySpec::Secp256k1 => k256::ecdsa::SigningKey::from_slice(bytes).map(Self::Secp256k1).map_err(|_| refused),
        }
    }

    /// The bytes from which it was made.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Ed25519(key) => key.to_bytes().to_vec(),
            Self::P256(key) => key.to_bytes().to_vec(),
            Self::P384(key) => key.to_bytes().to_vec(),
            Self::Secp256k1(key) => key.to_bytes().to_vec(),
        })
    }

    /// Its curve.
    pub fn spec(&self) -> KeySpec {
        match self {
            Self::Ed25519(_) => KeySpec::Ed25519,
            Self::P256(_) => KeySpec::P256,
            Self::P384(_) => KeySpec::P384,
            Self::Secp256k1(_) => KeySpec::Secp256k1,
        }
    }

    /// Its public half, with the usages of a purpose.
    ///
    /// # Panics
    /// Never: the public half of a secret key is a key, and the usages of a purpose go together.
    pub fn public(&self, purpose: Purpose) -> SigningPublicKey {
        let der = match self {
            Self::Ed25519(key) => key.verifying_key().to_public_key_der(),
            Self::P256(key) => key.verifying_key().to_public_key_der(),
            Self::P384(key) => key.verifying_key().to_public_key_der(),
            Self::Secp256k1(key) => key.verifying_key().to_public_key_der(),
        };
        let der = der.expect("a public key always encodes");
        SigningPublicKey::from_spki(self.spec(), der.as_bytes(), purpose.usage()).expect("it was just encoded")
    }

    /// Signs a message in the way of its curve.
    pub fn sign(&self, message: &[u8], signed_by: Fingerprint) -> Signature {
        let der = match self {
            Self::Ed25519(key) => return Signature::new_ed25519(key.sign(message).to_bytes(), signed_by),
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Self::Secp256k1(key) => {
                let signature: k256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
        };
        Signature::new_ecdsa_der(der, signed_by, self.spec())
    }
}

/// The length of a secret, in bytes.
fn secret_length(spec: KeySpec) -> usize {
    match spec {
        KeySpec::Ed25519 | KeySpec::P256 | KeySpec::Secp256k1 => 32,
        KeySpec::P384 => 48,
    }
}
