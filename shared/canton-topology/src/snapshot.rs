//! Exported topology: Canton's two file formats, read and written.
//!
//! V1 is one version wrapper around all items; V2 is one length and one wrapper for each item. Source:
//! `topology-protocol` 6.2.

use crate::{
    Timestamp,
    mapping::schema::TIMESTAMP,
    time::Time,
    transaction::{SignedTransaction, unwrap, wrap},
    wire::{
        self, DecodeError, DecodeErrorKind, Node, Place, Writer,
        schema::{Field, Kind, Schema},
    },
};

static ITEM: Schema = Schema {
    name: "Item",
    fields: &[
        Field::one(1, "valid_from", Kind::Message(&TIMESTAMP)),
        Field::one(2, "valid_until", Kind::Message(&TIMESTAMP)),
        Field::one(3, "transaction", Kind::Bytes),
        Field::one(4, "sequenced", Kind::Message(&TIMESTAMP)),
        Field::optional(5, "rejection_reason", Kind::Text),
    ],
};

/// The items are read one by one, on as many threads as there are.
static ITEMS: Schema = Schema { name: "TopologyTransactions", fields: &[Field::many(1, "items", Kind::Bytes)] };

/// Longest reason for a rejection that Canton takes, in characters as Java counts them.
const REJECTION_CHARS_MAX: usize = 300;

/// One stored row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// When it was sequenced.
    pub sequenced: Timestamp,
    /// From when on it is effective.
    pub valid_from: Timestamp,
    /// Until when; `None` where it still is.
    pub valid_until: Option<Timestamp>,
    /// The transaction with its signatures.
    pub transaction: SignedTransaction,
    /// Why it was refused, for rows that were.
    pub rejection: Option<String>,
}

/// Which of the two file formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One wrapper around everything.
    V1,
    /// One length and wrapper for each item.
    V2,
}

/// Reads a snapshot of either format.
///
/// # Errors
/// The decoding error with its place in the file.
pub fn read(bytes: &[u8]) -> Result<(Format, Vec<Item>), DecodeError> {
    read_on(1, bytes)
}

/// The same on as many threads as asked.
///
/// # Errors
/// The first decoding error with its place in the file.
pub fn read_on(threads: usize, bytes: &[u8]) -> Result<(Format, Vec<Item>), DecodeError> {
    if looks_like_v1(bytes) {
        let (data, offset) = unwrap(bytes, 0, "snapshot").map_err(|error| cut_short(bytes).unwrap_or(error))?;
        Ok((Format::V1, read_items_on(threads, data, offset)?))
    } else {
        Ok((Format::V2, read_v2(threads, bytes)?))
    }
}

/// A V1 file begins with the tag of field 1. A V2 file would begin so only if its first item were ten bytes long, which is
/// too short for one.
fn looks_like_v1(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x0a)
}

/// The item that a V1 file ends in, where it ends too early.
fn cut_short(bytes: &[u8]) -> Option<DecodeError> {
    let (length, used) = varint(bytes.get(1..)?)?;
    let mut at = 1 + used;
    if usize::try_from(length).ok()? <= bytes.len() - at {
        return None;
    }
    for index in 0.. {
        let item = bytes.get(at..)?;
        let (length, used) = match item.split_first() {
            Some((0x0a, rest)) => varint(rest).unwrap_or((u64::MAX, 0)),
            // It ends between two items, or what stands there is none.
            None => (u64::MAX, 0),
            Some(_) => return None,
        };
        let end = usize::try_from(length).ok().and_then(|length| (at + 1 + used).checked_add(length));
        match end.filter(|end| *end <= bytes.len()) {
            Some(end) => at = end,
            None => {
                let place = Place { offset: at, path: format!("snapshot.items[{index}]") };
                return Some(DecodeError { place, kind: DecodeErrorKind::Buffer("cut short: the file ends within") });
            }
        }
    }
    None
}

fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Reads the message `TopologyTransactions`, as `ListAll` answers it.
///
/// # Errors
/// The decoding error with its place.
pub fn read_items(data: &[u8], offset: usize) -> Result<Vec<Item>, DecodeError> {
    read_items_on(1, data, offset)
}

fn read_items_on(threads: usize, data: &[u8], offset: usize) -> Result<Vec<Item>, DecodeError> {
    let message = wire::skim(&ITEMS, data, offset, "snapshot")?;
    shared_out(threads, message.values(1), |index, item| {
        let name = format!("snapshot.items[{index}]");
        let message = wire::skim(&ITEM, item.bytes(), item.offset(), &name)?;
        Item::from_node(&Node::root(&message, &name))
    })
}

