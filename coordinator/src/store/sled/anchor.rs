//! The anchor: a small file beside sled's that says how many commits were acknowledged. sled takes a damaged end of its
//! log for one that was never written, and opens without it; only a second witness tells that from a power cut.
//!
//! Two sectors, written in turn, so that a torn write leaves the other one.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use crate::store::row;

const FILE: &str = "anchor";
const KEY: &[u8] = b"anchor";
const SECTOR_BYTES: u64 = 512;

/// The open anchor.
pub struct Anchor(File);

impl Anchor {
    /// Opens the anchor of a folder, or makes one, and reads how many commits it knows of: 0 for a new one.
    pub fn open(folder: &Path) -> io::Result<(Self, u64)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(FILE))?;
        if file.metadata()?.len() != 2 * SECTOR_BYTES {
            // Its whole length from the beginning: later writes change no metadata.
            file.set_len(2 * SECTOR_BYTES)?;
            file.sync_all()?;
        }
        let mut commits = 0;
        for slot in 0..2 {
            let mut sector = [0; SECTOR_BYTES as usize];
            file.read_exact_at(&mut sector, slot * SECTOR_BYTES)?;
            // A row's header and eight bytes; a sector that was torn, or never written, counts for nothing.
            let value = row::open(KEY, &sector[..33 + 8]).ok().and_then(|value| value.try_into().ok());
            commits = commits.max(value.map_or(0, u64::from_be_bytes));
        }
        Ok((Self(file), commits))
    }

    /// Says durably that this many commits were made.
    pub fn set(&self, commits: u64) -> io::Result<()> {
        let row = row::seal(KEY, &commits.to_be_bytes());
        self.0.write_all_at(&row, (commits % 2) * SECTOR_BYTES)?;
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_torn_write_of_the_anchor_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let (anchor, first) = Anchor::open(folder.path()).unwrap();
        anchor.set(4).unwrap();
        anchor.set(5).unwrap();
        drop(anchor);
        let file = OpenOptions::new().write(true).open(folder.path().join(FILE)).unwrap();
        file.write_all_at(&[0xff; 20], SECTOR_BYTES + 10).unwrap();

        let (_, commits) = Anchor::open(folder.path()).unwrap();

        assert_eq!((first, commits), (0, 4));
    }
}
