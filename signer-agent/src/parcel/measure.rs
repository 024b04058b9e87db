//! Readers and writers that count and hash what goes through them.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use protocol::parcel::{Content, ContentHash};
use sha2::{Digest as _, Sha256};

/// How much is read at once. Memory stays at a few of these, however long the file.
pub const BUFFER_BYTES: usize = 256 << 10;

/// A reader or writer, and the content that went through it.
pub struct Measured<T> {
    inner: T,
    hasher: Sha256,
    length: u64,
}

impl<T> Measured<T> {
    /// Measures from here on.
    pub fn new(inner: T) -> Self {
        Self { inner, hasher: Sha256::new(), length: 0 }
    }

    /// How many bytes went through.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What went through, and the reader or writer itself.
    pub fn finish(self) -> (Content, T) {
        let hash = ContentHash::from_bytes(self.hasher.finalize().into());
        (Content { hash, length: self.length }, self.inner)
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count(&buffer[..count]);
        Ok(count)
    }
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.count(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The content of a whole file.
///
/// # Errors
/// Where it cannot be read.
pub fn content_of(path: &Path) -> io::Result<Content> {
    let mut measured = Measured::new(File::open(path)?);
    let mut buffer = vec![0; BUFFER_BYTES];
    while measured.read(&mut buffer)? > 0 {}
    Ok(measured.finish().0)
}
