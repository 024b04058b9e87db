//! Protobuf taken apart and put together again, for bytes that no honest writer writes.

use canton_topology::transaction::Transaction;
use protocol::{intent::Change, plan::base_of, verify::Verification};

use crate::world::World;

/// What becomes of an offer of these bytes.
pub enum Verdict {
    /// The case does not even take it.
    Unreadable,
    /// Bob's agent refuses.
    Refused,
    /// Bob's agent would sign.
    Verified,
}

/// Puts the bytes before bob's agent as an offer for the change, with the base that suits them best.
pub fn verdict(world: &World, change: &Change, offered: Vec<Vec<u8>>) -> Verdict {
    let mut case = world.proposed("alice", change.clone());
    let parsed: Vec<Transaction> = offered.iter().filter_map(|bytes| Transaction::parse(bytes).ok()).collect();
    if world.offer_bytes(&mut case, offered, base_of(&parsed, &world.state)).is_err() {
        return Verdict::Unreadable;
    }
    match world.verify("bob", &case) {
        Verification::Refused(_) => Verdict::Refused,
        Verification::Verified(_) => Verdict::Verified,
        Verification::NotYet(wait) => panic!("the base is the one of today: {wait:?}"),
    }
}

pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn read_varint(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
        shift += 7;
    }
}

/// A field of a number, or of bytes with their length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Number(u32, u64),
    Bytes(u32, Vec<u8>),
}

pub fn fields(bytes: &[u8]) -> Vec<Field> {
    let (mut at, mut all) = (0, Vec::new());
    while at < bytes.len() {
        let tag = read_varint(bytes, &mut at);
        let number = u32::try_from(tag >> 3).unwrap();
        match tag & 7 {
            0 => all.push(Field::Number(number, read_varint(bytes, &mut at))),
            2 => {
                let length = usize::try_from(read_varint(bytes, &mut at)).unwrap();
                all.push(Field::Bytes(number, bytes[at..at + length].to_vec()));
                at += length;
            }
            other => panic!("wire type {other} in honest bytes"),
        }
    }
    all
}

pub fn write(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        match field {
            Field::Number(number, value) => {
                bytes.extend(varint(u64::from(*number) << 3));
                bytes.extend(varint(*value));
            }
            Field::Bytes(number, content) => {
                bytes.extend(varint(u64::from(*number) << 3 | 2));
                bytes.extend(varint(content.len() as u64));
                bytes.extend(content);
            }
        }
    }
    bytes
}

/// Edits the message at a path of field numbers (the first field of each), all lengths around it made right.
pub fn edit_at(bytes: &[u8], path: &[u32], edit: &dyn Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let Some((first, rest)) = path.split_first() else { return edit(bytes.to_vec()) };
    let mut all = fields(bytes);
    let content = all.iter_mut().find_map(|field| match field {
        Field::Bytes(number, content) if number == first => Some(content),
        Field::Bytes(..) | Field::Number(..) => None,
    });
    let content = content.unwrap_or_else(|| panic!("no field {first}"));
    *content = edit_at(content, rest, edit);
    write(&all)
}
