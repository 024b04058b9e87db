//! SubjectPublicKeyInfo (RFC 5280, 4.1) as leniently as Canton's library reads it, and which points it takes for keys.
//!
//! Read in the source of Bouncy Castle 1.84 and held against its answers. Curves that are written out with all their
//! parameters instead of by name are not read.

use super::{
    KeySpec,
    ber::{self, Value},
};
use crate::wire::Exception;

/// What stands in front of the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410).
pub(super) const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const SECP256K1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x0a];

/// A key with the name of its algorithm.
pub(super) struct PublicKeyInfo {
    pub algorithm: Vec<u8>,
    pub parameters: Option<Value>,
    /// With the number of unused bits in front.
    bits: Vec<u8>,
}

impl PublicKeyInfo {
    pub fn read(spki: &[u8]) -> Option<Self> {
        let Value::Sequence(parts) = ber::read(spki)? else { return None };
        let parts: [Value; 2] = parts.try_into().ok()?;
        let [Value::Sequence(algorithm), Value::BitString(bits)] = parts else { return None };
        let mut algorithm = algorithm.into_iter();
        let (name, parameters) = (algorithm.next()?, algorithm.next());
        match (name, algorithm.next()) {
            (Value::Identifier(name), None) => Some(Self { algorithm: name, parameters, bits }),
            _ => None,
        }
    }

    /// The key's bytes, with the unused bits cleared.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.bits[1..].to_vec();
        if let Some(last) = bytes.last_mut() {
            *last &= 0xff << self.bits[0];
        }
        bytes
    }

    /// The key's bytes, where no bit is unused.
    pub fn whole_bytes(&self) -> Option<&[u8]> {
        (self.bits[0] == 0).then(|| &self.bits[1..])
    }
}

/// The 32 bytes of an Ed25519 key. Two ways lead to it, by what stands at the place of the algorithm's last byte: the
/// usual form to the byte, or anything that reads as a key of that algorithm.
pub(super) fn ed25519(spki: &[u8]) -> Option<[u8; 32]> {
    let info = PublicKeyInfo::read(spki)?;
    if spki.get(8) != Some(&ED25519_PREFIX[8]) {
        return if info.algorithm == ED25519 { info.whole_bytes()?.try_into().ok() } else { None };
    }
    if spki.get(9..11) == Some(&[5, 0]) {
        // A NULL where there should be nothing: the library writes the key again without it.
        return if info.algorithm == ED25519 { info.bytes().try_into().ok() } else { None };
    }
    spki.strip_prefix(&ED25519_PREFIX)?.try_into().ok()
}

/// What comes of bytes that are no sequence where an Ed25519 key is read, which is before the library guards itself.
pub(super) fn exception(bytes: &[u8]) -> Option<Exception> {
    match ber::read(bytes) {
        _ if bytes.is_empty() => Some(Exception::NullPointer),
        None | Some(Value::Sequence(_)) => None,
        Some(_) => Some(Exception::IllegalState),
    }
}

/// Why a key is not a point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAPoint {
    /// It is no key at all, or a point of another curve.
    NoKey,
    /// It is a point of another curve whose coordinates are too great for this one: the library throws.
    BeyondTheField,
}

/// The point of an EC key as the uncompressed form of SEC 1, 2.3.3.
pub(super) fn point(spki: &[u8], spec: KeySpec) -> Result<Vec<u8>, NotAPoint> {
    let info = PublicKeyInfo::read(spki).filter(|info| info.algorithm == EC_PUBLIC_KEY).ok_or(NotAPoint::NoKey)?;
    let named = match &info.parameters {
        Some(Value::Identifier(name)) if name == P256 => KeySpec::P256,
        Some(Value::Identifier(name)) if name == P384 => KeySpec::P384,
        Some(Value::Identifier(name)) if name == SECP256K1 => KeySpec::Secp256k1,
        Some(_) | None => return Err(NotAPoint::NoKey),
    };
    let point = uncompressed(&sec1(info.bytes(), named), named).ok_or(NotAPoint::NoKey)?;
    if named == spec {
        return Ok(point);
    }
    let (x, y) = point[1..].split_at(point.len() / 2);
    let fits = |number: &[u8]| {
        let (digits, prime) = (hex::encode(number), prime(spec));
        let digits = digits.trim_start_matches('0');
        digits.len() < prime.len() || (digits.len() == prime.len() && digits < prime)
    };
    Err(if fits(x) && fits(y) { NotAPoint::NoKey } else { NotAPoint::BeyondTheField })
}

/// The bytes of the point: they may stand in an octet string of their own where the point is compressed.
fn sec1(bytes: Vec<u8>, curve: KeySpec) -> Vec<u8> {
    match bytes.as_slice() {
        [0x04, length, 0x02 | 0x03, x @ ..]
            if usize::from(*length) == bytes.len() - 2 && 2 * x.len() <= prime(curve).len() =>
        {
            bytes[2..].to_vec()
        }
        _ => bytes,
    }
}

fn uncompressed(bytes: &[u8], curve: KeySpec) -> Option<Vec<u8>> {
    use p256::elliptic_curve::sec1::ToEncodedPoint as _;
    let bytes = match bytes {
        [0x02..=0x04, ..] => bytes.to_vec(),
        // The hybrid form says twice whether y is odd.
        [tag @ (0x06 | 0x07), .., last] if last & 1 == tag & 1 => [&[0x04], &bytes[1..]].concat(),
        _ => return None,
    };
    Some(match curve {
        KeySpec::P256 => p256::PublicKey::from_sec1_bytes(&bytes).ok()?.to_encoded_point(false).as_bytes().to_vec(),
        KeySpec::P384 => p384::PublicKey::from_sec1_bytes(&bytes).ok()?.to_encoded_point(false).as_bytes().to_vec(),
        KeySpec::Secp256k1 => {
            k256::PublicKey::from_sec1_bytes(&bytes).ok()?.to_encoded_point(false).as_bytes().to_vec()
        }
        KeySpec::Ed25519 => return None,
    })
}

/// The prime of a curve's field (SEC 2, 2.4.1, 2.4.2 and 2.5.1) in hex digits.
fn prime(curve: KeySpec) -> &'static str {
    match curve {
        KeySpec::Ed25519 => "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
        KeySpec::P256 => "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        KeySpec::P384 => {
            "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff"
        }
        KeySpec::Secp256k1 => "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
    }
}
