//! A message on the way to its typed view.

use std::fmt;

use super::{DecodeError, DecodeErrorKind, Located, Message, Place, Value, schema::Label};

/// A message on the way to its typed view: knows its own path, so that every error names the field.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    message: &'a Message<'a>,
    parent: Option<&'a Node<'a>>,
    name: &'a str,
    index: Option<usize>,
}

impl<'a> Node<'a> {
    /// The outermost message, under a name of its own.
    pub fn root(message: &'a Message<'a>, name: &'a str) -> Self {
        Self { message, parent: None, name, index: None }
    }

    /// The message as it was read.
    pub fn message(&self) -> &'a Message<'a> {
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

    /// How many values of a field stand there.
    pub fn count(&self, number: u32) -> usize {
        self.message.values(number).len()
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
        self.message.values(number).last().map_or("", Located::text)
    }

    /// The texts of a repeated field.
    pub fn texts(&self, number: u32) -> impl Iterator<Item = &'a str> + 'a {
        self.message.values(number).iter().map(Located::text)
    }

    /// Bytes; empty where the field is absent.
    pub fn bytes(&self, number: u32) -> &'a [u8] {
        self.message.bytes(number)
    }

    /// All bytes of a repeated field.
    pub fn all_bytes(&self, number: u32) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.message.values(number).iter().map(Located::bytes)
    }

    /// The offset of the field's content, where it stands there.
    pub fn offset(&self, number: u32) -> usize {
        self.message.values(number).last().map_or(self.message.offset(), |located| located.offset)
    }

    /// A message, where the field stands there.
    pub fn child<'b>(&'b self, number: u32) -> Option<Node<'b>> {
        self.children(number).last()
    }

    /// The messages of a repeated field.
    pub fn children<'b>(&'b self, number: u32) -> impl Iterator<Item = Node<'b>> {
        let field = self.message.schema().field(number);
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
        let name = self.message.schema().field(number).map_or("?", |field| field.name);
        Place { offset: self.offset(number), path: format!("{self}.{name}") }
    }

    /// An error about a field.
    pub fn error(&self, number: u32, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { place: self.place(number), kind }
    }

    /// An error about the message itself.
    pub fn own_error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { place: Place { offset: self.message.offset(), path: self.to_string() }, kind }
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
