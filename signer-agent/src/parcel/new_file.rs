//! A file that is written under another name and takes its own when it is whole, or goes without a trace.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why a file cannot be written.
#[derive(Debug, Error)]
pub enum NewFileError {
    /// The disk refuses.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others may enter the folder.
    #[error("{path}: its mode is {mode:o}, others may enter; nothing opened is written there: run `chmod 700 {path}`")]
    TooOpen {
        /// Which folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// A file under way, mode 0600. Dropped before it is kept, it is removed.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
    under_way: PathBuf,
    is_kept: bool,
}

impl NewFile {
    /// Begins a file. What an earlier try left behind is removed.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn begin(path: &Path) -> Result<Self, NewFileError> {
        let under_way = under_way(path);
        let failed = |error| NewFileError::Io { path: under_way.clone(), error };
        match fs::remove_file(&under_way) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        // A new one, never somebody's link to another place.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&under_way).map_err(failed)?;
        Ok(Self { file, path: path.to_owned(), under_way, is_kept: false })
    }

    /// Begins a file in a folder that nobody else may enter.
    ///
    /// # Errors
    /// [`NewFileError::TooOpen`] where somebody may.
    pub fn begin_private(path: &Path) -> Result<Self, NewFileError> {
        let folder = folder_of(path);
        let failed = |error| NewFileError::Io { path: folder.to_owned(), error };
        let mode = fs::metadata(folder).map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(NewFileError::TooOpen { path: folder.to_owned(), mode });
        }
        Self::begin(path)
    }

    /// Makes it durable under its own name, in the place of whatever stood there.
    ///
    /// # Errors
    /// Where the disk refuses; nothing is left behind then.
    pub fn keep(mut self) -> Result<(), NewFileError> {
        let kept = self.file.sync_all().and_then(|()| fs::rename(&self.under_way, &self.path));
        kept.map_err(|error| NewFileError::Io { path: self.path.clone(), error })?;
        self.is_kept = true;
        sync_folder(&self.path)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_kept && fs::remove_file(&self.under_way).is_err() {
            tracing::warn!(path = %self.under_way.display(), "a file that was broken off could not be removed");
        }
    }
}

/// Makes a new name in a folder durable.
///
/// # Errors
/// Where the disk refuses.
pub fn sync_folder(path: &Path) -> Result<(), NewFileError> {
    let folder = folder_of(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| NewFileError::Io { path: folder.to_owned(), error })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn under_way(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
