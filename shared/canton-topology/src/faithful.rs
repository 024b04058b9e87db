//! Whether the typed view of a mapping says everything that its bytes say.
//!
//! The typed view is what plans and checks compare. Canton joins repeated owners and hosts, rounds times and drops values
//! that stand for nothing; where it did, two different transactions have one view, and a signer must be told.

use crate::{
    mapping::{Mapping, read_mapping},
    wire::{Located, Message, Node, Place, Unshown, UnshownReason, Value, schema::Kind},
};

/// The first place where a mapping, written from its view, would say something else than what was read.
pub(crate) fn first_unfaithful(mapping: &Mapping, node: &Node<'_>) -> Option<Unshown> {
    let written = mapping.encode();
    let path = match read_mapping(&written) {
        Ok(again) => format!("{node}{}", difference(node.message(), &again)?),
        Err(_) => node.to_string(),
    };
    Some(Unshown { place: Place { offset: node.message().offset(), path }, reason: UnshownReason::Dropped })
}

/// The path of the first difference between what was read and what would be written.
fn difference(read: &Message<'_>, written: &Message<'_>) -> Option<String> {
    // Old releases said by the flag `is_root_delegation` alone what new ones write out, and the view keeps what it says.
    let is_legacy_delegation = read.name() == "NamespaceDelegation" && read.member().is_none();
    let names_restriction = |number: u32| is_legacy_delegation && (3..=6).contains(&number);
    read.fields().filter(|field| !is_retired(field.kind, field.name) && !names_restriction(field.number)).find_map(
        |field| {
            let (found, expected) = (read.values(field.number), written.values(field.number));
            let index = (0..found.len().max(expected.len())).find_map(|index| {
                let inner = match (found.get(index), expected.get(index)) {
                    (Some(found), Some(expected)) if is_prefixed(field.name, found, expected) => return None,
                    (Some(found), Some(expected)) => value_difference(found, expected)?,
                    (Some(_), None) | (None, Some(_)) | (None, None) => String::new(),
                };
                Some((index, inner))
            });
            let (index, inner) = index?;
            let index = if field.is_repeated() { format!("[{index}]") } else { String::new() };
            Some(format!(".{}{index}{inner}", field.name))
        },
    )
}

fn value_difference(found: &Located<'_>, expected: &Located<'_>) -> Option<String> {
    let same = match (found.value(), expected.value()) {
        (Value::Message(found), Value::Message(expected)) => return difference(found, expected),
        (Value::Number(found), Value::Number(expected)) => found == expected,
        (Value::Text(found), Value::Text(expected)) => found == expected,
        (Value::Bytes(found), Value::Bytes(expected)) => found == expected,
        (Value::Message(_) | Value::Number(_) | Value::Text(_) | Value::Bytes(_), _) => false,
    };
    (!same).then(String::new)
}

/// Old releases wrote participants with `PAR::` in front, which names the same one.
fn is_prefixed(field: &str, found: &Located<'_>, expected: &Located<'_>) -> bool {
    field == "participant_uid" && found.text().strip_prefix("PAR::") == Some(expected.text())
}

/// Fields of old releases mean nothing any more; they are shown by their names, and no view needs them.
fn is_retired(kind: Kind, name: &str) -> bool {
    matches!(kind, Kind::Retired) || name.ends_with("_retired")
}
