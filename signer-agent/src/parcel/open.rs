//! Opening: a sealed file becomes the file that was sealed, or an error that says what is wrong with it, and nothing else.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Write as _},
    path::{Path, PathBuf},
};

use age::{DecryptError, Decryptor};
use custody::keys::parcel_key::ParcelKey;
use protocol::{
    limits,
    parcel::{Content, Sealed},
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    measure::{BUFFER_BYTES, Measured},
    new_file::{NewFile, NewFileError},
};

/// Why a sealed file does not open. No opened file is left behind then.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The sealed file cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// The sealed file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The opened file cannot be written.
    #[error(transparent)]
    File(#[from] NewFileError),
    /// The opened file cannot be written further.
    #[error("the opened file cannot be written: {0}")]
    Write(io::Error),
    /// The sealed file has another length than its sender said.
    #[error("the sealed file has {found} bytes, and its sender signed for {expected}: it was {}", cut_or_grown(*.found, *.expected))]
    OtherLength {
        /// What its sender signed for.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// It does not begin as a sealed file does.
    #[error("the sealed file's head does not read as age's: this is another file, or the head was changed")]
    Head,
    /// The head was changed by somebody who has not the key to it.
    #[error("the sealed file's head was changed: what authenticates it does not fit")]
    HeadChanged,
    /// It is sealed to somebody else.
    #[error("the file is not sealed to this agent's parcel key {own}: ask its sender which card stands in its book")]
    OtherRecipient {
        /// Our own key.
        own: String,
    },
    /// A piece of it was changed.
    #[error("the sealed file was changed: the piece that ends at byte {at} does not authenticate")]
    Changed {
        /// How far into the sealed file the piece goes.
        at: u64,
    },
    /// The sealed file is sound, but not the one that its sender signed for.
    #[error("another parcel: the sealed file hashes to {}, and its sender signed for {}", .found.hash, .expected.hash)]
    OtherParcel {
        /// What its sender signed for.
        expected: Content,
        /// What is there.
        found: Content,
    },
    /// The file inside is not the one that its sender signed for.
    #[error(
        "another content: the opened file has {} bytes that hash to {}, and its sender signed for {} bytes that hash to {}",
        .found.length, .found.hash, .expected.length, .expected.hash
    )]
    OtherContent {
        /// What its sender signed for.
        expected: Content,
        /// What is there.
        found: Content,
    },
}

fn cut_or_grown(found: u64, expected: u64) -> &'static str {
    if found < expected { "cut short" } else { "added to" }
}

/// Opens a sealed file into a folder that nobody else may enter; `progress` hears how many bytes were opened so far.
///
/// What is expected comes from the sender's signed statement. Nothing takes the name `into` before all of it was found
/// to be so; whatever had that name is replaced then.
///
/// # Errors
/// See [`OpenError`].
pub fn open(
    sealed: &Path,
    key: &ParcelKey,
    expected: &Sealed,
    into: &Path,
    progress: impl FnMut(u64),
) -> Result<(), OpenError> {
    let unread = |error| OpenError::Read { path: sealed.to_owned(), error };
    let file = File::open(sealed).map_err(unread)?;
    let found = file.metadata().map_err(unread)?.len();
    if found != expected.sealed.length {
        return Err(OpenError::OtherLength { expected: expected.sealed.length, found });
    }
    let mut source = Source::new(file);
    let head = source.head().map_err(unread)?.ok_or(OpenError::Head)?;
    let opened = NewFile::begin_private(into)?;
    let decryptor = Decryptor::new(Cursor::new(head).chain(&mut source)).map_err(|_| OpenError::Head)?;
    let identity = key.identity();
    let mut plain =
        decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(|error| head_error(&error, key))?;
    let opened = copy(&mut plain, opened, expected.plain, progress);
    drop(plain);
    let at = source.consumed();
    let (plain, opened) = opened.map_err(|failed| failed.at(at, sealed))?;
    let (found, _) = source.file.into_inner().finish();
    if found != expected.sealed {
        return Err(OpenError::OtherParcel { expected: expected.sealed, found });
    }
    if plain != expected.plain {
        return Err(OpenError::OtherContent { expected: expected.plain, found: plain });
    }
    opened.keep()?;
    Ok(())
}

/// The sealed file, measured below the buffer, so that every byte counts that was read.
struct Source {
    file: BufReader<Measured<File>>,
}

impl Source {
    fn new(file: File) -> Self {
        Self { file: BufReader::with_capacity(BUFFER_BYTES, Measured::new(file)) }
    }

    /// How many bytes were taken out of the buffer.
    fn consumed(&self) -> u64 {
        self.file.get_ref().length() - self.file.buffer().len() as u64
    }

    /// The head up to and with its last line; `None` where it does not end within its limit. age itself would go on
    /// reading a head without end.
    fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut head = Vec::new();
        let mut is_last = false;
        while !is_last && head.len() < limits::PARCEL_HEAD_BYTES_MAX {
            let start = head.len();
            let room = (limits::PARCEL_HEAD_BYTES_MAX - start) as u64;
            let read = io::BufRead::read_until(&mut (&mut self.file).take(room), b'\n', &mut head)?;
            if read == 0 || head.last() != Some(&b'\n') {
                return Ok(None);
            }
            is_last = head[start..].starts_with(b"---");
        }
        Ok(is_last.then_some(head))
    }
}

impl Read for &mut Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

fn head_error(error: &DecryptError, key: &ParcelKey) -> OpenError {
    match error {
        DecryptError::NoMatchingKeys => OpenError::OtherRecipient { own: key.recipient().to_string() },
        DecryptError::InvalidMac => OpenError::HeadChanged,
        DecryptError::DecryptionFailed
        | DecryptError::ExcessiveWork { .. }
        | DecryptError::InvalidHeader
        | DecryptError::Io(_)
        | DecryptError::KeyDecryptionFailed
        | DecryptError::UnknownFormat => OpenError::Head,
    }
}

enum CopyError {
    Read(io::Error),
    Write(io::Error),
    TooLong { expected: Content, found: Content },
}

impl CopyError {
    fn at(self, at: u64, sealed: &Path) -> OpenError {
        match self {
            Self::Write(error) => OpenError::Write(error),
            Self::TooLong { expected, found } => OpenError::OtherContent { expected, found },
            Self::Read(error) => match error.kind() {
                // What age says of a piece, and of an end that comes too early.
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => OpenError::Changed { at },
                _ => OpenError::Read { path: sealed.to_owned(), error },
            },
        }
    }
}

/// Copies all of it, but not more than is expected: a sender who lies must not fill our disk.
fn copy(
    plain: &mut impl Read,
    opened: NewFile,
    expected: Content,
    mut progress: impl FnMut(u64),
) -> Result<(Content, NewFile), CopyError> {
    let mut opened = Measured::new(opened);
    let mut buffer = Zeroizing::new(vec![0; BUFFER_BYTES]);
    loop {
        let count = match plain.read(&mut buffer) {
            Ok(0) => return Ok(opened.finish()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        opened.write_all(&buffer[..count]).map_err(CopyError::Write)?;
        if opened.length() > expected.length {
            let (found, _) = opened.finish();
            return Err(CopyError::TooLong { expected, found });
        }
        progress(opened.length());
    }
}
