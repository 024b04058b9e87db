//! Parcels on the disk: of each, one small file about it and one with its bytes. Both are named after hashes that we
//! made or read as such; nothing that somebody sent is ever part of a path.
//!
//! The small file is a row of [`crate::store::row`]: format, checksum, value. How much of a parcel is there is the length of
//! the other one. What a power cut adds to that and nobody was told of does not pass the check at the end.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use canton_topology::{Timestamp, id::Namespace};
use protocol::{api::ParcelState, encoding, intent::CaseId, parcel::ContentHash};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tracing::warn;

use super::ledger::{Held, Key};
use crate::store::{StoreError, row};

/// How much is hashed at once.
const HASH_BYTES: usize = 1 << 20;

/// Why the disk does not do it.
#[derive(Debug, Error)]
pub enum FilesError {
    /// It is full.
    #[error("the disk is full; nothing of this piece was kept")]
    Full,
    /// It refuses.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The folder of the parcels.
#[derive(Debug)]
pub struct Files(PathBuf);

/// What is kept about a parcel. A change of this layout needs another format of rows.
#[derive(Serialize, Deserialize)]
struct About {
    case: CaseId,
    parcel: ContentHash,
    from: Namespace,
    to: Namespace,
    length: u64,
    end: Option<End>,
}

/// What the check at the end said.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum End {
    Complete,
    Refused,
}

fn failed(path: &Path) -> impl Fn(io::Error) -> FilesError + '_ {
    |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FilesError::Full,
        _ => FilesError::Io { path: path.to_owned(), error },
    }
}

/// The name of both files. The sender is in it by a hash: Canton's fingerprints may be any text.
fn name(key: &Key) -> String {
    let from = Sha256::digest(key.from.as_str());
    format!("{}-{}-{}", key.case, key.parcel, hex::encode(&from[..16]))
}

/// The row key that the checksum covers.
fn row_key(name: &str) -> Vec<u8> {
    [b"parcel ", name.as_bytes()].concat()
}

