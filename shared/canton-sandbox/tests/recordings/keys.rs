//! New keys in the place of the recorded ones, whose secrets nobody has: of the same curve, with signatures of the same
//! length.
#![allow(clippy::unwrap_used)]

use canton_topology::key::{KeySpec, KeyUsage, SigningPublicKey};
use ed25519_dalek::Signer as _;
use p256::{ecdsa::signature::RandomizedSigner as _, pkcs8::EncodePublicKey as _};
use rand_core::{OsRng, RngCore as _};

/// How keys begin, and how many bytes they have, for each curve.
pub const CURVES: [(KeySpec, &str, usize); 4] = [
    (KeySpec::Ed25519, "302a300506032b6570032100", 44),
    (KeySpec::P256, "3059301306072a8648ce3d020106082a8648ce3d030107034200", 91),
    (KeySpec::P384, "3076301006072a8648ce3d020106052b81040022036200", 120),
    (KeySpec::Secp256k1, "3056301006072a8648ce3d020106052b8104000a034200", 88),
];

/// A new key.
pub enum Stand {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
}

impl Stand {
    pub fn new(spec: KeySpec) -> Self {
        match spec {
            KeySpec::Ed25519 => {
                let mut seed = [0; 32];
                OsRng.fill_bytes(&mut seed);
                Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
            }
            KeySpec::P256 => Self::P256(p256::ecdsa::SigningKey::random(&mut OsRng)),
            KeySpec::P384 => Self::P384(p384::ecdsa::SigningKey::random(&mut OsRng)),
            KeySpec::Secp256k1 => Self::Secp256k1(k256::ecdsa::SigningKey::random(&mut OsRng)),
        }
    }

    pub fn spki(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => {
                use ed25519_dalek::pkcs8::EncodePublicKey as _;
                key.verifying_key().to_public_key_der().unwrap().into_vec()
            }
            Self::P256(key) => key.verifying_key().to_public_key_der().unwrap().into_vec(),
            Self::P384(key) => key.verifying_key().to_public_key_der().unwrap().into_vec(),
            Self::Secp256k1(key) => key.verifying_key().to_public_key_der().unwrap().into_vec(),
        }
    }

    fn sign_once(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign_with_rng(&mut OsRng, message);
                signature.as_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key.sign_with_rng(&mut OsRng, message);
                signature.as_bytes().to_vec()
            }
            Self::Secp256k1(key) => {
                // The library makes the smaller s only; recorded ones are of both kinds.
                let signature: k256::ecdsa::Signature = key.sign_with_rng(&mut OsRng, message);
                let (r, s) = signature.split_scalars();
                let s = if OsRng.next_u32().is_multiple_of(2) { s } else { -s };
                k256::ecdsa::Signature::from_scalars(r, s).unwrap().to_der().as_bytes().to_vec()
            }
        }
    }

    /// A signature that is as long as the recorded one.
    pub fn sign(&self, message: &[u8], length: usize) -> Vec<u8> {
        let mut tries = std::iter::repeat_with(|| self.sign_once(message)).take(20_000);
        tries.find(|signature| signature.len() == length).expect("one in a few hundred has any usual length")
    }
}

/// Every public key that some bytes hold.
pub fn find(bytes: &[u8]) -> Vec<(KeySpec, Vec<u8>)> {
    let mut found = Vec::new();
    for (spec, prefix, length) in CURVES {
        let prefix = hex::decode(prefix).unwrap();
        let places = bytes.windows(prefix.len()).enumerate().filter(|(_, window)| *window == prefix);
        found.extend(places.filter_map(|(at, _)| Some((spec, bytes.get(at..at + length)?.to_vec()))));
    }
    found
}

pub fn public(spec: KeySpec, spki: &[u8]) -> Option<SigningPublicKey> {
    SigningPublicKey::from_spki(spec, spki, &[KeyUsage::Namespace]).ok()
}
