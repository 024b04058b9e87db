//! `ring` against the crates of the curves: what one of them takes as a signature, the other takes, and nothing else.

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::key::KeyUsage;

/// The first byte of a SEQUENCE and of an INTEGER.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;

/// One value in a tag, whose length is written in so many bytes: none is the usual short form.
fn wrapped(tag: u8, value: &[u8], length_bytes: usize) -> Vec<u8> {
    let length = match length_bytes {
        0 => vec![value.len() as u8],
        bytes => {
            let mut length = vec![0; bytes];
            length[bytes - 1] = value.len() as u8;
            [&[0x80 | bytes as u8][..], &length].concat()
        }
    };
    [&[tag][..], &length, value].concat()
}

/// A number as DER has it, behind so many needless zeros.
fn integer(number: &[u8], zeros: usize) -> Vec<u8> {
    let bare: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
    let sign = usize::from(bare.first().is_none_or(|byte| byte & 0x80 != 0));
    [&vec![0; sign + zeros][..], &bare].concat()
}

/// How a signature is written.
#[derive(Clone, Debug)]
struct Written {
    /// The bytes of the lengths of the sequence, of r and of s.
    lengths: [usize; 3],
    zeros: [usize; 2],
    /// Whether the sign of each is left out, which makes a high number negative.
    is_unsigned: [bool; 2],
    tags: [u8; 3],
    inside: Vec<u8>,
    behind: Vec<u8>,
    cut: usize,
}

impl Written {
    fn well() -> Self {
        Self {
            lengths: [0; 3],
            zeros: [0; 2],
            is_unsigned: [false; 2],
            tags: [SEQUENCE, INTEGER, INTEGER],
            inside: Vec::new(),
            behind: Vec::new(),
            cut: 0,
        }
    }

    fn write(&self, r: &[u8], s: &[u8]) -> Vec<u8> {
        let number = |bytes: &[u8], at: usize| {
            let value = if self.is_unsigned[at] { bytes.to_vec() } else { integer(bytes, self.zeros[at]) };
            wrapped(self.tags[at + 1], &value, self.lengths[at + 1])
        };
        let inner = [number(r, 0), number(s, 1), self.inside.clone()].concat();
        let mut der = [wrapped(self.tags[0], &inner, self.lengths[0]), self.behind.clone()].concat();
        der.truncate(der.len() - self.cut.min(der.len()));
        der
    }
}

/// Well written, or wrong in one way, or in several.
fn any_written() -> impl Strategy<Value = Written> {
    let rarely = |value: bool| proptest::bool::weighted(if value { 0.1 } else { 0.0 });
    let bytes = || prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec(any::<u8>(), 1..3)];
    let few = || prop_oneof![9 => Just(0_usize), 1 => 1_usize..4];
    let tag = |usual: u8| prop_oneof![19 => Just(usual), 1 => any::<u8>()];
    let free = (
        [few(), few(), few()],
        [few(), few()],
        [rarely(true), rarely(true)],
        (tag(SEQUENCE), tag(INTEGER), tag(INTEGER)),
        bytes(),
        bytes(),
        few(),
    );
    let free = free.prop_map(|(lengths, zeros, is_unsigned, tags, inside, behind, cut)| Written {
        lengths,
        zeros,
        is_unsigned,
        tags: tags.into(),
        inside,
        behind,
        cut,
    });
    prop_oneof![1 => Just(Written::well()), 2 => free]
}

/// What is done to r or s of a right signature.
#[derive(Clone, Copy, Debug)]
enum Number {
    AsItIs,
    Negated,
    PlusOrder,
    Zero,
    One,
    OrderLessOne,
    Order,
    OrderAndOne,
    AllOnes,
}

fn any_number() -> impl Strategy<Value = Number> {
    use Number::*;
    let odd = prop::sample::select(vec![PlusOrder, Zero, One, OrderLessOne, Order, OrderAndOne, AllOnes]);
    prop_oneof![4 => Just(AsItIs), 2 => Just(Negated), 2 => odd]
}

