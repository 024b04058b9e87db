//! The fast yes against verification of each, over everything that tells the two apart elsewhere.
#![allow(clippy::unwrap_used)]

use curve25519_dalek::constants::EIGHT_TORSION;
use ed25519_dalek::{Signature, Signer as _, SigningKey, hazmat::ExpandedSecretKey};

use super::{super::edwards, *};

struct Signed {
    key: VerifyingKey,
    message: [u8; 34],
    signature: [u8; 64],
    is_valid: bool,
}

/// A generator of numbers that repeats, so that a failure does too.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

impl Signed {
    fn new(key: VerifyingKey, message: [u8; 34], signature: [u8; 64]) -> Self {
        let is_valid = edwards::verifies(&key, &message, &signature);
        if key.verify_strict(&message, &Signature::from_bytes(&signature)).is_ok() {
            assert!(is_valid, "what is strictly right is right");
        }
        Self { key, message, signature, is_valid }
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate { key: &self.key, message: &self.message, signature: &self.signature }
    }
}

/// A signature whose R carries a part of small order, and whose S is right for all the rest: the library takes it.
fn loose(secret: &SigningKey, message: [u8; 34], torsion: EdwardsPoint, nonce: u64) -> [u8; 64] {
    let r = Scalar::from(nonce) + Scalar::ONE;
    let point = EdwardsPoint::mul_base(&r) + torsion;
    let bytes = point.compress();
    let key = secret.verifying_key();
    let hash = Sha512::new().chain_update(bytes.as_bytes()).chain_update(key.as_bytes()).chain_update(message);
    let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let s = r + k * ExpandedSecretKey::from(&secret.to_bytes()).scalar;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(bytes.as_bytes());
    signature[32..].copy_from_slice(s.as_bytes());
    signature
}

/// Valid ones, and for each the ways in which it can be almost right.
fn pool(numbers: &mut Numbers) -> (Vec<Signed>, Vec<Signed>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for index in 0..96_u8 {
        let secret = SigningKey::from_bytes(&[index / 8; 32]);
        let key = secret.verifying_key();
        let mut message = [index; 34];
        message[0] = 0x12;
        let signature = secret.sign(&message).to_bytes();
        good.push(Signed::new(key, message, signature));
        for torsion in &EIGHT_TORSION[1..] {
            good.push(Signed::new(key, message, loose(&secret, message, *torsion, numbers.next())));
        }
        // R is of small order itself, written plainly and, where there is one, in its second form.
        for torsion in EIGHT_TORSION {
            let mut small = signature;
            small[..32].copy_from_slice(torsion.compress().as_bytes());
            bad.push(Signed::new(key, message, small));
            small[31] ^= 0x80;
            bad.push(Signed::new(key, message, small));
        }
        // A coordinate beyond the prime.
        for low in [0xed_u8, 0xee, 0xef, 0xf0, 0xff] {
            let mut beyond = signature;
            beyond[..32].fill(0xff);
            (beyond[0], beyond[31]) = (low, 0x7f);
            bad.push(Signed::new(key, message, beyond));
        }
        // S and the order of the group.
        let order = -Scalar::ONE;
        let mut unreduced = signature;
        let mut carry = 1_u16;
        for (byte, more) in unreduced[32..].iter_mut().zip(order.as_bytes()) {
            carry += u16::from(*byte) + u16::from(*more);
            *byte = carry as u8;
            carry >>= 8;
        }
        bad.push(Signed::new(key, message, unreduced));
        for _ in 0..16 {
            let bit = numbers.below(64 * 8);
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            bad.push(Signed::new(key, message, flipped));
        }
        let mut other = message;
        other[33] ^= 1;
        bad.push(Signed::new(key, other, signature));
        bad.push(Signed::new(SigningKey::from_bytes(&[200; 32]).verifying_key(), message, signature));
    }
    (good, bad)
}

#[test]
fn no_decision_differs_from_verification_one_by_one() {
    let cases = if std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some() { 1_000_000 } else { 40_000 };
    let mut numbers = Numbers(1);
    let (good, bad) = pool(&mut numbers);
    assert!(good.iter().all(|one| one.is_valid) && bad.iter().all(|one| !one.is_valid));
    let (mut seen, mut batches, mut taken) = (0, 0, 0);
    while seen < cases {
        let size = 1 + numbers.below(80);
        let mut batch: Vec<&Signed> = (0..size).map(|_| &good[numbers.below(good.len())]).collect();
        // Half of the batches hold one foul signature, or a few that might cancel out.
        let fouls = [0, 0, 0, 1, 1, 2, 8, size][numbers.below(8)].min(size);
        for _ in 0..fouls {
            let place = numbers.below(size);
            batch[place] = &bad[numbers.below(bad.len())];
        }
        let candidates: Vec<Candidate<'_>> = batch.iter().map(|one| one.candidate()).collect();
        let each = batch.iter().all(|one| one.is_valid);
        assert_eq!(all_verify(&candidates), each, "batch {batches} of {size} with {fouls} that are not right");
        (seen, batches, taken) = (seen + size, batches + 1, taken + usize::from(each));
    }
    println!("{seen} signatures in {batches} batches, {taken} of them right");
}

#[test]
fn nothing_at_all_verifies() {
    assert!(all_verify(&[]));
}
