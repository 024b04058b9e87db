//! A message as a tree of values: what Canton sees of the bytes.

use super::schema::{Field, Label, Schema};

/// A value of a field and where it began.
#[derive(Clone, Debug)]
pub struct Located<'a> {
    pub(super) number: u32,
    pub(super) offset: usize,
    pub(super) value: Value<'a>,
}

/// A value of a field.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// A number of any width, sign-extended.
    Number(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A message.
    Message(Message<'a>),
}

/// A message: for each field that stands there, its values in order. Texts and bytes stay where they were read.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    schema: &'static Schema,
    offset: usize,
    /// The fields that stand once, in no order.
    single: Vec<Located<'a>>,
    /// The values of the fields that may stand often, by number once the message is settled.
    repeated: Vec<Located<'a>>,
    is_settled: bool,
}

impl<'a> Message<'a> {
    pub(super) fn empty(schema: &'static Schema, offset: usize) -> Self {
        Self { schema, offset, single: Vec::new(), repeated: Vec::new(), is_settled: true }
    }

    pub(super) fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// Sets a field that stands once, and gives back what it was before.
    pub(super) fn set(&mut self, value: Located<'a>) -> Option<Located<'a>> {
        let before = self.take(value.number);
        // The most frequent message of all, a vetted package, has one field.
        if self.single.is_empty() {
            self.single.reserve_exact(1);
        }
        self.single.push(value);
        before
    }

    /// Takes a field that stands once out.
    pub(super) fn take(&mut self, number: u32) -> Option<Located<'a>> {
        let at = self.single.iter().position(|value| value.number == number)?;
        Some(self.single.swap_remove(at))
    }

    /// Takes the member of its oneof out.
    pub(super) fn take_member(&mut self) -> Option<Located<'a>> {
        self.member().and_then(|number| self.take(number))
    }

    /// Adds a value of a field that may stand often. Until the message is settled, its values cannot be asked for.
    pub(super) fn push(&mut self, value: Located<'a>) {
        self.is_settled &= self.repeated.last().is_none_or(|last| last.number <= value.number);
        self.repeated.push(value);
    }

    /// How many values were pushed. Not by field: nobody may search them before the message is settled.
    pub(super) fn is_last_pushed(&self, number: u32) -> bool {
        self.repeated.last().is_some_and(|last| last.number == number)
    }

    /// Orders what was pushed, here and below. Once, at the end: a message may be read in very many parts.
    pub(super) fn settle(&mut self) {
        if !self.is_settled {
            self.repeated.sort_by_key(|value| value.number);
            self.is_settled = true;
        }
        for value in self.single.iter_mut().chain(&mut self.repeated) {
            if let Value::Message(inner) = &mut value.value {
                inner.settle();
            }
        }
    }

    /// Where its content began.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The fields that it may have, ascending.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.schema.fields.iter()
    }

    /// The values of a field, in order; none where it is absent.
    pub fn values(&self, number: u32) -> &[Located<'a>] {
        if let Some(value) = self.single.iter().find(|value| value.number == number) {
            return std::slice::from_ref(value);
        }
        let begin = self.repeated.partition_point(|value| value.number < number);
        let end = self.repeated.partition_point(|value| value.number <= number);
        &self.repeated[begin..end]
    }

    /// Canton's name for its kind, without the package.
    pub fn name(&self) -> &'static str {
        self.schema.name
    }

    /// A number; 0 where the field is absent.
    pub fn number(&self, number: u32) -> i64 {
        self.values(number).last().map_or(0, Located::number)
    }

    /// Bytes; empty where the field is absent.
    pub fn bytes(&self, number: u32) -> &'a [u8] {
        self.values(number).last().map_or(&[], Located::bytes)
    }

    /// The member of its oneof that stands there.
    pub fn member(&self) -> Option<u32> {
        let is_member = |number: u32| self.schema.field(number).is_some_and(|field| field.label == Label::OneOf);
        self.single.iter().map(|value| value.number).find(|number| is_member(*number))
    }

    /// Whether no field stands there.
    pub fn is_empty(&self) -> bool {
        self.single.is_empty() && self.repeated.is_empty()
    }

    /// The fields that stand there, ascending, with their values.
    pub fn present(&self) -> impl Iterator<Item = (&'static Field, &[Located<'a>])> {
        self.fields().map(|field| (field, self.values(field.number))).filter(|(_, values)| !values.is_empty())
    }
}

impl<'a> Located<'a> {
    /// Whether it is what an absent field of its kind reads as. A message that stands there never is.
    pub(super) fn is_default(&self) -> bool {
        match &self.value {
            Value::Number(number) => *number == 0,
            Value::Text(text) => text.is_empty(),
            Value::Bytes(bytes) => bytes.is_empty(),
            Value::Message(_) => false,
        }
    }

    /// Where it began.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The value.
    pub fn value(&self) -> &Value<'a> {
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
    pub fn text(&self) -> &'a str {
        match self.value {
            Value::Text(text) => text,
            Value::Number(_) | Value::Bytes(_) | Value::Message(_) => "",
        }
    }

    /// The bytes; empty where the value has none.
    pub fn bytes(&self) -> &'a [u8] {
        match self.value {
            Value::Bytes(bytes) => bytes,
            Value::Number(_) | Value::Text(_) | Value::Message(_) => &[],
        }
    }

    /// The message, where the value is one.
    pub fn message(&self) -> Option<&Message<'a>> {
        match &self.value {
            Value::Message(message) => Some(message),
            Value::Number(_) | Value::Text(_) | Value::Bytes(_) => None,
        }
    }
}
