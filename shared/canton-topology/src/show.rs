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
    let mut all = Vec::new();
    fields(&mut all, &message);
    all.into_iter().map(|(path, value)| Line { path, value }).collect()
}

/// A text with everything that could mislead a reader written out: control characters, quotation marks, anything
/// beyond ASCII.
pub fn escaped(text: &str) -> String {
    text.chars().flat_map(char::escape_default).collect()
}

pub(crate) fn fields(into: &mut Vec<(String, String)>, message: &Message) {
    walk(into, message, "");
}

fn walk(into: &mut Vec<(String, String)>, message: &Message, prefix: &str) {
    for (field, values) in message.present() {
        for (index, value) in values.iter().enumerate() {
            let mut path = format!("{prefix}{}", field.name);
            if field.label == Label::Repeated {
                write!(path, "[{index}]").expect("writing into a string cannot fail");
            }
            match (value.message(), field.kind) {
                (Some(inner), _) if inner.is_empty() => into.push((path, "set".to_owned())),
                (Some(inner), _) => walk(into, inner, &format!("{path}.")),
                (None, Kind::Enum(names)) => into.push((path, enum_name(names, value.number()))),
                (None, Kind::Bool) => into.push((path, (value.number() != 0).to_string())),
                (None, Kind::Uint32) => into.push((path, (value.number() as u32).to_string())),
                (None, Kind::Int32 | Kind::Int64) => into.push((path, value.number().to_string())),
                (None, Kind::Text) => into.push((path, escaped(value.text()))),
                (None, Kind::Bytes) => into.push((path, hex::encode(value.bytes()))),
                (None, Kind::Message(_)) => {}
            }
        }
    }
}

fn enum_name(names: &[(i32, &str)], number: i64) -> String {
    names
        .iter()
        .find(|(value, _)| i64::from(*value) == number)
        .map_or_else(|| format!("value {number}"), |(_, name)| (*name).to_owned())
}
