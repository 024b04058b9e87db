//! RSA keys of 2048 bits, which topology carries for encryption: what Canton's library refuses of them.
//!
//! Read in the source of Bouncy Castle 1.84, `RSAKeyParameters`: the modulus must be odd, without a small factor, and
//! composite. Whether it is the product of two primes, nobody asks.

use p256::elliptic_curve::bigint::{
    U2048,
    modular::runtime_mod::{DynResidue, DynResidueParams},
};
use sha2::{Digest as _, Sha512};

use super::{
    ber::{self, Value},
    spki::PublicKeyInfo,
};

/// `rsaEncryption`, `id-RSAES-OAEP` and `id-RSASSA-PSS` (RFC 8017, C), and `id-ea-rsa` (X.509).
const ALGORITHMS: [&[u8]; 4] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a],
    &[0x55, 0x08, 0x01, 0x01],
];
const BYTES: usize = 256;
/// The greatest small factor that is looked for.
const SMALL_FACTOR_MAX: u32 = 743;
/// How often a modulus is asked whether it is composite; a composite one denies it with a chance of a quarter at most.
const WITNESSES: u8 = 32;

/// Whether the bytes are the SubjectPublicKeyInfo (RFC 3279, 2.3.1) of an RSA key of 2048 bits with the exponent 65537.
pub(super) fn is_rsa_2048(spki: &[u8]) -> bool {
    let Some((modulus, exponent)) = numbers(spki) else { return false };
    let Ok(modulus) = <[u8; BYTES]>::try_from(modulus) else { return false };
    let is_odd = modulus[BYTES - 1] & 1 == 1;
    exponent == [1, 0, 1] && modulus[0] & 0x80 != 0 && is_odd && !has_small_factor(&modulus) && is_composite(&modulus)
}

/// Modulus and exponent without leading zeros; the library takes a negative number for the positive one of its bytes.
fn numbers(spki: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let info = PublicKeyInfo::read(spki).filter(|info| ALGORITHMS.contains(&info.algorithm.as_slice()))?;
    let Value::Sequence(numbers) = ber::read(info.whole_bytes()?)? else { return None };
    let [Value::Integer(modulus), Value::Integer(exponent)] = numbers.as_slice() else { return None };
    let positive = |bytes: &[u8]| bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())..].to_vec();
    Some((positive(modulus), positive(exponent)))
}

fn has_small_factor(modulus: &[u8; BYTES]) -> bool {
    let remainder = |divisor: u32| modulus.iter().fold(0, |rest, byte| (rest << 8 | u32::from(*byte)) % divisor);
    (3..=SMALL_FACTOR_MAX).step_by(2).any(|divisor| remainder(divisor) == 0)
}

/// Miller and Rabin's test. The witnesses are hashed from the modulus, so that nobody can choose one to suit them.
fn is_composite(modulus: &[u8; BYTES]) -> bool {
    let number = U2048::from_be_slice(modulus);
    let parameters = DynResidueParams::new(&number);
    let (one, minus_one) = (DynResidue::one(parameters), -DynResidue::one(parameters));
    let less_one = number.wrapping_sub(&U2048::ONE);
    let twos = less_one.trailing_zeros();
    let odd = less_one.shr_vartime(twos);
    (0..WITNESSES).any(|witness| {
        let mut power = DynResidue::new(&base(modulus, witness), parameters).pow(&odd);
        if power == one {
            return false;
        }
        for _ in 1..twos {
            if power == minus_one {
                return false;
            }
            power = power.square();
        }
        power != minus_one
    })
}

/// A number of 512 bits, which is far from both ends.
fn base(modulus: &[u8; BYTES], witness: u8) -> U2048 {
    let hash = Sha512::new().chain_update(b"countersign/witness/v1\n").chain_update([witness]).chain_update(modulus);
    let mut bytes = [0; BYTES];
    bytes[BYTES - 64..].copy_from_slice(&hash.finalize());
    U2048::from_be_slice(&bytes)
}
