//! Session keys: a signature may carry its long-term key's word for another key that really signed. Topology takes the
//! signatures of long-term keys alone, but Canton reads the word before it says so, and a broken one makes a whole broadcast
//! unreadable. Nobody checks the word itself: where the session key is the long-term key, the signature is as good as without.

use super::{SignatureAlgorithm, SignatureFormat};
use crate::{
    id::Fingerprint,
    key::{KEY_SPECS, KeySpec, KeyUsage, SigningPublicKey},
    mapping::TIMES,
    wire::{
        DecodeError, DecodeErrorKind, Node,
        schema::{Field, Kind, Schema},
    },
};

pub(super) static SIGNATURE_DELEGATION: Schema = Schema {
    name: "SignatureDelegation",
    fields: &[
        Field::one(1, "session_key", Kind::Bytes),
        Field::one(2, "session_key_spec", Kind::Enum(&KEY_SPECS)),
        Field::one(3, "validity_period_from_inclusive", Kind::Int64),
        Field::one(4, "validity_period_duration_seconds", Kind::Uint32),
        Field::one(5, "format", Kind::Enum(&super::FORMATS)),
        Field::one(6, "signature", Kind::Bytes),
        Field::one(7, "signing_algorithm_spec", Kind::Enum(&super::ALGORITHMS)),
    ],
};

/// A delegation as far as topology looks at it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Delegation {
    /// The key that signed.
    pub session_key: Fingerprint,
    /// The message's bytes.
    pub bytes: Vec<u8>,
}

/// Reads a delegation as far as Canton checks it.
pub(super) fn read(node: &Node<'_>) -> Result<Delegation, DecodeError> {
    let spec = match node.int(2) {
        0 => return Err(node.error(2, DecodeErrorKind::FieldNotSet)),
        1 => KeySpec::Ed25519,
        2 => KeySpec::P256,
        3 => KeySpec::P384,
        4 => KeySpec::Secp256k1,
        other => return Err(node.error(2, DecodeErrorKind::UnrecognizedEnum(other))),
    };
    let session_key = SigningPublicKey::from_spki(spec, node.bytes(1), &[KeyUsage::Protocol])
        .map_err(|error| node.error(1, error.decoding_kind()))?;
    if !TIMES.contains(&node.number(3)) {
        return Err(node.error(3, DecodeErrorKind::Timestamp("outside the years 1 to 9999".to_owned())));
    }
    if node.int(4) <= 0 {
        let reason = format!("{}: must be from 1 to {}", node.int(4), i32::MAX);
        return Err(node.error(4, DecodeErrorKind::Invariant(reason)));
    }
    SignatureFormat::from_node(node, 5)?;
    SignatureAlgorithm::from_node(node, 7)?;
    Ok(Delegation { session_key: session_key.fingerprint(), bytes: node.encode() })
}