macro_rules! same_as_the_crate {
    ($name:ident, $curve:ident, $Curve:ident, $uint:ident, $bytes:literal, $spec:expr, $hash:ty) => {
        mod $name {
            use $curve::{
                AffinePoint, $Curve, ProjectivePoint, Scalar,
                ecdsa::{Signature, SigningKey, VerifyingKey, signature::Signer as _, signature::Verifier as _},
                elliptic_curve::{
                    Curve as _, PrimeField as _,
                    bigint::{ArrayEncoding as _, $uint},
                    point::{AffineCoordinates as _, DecompressPoint as _},
                },
                pkcs8::EncodePublicKey as _,
            };
            use sha2::Digest as _;

            use super::*;

            fn ours(key: &VerifyingKey) -> CurveKey {
                let spki = key.to_public_key_der().unwrap();
                CurveKey::of(&SigningPublicKey::from_spki($spec, spki.as_bytes(), &KeyUsage::ALL).unwrap()).unwrap()
            }

            fn theirs(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
                Signature::from_der(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }

            /// What both say.
            fn both(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
                let ours = ours(key).verifies(message, signature);
                assert_eq!(ours, theirs(key, message, signature), "{}", hex::encode(signature));
                ours
            }

            fn secret(seed: u64) -> SigningKey {
                let scalar = (Scalar::from(seed) + Scalar::ONE).invert().unwrap() * Scalar::from(0xfedc_u64);
                SigningKey::from_bytes(&scalar.to_repr()).unwrap()
            }

            fn number(which: Number, right: &Scalar) -> Vec<u8> {
                let order = $Curve::ORDER;
                let plain = |number: $uint| number.to_be_byte_array().to_vec();
                match which {
                    Number::AsItIs => right.to_repr().to_vec(),
                    Number::Negated => (-*right).to_repr().to_vec(),
                    Number::PlusOrder => {
                        let (sum, carry) = $uint::from_be_byte_array(right.to_repr()).adc(&order, 0_u64.into());
                        [&[carry.0 as u8][..], &plain(sum)].concat()
                    }
                    Number::Zero => Vec::new(),
                    Number::One => vec![1],
                    Number::OrderLessOne => plain(order.wrapping_sub(&$uint::ONE)),
                    Number::Order => plain(order),
                    Number::OrderAndOne => plain(order.wrapping_add(&$uint::ONE)),
                    Number::AllOnes => vec![0xff; $bytes],
                }
            }

            fn hashed(message: &[u8]) -> Scalar {
                <Scalar as $curve::elliptic_curve::ops::Reduce<$uint>>::reduce_bytes(&<$hash>::digest(message))
            }

            /// The key under which r and s are a signature whose point is this one.
            fn key_of(point: &ProjectivePoint, r: &Scalar, s: &Scalar, message: &[u8]) -> VerifyingKey {
                let key = (*point * s - ProjectivePoint::GENERATOR * hashed(message)) * r.invert().unwrap();
                VerifyingKey::from_affine(key.to_affine()).unwrap()
            }

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(400))]

                #[test]
                fn the_same_is_taken_however_it_is_written(
                    seed in any::<u64>(), message in prop::collection::vec(any::<u8>(), 0..200), written in any_written(),
                    r in any_number(), s in any_number(), is_other in proptest::bool::weighted(0.1),
                ) {
                    let secret = secret(seed);
                    let right: Signature = secret.sign(&message);
                    let der = written.write(&number(r, &right.r()), &number(s, &right.s()));
                    let message = if is_other { [&message[..], &[0]].concat() } else { message };
                    both(secret.verifying_key(), &message, &der);
                }

                #[test]
                fn the_same_is_taken_with_a_bit_or_a_byte_wrong(
                    seed in any::<u64>(), at in any::<Index>(), byte in any::<u8>(), is_bit in any::<bool>(),
                ) {
                    let secret = secret(seed);
                    let right: Signature = secret.sign(b"a message");
                    let mut der = right.to_der().as_bytes().to_vec();
                    let at = at.index(der.len());
                    der[at] = if is_bit { der[at] ^ (1 << (byte % 8)) } else { byte };
                    both(secret.verifying_key(), b"a message", &der);
                }

                #[test]
                fn the_same_is_taken_of_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
                    both(secret(7).verifying_key(), b"a message", &bytes);
                }
            }

            #[test]
            fn a_right_signature_is_taken_with_low_and_with_high_s() {
                for seed in 0..64 {
                    let secret = secret(seed);
                    let right: Signature = secret.sign(b"a message");
                    for s in [Number::AsItIs, Number::Negated] {
                        let der = Written::well().write(&right.r().to_repr(), &number(s, &right.s()));
                        assert!(both(secret.verifying_key(), b"a message", &der), "{seed} {s:?}");
                        assert!(!both(secret.verifying_key(), b"another", &der), "{seed} {s:?}");
                    }
                }
            }

            #[test]
            fn what_is_not_der_or_out_of_range_is_refused() {
                let secret = secret(3);
                let right: Signature = secret.sign(b"a message");
                let well = Written::well;
                let ways = [
                    Written { lengths: [1, 0, 0], ..well() },
                    Written { lengths: [0, 1, 0], ..well() },
                    Written { lengths: [0, 0, 2], ..well() },
                    Written { zeros: [1, 0], ..well() },
                    Written { zeros: [0, 1], ..well() },
                    Written { inside: vec![5, 0], ..well() },
                    Written { behind: vec![0], ..well() },
                    Written { cut: 1, ..well() },
                    Written { tags: [0x31, INTEGER, INTEGER], ..well() },
                    Written { tags: [SEQUENCE, 3, INTEGER], ..well() },
                ];
                let (r, s) = (right.r().to_repr(), right.s().to_repr());
                assert!(both(secret.verifying_key(), b"a message", &well().write(&r, &s)));
                for way in ways {
                    assert!(!both(secret.verifying_key(), b"a message", &way.write(&r, &s)), "{way:?}");
                }
                use Number::*;
                for odd in [PlusOrder, Zero, Order, OrderAndOne, AllOnes] {
                    let odd_r = well().write(&number(odd, &right.r()), &s);
                    let odd_s = well().write(&r, &number(odd, &right.s()));
                    assert!(!both(secret.verifying_key(), b"a message", &odd_r), "r {odd:?}");
                    assert!(!both(secret.verifying_key(), b"a message", &odd_s), "s {odd:?}");
                }
                let raw = [&r[..], &s[..]].concat();
                assert!(!both(secret.verifying_key(), b"a message", &raw));
                assert!(!both(secret.verifying_key(), b"a message", &[]));
                let negative = number(Number::AllOnes, &right.r());
                let negative = Written { is_unsigned: [true, false], ..well() }.write(&negative, &s);
                assert!(!both(secret.verifying_key(), b"a message", &negative));
            }

            /// Points whose coordinate is not below the order, and so stands in r reduced: none comes by chance.
            #[test]
            fn a_point_beyond_the_order_is_taken() {
                let mut tried = 0;
                for beyond in 1_u64..40 {
                    let x = $Curve::ORDER.wrapping_add(&$uint::from(beyond));
                    let point = AffinePoint::decompress(&x.to_be_byte_array(), 0.into());
                    let Some(point) = Option::<AffinePoint>::from(point) else { continue };
                    let (r, s) = (Scalar::from(beyond), Scalar::from(beyond * 7_919));
                    let key = key_of(&point.into(), &r, &s, b"a message");
                    let der = Written::well().write(&r.to_repr(), &s.to_repr());
                    assert!(both(&key, b"a message", &der), "{beyond}");
                    assert!(!both(&key, b"another", &der), "{beyond}");
                    tried += 1;
                }
                assert!(tried > 8, "{tried}");
            }

            /// Both summands are the same point, or opposite ones, which addition without care gets wrong.
            #[test]
            fn summands_that_are_equal_or_opposite_are_added_rightly() {
                let (mut message, mut is_taken) = (b"a message".to_vec(), 0);
                for seed in 2..40_u64 {
                    message.push(seed as u8);
                    let point = ProjectivePoint::GENERATOR * Scalar::from(seed * 104_729);
                    let r = <Scalar as $curve::elliptic_curve::ops::Reduce<$uint>>::reduce_bytes(&point.to_affine().x());
                    let hash = hashed(&message);
                    // The key is e/r, so that u2·Q is u1·G; or its negative, so that the sum is no point.
                    let equal = hash * r.invert().unwrap();
                    for (secret, s) in [
                        (equal, hash.double() * Scalar::from(seed * 104_729).invert().unwrap()),
                        (-equal, Scalar::from(seed)),
                    ] {
                        let key = *SigningKey::from_bytes(&secret.to_repr()).unwrap().verifying_key();
                        let der = Written::well().write(&r.to_repr(), &s.to_repr());
                        let taken = both(&key, &message, &der);
                        assert_eq!(taken, secret == equal, "{seed}");
                        is_taken += usize::from(taken);
                    }
                }
                assert_eq!(is_taken, 38);
            }
        }
    };
}

same_as_the_crate!(p256_is, p256, NistP256, U256, 32, KeySpec::P256, sha2::Sha256);
same_as_the_crate!(p384_is, p384, NistP384, U384, 48, KeySpec::P384, sha2::Sha384);
