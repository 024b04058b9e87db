//! How PKCS#11 writes curves, points and signatures, and how Canton does.

use canton_topology::{
    id::Fingerprint,
    key::{KeySpec, SigningPublicKey},
    signature::Signature,
};
use cryptoki::{
    mechanism::{
        Mechanism, MechanismType,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::KeyType,
};
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use sha2::{Digest as _, Sha256, Sha384};

use crate::keys::Purpose;

/// `id-Ed25519` (RFC 8410), and the same by name as a PrintableString (PKCS#11 3.0, 6.3.5).
const ED25519: [&[u8]; 2] = [b"\x06\x03\x2b\x65\x70", b"\x13\x0cedwards25519"];
/// `secp256r1`, `secp384r1`, `secp256k1` (SEC 2).
const P256: [&[u8]; 1] = [b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"];
const P384: [&[u8]; 1] = [b"\x06\x05\x2b\x81\x04\x00\x22"];
const SECP256K1: [&[u8]; 1] = [b"\x06\x05\x2b\x81\x04\x00\x0a"];
/// The tag of an OCTET STRING.
const OCTET_STRING: u8 = 4;

/// The forms of CKA_EC_PARAMS of a curve, the one to be tried first first.
pub(super) fn parameters(spec: KeySpec) -> &'static [&'static [u8]] {
    match spec {
        KeySpec::Ed25519 => &ED25519,
        KeySpec::P256 => &P256,
        KeySpec::P384 => &P384,
        KeySpec::Secp256k1 => &SECP256K1,
    }
}

/// The curve that CKA_EC_PARAMS name; `None` where it is none of Canton's.
pub(super) fn of_parameters(written: &[u8]) -> Option<KeySpec> {
    KeySpec::ALL.into_iter().find(|spec| parameters(*spec).contains(&written))
}

/// CKA_KEY_TYPE of a curve.
pub(super) fn key_type(spec: KeySpec) -> KeyType {
    match spec {
        KeySpec::Ed25519 => KeyType::EC_EDWARDS,
        KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1 => KeyType::EC,
    }
}

/// What makes keys of a curve.
pub(super) fn generation(spec: KeySpec) -> Mechanism<'static> {
    match spec {
        KeySpec::Ed25519 => Mechanism::EccEdwardsKeyPairGen,
        KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1 => Mechanism::EccKeyPairGen,
    }
}

/// What signs in one part, and the bytes that it signs: Ed25519 over the message, ECDSA over its hash.
pub(super) fn signing(spec: KeySpec, message: &[u8]) -> (Mechanism<'static>, Vec<u8>) {
    match spec {
        KeySpec::Ed25519 => (ed25519(), message.to_vec()),
        KeySpec::P256 | KeySpec::Secp256k1 => (Mechanism::Ecdsa, Sha256::digest(message).to_vec()),
        KeySpec::P384 => (Mechanism::Ecdsa, Sha384::digest(message).to_vec()),
    }
}

/// The mechanism that hashes by itself, which takes a message in parts.
pub(super) fn hashing(spec: KeySpec) -> Mechanism<'static> {
    match spec {
        KeySpec::Ed25519 => ed25519(),
        KeySpec::P256 | KeySpec::Secp256k1 => Mechanism::EcdsaSha256,
        KeySpec::P384 => Mechanism::EcdsaSha384,
    }
}

fn ed25519() -> Mechanism<'static> {
    Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519))
}

/// The curves that a token with these mechanisms may sign with. Which ones CKM_ECDSA has is found out by making a key.
pub(super) fn of_mechanisms(mechanisms: &[MechanismType]) -> &'static [KeySpec] {
    let (edwards, ecdsa) = (mechanisms.contains(&MechanismType::EDDSA), mechanisms.contains(&MechanismType::ECDSA));
    match (edwards, ecdsa) {
        (true, true) => &KeySpec::ALL,
        (true, false) => &[KeySpec::Ed25519],
        (false, true) => &[KeySpec::P256, KeySpec::P384, KeySpec::Secp256k1],
        (false, false) => &[],
    }
}

