//! Ed25519 signatures as Canton's library takes them, which is a little more than strict verification takes.
//!
//! The library (Bouncy Castle 1.84, `Ed25519.implVerify`) asks that S is reduced, that R is written canonically, and that
//! `8·([S]B - [k]A - R)` is zero, with `k = SHA-512(R, A, M)`: the cofactored equation of RFC 8032, 5.1.7. So an R of
//! small order, or one with a part of small order, is taken. Only the holder of the key can make such a signature.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha512};

/// A signature taken apart.
pub(super) struct Parts {
    pub r: EdwardsPoint,
    pub s: Scalar,
    /// The hash of R, the key and the message.
    pub k: Scalar,
}

impl Parts {
    /// `None` where S is not reduced or R not a point or not written canonically.
    pub fn read(key: &VerifyingKey, message: &[u8], signature: &[u8; 64]) -> Option<Self> {
        let (r_bytes, s_bytes) = signature.split_first_chunk::<32>()?;
        let s = Option::from(Scalar::from_canonical_bytes(s_bytes.try_into().ok()?))?;
        let r = CompressedEdwardsY(*r_bytes).decompress().filter(|_| is_canonical(r_bytes))?;
        let hash = Sha512::new().chain_update(r_bytes).chain_update(key.as_bytes());
        let k = Scalar::from_bytes_mod_order_wide(&hash.chain_update(message).finalize().into());
        Some(Self { r, s, k })
    }
}

/// Whether the library takes the signature. The key is a point of the prime order, as each signing key is.
pub(super) fn verifies(key: &VerifyingKey, message: &[u8], signature: &[u8; 64]) -> bool {
    Parts::read(key, message, signature).is_some_and(|Parts { r, s, k }| {
        let right = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-key.to_edwards(), &s);
        (right - r).is_small_order()
    })
}

/// Whether the coordinate is below 2^255 - 19, and zero is not written with a sign: of the points whose first coordinate
/// is zero, which are those with the second one 1 or -1, only the one form is canonical.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    let all = |value: u8| middle.iter().all(|byte| *byte == value);
    let is_below = *low < 0xed || high & 0x7f != 0x7f || !all(0xff);
    let has_sign = high & 0x80 != 0;
    let is_one = *low == 1 && all(0) && high & 0x7f == 0;
    let is_minus_one = *low == 0xec && all(0xff) && high & 0x7f == 0x7f;
    is_below && !(has_sign && (is_one || is_minus_one))
}

#[cfg(test)]
mod tests;
