//! The data folder: where a coordinator keeps its store, its keys and its socket. Nobody else may read it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use thiserror::Error;

/// A data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFolder(PathBuf);

/// Why a data folder cannot be used.
#[derive(Debug, Error)]
pub enum DataFolderError {
    /// The disk refuses.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others may read a secret.
    #[error(
        "{path} has mode {mode:o}: others may read it; run `chmod {wanted:o} {path}` and think about who has read it"
    )]
    TooOpen {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode that it should have.
        wanted: u32,
    },
}

impl DataFolder {
    /// Opens the folder, or makes it with mode 0700.
    ///
    /// # Errors
    /// Where it cannot be made, or others may enter it.
    pub fn open(path: &Path) -> Result<Self, DataFolderError> {
        let failed = |error| DataFolderError::Io { path: path.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let mode = fs::metadata(path).map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(DataFolderError::TooOpen { path: path.to_owned(), mode, wanted: 0o700 });
        }
        // Long-lived names must not depend on where the process stands.
        Ok(Self(fs::canonicalize(path).map_err(failed)?))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    /// The socket by which commands reach the running process.
    pub fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// A file that was kept; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be read, or others may read it.
    pub fn read(&self, name: &str) -> Result<Option<String>, DataFolderError> {
        let path = self.0.join(name);
        let failed = |error| DataFolderError::Io { path: path.clone(), error };
        let mode = match fs::metadata(&path) {
            Ok(metadata) => metadata.mode() & 0o777,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if mode & 0o077 != 0 {
            return Err(DataFolderError::TooOpen { path, mode, wanted: 0o600 });
        }
        fs::read_to_string(&path).map(Some).map_err(failed)
    }

    /// Keeps a file with mode 0600: whole after a power cut, or as it was before.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn keep(&self, name: &str, content: &str) -> Result<(), DataFolderError> {
        let path = self.0.join(name);
        let new = self.0.join(format!("{name}.new"));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| file.write_all(content.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&new, &path))
            .and_then(|()| File::open(&self.0)?.sync_all());
        written.map_err(|error| DataFolderError::Io { path, error })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_kept_file_is_read_back_and_only_the_owner_may_read_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&parent.path().join("data")).unwrap();

        folder.keep("secret", "one").unwrap();
        folder.keep("secret", "two").unwrap();

        assert_eq!(folder.read("secret").unwrap().as_deref(), Some("two"));
        assert_eq!(folder.read("nothing").unwrap(), None);
        assert_eq!(fs::metadata(folder.path().join("secret")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused_with_the_fix() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&parent.path().join("data")).unwrap();
        folder.keep("secret", "one").unwrap();
        fs::set_permissions(folder.path().join("secret"), fs::Permissions::from_mode(0o644)).unwrap();

        let refused = folder.read("secret").unwrap_err();

        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();

        let refused = DataFolder::open(parent.path()).unwrap_err();

        assert!(refused.to_string().contains("chmod 700"), "{refused}");
    }
}
