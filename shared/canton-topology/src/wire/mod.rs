//! Protobuf's wire, read without forgetting anything and written in one canonical way.
//!
//! Canton reads with a lenient parser: it skips what it does not know, lets the last of repeated singular fields win
//! and merges repeated messages. The judge must be as lenient; a signer must not. So reading yields what Canton sees
//! *and* collects, beside it, every place where the bytes say more than that.

mod canonical;
mod cursor;
mod message;
mod node;
mod reader;
pub mod schema;
mod writer;

use std::fmt;

use thiserror::Error;

pub use self::{
    message::{Located, Message, Value},
    node::Node,
    reader::{read, skim},
    writer::Writer,
};

/// A place in the bytes and the name of the field there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset in bytes from the beginning of what was given to the outermost reader.
    pub offset: usize,
    /// The field's path, such as `transaction.mapping.party_to_participant.threshold`.
    pub path: String,
}

impl Place {
    /// The same place seen from further out: `outer` is where the bytes begin that this place is in.
    #[must_use]
    pub fn within(&self, outer: &Self) -> Self {
        Self { offset: outer.offset + self.offset, path: format!("{}.{}", outer.path, self.path) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.path, self.offset)
    }
}

/// Something in the bytes that the parsed view does not show. Canton accepts it; a signer refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unshown {
    /// Where.
    pub place: Place,
    /// What.
    pub reason: UnshownReason,
}

impl fmt::Display for Unshown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// Why a part of the bytes is not in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum UnshownReason {
    /// The message has no field of this number.
    #[error("a field that the message does not have")]
    UnknownField,
    /// A group, which no message of Canton's has.
    #[error("a group")]
    Group,
    /// The field is known, but of another wire type, so that Canton skips it.
    #[error("a known field of another wire type, which Canton skips")]
    WrongWireType,
    /// The field is singular and stands there again, or a second member of a oneof stands there.
    #[error("a field that may stand once stands again; Canton takes the last one")]
    Repeated,
    /// A number of more bytes than it needs.
    #[error("a number written with more bytes than it needs")]
    Overlong,
    /// A number of more bits than its field has; Canton cuts it.
    #[error("a number beyond its field's width, which Canton cuts")]
    TooWide,
    /// A default value, which a writer leaves out.
    #[error("a default value that is written out")]
    WrittenDefault,
    /// A list of numbers that is not packed into one field.
    #[error("a list of numbers that is not packed")]
    NotPacked,
    /// A field behind one of a greater number.
    #[error("a field out of its order")]
    OutOfOrder,
    /// The bytes are not the ones that a writer would write for what they say, for a reason that has no name here.
    #[error("not written in the canonical form")]
    NotCanonical,
    /// The version wrapper has another version than the one that this release knows.
    #[error("a version wrapper of a version that this release does not know")]
    WrapperVersion,
    /// A value that Canton drops, joins with another or reads as something else than what stands there.
    #[error("a value that Canton drops or reads as another")]
    Dropped,
}

/// Why bytes do not decode. Named as Canton names it, with the place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {kind}")]
pub struct DecodeError {
    /// Where.
    pub place: Place,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    /// The same error of bytes that stand within others: the place as seen from there.
    #[must_use]
    pub fn within(mut self, outer: &Place) -> Self {
        self.place = self.place.within(outer);
        self
    }
}

/// What is wrong with bytes that do not decode.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeErrorKind {
    /// Not protobuf: cut short, a tag of zero, a wire type that does not exist, a string that is not UTF-8.
    #[error("not a protobuf message: {0}")]
    Buffer(&'static str),
    /// A required field is missing.
    #[error("missing; it is required")]
    FieldNotSet,
    /// An enum has a value that does not exist.
    #[error("value {0} does not exist in this enumeration")]
    UnrecognizedEnum(i32),
    /// A text is not of the form that its type wants.
    #[error("{0}")]
    StringConversion(String),
    /// A value is outside its range.
    #[error("{0}")]
    ValueConversion(String),
    /// A value is of a form that its field does not take.
    #[error("{0}")]
    ValueDeserialization(String),
    /// A value breaks a rule of its message.
    #[error("{0}")]
    Invariant(String),
    /// A time is outside Canton's range.
    #[error("{0}")]
    Timestamp(String),
    /// A duration is beyond what can be counted.
    #[error("{0}")]
    Duration(String),
    /// A key or signature does not decode.
    #[error("{0}")]
    Crypto(String),
    /// Something on which Canton's parser fails without an answer of its own.
    #[error("Canton's parser fails on it with {0}")]
    Thrown(Exception),
    /// Anything else that Canton refuses.
    #[error("{0}")]
    Other(String),
}

impl DecodeErrorKind {
    /// The class of Canton's own error.
    pub fn canton_name(&self) -> &'static str {
        match self {
            Self::Buffer(_) => "BufferException",
            Self::FieldNotSet => "FieldNotSet",
            Self::UnrecognizedEnum(_) => "UnrecognizedEnum",
            Self::StringConversion(_) => "StringConversionError",
            Self::ValueConversion(_) => "ValueConversionError",
            Self::ValueDeserialization(_) => "ValueDeserializationError",
            Self::Invariant(_) => "InvariantViolation",
            Self::Timestamp(_) => "TimestampConversionError",
            Self::Duration(_) => "DurationConversionError",
            Self::Crypto(_) => "CryptoDeserializationError",
            Self::Thrown(exception) => exception.canton_name(),
            Self::Other(_) => "OtherError",
        }
    }
}

/// A class of exceptions that Canton's parser lets out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// Of a point that does not fit into the field of the curve that was named.
    IllegalArgument,
    /// Of bytes that are ASN.1 and no sequence.
    IllegalState,
    /// Of no bytes at all.
    NullPointer,
}

impl Exception {
    fn canton_name(self) -> &'static str {
        match self {
            Self::IllegalArgument => "thrown:IllegalArgumentException",
            Self::IllegalState => "thrown:IllegalStateException",
            Self::NullPointer => "thrown:NullPointerException",
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.canton_name().trim_start_matches("thrown:"))
    }
}
