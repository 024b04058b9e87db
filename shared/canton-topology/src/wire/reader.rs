//! Reads bytes into a [`Message`] exactly as leniently and as strictly as Canton does.

use super::{
    DecodeError, DecodeErrorKind, Place, Unshown, UnshownReason,
    canonical::written,
    cursor::{Cursor, Tag},
    message::{Located, Message, Value},
    schema::{Field, Kind, Label, Schema},
};

/// Deepest nesting that is read, of messages and groups together. Protobuf's own parser stops at 100.
pub(super) const DEPTH_MAX: usize = 100;
/// Most findings that are listed of one message: one is enough to refuse, and the list must not outgrow the bytes.
const UNSHOWN_MAX: usize = 100;

/// Reads a message and everything in it. `offset` and `name` say where the bytes stand in what was received.
///
/// # Errors
/// [`DecodeErrorKind::Buffer`] with the place, where Canton's parser refuses.
pub fn read<'a>(
    schema: &'static Schema,
    bytes: &'a [u8],
    offset: usize,
    name: &str,
    unshown: &mut Vec<Unshown>,
) -> Result<Message<'a>, DecodeError> {
    let mut message = Message::empty(schema, offset);
    merge(&mut message, bytes, offset, &Path { parent: None, name }, 0, unshown)?;
    message.settle();
    Ok(message)
}

/// Reads a message of which nobody needs to know what it does not show: an envelope, which nobody signs.
///
/// # Errors
/// As [`read`].
pub fn skim<'a>(
    schema: &'static Schema,
    bytes: &'a [u8],
    offset: usize,
    name: &str,
) -> Result<Message<'a>, DecodeError> {
    read(schema, bytes, offset, name, &mut Vec::new())
}

/// Where the reader is, kept as a chain so that names are joined only when somebody has to hear of them.
pub(super) struct Path<'a> {
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

    pub(super) fn broken(&self, offset: usize, reason: &'static str) -> DecodeError {
        DecodeError { place: self.place(offset), kind: DecodeErrorKind::Buffer(reason) }
    }

    fn note(&self, offset: usize, reason: UnshownReason, unshown: &mut Vec<Unshown>) {
        if unshown.len() < UNSHOWN_MAX {
            unshown.push(Unshown { place: self.place(offset), reason });
        }
    }
}

/// Reads fields into a message that may hold some already: the parts of a message that stands there twice are merged.
fn merge<'a>(
    message: &mut Message<'a>,
    bytes: &'a [u8],
    base: usize,
    path: &Path<'_>,
    depth: usize,
    unshown: &mut Vec<Unshown>,
) -> Result<(), DecodeError> {
    if depth > DEPTH_MAX {
        return Err(path.broken(base, "nested too deeply"));
    }
    let mut cursor = Cursor::new(bytes, base);
    let mut greatest = 0;
    while !cursor.is_at_end() {
        let tag = cursor.tag(path)?;
        let field = message.schema().field(tag.number);
        let Some(field) = field.filter(|field| is_read(field, tag.wire)) else {
            skip(&mut cursor, field, &tag, path, depth, unshown)?;
            continue;
        };
        let inner = Path { parent: Some(path), name: field.name };
        if tag.wire == 2 && expected_wire(field.kind) == 0 {
            read_packed(message, field, &mut cursor, &inner, unshown)?;
        } else {
            read_field(message, field, &mut cursor, &inner, depth, unshown)?;
        }
        if let Some(offset) = cursor.take_overlong() {
            inner.note(offset, UnshownReason::Overlong, unshown);
        }
        if tag.number < greatest {
            inner.note(tag.offset, UnshownReason::OutOfOrder, unshown);
        }
        greatest = greatest.max(tag.number);
    }
    Ok(())
}

/// Skips a field that the message does not have, or has with another wire type.
fn skip(
    cursor: &mut Cursor<'_>,
    field: Option<&'static Field>,
    tag: &Tag,
    path: &Path<'_>,
    depth: usize,
    unshown: &mut Vec<Unshown>,
) -> Result<(), DecodeError> {
    let unknown = format!("#{}", tag.number);
    let inner = Path { parent: Some(path), name: field.map_or(&unknown, |field| field.name) };
    cursor.skip(tag.number, tag.wire, depth, &inner)?;
    let _ = cursor.take_overlong();
    let reason = match (field, tag.wire) {
        (_, 3) => UnshownReason::Group,
        (Some(_), _) => UnshownReason::WrongWireType,
        (None, _) => UnshownReason::UnknownField,
    };
    inner.note(tag.offset, reason, unshown);
    Ok(())
}

/// Whether a field of that wire type is read. Lists of numbers are read packed or not.
fn is_read(field: &Field, wire: u8) -> bool {
    let expected = expected_wire(field.kind);
    wire == expected || (wire == 2 && expected == 0 && field.label == Label::Repeated)
}

