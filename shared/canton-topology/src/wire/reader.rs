//! Reads bytes into a [`Message`] exactly as leniently and as strictly as Canton does.

use super::{
    DecodeError, DecodeErrorKind, Place, Unshown, UnshownReason,
    message::{Located, Message, Value},
    schema::{Field, Kind, Label, Schema},
};

/// Deepest nesting that is read, of messages and groups together. Protobuf's own parser stops at 100.
const DEPTH_MAX: usize = 100;

/// Reads a message and everything in it. `offset` and `name` say where the bytes stand in what was received.
///
/// # Errors
/// [`DecodeErrorKind::Buffer`] with the place, where Canton's parser refuses.
pub fn read(
    schema: &'static Schema,
    bytes: &[u8],
    offset: usize,
    name: &str,
    unshown: &mut Vec<Unshown>,
) -> Result<Message, DecodeError> {
    let mut message = Message::empty(schema, offset);
    let noted = unshown.len();
    let path = Path { parent: None, name };
    merge(&mut message, bytes, offset, &path, 0, unshown)?;
    // Whatever no finer rule named is still visible in the bytes: defaults written out, fields out of order, lists
    // that are not packed, varints that are too long.
    if unshown.len() == noted && message.encode() != bytes {
        unshown.push(Unshown { place: path.place(offset), reason: UnshownReason::NotCanonical });
    }
    Ok(message)
}

struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    name: &'a str,
}

