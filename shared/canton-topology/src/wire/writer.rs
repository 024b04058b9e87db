//! Writes protobuf's wire in the one canonical way.

/// A message being written.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// The bytes written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// A number, whatever it is.
    pub fn varint(&mut self, number: u32, value: u64) {
        self.raw(u64::from(number) << 3);
        self.raw(value);
    }

    /// A number, left out where it is zero.
    pub fn number(&mut self, number: u32, value: i64) {
        if value != 0 {
            self.varint(number, value as u64);
        }
    }

    /// Bytes, a text or a message, whatever they are.
    pub fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.raw(u64::from(number) << 3 | 2);
        self.raw(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// A message, whatever is in it.
    pub fn message(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        self.raw(u64::from(number) << 3 | 2);
        let start = self.bytes.len();
        // One byte holds the length of most; where it does not, what was written makes room.
        self.bytes.push(0);
        write(self);
        let length = self.bytes.len() - start - 1;
        if length < 0x80 {
            self.bytes[start] = length as u8;
        } else {
            let mut varint = Vec::new();
            write_varint(&mut varint, length as u64);
            self.bytes.splice(start..=start, varint);
        }
    }

    /// A text, left out where it is empty.
    pub fn text(&mut self, number: u32, text: &str) {
        if !text.is_empty() {
            self.bytes(number, text.as_bytes());
        }
    }

    /// A list of numbers, packed; left out where it is empty.
    pub fn packed(&mut self, number: u32, values: impl Iterator<Item = u64>) {
        let mut inner = Self::default();
        for value in values {
            inner.raw(value);
        }
        if !inner.bytes.is_empty() {
            self.bytes(number, &inner.bytes);
        }
    }

    /// A number without a tag, as in front of each item of a delimited file.
    pub fn raw(&mut self, value: u64) {
        write_varint(&mut self.bytes, value);
    }

    /// Bytes without a tag.
    pub fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

pub(super) fn write_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

pub(super) fn varint_length(value: u64) -> usize {
    // Seven bits to a byte, and one byte for zero.
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}
