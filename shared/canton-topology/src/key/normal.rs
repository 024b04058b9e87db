//! What Canton makes of a key as it stands in the bytes: the format and the usages that it keeps, and which bytes it
//! takes for a key at all.

use std::collections::BTreeSet;

use super::{
    KeyAsWritten, KeyError, KeyFormat, KeySpec, KeyUsage,
    spki::{self, NotAPoint},
};
use crate::wire::Exception;

/// Canton's rule: the retired usage 2 is dropped, nothing left means everything, and PROOF_OF_OWNERSHIP is added to
/// every key but one whose only usage is NAMESPACE.
pub(super) fn normalised_usage(written: &[i32]) -> Result<BTreeSet<KeyUsage>, KeyError> {
    let named: BTreeSet<KeyUsage> =
        KeyUsage::ALL.into_iter().filter(|usage| written.contains(&(*usage as i32))).collect();
    if named.is_empty() {
        return Ok(KeyUsage::ALL.into_iter().collect());
    }
    let proves = named.contains(&KeyUsage::ProofOfOwnership);
    let others = named.iter().any(|usage| !matches!(usage, KeyUsage::Namespace | KeyUsage::ProofOfOwnership));
    match (proves, others) {
        (true, false) => Err(KeyError::Usage),
        (false, false) => Ok(named),
        (_, true) => Ok(named.into_iter().chain([KeyUsage::ProofOfOwnership]).collect()),
    }
}

/// The format and bytes that Canton keeps: SPKI, but for keys of its own tests.
pub(super) fn normalised_bytes(written: &KeyAsWritten, spec: KeySpec) -> Result<(KeyFormat, Vec<u8>), KeyError> {
    let bytes = &written.bytes;
    let refused = |reason| Err(KeyError::Bytes { spec, reason });
    match (spec, written.format) {
        (_, KeyFormat::Symbolic) => return Ok((KeyFormat::Symbolic, bytes.clone())),
        (KeySpec::Ed25519, KeyFormat::Raw) => {
            check_ed25519(bytes)?;
            return Ok((KeyFormat::Spki, [spki::ED25519_PREFIX.as_slice(), bytes].concat()));
        }
        (KeySpec::Ed25519, KeyFormat::Spki) => {
            let Some(raw) = spki::ed25519(bytes) else {
                return match spki::exception(bytes) {
                    Some(exception) => Err(KeyError::Thrown { spec, exception }),
                    None => refused("not the SubjectPublicKeyInfo of an Ed25519 key"),
                };
            };
            check_ed25519(&raw)?;
        }
        (KeySpec::P256 | KeySpec::P384, KeyFormat::Spki | KeyFormat::LegacyDer)
        | (KeySpec::Secp256k1, KeyFormat::Spki) => {
            spki::point(bytes, spec).map_err(|error| match error {
                NotAPoint::NoKey => {
                    KeyError::Bytes { spec, reason: "not the SubjectPublicKeyInfo of a point on this curve" }
                }
                NotAPoint::BeyondTheField => KeyError::Thrown { spec, exception: Exception::IllegalArgument },
            })?;
        }
        (KeySpec::Ed25519 | KeySpec::Secp256k1, KeyFormat::LegacyDer) => {
            return refused("the legacy format DER is only taken for P-256 and P-384");
        }
        (KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1, KeyFormat::Raw) => {
            return refused("the format RAW is only taken for Ed25519");
        }
    }
    Ok((KeyFormat::Spki, bytes.clone()))
}

fn check_ed25519(raw: &[u8]) -> Result<(), KeyError> {
    let refused = |reason| KeyError::Bytes { spec: KeySpec::Ed25519, reason };
    let key: &[u8; 32] = raw.try_into().map_err(|_| refused("not 32 bytes"))?;
    let point = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| refused("not a point on the curve"))?;
    // Canton takes only points of the prime order: a key with a small component would verify forgeries of itself. None of
    // the points that can be written in a second form, with a coordinate beyond the prime, is of that order.
    if point.is_weak() || !point.to_edwards().is_torsion_free() {
        return Err(refused("not a point of the prime order"));
    }
    Ok(())
}