impl Path<'_> {
    fn text(&self) -> String {
        self.parent.map_or_else(|| self.name.to_owned(), |parent| format!("{}.{}", parent.text(), self.name))
    }

    fn place(&self, offset: usize) -> Place {
        Place { offset, path: self.text() }
    }

    fn broken(&self, offset: usize, reason: &'static str) -> DecodeError {
        DecodeError { place: self.place(offset), kind: DecodeErrorKind::Buffer(reason) }
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Cursor<'a> {
    fn offset(&self) -> usize {
        self.base + self.at
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn varint(&mut self, path: &Path<'_>) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in 0..10 {
            let byte = *self.bytes.get(self.at).ok_or_else(|| path.broken(self.offset(), "cut short in a number"))?;
            self.at += 1;
            value |= u64::from(byte & 0x7f).checked_shl(7 * shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(path.broken(self.offset(), "a number longer than ten bytes"))
    }

    fn take(&mut self, length: u64, path: &Path<'_>) -> Result<&'a [u8], DecodeError> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let bytes = end.and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or_else(|| path.broken(self.offset(), "cut short: the length reaches beyond the end"))?;
        self.at += bytes.len();
        Ok(bytes)
    }

    /// A tag as field number and wire type. Protobuf cuts tags to 32 bits.
    fn tag(&mut self, path: &Path<'_>) -> Result<(u32, u8), DecodeError> {
        let start = self.offset();
        let tag = self.varint(path)? as u32;
        if tag >> 3 == 0 {
            return Err(path.broken(start, "a tag of field number zero"));
        }
        Ok((tag >> 3, (tag & 7) as u8))
    }

    fn length_delimited(&mut self, path: &Path<'_>) -> Result<&'a [u8], DecodeError> {
        let length = self.varint(path)?;
        if (length as u32 as i32) < 0 {
            return Err(path.broken(self.offset(), "a negative length"));
        }
        self.take(u64::from(length as u32), path)
    }

    /// Skips the content of a field that is not read.
    fn skip(&mut self, number: u32, wire: u8, depth: usize, path: &Path<'_>) -> Result<(), DecodeError> {
        match wire {
            0 => self.varint(path).map(|_| ()),
            1 => self.take(8, path).map(|_| ()),
            2 => self.length_delimited(path).map(|_| ()),
            3 => self.skip_group(number, depth + 1, path),
            4 => Err(path.broken(self.offset(), "the end of a group that did not begin")),
            5 => self.take(4, path).map(|_| ()),
            _ => Err(path.broken(self.offset(), "a wire type that does not exist")),
        }
    }

    fn skip_group(&mut self, group: u32, depth: usize, path: &Path<'_>) -> Result<(), DecodeError> {
        if depth > DEPTH_MAX {
            return Err(path.broken(self.offset(), "nested too deeply"));
        }
        loop {
            if self.is_at_end() {
                return Err(path.broken(self.offset(), "a group that does not end"));
            }
            let (number, wire) = self.tag(path)?;
            if wire == 4 {
                return if number == group {
                    Ok(())
                } else {
                    Err(path.broken(self.offset(), "the end of another group"))
                };
            }
            self.skip(number, wire, depth, path)?;
        }
    }
}

fn merge(
    message: &mut Message,
    bytes: &[u8],
    base: usize,
    path: &Path<'_>,
    depth: usize,
    unshown: &mut Vec<Unshown>,
) -> Result<(), DecodeError> {
    if depth > DEPTH_MAX {
        return Err(path.broken(base, "nested too deeply"));
    }
    let mut cursor = Cursor { bytes, at: 0, base };
    while !cursor.is_at_end() {
        let start = cursor.offset();
        let (number, wire) = cursor.tag(path)?;
        let field = message.schema.field(number);
        let inner = Path { parent: Some(path), name: field.map_or("?", |field| field.name) };
        match field {
            Some(field) if wire == expected_wire(field.kind) => {
                read_field(message, field, &mut cursor, &inner, depth, unshown)?;
            }
            Some(field) if wire == 2 && field.label == Label::Repeated && expected_wire(field.kind) == 0 => {
                read_packed(message, field, &mut cursor, &inner)?;
            }
            Some(_) | None => {
                cursor.skip(number, wire, depth, &inner)?;
                let reason = match (field, wire) {
                    (_, 3) => UnshownReason::Group,
                    (Some(_), _) => UnshownReason::WrongWireType,
                    (None, _) => UnshownReason::UnknownField,
                };
                let name = field.map_or_else(|| format!("#{number}"), |field| field.name.to_owned());
                unshown.push(Unshown { place: Path { parent: Some(path), name: &name }.place(start), reason });
            }
        }
    }
    Ok(())
}

fn expected_wire(kind: Kind) -> u8 {
    match kind {
        Kind::Int32 | Kind::Enum(_) | Kind::Uint32 | Kind::Int64 | Kind::Bool => 0,
        Kind::Text | Kind::Bytes | Kind::Message(_) => 2,
    }
}

fn number_of(kind: Kind, raw: u64) -> i64 {
    match kind {
        Kind::Int32 | Kind::Enum(_) | Kind::Uint32 => i64::from(raw as u32 as i32),
        Kind::Bool => i64::from(raw != 0),
        Kind::Int64 | Kind::Text | Kind::Bytes | Kind::Message(_) => raw as i64,
    }
}

fn read_packed(
    message: &mut Message,
    field: &Field,
    cursor: &mut Cursor<'_>,
    path: &Path<'_>,
) -> Result<(), DecodeError> {
    let bytes = cursor.length_delimited(path)?;
    let mut inner = Cursor { bytes, at: 0, base: cursor.offset() - bytes.len() };
    while !inner.is_at_end() {
        let offset = inner.offset();
        let value = Value::Number(number_of(field.kind, inner.varint(path)?));
        message.values_mut(field.number).push(Located { offset, value });
    }
    Ok(())
}

fn read_field(
    message: &mut Message,
    field: &'static Field,
    cursor: &mut Cursor<'_>,
    path: &Path<'_>,
    depth: usize,
    unshown: &mut Vec<Unshown>,
) -> Result<(), DecodeError> {
    let start = cursor.offset();
    if field.label != Label::Repeated {
        note_repetition(message, field, start, path, unshown);
    }
    let (offset, value) = match field.kind {
        Kind::Int32 | Kind::Enum(_) | Kind::Uint32 | Kind::Int64 | Kind::Bool => {
            (start, Value::Number(number_of(field.kind, cursor.varint(path)?)))
        }
        Kind::Text => {
            let bytes = cursor.length_delimited(path)?;
            let offset = cursor.offset() - bytes.len();
            let text = std::str::from_utf8(bytes).map_err(|_| path.broken(offset, "a text that is not UTF-8"))?;
            (offset, Value::Text(text.to_owned()))
        }
        Kind::Bytes => {
            let bytes = cursor.length_delimited(path)?;
            (cursor.offset() - bytes.len(), Value::Bytes(bytes.to_vec()))
        }
        Kind::Message(schema) => {
            let bytes = cursor.length_delimited(path)?;
            let offset = cursor.offset() - bytes.len();
            // Only a singular message that stands there already is merged; a oneof's other member was dropped above.
            let before = message.values_mut(field.number).pop_if(|_| field.label != Label::Repeated);
            let mut inner = match before {
                Some(Located { value: Value::Message(before), .. }) => before,
                Some(_) | None => Message::empty(schema, offset),
            };
            merge(&mut inner, bytes, offset, path, depth + 1, unshown)?;
            (offset, Value::Message(inner))
        }
    };
    let values = message.values_mut(field.number);
    if field.label != Label::Repeated {
        values.clear();
    }
    values.push(Located { offset, value });
    Ok(())
}

/// A singular field again, or a second member of a oneof: Canton takes the last one.
fn note_repetition(message: &mut Message, field: &Field, offset: usize, path: &Path<'_>, unshown: &mut Vec<Unshown>) {
    let mut repeated = !message.values(field.number).is_empty();
    if field.label == Label::OneOf {
        let schema = message.schema;
        message.fields.retain(|(number, values)| {
            let rival = *number != field.number
                && schema.field(*number).is_some_and(|other| other.label == Label::OneOf)
                && !values.is_empty();
            repeated |= rival;
            !rival
        });
    }
    if repeated {
        unshown.push(Unshown { place: path.place(offset), reason: UnshownReason::Repeated });
    }
}
