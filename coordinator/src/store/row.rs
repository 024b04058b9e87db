//! What a row is, whatever holds it: a format version, a checksum over key and value, the value. Checked on every read.
//!
//! The stores below us have checksums of their own for pages; they do not notice a page that is an older one, or a bit
//! that flipped on its way. The key is part of the checksum, so a row cannot stand in another one's place.

use protocol::intent::CaseId;
use sha2::{Digest, Sha256};

use super::StoreError;

/// The only format so far.
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 1 + 32;

/// Most bytes of a statement in one row. Sixteen of them and their headers stay far below the 128 KiB from which on
/// sled puts a page into a file of its own, which it never syncs.
pub const CHUNK_BYTES_MAX: usize = 4096;

/// A key: one letter for the table, then fields in big-endian order, so that ranges come in the order of their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// How far the sequence is; one row.
    Head,
    /// A piece of a statement.
    Statement { sequence: u64, chunk: u16 },
    /// The sequence number of a case's statement.
    Position { case: CaseId, position: u64 },
    /// How many statements a case has, and whether it is open: see [`CaseRow`].
    Case(CaseId),
    /// An enrolment, by the hash of its TLS key.
    Enrolment([u8; 32]),
    /// An invitation, by the first half of its token's hash. The row holds the whole hash, which is compared in
    /// constant time.
    Invitation([u8; 16]),
    /// A piece of an owner's introduction, by the SHA-256 of the owner's namespace.
    Introduction { owner: [u8; 32], chunk: u16 },
}

impl Key {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Head => b"h".to_vec(),
            Self::Statement { sequence, chunk } => {
                [b"s".as_slice(), &sequence.to_be_bytes(), &chunk.to_be_bytes()].concat()
            }
            Self::Position { case, position } => {
                [b"c".as_slice(), case.as_bytes().as_slice(), &position.to_be_bytes()].concat()
            }
            Self::Case(case) => [b"o".as_slice(), case.as_bytes().as_slice()].concat(),
            Self::Enrolment(hash) => [b"e".as_slice(), hash.as_slice()].concat(),
            Self::Invitation(hash) => [b"i".as_slice(), hash.as_slice()].concat(),
            Self::Introduction { owner, chunk } => [b"m".as_slice(), owner.as_slice(), &chunk.to_be_bytes()].concat(),
        }
    }
}

/// What is known of a case without its statements. Such a row is never removed, so that one that is missing is damage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaseRow {
    /// How many statements it has.
    pub statements: u64,
    /// Whether anything can still happen to it.
    pub is_open: bool,
}

impl CaseRow {
    /// Its bytes.
    pub fn to_bytes(self) -> [u8; 9] {
        let mut bytes = [0; 9];
        bytes[..8].copy_from_slice(&self.statements.to_be_bytes());
        bytes[8] = u8::from(self.is_open);
        bytes
    }

    /// Reads its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (statements, is_open) = bytes.split_first_chunk()?;
        let is_open = match is_open {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        Some(Self { statements: u64::from_be_bytes(*statements), is_open })
    }
}

/// How a key's bytes are named in errors.
pub fn name(key: &[u8]) -> String {
    format!("row {}", hex::encode(key))
}

/// A row for a value.
pub fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(HEADER_BYTES + value.len());
    row.push(FORMAT);
    row.extend_from_slice(&checksum(key, value));
    row.extend_from_slice(value);
    row
}

/// The value of a row.
///
/// # Errors
/// Where the row is not what [`seal`] made for this key.
pub fn open<'a>(key: &[u8], row: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let damaged = |reason: &str| StoreError::Damaged { row: name(key), reason: reason.to_owned() };
    let found = *row.first().ok_or_else(|| damaged("it is empty"))?;
    if found != FORMAT {
        return Err(StoreError::UnknownFormat { row: name(key), found, known: FORMAT });
    }
    if row.len() < HEADER_BYTES {
        return Err(damaged("it is cut short"));
    }
    let (header, value) = row.split_at(HEADER_BYTES);
    if header[1..] != checksum(key, value) {
        return Err(damaged("its checksum does not fit"));
    }
    Ok(value)
}

fn checksum(key: &[u8], value: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"countersign/row/v1\n");
    hasher.update([u8::try_from(key.len()).expect("no key is that long")]);
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_of_a_row_is_stable() {
        let key = Key::Statement { sequence: 7, chunk: 1 }.bytes();

        let row = seal(&key, b"value");

        assert_eq!(hex::encode(&key), "7300000000000000070001");
        assert_eq!(hex::encode(row), "0196616c832adb084d39ca4bab0aaf56363b16d5b33952f31b180c9ff8d9a9c20b76616c7565");
    }

    #[test]
    fn every_flipped_bit_of_a_row_is_noticed() {
        let key = Key::Head.bytes();
        let row = seal(&key, b"some value");

        for bit in 0..row.len() * 8 {
            let mut flipped = row.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, &flipped).is_err(), "bit {bit}");
        }
        assert_eq!(open(&key, &row), Ok(b"some value".as_slice()));
    }

    #[test]
    fn a_row_under_another_key_is_noticed() {
        let row = seal(&Key::Case(CaseId::from_bytes([1; 16])).bytes(), b"");

        let moved = open(&Key::Case(CaseId::from_bytes([2; 16])).bytes(), &row);

        assert!(matches!(moved, Err(StoreError::Damaged { .. })));
    }
}
