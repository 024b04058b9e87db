//! A message's canonical bytes: fields ascending, numbers packed, defaults left out, the shortest varints.

use super::{
    Located, Message, Value,
    schema::{Field, Kind, Label},
    writer::{varint_length, write_varint},
};

impl Message<'_> {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length());
        self.write(&mut bytes);
        bytes
    }

    /// How many bytes [`Self::encode`] writes.
    pub fn length(&self) -> usize {
        self.present().map(|(field, values)| field_length(field, values)).sum()
    }

    fn write(&self, into: &mut Vec<u8>) {
        for (field, values) in self.present() {
            write_field(field, values, into);
        }
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

fn is_packed(field: &Field) -> bool {
    field.label == Label::Repeated
        && matches!(field.kind, Kind::Int32 | Kind::Enum(_) | Kind::Uint32 | Kind::Int64 | Kind::Bool)
}

fn tag(field: &Field, wire: u64) -> u64 {
    u64::from(field.number) << 3 | wire
}

fn is_left_out(field: &Field, value: &Located<'_>) -> bool {
    field.label == Label::Singular && value.is_default()
}

fn packed_length(field: &Field, values: &[Located<'_>]) -> usize {
    values.iter().map(|value| varint_length(written(field.kind, value.number()))).sum()
}

fn delimited_length(length: usize) -> usize {
    varint_length(length as u64) + length
}

fn field_length(field: &Field, values: &[Located<'_>]) -> usize {
    let tag_length = varint_length(tag(field, 2));
    if is_packed(field) {
        let length = packed_length(field, values);
        return if length == 0 { 0 } else { tag_length + delimited_length(length) };
    }
    let value_length = |value: &Located<'_>| match value.value() {
        Value::Number(number) => varint_length(written(field.kind, *number)),
        Value::Text(text) => delimited_length(text.len()),
        Value::Bytes(bytes) => delimited_length(bytes.len()),
        Value::Message(message) => delimited_length(message.length()),
    };
    values.iter().filter(|value| !is_left_out(field, value)).map(|value| tag_length + value_length(value)).sum()
}

fn write_field(field: &Field, values: &[Located<'_>], into: &mut Vec<u8>) {
    if is_packed(field) {
        if !values.is_empty() {
            write_varint(into, tag(field, 2));
            write_varint(into, packed_length(field, values) as u64);
            values.iter().for_each(|value| write_varint(into, written(field.kind, value.number())));
        }
        return;
    }
    for value in values.iter().filter(|value| !is_left_out(field, value)) {
        match value.value() {
            Value::Number(number) => {
                write_varint(into, tag(field, 0));
                write_varint(into, written(field.kind, *number));
            }
            Value::Text(text) => write_delimited(field, text.as_bytes(), into),
            Value::Bytes(bytes) => write_delimited(field, bytes, into),
            Value::Message(message) => {
                write_varint(into, tag(field, 2));
                write_varint(into, message.length() as u64);
                message.write(into);
            }
        }
    }
}

fn write_delimited(field: &Field, bytes: &[u8], into: &mut Vec<u8>) {
    write_varint(into, tag(field, 2));
    write_varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}
