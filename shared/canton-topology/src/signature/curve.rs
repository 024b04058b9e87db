//! Keys as points of their curves, and what verifies under them.

use super::edwards;
use crate::key::{KeySpec, SigningPublicKey};

/// A key as a point: reading one costs about a tenth of what a verification costs.
#[derive(Clone, Debug)]
pub enum CurveKey {
    /// On Curve25519.
    Ed25519(ed25519_dalek::VerifyingKey),
    /// On NIST P-256.
    P256(p256::ecdsa::VerifyingKey),
    /// On NIST P-384.
    P384(p384::ecdsa::VerifyingKey),
    /// On secp256k1.
    Secp256k1(k256::ecdsa::VerifyingKey),
}

impl CurveKey {
    /// The point of a key; `None` where its bytes are none.
    pub fn of(key: &SigningPublicKey) -> Option<Self> {
        let point = key.point()?;
        Some(match key.spec() {
            KeySpec::Ed25519 => {
                let raw: [u8; 32] = point.try_into().ok()?;
                Self::Ed25519(ed25519_dalek::VerifyingKey::from_bytes(&raw).ok()?)
            }
            KeySpec::P256 => Self::P256(p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?),
            KeySpec::P384 => Self::P384(p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?),
            KeySpec::Secp256k1 => Self::Secp256k1(k256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?),
        })
    }

    /// `None` where the signature does not even decode. High s is taken, as Canton takes it.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> Option<bool> {
        use p256::ecdsa::signature::Verifier as _;
        Some(match self {
            Self::Ed25519(key) => edwards::verifies(key, message, signature.try_into().ok()?),
            Self::P256(key) => key.verify(message, &p256::ecdsa::Signature::from_der(signature).ok()?).is_ok(),
            Self::P384(key) => key.verify(message, &p384::ecdsa::Signature::from_der(signature).ok()?).is_ok(),
            Self::Secp256k1(key) => {
                let signature = k256::ecdsa::Signature::from_der(signature).ok()?;
                // This library takes low s only; both forms sign the same message.
                key.verify(message, &signature.normalize_s().unwrap_or(signature)).is_ok()
            }
        })
    }
}
