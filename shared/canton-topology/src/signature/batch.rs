//! Many Ed25519 signatures at once: a fast yes that is never said where strict verification of each would say no.
//!
//! Strict verification asks that S is reduced, that R is written canonically and of no small order, and that
//! `R = [S]B - [k]A` exactly, with `k = SHA-512(R, A, M)`. The usual batch sums `z·(R + [k]A - [S]B)` with random z and asks
//! for zero. That alone would take an R with a part of small order: such a part is lost with a chance of a half, whatever
//! z is. As B and A are of the prime order, R must be too, and that is asked for on its own: the sums of 128 random
//! selections of all R must be of the prime order; each lets a foul one through with a chance of at most a half.
//!
//! Both chances are below 2^-125. The random numbers are hashed from everything that is verified, so that nobody can
//! choose signatures after them, and the same input gets the same answer.

use std::collections::HashMap;

use curve25519_dalek::{
    constants::ED25519_BASEPOINT_POINT,
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::{Identity as _, IsIdentity as _, VartimeMultiscalarMul as _},
};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha512};

/// Below this many signatures one after the other is as fast.
pub const WORTHWHILE: usize = 32;

/// How many selections of the points R are asked about.
const SELECTIONS: usize = 128;

/// Selections that are summed together: each point is added once for all of them. Eight makes the fewest additions for a
/// few thousand signatures.
const TOGETHER: usize = 8;

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

/// Whether all of them verify strictly. `false` says nothing of any one.
pub fn all_verify(candidates: &[Candidate<'_>]) -> bool {
    read(candidates).is_some_and(|read| {
        let random = Random::of(candidates);
        is_zero(&read, &random) && are_of_prime_order(&read, &random)
    })
}

struct Read<'a> {
    key: &'a VerifyingKey,
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
}

fn read<'a>(candidates: &[Candidate<'a>]) -> Option<Vec<Read<'a>>> {
    let read_one = |candidate: &Candidate<'a>| {
        let (r_bytes, s_bytes) = candidate.signature.split_first_chunk::<32>()?;
        let s = Option::from(Scalar::from_canonical_bytes(s_bytes.try_into().ok()?))?;
        let r = CompressedEdwardsY(*r_bytes).decompress()?;
        if !is_canonical(r_bytes) || r.is_small_order() {
            return None;
        }
        let hash = Sha512::new().chain_update(r_bytes).chain_update(candidate.key.as_bytes());
        let k = Scalar::from_bytes_mod_order_wide(&hash.chain_update(candidate.message).finalize().into());
        Some(Read { key: candidate.key, r, s, k })
    };
    candidates.iter().map(read_one).collect()
}

/// Whether the coordinate is below 2^255 - 19. The other double forms are of points of small order.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    *low < 0xed || high & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

/// A factor and a row of 128 selections for each signature.
struct Random(Vec<(u128, u128)>);

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
        let pair = |index: u64| {
            let hash = Sha512::new().chain_update(seed).chain_update(index.to_be_bytes()).finalize();
            (number(&hash[..16]), number(&hash[16..32]))
        };
        Self((0..candidates.len() as u64).map(pair).collect())
    }
}

/// Whether the sum of `z·(R + [k]A - [S]B)` is zero.
fn is_zero(all: &[Read<'_>], random: &Random) -> bool {
    let mut of_base = Scalar::ZERO;
    let mut of_keys: HashMap<&[u8; 32], (Scalar, EdwardsPoint)> = HashMap::new();
    let mut scalars = Vec::with_capacity(all.len());
    for (one, (z, _)) in all.iter().zip(&random.0) {
        let z = Scalar::from(*z);
        of_base -= z * one.s;
        of_keys.entry(one.key.as_bytes()).or_insert_with(|| (Scalar::ZERO, one.key.to_edwards())).0 += z * one.k;
        scalars.push(z);
    }
    let (keys, points): (Vec<Scalar>, Vec<EdwardsPoint>) = of_keys.into_values().unzip();
    let scalars = scalars.into_iter().chain(keys).chain([of_base]);
    let points = all.iter().map(|one| one.r).chain(points).chain([ED25519_BASEPOINT_POINT]);
    EdwardsPoint::vartime_multiscalar_mul(scalars, points).is_identity()
}

/// Whether every R is of the prime order.
fn are_of_prime_order(all: &[Read<'_>], random: &Random) -> bool {
    (0..SELECTIONS).step_by(TOGETHER).all(|first| {
        // Each point goes to the bucket of those that the same selections take.
        let mut buckets = [EdwardsPoint::identity(); 1 << TOGETHER];
        for (one, (_, row)) in all.iter().zip(&random.0) {
            buckets[(row >> first) as usize % buckets.len()] += one.r;
        }
        // The upper half is what the last selection takes. It joins the lower half for the other selections.
        let mut rest = buckets.as_mut_slice();
        while rest.len() > 1 {
            let (lower, upper) = rest.split_at_mut(rest.len() / 2);
            if !upper.iter().sum::<EdwardsPoint>().is_torsion_free() {
                return false;
            }
            lower.iter_mut().zip(upper).for_each(|(lower, upper)| *lower += *upper);
            rest = lower;
        }
        true
    })
}

#[cfg(test)]
mod tests;
