//! Keys as points of their curves, and what verifies under them.
//!
//! `ring` verifies P-256 and P-384: it does so in a fraction of the time that the curves' own crates take, and takes exactly
//! the same signatures, as `tests` shows. The crates read the points, here and wherever else keys are read.

#[cfg(test)]
mod tests;

use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey};

use super::edwards;
use crate::key::{KeySpec, SigningPublicKey};

/// A key as a point: reading one costs about a tenth of what a verification costs.
#[derive(Clone, Debug)]
pub enum CurveKey {
    /// On Curve25519.
    Ed25519(ed25519_dalek::VerifyingKey),
    /// On NIST P-256: both coordinates.
    P256(p256::EncodedPoint),
    /// On NIST P-384: both coordinates.
    P384(p384::EncodedPoint),
    /// On secp256k1.
    Secp256k1(k256::ecdsa::VerifyingKey),
}

impl CurveKey {
    /// The point of a key; `None` where its bytes are none.
    pub fn of(key: &SigningPublicKey) -> Option<Self> {
        use p256::elliptic_curve::sec1::ToEncodedPoint as _;
        let point = key.point()?;
        Some(match key.spec() {
            KeySpec::Ed25519 => {
                let raw: [u8; 32] = point.try_into().ok()?;
                Self::Ed25519(ed25519_dalek::VerifyingKey::from_bytes(&raw).ok()?)
            }
            KeySpec::P256 => Self::P256(p256::PublicKey::from_sec1_bytes(&point).ok()?.to_encoded_point(false)),
            KeySpec::P384 => Self::P384(p384::PublicKey::from_sec1_bytes(&point).ok()?.to_encoded_point(false)),
            KeySpec::Secp256k1 => Self::Secp256k1(k256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?),
        })
    }

    /// Whether these bytes are this key's signature over a message. ECDSA is read as DER alone; high s is taken, as Canton
    /// takes it.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => {
                signature.try_into().is_ok_and(|signature| edwards::verifies(key, message, signature))
            }
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
            }
            Self::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, point).verify(message, signature).is_ok()
            }
            Self::Secp256k1(key) => secp256k1(key, message, signature),
        }
    }
}

fn secp256k1(key: &k256::ecdsa::VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    use k256::ecdsa::signature::Verifier as _;
    let Ok(signature) = k256::ecdsa::Signature::from_der(signature) else { return false };
    // This library takes low s only; both forms sign the same message.
    key.verify(message, &signature.normalize_s().unwrap_or(signature)).is_ok()
}