/// The key of CKA_EC_PARAMS and CKA_EC_POINT; `None` where they are none of Canton's.
pub(super) fn public_key(parameters: &[u8], point: &[u8], purpose: Purpose) -> Option<SigningPublicKey> {
    let spec = of_parameters(parameters)?;
    let point = raw_point(spec, point)?;
    if spec == KeySpec::Ed25519 {
        return SigningPublicKey::ed25519(point.try_into().ok()?, purpose.usage()).ok();
    }
    let der = match spec {
        KeySpec::Ed25519 => return None,
        KeySpec::P256 => p256::PublicKey::from_sec1_bytes(point).ok()?.to_public_key_der(),
        KeySpec::P384 => p384::PublicKey::from_sec1_bytes(point).ok()?.to_public_key_der(),
        KeySpec::Secp256k1 => k256::PublicKey::from_sec1_bytes(point).ok()?.to_public_key_der(),
    };
    SigningPublicKey::from_spki(spec, der.ok()?.as_bytes(), purpose.usage()).ok()
}

/// The point itself: the standard wants it in an OCTET STRING, and some tokens give it bare.
fn raw_point(spec: KeySpec, written: &[u8]) -> Option<&[u8]> {
    let length = point_length(spec);
    match written {
        bare if bare.len() == length => Some(bare),
        [OCTET_STRING, inner, point @ ..] if usize::from(*inner) == length && point.len() == length => Some(point),
        _ => None,
    }
}

/// The length of a point, uncompressed where there is such a form, in bytes.
fn point_length(spec: KeySpec) -> usize {
    match spec {
        KeySpec::Ed25519 => 32,
        KeySpec::P256 | KeySpec::Secp256k1 => 65,
        KeySpec::P384 => 97,
    }
}

/// What a token gave, as Canton writes it; `None` where it is no signature of that curve.
pub(super) fn signature(spec: KeySpec, given: &[u8], signed_by: Fingerprint) -> Option<Signature> {
    let der = match spec {
        KeySpec::Ed25519 => return Some(Signature::new_ed25519(given.try_into().ok()?, signed_by)),
        KeySpec::P256 => p256::ecdsa::Signature::from_slice(given).ok()?.to_der().as_bytes().to_vec(),
        KeySpec::P384 => p384::ecdsa::Signature::from_slice(given).ok()?.to_der().as_bytes().to_vec(),
        KeySpec::Secp256k1 => k256::ecdsa::Signature::from_slice(given).ok()?.to_der().as_bytes().to_vec(),
    };
    Some(Signature::new_ecdsa_der(der, signed_by, spec))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::keys::secret_key::SecretKey;

    #[test]
    fn a_point_is_read_bare_and_in_an_octet_string_and_else_not() {
        for spec in KeySpec::ALL {
            let key = SecretKey::from_bytes(spec, &[7; 48][..if spec == KeySpec::P384 { 48 } else { 32 }]).unwrap();
            let public = key.public(Purpose::Party);
            // The point stands at the end of a SubjectPublicKeyInfo.
            let bare = public.spki()[public.spki().len() - point_length(spec)..].to_vec();
            let wrapped = [&[OCTET_STRING, bare.len() as u8], &bare[..]].concat();
            for written in parameters(spec) {
                for point in [&bare, &wrapped] {
                    assert_eq!(public_key(written, point, Purpose::Party).as_ref(), Some(&public), "{}", spec.name());
                }
                let longer = [&wrapped[..], &[0]].concat();
                assert_eq!(public_key(written, &longer, Purpose::Party), None, "{}", spec.name());
                assert_eq!(public_key(written, &bare[1..], Purpose::Party), None, "{}", spec.name());
            }
        }
        assert_eq!(public_key(b"\x06\x03\x2b\x65\x71", &[0; 32], Purpose::Party), None, "Ed448");
    }

    #[test]
    fn r_and_s_become_der_and_nothing_else_does() {
        let key = SecretKey::from_bytes(KeySpec::P256, &[7; 32]).unwrap();
        let SecretKey::P256(secret) = &key else { unreachable!("it was made on that curve") };
        let public = key.public(Purpose::Party);
        let message = b"a message";
        let made: p256::ecdsa::Signature = ed25519_dalek::Signer::sign(secret, message);

        let signature = signature(KeySpec::P256, &made.to_bytes(), public.fingerprint()).unwrap();

        assert_eq!(signature.verify(&public, message), Ok(()));
        for wrong in [&[0; 64][..], &[255; 64], &[1; 63], &[1; 96], &[]] {
            assert!(super::signature(KeySpec::P256, wrong, public.fingerprint()).is_none(), "{wrong:?}");
        }
    }
}
