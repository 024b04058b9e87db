//! A transaction in words: every field of its bytes as a path and a value, in the order of the wire, or the same as a
//! tree for `--json`.
//!
//! Written from the wire's own tree, not from the typed view, so that nothing can be left out: two signable transactions
//! of different bytes never show alike. What is computed (a key's fingerprint, a moment beside its microseconds) is
//! added and replaces nothing that is not recoverable from it.

mod words;

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};

use crate::{
    key::key_fingerprint,
    mapping::{Mapping, read_mapping},
    transaction::{Transaction, read_transaction},
    wire::{
        Message, Value,
        schema::{Field, Kind, Label},
    },
};

pub use self::words::{duration, escaped, moment};

/// One line: the field's path and its value in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The path, such as `mapping.party_to_participant.threshold`.
    pub path: String,
    /// The value: a number, an enum's name, a text, a moment, or hex digits.
    pub value: String,
}

/// The same as a tree of names and values. Serializes as maps, lists and texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A value in words.
    Value(String),
    /// A repeated field.
    List(Vec<Tree>),
    /// A message's fields by name, in the order of the wire.
    Fields(Vec<(&'static str, Tree)>),
}

/// Every field of a transaction, a line for each.
pub fn transaction(transaction: &Transaction) -> Vec<Line> {
    transaction_tree(transaction).lines()
}

/// Every field of a transaction as a tree.
pub fn transaction_tree(transaction: &Transaction) -> Tree {
    // A transaction exists only where its bytes were read; should they not read again, they are shown as they are.
    read_transaction(transaction.bytes())
        .map_or_else(|_| Tree::Value(hex::encode(transaction.bytes())), |(message, _)| tree(&message))
}

/// Every field of a mapping, a line for each, in the form in which it would be written today.
pub fn mapping(mapping: &Mapping) -> Vec<Line> {
    mapping_tree(mapping).lines()
}

/// Every field of a mapping as a tree, in the form in which it would be written today.
pub fn mapping_tree(mapping: &Mapping) -> Tree {
    let bytes = mapping.encode();
    read_mapping(&bytes).map_or_else(|_| Tree::Value(hex::encode(&bytes)), |message| tree(&message))
}

fn tree(message: &Message<'_>) -> Tree {
    if let Some(words) = words::of_message(message) {
        return Tree::Value(words);
    }
    if message.is_empty() {
        return Tree::Value("set".to_owned());
    }
    let computed = key_fingerprint(message).map(|fingerprint| ("fingerprint", Tree::Value(fingerprint.to_string())));
    let fields = message.present().filter(|(_, values)| !values.is_empty()).map(|(field, values)| {
        let mut trees = values.iter().map(|value| value_tree(field, value.value()));
        let tree = match field.label {
            Label::Repeated => Tree::List(trees.collect()),
            Label::Singular | Label::Optional | Label::OneOf => trees.next_back().unwrap_or(Tree::List(Vec::new())),
        };
        (field.name, tree)
    });
    Tree::Fields(computed.into_iter().chain(fields).collect())
}

fn value_tree(field: &Field, value: &Value<'_>) -> Tree {
    match (value, field.kind) {
        (Value::Message(inner), _) => tree(inner),
        (Value::Number(number), kind) => Tree::Value(words::of_number(field.name, kind, *number)),
        (Value::Text(text), _) => Tree::Value(escaped(text)),
        (Value::Bytes(bytes), Kind::Retired) => Tree::Value(words::of_retired(bytes)),
        (Value::Bytes(bytes), _) => Tree::Value(hex::encode(bytes)),
    }
}

impl Tree {
    /// A line for each value.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        self.walk("", &mut lines);
        lines
    }

    fn walk(&self, path: &str, into: &mut Vec<Line>) {
        match self {
            Self::Value(value) => into.push(Line { path: path.to_owned(), value: value.clone() }),
            Self::List(trees) => {
                for (index, tree) in trees.iter().enumerate() {
                    tree.walk(&format!("{path}[{index}]"), into);
                }
            }
            Self::Fields(fields) => {
                let dot = if path.is_empty() { "" } else { "." };
                for (name, tree) in fields {
                    tree.walk(&format!("{path}{dot}{name}"), into);
                }
            }
        }
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => serializer.serialize_str(value),
            Self::List(trees) => {
                let mut list = serializer.serialize_seq(Some(trees.len()))?;
                for tree in trees {
                    list.serialize_element(tree)?;
                }
                list.end()
            }
            Self::Fields(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, tree) in fields {
                    map.serialize_entry(name, tree)?;
                }
                map.end()
            }
        }
    }
}
