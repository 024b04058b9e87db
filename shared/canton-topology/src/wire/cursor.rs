//! Steps through bytes: numbers, tags, lengths, and fields that nobody reads.

use super::{
    DecodeError,
    reader::{DEPTH_MAX, Path},
};

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
    /// Where the first number stood, since somebody last asked, that was written with more bytes than it needs.
    overlong: Option<usize>,
}

/// What stands in front of a field.
pub(super) struct Tag {
    pub(super) number: u32,
    pub(super) wire: u8,
    pub(super) offset: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base, overlong: None }
    }

    pub(super) fn offset(&self) -> usize {
        self.base + self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn take_overlong(&mut self) -> Option<usize> {
        self.overlong.take()
    }

    pub(super) fn varint(&mut self, path: &Path<'_>) -> Result<u64, DecodeError> {
        let start = self.offset();
        let mut value = 0u64;
        for index in 0..10 {
            let byte = *self.bytes.get(self.at).ok_or_else(|| path.broken(self.offset(), "cut short in a number"))?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                // The tenth byte has room for one bit; Canton forgets the others.
                if (byte == 0 && index > 0) || (index == 9 && byte > 1) {
                    self.overlong.get_or_insert(start);
                }
                return Ok(value);
            }
        }
        Err(path.broken(start, "a number longer than ten bytes"))
    }

    fn take(&mut self, length: u64, path: &Path<'_>) -> Result<&'a [u8], DecodeError> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let bytes = end.and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or_else(|| path.broken(self.offset(), "cut short: the length reaches beyond the end"))?;
        self.at += bytes.len();
        Ok(bytes)
    }

    /// A tag. Protobuf cuts it to 32 bits.
    pub(super) fn tag(&mut self, path: &Path<'_>) -> Result<Tag, DecodeError> {
        let offset = self.offset();
        let raw = self.varint(path)?;
        let tag = raw as u32;
        if u64::from(tag) != raw {
            self.overlong.get_or_insert(offset);
        }
        if tag >> 3 == 0 {
            return Err(path.broken(offset, "a tag of field number zero"));
        }
        Ok(Tag { number: tag >> 3, wire: (tag & 7) as u8, offset })
    }

    /// A length, cut to 32 bits as protobuf cuts it, and as many bytes.
    pub(super) fn length_delimited(&mut self, path: &Path<'_>) -> Result<&'a [u8], DecodeError> {
        let start = self.offset();
        let raw = self.varint(path)?;
        let length = raw as u32;
        if u64::from(length) != raw {
            self.overlong.get_or_insert(start);
        }
        if length > i32::MAX as u32 {
            return Err(path.broken(start, "a negative length"));
        }
        self.take(u64::from(length), path)
    }

    /// Skips the content of a field that is not read.
    pub(super) fn skip(&mut self, number: u32, wire: u8, depth: usize, path: &Path<'_>) -> Result<(), DecodeError> {
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
            let tag = self.tag(path)?;
            if tag.wire == 4 {
                return if tag.number == group {
                    Ok(())
                } else {
                    Err(path.broken(self.offset(), "the end of another group"))
                };
            }
            self.skip(tag.number, tag.wire, depth, path)?;
        }
    }
}
