//! Sealing: a stream of bytes becomes a file that only one recipient can open. Memory stays flat; the format is age's.

use std::{
    io::{self, Read, Write},
    path::Path,
};

use age::{Encryptor, stream::StreamWriter, x25519};
use protocol::{book::Addressee, limits, parcel::Sealed};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    measure::{BUFFER_BYTES, Measured},
    new_file::{NewFile, NewFileError},
};

/// Why something is not sealed. No file is left behind then.
#[derive(Debug, Error)]
pub enum SealError {
    /// The bytes to be sealed cannot be read.
    #[error("what is to be sealed cannot be read: {0}")]
    Read(io::Error),
    /// The sealed file cannot be written.
    #[error(transparent)]
    File(#[from] NewFileError),
    /// The sealed file cannot be written further.
    #[error("the sealed file cannot be written: {0}")]
    Write(io::Error),
    /// It is longer than any parcel may be.
    #[error("more than {max} bytes: a parcel is never longer; split what is to be sent")]
    TooLong {
        /// The limit.
        max: u64,
    },
    /// age refuses.
    #[error("age does not seal: {0}")]
    Age(String),
}

/// A file that is being sealed, for whoever gets its bytes in pieces.
pub struct Sealer {
    plain: Measured<StreamWriter<Measured<NewFile>>>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({} bytes so far)", self.plain.length())
    }
}

impl Sealer {
    /// Begins a sealed file for somebody of the owner's own book.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn begin(to: &Addressee, sealed: &Path) -> Result<Self, SealError> {
        let recipient: x25519::Recipient =
            to.recipient().to_string().parse().map_err(|reason: &'static str| SealError::Age(reason.to_owned()))?;
        let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
            .map_err(|error| SealError::Age(error.to_string()))?;
        let file = Measured::new(NewFile::begin(sealed)?);
        Ok(Self { plain: Measured::new(encryptor.wrap_output(file).map_err(SealError::Write)?) })
    }

    /// Seals the next bytes.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SealError> {
        let max = limits::PARCEL_BYTES_MAX;
        if self.plain.length().saturating_add(bytes.len() as u64) > max {
            return Err(SealError::TooLong { max });
        }
        self.plain.write_all(bytes).map_err(SealError::Write)
    }

    /// How many bytes were sealed so far.
    pub fn length(&self) -> u64 {
        self.plain.length()
    }

    /// Ends the file, durably. Without this call there is none.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn finish(self) -> Result<Sealed, SealError> {
        let (plain, stream) = self.plain.finish();
        let (sealed, file) = stream.finish().map_err(SealError::Write)?.finish();
        let max = limits::PARCEL_BYTES_MAX;
        if sealed.length > max {
            return Err(SealError::TooLong { max });
        }
        file.keep()?;
        Ok(Sealed { plain, sealed })
    }
}

/// Seals everything that a reader gives; `progress` hears how many bytes were sealed so far.
///
/// # Errors
/// See [`SealError`].
pub fn seal(
    mut from: impl Read,
    to: &Addressee,
    sealed: &Path,
    mut progress: impl FnMut(u64),
) -> Result<Sealed, SealError> {
    let mut sealer = Sealer::begin(to, sealed)?;
    let mut buffer = Zeroizing::new(vec![0; BUFFER_BYTES]);
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return sealer.finish(),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(SealError::Read(error)),
        };
        sealer.write(&buffer[..count])?;
        progress(sealer.length());
    }
}
