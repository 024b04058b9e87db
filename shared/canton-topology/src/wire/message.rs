//! A message as a tree of values: what Canton sees of the bytes.

use std::fmt;

use super::{
    DecodeError, DecodeErrorKind, Place,
    schema::{Field, Kind, Label, Schema},
};

/// A value of a field and where it began.
#[derive(Clone, Debug)]
pub struct Located {
    pub(super) offset: usize,
    pub(super) value: Value,
}

/// A value of a field.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number of any width, sign-extended.
    Number(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A message.
    Message(Message),
}

/// A message: for each field that stands there, its values in order.
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) schema: &'static Schema,
    pub(super) offset: usize,
    pub(super) fields: Vec<(u32, Vec<Located>)>,
}

impl Message {
    pub(super) fn empty(schema: &'static Schema, offset: usize) -> Self {
        Self { schema, offset, fields: Vec::new() }
    }

    /// Where its content began.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The fields that it may have, ascending.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.schema.fields.iter()
    }

    /// The values of a field, in order; none where it is absent.
    pub fn values(&self, number: u32) -> &[Located] {
        self.fields.iter().find(|(other, _)| *other == number).map_or(&[], |(_, values)| values)
    }

    pub(super) fn values_mut(&mut self, number: u32) -> &mut Vec<Located> {
        let at = match self.fields.binary_search_by_key(&number, |(other, _)| *other) {
            Ok(at) => at,
            Err(at) => {
                self.fields.insert(at, (number, Vec::new()));
                at
            }
        };
        &mut self.fields[at].1
    }

    /// Canton's name for its kind, without the package.
    pub fn name(&self) -> &'static str {
        self.schema.name
    }

    /// A number; 0 where the field is absent.
    pub fn number(&self, number: u32) -> i64 {
        self.values(number).last().map_or(0, Located::number)
    }

    /// The member of its oneof that stands there.
    pub fn member(&self) -> Option<u32> {
        let is_member = |number: u32| self.schema.field(number).is_some_and(|field| field.label == Label::OneOf);
        self.fields.iter().find(|(number, values)| is_member(*number) && !values.is_empty()).map(|(n, _)| *n)
    }

    /// Whether no field stands there.
    pub fn is_empty(&self) -> bool {
        self.fields.iter().all(|(_, values)| values.is_empty())
    }

    /// The fields that stand there, ascending, with their values.
    pub fn present(&self) -> impl Iterator<Item = (&'static Field, &[Located])> {
        self.fields.iter().filter_map(|(number, values)| Some((self.schema.field(*number)?, values.as_slice())))
    }

    /// The canonical bytes: fields ascending, numbers packed, defaults left out, the shortest varints.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = super::Writer::default();
        for (number, values) in &self.fields {
            let Some(field) = self.schema.field(*number) else { continue };
            let explicit = field.label != Label::Singular;
            match field.kind {
                Kind::Int32 | Kind::Enum(_) | Kind::Uint32 | Kind::Int64 | Kind::Bool => {
                    let mut numbers = values.iter().map(Located::number).map(|n| written(field.kind, n));
                    if field.label == Label::Repeated {
                        writer.packed(*number, numbers);
                    } else if let Some(value) = numbers.next_back().filter(|value| explicit || *value != 0) {
                        writer.varint(*number, value);
                    }
                }
                Kind::Text | Kind::Bytes | Kind::Retired | Kind::Message(_) => {
                    for Located { value, .. } in values {
                        match value {
                            Value::Text(text) if explicit || !text.is_empty() => writer.bytes(*number, text.as_bytes()),
                            Value::Bytes(bytes) if explicit || !bytes.is_empty() => writer.bytes(*number, bytes),
                            Value::Message(message) => writer.bytes(*number, &message.encode()),
                            Value::Text(_) | Value::Bytes(_) | Value::Number(_) => {}
                        }
                    }
                }
            }
        }
        writer.finish()
    }
}

/// A number as its kind writes it: 32-bit unsigned ones without sign extension.
pub(super) fn written(kind: Kind, number: i64) -> u64 {
    match kind {
        Kind::Uint32 => u64::from(number as u32),
        Kind::Int32
        | Kind::Enum(_)
        | Kind::Int64
        | Kind::Bool
        | Kind::Text
        | Kind::Bytes
        | Kind::Retired
        | Kind::Message(_) => number as u64,
    }
}

