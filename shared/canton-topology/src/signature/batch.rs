//! Many Ed25519 signatures at once: a fast yes that is never said where verification of each would say no.
//!
//! Each one asks that `8·(R + [k]A - [S]B)` is zero: see [`edwards`]. The batch sums these points, each times a random
//! number of 128 bits, and asks for zero; a wrong one is lost with a chance below 2^-125. The random numbers are hashed
//! from everything that is verified, so that nobody can choose signatures after them, and the same input gets the same
//! answer.
//!
//! [`edwards`]: super::edwards

use std::collections::HashMap;

use curve25519_dalek::{
    constants::ED25519_BASEPOINT_POINT, edwards::EdwardsPoint, scalar::Scalar, traits::VartimeMultiscalarMul as _,
};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha512};

use super::edwards::Parts;

/// Below this many signatures one after the other is as fast.
pub const WORTHWHILE: usize = 32;

/// One signature to be verified. The key must be a point of the prime order, as each [`SigningPublicKey`] is.
///
/// [`SigningPublicKey`]: crate::key::SigningPublicKey
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// The key.
    pub key: &'a VerifyingKey,
    /// What was signed.
    pub message: &'a [u8],
    /// R and S.
    pub signature: &'a [u8; 64],
}

/// Whether all of them verify. `false` says nothing of any one.
pub fn all_verify(candidates: &[Candidate<'_>]) -> bool {
    let read = candidates.iter().map(|one| Parts::read(one.key, one.message, one.signature));
    read.collect::<Option<Vec<Parts>>>().is_some_and(|parts| is_zero(candidates, &parts, &Random::of(candidates)))
}

/// A factor for each signature.
struct Random(Vec<u128>);

impl Random {
    fn of(candidates: &[Candidate<'_>]) -> Self {
        let mut all = Sha512::new().chain_update(b"countersign/batch/v1\n");
        for candidate in candidates {
            all.update(candidate.key.as_bytes());
            all.update(candidate.signature);
            all.update((candidate.message.len() as u64).to_be_bytes());
            all.update(candidate.message);
        }
        let seed = all.finalize();
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number: u128, byte| number << 8 | u128::from(*byte));
        let factor = |index: u64| {
            let hash = Sha512::new().chain_update(seed).chain_update(index.to_be_bytes()).finalize();
            number(&hash[..16])
        };
        Self((0..candidates.len() as u64).map(factor).collect())
    }
}

/// Whether the sum of `8·z·(R + [k]A - [S]B)` is zero.
fn is_zero(candidates: &[Candidate<'_>], all: &[Parts], random: &Random) -> bool {
    let mut of_base = Scalar::ZERO;
    let mut of_keys: HashMap<&[u8; 32], (Scalar, EdwardsPoint)> = HashMap::new();
    let mut scalars = Vec::with_capacity(all.len());
    for ((candidate, one), z) in candidates.iter().zip(all).zip(&random.0) {
        let z = Scalar::from(*z);
        of_base -= z * one.s;
        let of_key = of_keys.entry(candidate.key.as_bytes());
        of_key.or_insert_with(|| (Scalar::ZERO, candidate.key.to_edwards())).0 += z * one.k;
        scalars.push(z);
    }
    let (keys, points): (Vec<Scalar>, Vec<EdwardsPoint>) = of_keys.into_values().unzip();
    let scalars = scalars.into_iter().chain(keys).chain([of_base]);
    let points = all.iter().map(|one| one.r).chain(points).chain([ED25519_BASEPOINT_POINT]);
    EdwardsPoint::vartime_multiscalar_mul(scalars, points).is_small_order()
}

#[cfg(test)]
mod tests;
