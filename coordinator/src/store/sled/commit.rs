//! The rows that one commit writes.

use std::collections::HashMap;

use protocol::intent::CaseId;

use super::Head;
use crate::store::row::{self, CHUNK_BYTES_MAX, CaseRow, Key};

/// What one commit writes.
#[derive(Default)]
pub(super) struct Commit {
    rows: ::sled::Batch,
    /// The cases that it changes, as they are after it.
    pub cases: HashMap<CaseId, CaseRow>,
    pub sequence: u64,
}

impl Commit {
    /// Nothing yet, after the statement with that number.
    pub fn after(sequence: u64) -> Self {
        Self { sequence, ..Self::default() }
    }

    /// Everything that is written together.
    pub fn rows(mut self, head: Head) -> ::sled::Batch {
        for (case, case_row) in std::mem::take(&mut self.cases) {
            self.put(&Key::Case(case), &case_row.to_bytes());
        }
        self.put(&Key::Head, &head.to_bytes());
        self.rows
    }

    /// With a row.
    pub fn put(&mut self, key: &Key, value: &[u8]) {
        let key = key.bytes();
        self.rows.insert(key.as_slice(), row::seal(&key, value));
    }

    /// Without a row.
    pub fn remove(&mut self, key: &Key) {
        self.rows.remove(key.bytes());
    }

    /// The next statement in one row or several.
    pub fn statement(&mut self, case: CaseId, position: u64, bytes: &[u8]) {
        self.sequence += 1;
        let sequence = self.sequence;
        let length = u32::try_from(bytes.len()).expect("a statement is at most 1 MiB");
        let mut value = [case.as_bytes().as_slice(), &position.to_be_bytes(), &length.to_be_bytes()].concat();
        let (first, rest) = bytes.split_at(bytes.len().min(CHUNK_BYTES_MAX));
        value.extend_from_slice(first);
        self.put(&Key::Statement { sequence, chunk: 0 }, &value);
        for (chunk, piece) in (1u16..).zip(rest.chunks(CHUNK_BYTES_MAX)) {
            self.put(&Key::Statement { sequence, chunk }, piece);
        }
        self.put(&Key::Position { case, position }, &sequence.to_be_bytes());
    }
}