fn expected_wire(kind: Kind) -> u8 {
    match kind {
        Kind::Int32 | Kind::Enum(_) | Kind::Uint32 | Kind::Int64 | Kind::Bool => 0,
        Kind::Text | Kind::Bytes | Kind::Retired | Kind::Message(_) => 2,
    }
}

/// What Canton makes of a number: cut to its field's width.
fn number_of(kind: Kind, raw: u64) -> i64 {
    match kind {
        Kind::Int32 | Kind::Enum(_) | Kind::Uint32 => i64::from(raw as u32 as i32),
        Kind::Bool => i64::from(raw != 0),
        Kind::Int64 | Kind::Text | Kind::Bytes | Kind::Retired | Kind::Message(_) => raw as i64,
    }
}

fn read_number<'a>(
    field: &Field,
    cursor: &mut Cursor<'_>,
    path: &Path<'_>,
    unshown: &mut Vec<Unshown>,
) -> Result<Located<'a>, DecodeError> {
    let offset = cursor.offset();
    let raw = cursor.varint(path)?;
    let number = number_of(field.kind, raw);
    if written(field.kind, number) != raw {
        path.note(offset, UnshownReason::TooWide, unshown);
    }
    Ok(Located { number: field.number, offset, value: Value::Number(number) })
}

fn read_packed(
    message: &mut Message<'_>,
    field: &Field,
    cursor: &mut Cursor<'_>,
    path: &Path<'_>,
    unshown: &mut Vec<Unshown>,
) -> Result<(), DecodeError> {
    let bytes = cursor.length_delimited(path)?;
    let mut inner = Cursor::new(bytes, cursor.offset() - bytes.len());
    // A list in two parts that are not side by side has a field out of its order between them.
    if message.is_last_pushed(field.number) {
        path.note(inner.offset(), UnshownReason::NotPacked, unshown);
    } else if bytes.is_empty() {
        path.note(inner.offset(), UnshownReason::WrittenDefault, unshown);
    }
    while !inner.is_at_end() {
        message.push(read_number(field, &mut inner, path, unshown)?);
    }
    if let Some(offset) = inner.take_overlong() {
        path.note(offset, UnshownReason::Overlong, unshown);
    }
    Ok(())
}

fn read_field<'a>(
    message: &mut Message<'a>,
    field: &'static Field,
    cursor: &mut Cursor<'a>,
    path: &Path<'_>,
    depth: usize,
    unshown: &mut Vec<Unshown>,
) -> Result<(), DecodeError> {
    let start = cursor.offset();
    let before = take_before(message, field);
    if before.is_some() {
        path.note(start, UnshownReason::Repeated, unshown);
    }
    let located = match field.kind {
        Kind::Int32 | Kind::Enum(_) | Kind::Uint32 | Kind::Int64 | Kind::Bool => {
            if field.label == Label::Repeated {
                path.note(start, UnshownReason::NotPacked, unshown);
            }
            read_number(field, cursor, path, unshown)?
        }
        Kind::Text => {
            let bytes = cursor.length_delimited(path)?;
            let offset = cursor.offset() - bytes.len();
            let text = std::str::from_utf8(bytes).map_err(|_| path.broken(offset, "a text that is not UTF-8"))?;
            Located { number: field.number, offset, value: Value::Text(text) }
        }
        Kind::Bytes | Kind::Retired => {
            let bytes = cursor.length_delimited(path)?;
            Located { number: field.number, offset: cursor.offset() - bytes.len(), value: Value::Bytes(bytes) }
        }
        Kind::Message(schema) => {
            let bytes = cursor.length_delimited(path)?;
            let offset = cursor.offset() - bytes.len();
            // A message that stands there already is merged with; another member of the oneof is forgotten.
            let mut inner = match before {
                Some(Located { number, value: Value::Message(before), .. }) if number == field.number => before,
                Some(_) | None => Message::empty(schema, offset),
            };
            merge(&mut inner, bytes, offset, path, depth + 1, unshown)?;
            Located { number: field.number, offset, value: Value::Message(inner) }
        }
    };
    if field.label == Label::Singular && located.is_default() {
        path.note(start, UnshownReason::WrittenDefault, unshown);
    }
    if field.label == Label::Repeated {
        message.push(located);
    } else {
        message.set(located);
    }
    Ok(())
}

/// What stands there already of a field that may stand once, or of the oneof that it is a member of. Canton takes the
/// last one.
fn take_before<'a>(message: &mut Message<'a>, field: &Field) -> Option<Located<'a>> {
    match field.label {
        Label::Repeated => None,
        Label::Singular | Label::Optional => message.take(field.number),
        Label::OneOf => message.take_member(),
    }
}
