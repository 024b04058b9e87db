//! Fields that several mappings have, read into their types with Canton's own names for what is wrong.

use super::KEYS_MAX;
use crate::{
    id::{IdError, Member, MemberKind, Namespace, PARTY_CHARS_MAX},
    key::SigningPublicKey,
    wire::{DecodeError, DecodeErrorKind, Node},
};

/// How Canton calls a bare fingerprint that does not read. It reads it as a party's name before it asks whether it is short
/// enough for a fingerprint.
pub(crate) fn id_error_kind(error: &IdError) -> DecodeErrorKind {
    match error {
        IdError::TooLong { found, .. } if *found <= PARTY_CHARS_MAX => DecodeErrorKind::Invariant(error.to_string()),
        IdError::TooLong { .. }
        | IdError::Empty { .. }
        | IdError::Character { .. }
        | IdError::Delimiter { .. }
        | IdError::NoNamespace { .. }
        | IdError::Member { .. }
        | IdError::Physical { .. } => DecodeErrorKind::StringConversion(error.to_string()),
    }
}

/// Reads a namespace or fingerprint.
pub(super) fn namespace(node: &Node<'_>, number: u32) -> Result<Namespace, DecodeError> {
    node.text(number).parse().map_err(|error| node.error(number, id_error_kind(&error)))
}

/// Reads anything that is built of a unique identifier.
pub(super) fn identifier<T: std::str::FromStr<Err = IdError>>(node: &Node<'_>, number: u32) -> Result<T, DecodeError> {
    convert(node, number, node.text(number).parse())
}

pub(super) fn convert<T>(node: &Node<'_>, number: u32, result: Result<T, IdError>) -> Result<T, DecodeError> {
    result.map_err(|error| node.error(number, DecodeErrorKind::ValueConversion(error.to_string())))
}

/// Reads a number that Canton wants to be at least 1.
pub(super) fn positive(node: &Node<'_>, number: u32) -> Result<u32, DecodeError> {
    let value = node.int(number);
    u32::try_from(value).ok().filter(|value| *value > 0).ok_or_else(|| {
        node.error(number, DecodeErrorKind::Invariant(format!("{value}: must be from 1 to {}", i32::MAX)))
    })
}

/// Reads a number that Canton wants to be at least 0.
pub(super) fn non_negative(node: &Node<'_>, number: u32) -> Result<u32, DecodeError> {
    let value = node.int(number);
    u32::try_from(value)
        .map_err(|_| node.error(number, DecodeErrorKind::Invariant(format!("{value}: must be from 0 to {}", i32::MAX))))
}

/// Reads the signing keys of a repeated field, refusing an empty list.
pub(super) fn signing_keys(node: &Node<'_>, number: u32) -> Result<Vec<SigningPublicKey>, DecodeError> {
    let keys = node.children(number).map(|key| SigningPublicKey::from_node(&key)).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(node.error(number, DecodeErrorKind::FieldNotSet)) } else { Ok(keys) }
}

pub(super) fn too_many_keys(node: &Node<'_>, number: u32, found: usize) -> DecodeError {
    node.error(number, DecodeErrorKind::Invariant(format!("{found} keys; at most {KEYS_MAX} are taken")))
}

/// Reads the unique identifiers of mediators or sequencers, dropping repetitions.
pub(super) fn members(node: &Node<'_>, number: u32, kind: MemberKind) -> Result<Vec<Member>, DecodeError> {
    let mut members = Vec::new();
    for text in node.texts(number) {
        let member = Member { kind, uid: convert(node, number, text.parse())? };
        if !members.contains(&member) {
            members.push(member);
        }
    }
    Ok(members)
}
