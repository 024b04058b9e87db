//! ASN.1 as Canton's library reads it: not DER alone but BER, with lengths written long, of indefinite length and in
//! pieces. Only what a public key is made of gets a meaning; the rest is passed over.
//!
//! Read in the source of Bouncy Castle 1.84, `ASN1InputStream`, and held against its answers.

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 32;
/// Longest object identifier, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 4096;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Sequence(Vec<Self>),
    /// With the number of unused bits in front.
    BitString(Vec<u8>),
    OctetString(Vec<u8>),
    /// As its bytes.
    Identifier(Vec<u8>),
    /// As its bytes, with the sign.
    Integer(Vec<u8>),
    /// Whatever no key is made of.
    Other,
}

/// Reads one value that takes all of the bytes.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = element(&mut rest, 0)?;
    rest.is_empty().then_some(value)
}

const CONSTRUCTED: u8 = 0x20;
const OTHER_CLASS: u8 = 0xc0;

fn element(rest: &mut &[u8], depth: usize) -> Option<Value> {
    let tag = byte(rest)?;
    let number = tag_number(rest, tag)?;
    let constructed = tag & CONSTRUCTED != 0;
    let Some(length) = length(rest)? else {
        return if constructed { joined(tag, number, until_the_end(rest, depth)?) } else { None };
    };
    let content = rest.split_off(..length)?;
    if !constructed {
        return if tag & OTHER_CLASS != 0 { Some(Value::Other) } else { primitive(number, content) };
    }
    joined(tag, number, all(content, depth)?)
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    rest.split_off_first().copied()
}

fn tag_number(rest: &mut &[u8], tag: u8) -> Option<u32> {
    if tag == 0 {
        return None;
    }
    if tag & 0x1f != 0x1f {
        return Some(u32::from(tag & 0x1f));
    }
    let mut next = byte(rest)?;
    let mut number = u32::from(next & 0x7f);
    if next < 0x1f || number == 0 {
        return None;
    }
    while next & 0x80 != 0 {
        if number >> 24 != 0 {
            return None;
        }
        next = byte(rest)?;
        number = number << 7 | u32::from(next & 0x7f);
    }
    Some(number)
}

/// `Some(None)` where the end is marked instead.
fn length(rest: &mut &[u8]) -> Option<Option<usize>> {
    let first = byte(rest)?;
    match first {
        0..=0x7f => Some(Some(usize::from(first))),
        0x80 => Some(None),
        0xff => None,
        _ => {
            let mut length: usize = 0;
            for _ in 0..first & 0x7f {
                let next = byte(rest)?;
                if length >> 23 != 0 {
                    return None;
                }
                length = length << 8 | usize::from(next);
            }
            Some(Some(length))
        }
    }
}

fn all(mut content: &[u8], depth: usize) -> Option<Vec<Value>> {
    if depth == DEPTH_MAX && !content.is_empty() {
        return None;
    }
    let mut values = Vec::new();
    while !content.is_empty() {
        values.push(element(&mut content, depth + 1)?);
    }
    Some(values)
}

fn until_the_end(rest: &mut &[u8], depth: usize) -> Option<Vec<Value>> {
    if depth == DEPTH_MAX {
        return None;
    }
    let mut values = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix(&[0, 0]) {
            *rest = behind;
            return Some(values);
        }
        values.push(element(rest, depth + 1)?);
    }
}

/// A value that was written as parts.
fn joined(tag: u8, number: u32, parts: Vec<Value>) -> Option<Value> {
    if tag & OTHER_CLASS != 0 {
        return Some(Value::Other);
    }
    match number {
        3 => {
            let mut whole = vec![0];
            for part in &parts {
                let Value::BitString(bits) = part else { return None };
                // Bits are unused at the end of the last part alone.
                if whole[0] != 0 {
                    return None;
                }
                whole[0] = bits[0];
                whole.extend_from_slice(&bits[1..]);
            }
            Some(Value::BitString(whole))
        }
        4 => {
            let bytes = |part: &Value| if let Value::OctetString(bytes) = part { Some(bytes.clone()) } else { None };
            Some(Value::OctetString(parts.iter().map(bytes).collect::<Option<Vec<_>>>()?.concat()))
        }
        16 => Some(Value::Sequence(parts)),
        8 | 17 => Some(Value::Other),
        _ => None,
    }
}

fn primitive(number: u32, content: &[u8]) -> Option<Value> {
    let if_taken = |taken: bool, value: Value| taken.then_some(value);
    match number {
        1 => if_taken(content.len() == 1, Value::Other),
        2 => if_taken(is_integer(content), Value::Integer(content.to_vec())),
        3 => {
            let unused = *content.first()?;
            let taken = unused == 0 || (unused <= 7 && content.len() > 1);
            if_taken(taken, Value::BitString(content.to_vec()))
        }
        4 => Some(Value::OctetString(content.to_vec())),
        5 => if_taken(content.is_empty(), Value::Other),
        6 => if_taken(is_identifier(content), Value::Identifier(content.to_vec())),
        10 => if_taken(is_integer(content), Value::Other),
        13 => if_taken(is_identifier(content), Value::Other),
        30 => if_taken(content.len().is_multiple_of(2), Value::Other),
        7 | 12 | 18..=28 => Some(Value::Other),
        _ => None,
    }
}

fn is_integer(content: &[u8]) -> bool {
    match content {
        [] => false,
        [_] => true,
        // The first byte must say more than the sign of the second one does.
        [first, second, ..] => *first != if second & 0x80 != 0 { 0xff } else { 0 },
    }
}

fn is_identifier(content: &[u8]) -> bool {
    let starts = std::iter::once(true).chain(content.iter().map(|byte| byte & 0x80 == 0));
    let padded = starts.zip(content).any(|(starts, byte)| starts && *byte == 0x80);
    !padded && content.len() <= IDENTIFIER_BYTES_MAX && content.last().is_some_and(|byte| byte & 0x80 == 0)
}