fn read_v2(threads: usize, bytes: &[u8]) -> Result<Vec<Item>, DecodeError> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let broken = |reason| DecodeError {
            place: Place { offset: at, path: format!("items[{}]", places.len()) },
            kind: DecodeErrorKind::Buffer(reason),
        };
        let (length, used) = varint(&bytes[at..]).ok_or_else(|| broken("cut short in the length of an item"))?;
        let start = at + used;
        let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
        let end = end.filter(|end| *end <= bytes.len()).ok_or_else(|| broken("the item reaches beyond the end"))?;
        places.push(start..end);
        at = end;
    }
    shared_out(threads, &places, |index, place| {
        let name = format!("items[{index}]");
        let (data, offset) = unwrap(&bytes[place.clone()], place.start, &name)?;
        let message = wire::skim(&ITEM, data, offset, &name)?;
        Item::from_node(&Node::root(&message, &name))
    })
}

/// Reads each of many on some threads; the results in order, or the first error.
fn shared_out<T: Sync>(
    threads: usize,
    all: &[T],
    read: impl Fn(usize, &T) -> Result<Item, DecodeError> + Sync,
) -> Result<Vec<Item>, DecodeError> {
    let share = all.len().div_ceil(threads.max(1)).max(1);
    let read = &read;
    let read_share = move |(share_index, part): (usize, &[T])| -> Result<Vec<Item>, DecodeError> {
        part.iter().enumerate().map(|(index, one)| read(share_index * share + index, one)).collect()
    };
    std::thread::scope(|scope| {
        let mut shares = all.chunks(share).enumerate();
        let mine = shares.next();
        let others: Vec<_> = shares.map(|part| (part, scope.spawn(move || read_share(part)))).collect();
        let mut items = mine.map(read_share).transpose()?.unwrap_or_default();
        for (part, thread) in others {
            // What a thread that panicked had to read is read here, and panics here if it must.
            items.extend(thread.join().unwrap_or_else(|_| read_share(part))?);
        }
        Ok(items)
    })
}

/// Writes a snapshot.
pub fn write(format: Format, items: &[Item]) -> Vec<u8> {
    let mut writer = Writer::default();
    match format {
        Format::V1 => {
            for item in items {
                writer.bytes(1, &item.encode());
            }
            wrap(&writer.finish())
        }
        Format::V2 => {
            for item in items {
                let bytes = wrap(&item.encode());
                writer.raw(bytes.len() as u64);
                writer.append(&bytes);
            }
            writer.finish()
        }
    }
}

impl Item {
    /// When it was sequenced and when it became effective.
    pub fn time(&self) -> Time {
        Time { sequenced: self.sequenced, effective: self.valid_from }
    }

    fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let time = |number| crate::mapping::timestamp(node, number);
        let missing = |number| node.error(number, DecodeErrorKind::FieldNotSet);
        let sequenced = time(4)?.ok_or_else(|| missing(4))?;
        let valid_from = time(1)?.ok_or_else(|| missing(1))?;
        let valid_until = time(2)?;
        let rejection = node.has(5).then(|| node.text(5).to_owned());
        if rejection.as_ref().is_some_and(|reason| reason.encode_utf16().count() > REJECTION_CHARS_MAX) {
            let reason = format!("longer than {REJECTION_CHARS_MAX} characters");
            return Err(node.error(5, DecodeErrorKind::Invariant(reason)));
        }
        let transaction = SignedTransaction::parse_wrapped(node.bytes(3));
        let transaction = transaction.map_err(|error| error.within(&node.place(3)))?;
        Ok(Self { sequenced, valid_from, valid_until, transaction, rejection })
    }

    /// Writes the message `TopologyTransactions.Item`.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        crate::mapping::write_timestamp(&mut writer, 1, self.valid_from);
        if let Some(time) = self.valid_until {
            crate::mapping::write_timestamp(&mut writer, 2, time);
        }
        writer.bytes(3, &self.transaction.encode_wrapped());
        crate::mapping::write_timestamp(&mut writer, 4, self.sequenced);
        if let Some(reason) = &self.rejection {
            writer.bytes(5, reason.as_bytes());
        }
        writer.finish()
    }
}