impl Files {
    /// Opens the folder, or makes it with mode 0700.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn open(path: &Path) -> Result<Self, FilesError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
        Ok(Self(path.to_owned()))
    }

    fn about(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.about"))
    }

    fn bytes(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.bytes"))
    }

    /// Everything that is there. What is damaged is removed: its sender has it still.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn load(&self) -> Result<Vec<(Key, Held)>, FilesError> {
        let mut all = Vec::new();
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(failed(&self.0))? {
            let entry = entry.map_err(failed(&self.0))?.file_name();
            let name = entry.to_str().and_then(|text| text.rsplit_once('.')).map(|(name, _)| name.to_owned());
            names.extend(name);
        }
        names.sort();
        names.dedup();
        for name in names {
            match self.load_one(&name) {
                Ok(one) => all.push(one),
                Err(Unloadable::Newer(error)) => warn!(parcel = name, %error, "a parcel is left alone"),
                Err(Unloadable::Damaged(reason)) => {
                    warn!(parcel = name, reason, "a damaged parcel is removed; its sender may send it again");
                    self.remove_named(&name)?;
                }
            }
        }
        Ok(all)
    }

    fn load_one(&self, name: &str) -> Result<(Key, Held), Unloadable> {
        let damaged = |error: &dyn std::fmt::Display| Unloadable::Damaged(error.to_string());
        let stored = fs::read(self.about(name)).map_err(|error| damaged(&error))?;
        let value = row::open(&row_key(name), &stored).map_err(|error| match error {
            error @ StoreError::UnknownFormat { .. } => Unloadable::Newer(error),
            error => damaged(&error),
        })?;
        let about: About = encoding::decode("parcel", value).map_err(|error| damaged(&error))?;
        let key = Key { case: about.case, parcel: about.parcel, from: about.from };
        let metadata = fs::metadata(self.bytes(name));
        let received = metadata.as_ref().map_or(0, fs::Metadata::len);
        let state = match about.end {
            Some(End::Refused) => ParcelState::Refused,
            Some(End::Complete) if received == about.length => ParcelState::Complete,
            None if received == about.length => ParcelState::Checking,
            None if received < about.length => ParcelState::Receiving,
            Some(End::Complete) | None => {
                return Err(Unloadable::Damaged(format!("{received} bytes; expected {}", about.length)));
            }
        };
        let received = if state == ParcelState::Refused { 0 } else { received };
        let metadata = metadata.or_else(|_| fs::metadata(self.about(name))).map_err(|error| damaged(&error))?;
        let touched_at = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let micros = touched_at.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        Ok((key, Held { to: about.to, length: about.length, received, state, touched_at: Timestamp(micros) }))
    }

    /// What the disk has for us, in bytes.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn free(&self) -> Result<u64, FilesError> {
        let disk = rustix::fs::statvfs(&self.0).map_err(|error| failed(&self.0)(error.into()))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Begins a parcel, durably, without any bytes.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn begin(&self, key: &Key, to: &Namespace, length: u64) -> Result<(), FilesError> {
        self.remove_bytes(&name(key))?;
        self.keep_about(key, to, length, None)
    }

    /// Keeps what the check at the end said. Of a refused parcel the bytes go.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn settle(&self, key: &Key, to: &Namespace, length: u64, state: ParcelState) -> Result<(), FilesError> {
        let end = match state {
            ParcelState::Complete => Some(End::Complete),
            ParcelState::Refused => Some(End::Refused),
            ParcelState::Receiving | ParcelState::Checking => None,
        };
        self.keep_about(key, to, length, end)?;
        if matches!(end, Some(End::Refused)) { self.remove_bytes(&name(key)) } else { Ok(()) }
    }

    fn keep_about(&self, key: &Key, to: &Namespace, length: u64, end: Option<End>) -> Result<(), FilesError> {
        let name = name(key);
        let (path, beside) = (self.about(&name), self.0.join(format!("{name}.new")));
        let about = About { case: key.case, parcel: key.parcel, from: key.from.clone(), to: to.clone(), length, end };
        let stored = row::seal(&row_key(&name), &encoding::encode(&about));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| file.write_all(&stored).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&beside, &path))
            .and_then(|()| self.sync_folder());
        written.map_err(failed(&path))
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    /// Adds a piece, durably: all of it, or nothing.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn append(&self, key: &Key, offset: u64, bytes: &[u8]) -> Result<(), FilesError> {
        let path = self.bytes(&name(key));
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed(&path))?;
        // Something may lie behind the offset: a piece that broke off and that nobody was told of.
        let written = file
            .set_len(offset)
            .and_then(|()| file.write_all_at(bytes, offset))
            .and_then(|()| file.sync_data())
            .and_then(|()| if offset == 0 { self.sync_folder() } else { Ok(()) });
        written.map_err(|error| {
            if let Err(error) = file.set_len(offset) {
                warn!(path = %path.display(), %error, "a piece that broke off could not be taken back");
            }
            failed(&path)(error)
        })
    }

    /// Hashes all bytes; `None` where `is_stopped` said so in between.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn hash(&self, key: &Key, is_stopped: impl Fn() -> bool) -> Result<Option<ContentHash>, FilesError> {
        let path = self.bytes(&name(key));
        let mut file = File::open(&path).map_err(failed(&path))?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; HASH_BYTES];
        loop {
            if is_stopped() {
                return Ok(None);
            }
            let count = file.read(&mut buffer).map_err(failed(&path))?;
            if count == 0 {
                return Ok(Some(ContentHash::from_bytes(hasher.finalize().into())));
            }
            hasher.update(&buffer[..count]);
        }
    }

    /// Up to so many bytes from an offset.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn read(&self, key: &Key, offset: u64, length: usize) -> Result<Vec<u8>, FilesError> {
        let path = self.bytes(&name(key));
        let mut file = File::open(&path).map_err(failed(&path))?;
        file.seek(SeekFrom::Start(offset)).map_err(failed(&path))?;
        let mut bytes = Vec::new();
        file.take(length as u64).read_to_end(&mut bytes).map_err(failed(&path))?;
        Ok(bytes)
    }

    /// Removes a parcel.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn remove(&self, key: &Key) -> Result<(), FilesError> {
        self.remove_named(&name(key))
    }

    /// The bytes first: what is left by a crash in between is a parcel of which nothing has come.
    fn remove_named(&self, name: &str) -> Result<(), FilesError> {
        self.remove_bytes(name)?;
        remove_file(&self.0.join(format!("{name}.new")))?;
        remove_file(&self.about(name))?;
        self.sync_folder().map_err(failed(&self.0))
    }

    fn remove_bytes(&self, name: &str) -> Result<(), FilesError> {
        remove_file(&self.bytes(name))
    }
}

fn remove_file(path: &Path) -> Result<(), FilesError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

enum Unloadable {
    /// A newer release wrote it.
    Newer(StoreError),
    /// It is not what was written.
    Damaged(String),
}
