//! How a message is described to the reader and the writer: the names, numbers and kinds of its fields.

/// One kind of message.
#[derive(Debug)]
pub struct Schema {
    /// Canton's name for it, without the package.
    pub name: &'static str,
    /// Its fields, ascending by number.
    pub fields: &'static [Field],
}

/// One field of a message.
#[derive(Debug)]
pub struct Field {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// How often it may stand there.
    pub label: Label,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `int32`: a varint cut to 32 bits.
    Int32,
    /// An enum, with the names of its values without their common prefix.
    Enum(&'static [(i32, &'static str)]),
    /// `uint32`: read as signed, as Canton's own numbers are, and written without sign extension.
    Uint32,
    /// `int64`.
    Int64,
    /// `bool`: any varint but zero is true.
    Bool,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Bytes,
    /// A message.
    Message(&'static Schema),
    /// A field of old releases with a length, whatever was in it. Canton skips it today, so nothing in it can be wrong.
    Retired,
}

/// How often a field may stand in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Once; absent means the default value. Messages always have presence.
    Singular,
    /// Once, and an explicit default is something else than absence.
    Optional,
    /// Any number of times. Numbers are packed.
    Repeated,
    /// At most one field of the group may stand; the last one wins. A message has one such group at most.
    OneOf,
}

impl Schema {
    /// The field of that number.
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }
}

impl Field {
    /// A singular field.
    pub const fn one(number: u32, name: &'static str, kind: Kind) -> Self {
        Self { number, name, kind, label: Label::Singular }
    }

    /// A field with explicit presence.
    pub const fn optional(number: u32, name: &'static str, kind: Kind) -> Self {
        Self { number, name, kind, label: Label::Optional }
    }

    /// A field of old releases. It is no longer anybody's default, so that its being there always says something.
    pub const fn retired(number: u32, name: &'static str) -> Self {
        Self { number, name, kind: Kind::Retired, label: Label::Optional }
    }

    /// Whether it may stand any number of times.
    pub fn is_repeated(&self) -> bool {
        self.label == Label::Repeated
    }

    /// A repeated field.
    pub const fn many(number: u32, name: &'static str, kind: Kind) -> Self {
        Self { number, name, kind, label: Label::Repeated }
    }

    /// A member of the message's oneof.
    pub const fn one_of(number: u32, name: &'static str, kind: Kind) -> Self {
        Self { number, name, kind, label: Label::OneOf }
    }
}
