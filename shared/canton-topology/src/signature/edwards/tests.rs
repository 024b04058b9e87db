//! Each kind of signature here was put to Bouncy Castle 1.84, which took it or refused it as we do.

use curve25519_dalek::{constants, edwards::CompressedEdwardsY};
use ed25519_dalek::hazmat::ExpandedSecretKey;

use super::*;

/// A signature of the key over the message whose R is off by a point of small order: the `torsion`th of eight.
fn off(secret: &ed25519_dalek::SigningKey, message: &[u8], nonce: u64, torsion: usize) -> [u8; 64] {
    let expanded = ExpandedSecretKey::from(&secret.to_bytes());
    let r = EdwardsPoint::mul_base(&Scalar::from(nonce)) + constants::EIGHT_TORSION[torsion];
    let r: CompressedEdwardsY = r.compress();
    let hash = Sha512::new().chain_update(r.as_bytes()).chain_update(secret.verifying_key().as_bytes());
    let k = Scalar::from_bytes_mod_order_wide(&hash.chain_update(message).finalize().into());
    let s = Scalar::from(nonce) + k * expanded.scalar;
    [*r.as_bytes(), s.to_bytes()].concat().try_into().unwrap_or([0; 64])
}

#[test]
fn an_r_of_small_order_or_with_a_part_of_it_is_taken_where_s_is_right() {
    for number in 0..64_u64 {
        let secret = ed25519_dalek::SigningKey::from_bytes(&[number as u8 % 5 + 1; 32]);
        let message = [&[0x12, 0x20][..], &[number as u8; 32]].concat();
        // First those whose R has nothing else.
        let nonce = if number < 16 { 0 } else { number };
        let signature = off(&secret, &message, nonce, number as usize % 8);
        assert!(verifies(&secret.verifying_key(), &message, &signature), "{number}");
        for bit in [0, 40, 300, 511] {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!verifies(&secret.verifying_key(), &message, &flipped), "{number} bit {bit}");
        }
    }
}

#[test]
fn an_r_that_is_not_written_canonically_is_refused() {
    let one = EdwardsPoint::mul_base(&Scalar::ZERO).compress().to_bytes();
    let minus_one = constants::EIGHT_TORSION[4].compress().to_bytes();
    for canonical in [one, minus_one] {
        assert!(is_canonical(&canonical));
        let mut signed = canonical;
        signed[31] |= 0x80;
        assert!(!is_canonical(&signed) && CompressedEdwardsY(signed).decompress().is_some());
    }
    let mut beyond = [0xff; 32];
    (beyond[0], beyond[31]) = (0xee, 0x7f);
    assert!(!is_canonical(&beyond) && CompressedEdwardsY(beyond).decompress().is_some());
}
