//! A file of JSON lines that only grows. What was acknowledged is on the disk; what a crash cut short was not
//! acknowledged, and goes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    marker::PhantomData,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::folder::FolderError;

/// An open file of lines. One process writes it at a time.
#[derive(Debug)]
pub struct Lines<T> {
    path: PathBuf,
    file: File,
    /// Where the last whole line ends.
    end: u64,
    /// Whether something may stand behind that.
    is_torn: bool,
    _of: PhantomData<fn(T)>,
}

impl<T: Serialize + DeserializeOwned> Lines<T> {
    /// Opens the file, or makes it, and reads what is in it. A last line without its end is cut off.
    ///
    /// # Errors
    /// Where the disk refuses, or a whole line does not read.
    pub fn open(path: &Path) -> Result<(Self, Vec<T>), FolderError> {
        let failed = |error| FolderError::Io { path: path.to_owned(), error };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines = bytes[..whole].split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
        let read = lines.map(|(index, line)| {
            serde_json::from_slice(line).map_err(|error| FolderError::Malformed {
                path: path.to_owned(),
                reason: format!("line {}: {error}", index + 1),
            })
        });
        let all = read.collect::<Result<Vec<T>, _>>()?;
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        let is_torn = whole < bytes.len();
        let mut lines = Self { path: path.to_owned(), file, end: whole as u64, is_torn, _of: PhantomData };
        lines.mend()?;
        Ok((lines, all))
    }

    /// Appends one line. It is on the disk when this returns.
    ///
    /// # Errors
    /// Where the disk refuses. The file holds what it held before.
    pub fn append(&mut self, one: &T) -> Result<(), FolderError> {
        self.mend()?;
        let mut line = serde_json::to_vec(one).map_err(|error| self.failed(error.into()))?;
        line.push(b'\n');
        self.is_torn = true;
        if let Err(error) = self.file.write_all(&line).and_then(|()| self.file.sync_data()) {
            // Where the disk refuses that too, the next attempt does it first.
            let _ = self.mend();
            return Err(self.failed(error));
        }
        self.is_torn = false;
        self.end += line.len() as u64;
        Ok(())
    }

    /// Cuts off whatever a broken attempt left behind.
    fn mend(&mut self) -> Result<(), FolderError> {
        if self.is_torn {
            self.file.set_len(self.end).and_then(|()| self.file.sync_all()).map_err(|error| self.failed(error))?;
            self.is_torn = false;
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> FolderError {
        FolderError::Io { path: self.path.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn opened(path: &Path) -> (Lines<String>, Vec<String>) {
        Lines::open(path).unwrap()
    }

    #[test]
    fn a_line_that_was_cut_at_any_byte_is_gone_and_the_next_one_stands_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let (mut lines, _) = opened(&path);
        lines.append(&"first".to_owned()).unwrap();
        let kept = fs::read(&path).unwrap();
        lines.append(&"a \"second\" one".to_owned()).unwrap();
        let whole = fs::read(&path).unwrap();

        for cut in kept.len()..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();

            let (mut lines, read) = opened(&path);
            assert_eq!(read, ["first"], "cut at byte {cut}");
            assert_eq!(fs::read(&path).unwrap(), kept, "cut at byte {cut}");
            lines.append(&"third".to_owned()).unwrap();

            assert_eq!(opened(&path).1, ["first", "third"], "cut at byte {cut}");
        }
    }

    #[test]
    fn what_a_broken_attempt_left_behind_goes_before_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let (mut lines, _) = opened(&path);
        lines.append(&"first".to_owned()).unwrap();
        // As a full disk leaves it.
        lines.file.write_all(b"\"sec").unwrap();
        lines.is_torn = true;

        lines.append(&"third".to_owned()).unwrap();

        assert_eq!(opened(&path).1, ["first", "third"]);
    }

    #[test]
    fn a_whole_line_that_does_not_read_is_an_error_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        fs::write(&path, "\"one\"\nnonsense\n\"three\"\n").unwrap();

        let error = Lines::<String>::open(&path).unwrap_err().to_string();

        assert!(error.contains("line 2"), "{error}");
    }
}
