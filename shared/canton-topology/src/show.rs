//! A transaction in words: every field of its bytes as a path and a value, in the order of the wire.
//!
//! Written from the wire's own tree, not from the typed view, so that nothing can be left out: two signable transactions
//! of different bytes never show alike.

use std::fmt::Write as _;

use crate::{
    transaction::{Transaction, read_transaction},
    wire::{
        Message,
        schema::{Kind, Label},
    },
};

/// One line: the field's path and its value in words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// The path, such as `mapping.party_to_participant.threshold`.
    pub path: String,
    /// The value: a number, an enum's name, a text, or hex digits.
    pub value: String,
}

/// Every field of a transaction.
pub fn transaction(transaction: &Transaction) -> Vec<Line> {
    let (message, _) = read_transaction(transaction.bytes()).expect("these bytes were read before");
    fields(&message)
}

/// A text with everything that could mislead a reader written out: control characters, quotation marks, anything
/// beyond ASCII.
pub fn escaped(text: &str) -> String {
    text.chars().flat_map(char::escape_default).collect()
}

pub(crate) fn fields(message: &Message) -> Vec<Line> {
    let mut lines = Vec::new();
    walk(&mut lines, message, "");
    lines
}

fn walk(into: &mut Vec<Line>, message: &Message, prefix: &str) {
    for (field, values) in message.present() {
        for (index, value) in values.iter().enumerate() {
            let mut path = format!("{prefix}{}", field.name);
            if field.label == Label::Repeated {
                write!(path, "[{index}]").expect("writing into a string cannot fail");
            }
            let value = match (value.message(), field.kind) {
                (Some(inner), _) if inner.is_empty() => "set".to_owned(),
                (Some(inner), _) => {
                    walk(into, inner, &format!("{path}."));
                    continue;
                }
                (None, Kind::Enum(names)) => enum_name(names, value.number()),
                (None, Kind::Bool) => (value.number() != 0).to_string(),
                (None, Kind::Uint32) => (value.number() as u32).to_string(),
                (None, Kind::Int32 | Kind::Int64) => value.number().to_string(),
                (None, Kind::Text) => escaped(value.text()),
                (None, Kind::Bytes | Kind::Message(_)) => hex::encode(value.bytes()),
            };
            into.push(Line { path, value });
        }
    }
}

fn enum_name(names: &[(i32, &str)], number: i64) -> String {
    names
        .iter()
        .find(|(value, _)| i64::from(*value) == number)
        .map_or_else(|| format!("value {number}"), |(_, name)| (*name).to_owned())
}