impl Located {
    /// Whether it is what an absent field of its kind reads as. A message that stands there never is.
    pub(super) fn is_default(&self) -> bool {
        match &self.value {
            Value::Number(number) => *number == 0,
            Value::Text(text) => text.is_empty(),
            Value::Bytes(bytes) => bytes.is_empty(),
            Value::Message(_) => false,
        }
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The number; 0 where the value is none.
    pub fn number(&self) -> i64 {
        match self.value {
            Value::Number(number) => number,
            Value::Text(_) | Value::Bytes(_) | Value::Message(_) => 0,
        }
    }

    /// The text; empty where the value is none.
    pub fn text(&self) -> &str {
        match &self.value {
            Value::Text(text) => text,
            Value::Number(_) | Value::Bytes(_) | Value::Message(_) => "",
        }
    }

    /// The bytes; empty where the value has none.
    pub fn bytes(&self) -> &[u8] {
        match &self.value {
            Value::Bytes(bytes) => bytes,
            Value::Number(_) | Value::Text(_) | Value::Message(_) => &[],
        }
    }

    /// The message, where the value is one.
    pub fn message(&self) -> Option<&Message> {
        match &self.value {
            Value::Message(message) => Some(message),
            Value::Number(_) | Value::Text(_) | Value::Bytes(_) => None,
        }
    }
}

/// A message on the way to its typed view: knows its own path, so that every error names the field.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    message: &'a Message,
    parent: Option<&'a Node<'a>>,
    name: &'a str,
    index: Option<usize>,
}

impl<'a> Node<'a> {
    /// The outermost message, under a name of its own.
    pub fn root(message: &'a Message, name: &'a str) -> Self {
        Self { message, parent: None, name, index: None }
    }

    /// The message as it was read.
    pub fn message(&self) -> &'a Message {
        self.message
    }

    /// The canonical bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        self.message.encode()
    }

    /// Whether the field stands there.
    pub fn has(&self, number: u32) -> bool {
        !self.message.values(number).is_empty()
    }

    /// A number; 0 where the field is absent.
    pub fn number(&self, number: u32) -> i64 {
        self.message.number(number)
    }

    /// A number cut to 32 bits.
    pub fn int(&self, number: u32) -> i32 {
        self.number(number) as i32
    }

    /// The numbers of a repeated field.
    pub fn ints(&self, number: u32) -> impl Iterator<Item = i32> + 'a {
        self.message.values(number).iter().map(|value| value.number() as i32)
    }

    /// A text; empty where the field is absent.
    pub fn text(&self, number: u32) -> &'a str {
        self.texts(number).last().unwrap_or("")
    }

    /// The texts of a repeated field.
    pub fn texts(&self, number: u32) -> impl Iterator<Item = &'a str> + 'a {
        self.message.values(number).iter().filter_map(|located| match &located.value {
            Value::Text(text) => Some(text.as_str()),
            Value::Number(_) | Value::Bytes(_) | Value::Message(_) => None,
        })
    }

    /// Bytes; empty where the field is absent.
    pub fn bytes(&self, number: u32) -> &'a [u8] {
        self.all_bytes(number).last().unwrap_or(&[])
    }

    /// All bytes of a repeated field.
    pub fn all_bytes(&self, number: u32) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.message.values(number).iter().filter_map(|located| match &located.value {
            Value::Bytes(bytes) => Some(bytes.as_slice()),
            Value::Number(_) | Value::Text(_) | Value::Message(_) => None,
        })
    }

    /// The offset of the field's content, where it stands there.
    pub fn offset(&self, number: u32) -> usize {
        self.message.values(number).last().map_or(self.message.offset, |located| located.offset)
    }

    /// A message, where the field stands there.
    pub fn child<'b>(&'b self, number: u32) -> Option<Node<'b>> {
        self.children(number).last()
    }

    /// The messages of a repeated field.
    pub fn children<'b>(&'b self, number: u32) -> impl Iterator<Item = Node<'b>> {
        let field = self.message.schema.field(number);
        let name = field.map_or("?", |field| field.name);
        let repeated = field.is_some_and(|field| field.label == Label::Repeated);
        self.message.values(number).iter().enumerate().filter_map(move |(index, located)| match &located.value {
            Value::Message(message) => {
                Some(Node { message, parent: Some(self), name, index: repeated.then_some(index) })
            }
            Value::Number(_) | Value::Text(_) | Value::Bytes(_) => None,
        })
    }

    /// The member of the message's oneof that stands there.
    pub fn member(&self) -> Option<u32> {
        self.message.member()
    }

    /// Where a field is, or would be.
    pub fn place(&self, number: u32) -> Place {
        let name = self.message.schema.field(number).map_or("?", |field| field.name);
        Place { offset: self.offset(number), path: format!("{self}.{name}") }
    }

    /// An error about a field.
    pub fn error(&self, number: u32, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { place: self.place(number), kind }
    }

    /// An error about the message itself.
    pub fn own_error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { place: Place { offset: self.message.offset, path: self.to_string() }, kind }
    }
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        match self.index {
            Some(index) => write!(f, "{}[{index}]", self.name),
            None => f.write_str(self.name),
        }
    }
}
