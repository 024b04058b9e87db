//! Group commit: one thread takes everything that waits, writes it as one sled batch and syncs once for all of it.

use std::{collections::HashMap, fs::File, io, path::Path, sync::mpsc};

use protocol::{encoding, intent::CaseId};
use tokio::sync::{oneshot, watch};

use super::{Head, anchor::Anchor, invitation_key, value_bytes};
use crate::store::{
    Batch, Durable, StoreError, Write,
    row::{self, CHUNK_BYTES_MAX, Key},
};

/// Most appends in one commit.
const JOBS_PER_COMMIT_MAX: usize = 256;

/// An append and where its end is told.
pub struct Job {
    pub batch: Batch,
    pub done: oneshot::Sender<Result<Durable, StoreError>>,
}

/// The one who writes.
pub struct Writer {
    tree: ::sled::Db,
    /// Kept open, so that an error of an earlier write-back is told by the next sync.
    file: File,
    folder: File,
    anchor: Anchor,
    head: Head,
    durable: watch::Sender<u64>,
}

/// What one commit writes.
#[derive(Default)]
struct Commit {
    rows: ::sled::Batch,
    /// How many statements each case has, as far as this commit has looked.
    lengths: HashMap<CaseId, u64>,
    sequence: u64,
}

impl Writer {
    pub fn new(
        tree: ::sled::Db,
        folder: &Path,
        anchor: Anchor,
        head: Head,
        durable: watch::Sender<u64>,
    ) -> io::Result<Self> {
        let file = File::open(folder.join("db"))?;
        let folder = File::open(folder)?;
        Ok(Self { tree, file, folder, anchor, head, durable })
    }

    /// Writes until nobody can ask for anything any more, or the disk fails.
    pub fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            group.extend(jobs.try_iter().take(JOBS_PER_COMMIT_MAX - 1));
            if let Err(error) = self.commit(group) {
                tracing::error!(%error, "the store has stopped");
                // The queue is dropped here, and everybody in it is told.
                return;
            }
        }
    }

    fn commit(&mut self, group: Vec<Job>) -> Result<(), StoreError> {
        let mut commit = Commit { sequence: self.head.sequence, ..Commit::default() };
        let mut waiting = Vec::new();
        for Job { batch, done } in group {
            match self.prepare(&mut commit, batch) {
                Ok(durable) => waiting.push((durable, done)),
                // Nothing of it stands in the commit; its waiter may have gone.
                Err(error) => drop(done.send(Err(error))),
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let head = Head { sequence: commit.sequence, commits: self.head.commits + 1 };
        commit.put(&Key::Head, &head.to_bytes());
        if let Err(error) = self.write(commit.rows, head) {
            for (_, done) in waiting {
                drop(done.send(Err(error.clone())));
            }
            return Err(error);
        }
        self.head = head;
        self.durable.send_replace(head.sequence);
        for (durable, done) in waiting {
            drop(done.send(Ok(durable)));
        }
        Ok(())
    }

    fn write(&self, rows: ::sled::Batch, head: Head) -> Result<(), StoreError> {
        let failed = |error: ::sled::Error| StoreError::stopped(error.to_string());
        self.tree.apply_batch(rows).map_err(failed)?;
        self.tree.flush().map_err(failed)?;
        // sled has handed its bytes to the operating system; only this brings them to the disk. The folder holds
        // sled's snapshots, which come and go.
        let synced = self.file.sync_all().and_then(|()| self.folder.sync_all());
        // After the rows: what the anchor knows of must be there.
        let anchored = synced.and_then(|()| self.anchor.set(head.commits));
        anchored.map_err(|error| StoreError::stopped(error.to_string()))
    }

    /// Puts a batch into the commit, or nothing of it.
    fn prepare(&self, commit: &mut Commit, batch: Batch) -> Result<Durable, StoreError> {
        self.check(commit, &batch)?;
        for write in batch.0 {
            match write {
                Write::Statement { case, position, bytes } => commit.statement(case, position, &bytes),
                Write::Settle(case) => commit.rows.remove(Key::Open(case).bytes()),
                Write::Invitation(invitation) => {
                    commit.put(&invitation_key(&invitation.token_hash), &encoding::encode(&invitation));
                }
                Write::Enrolment(enrolment) => {
                    commit.put(&Key::Enrolment(enrolment.tls_key_hash), &encoding::encode(&enrolment));
                }
            }
        }
        Ok(Durable(commit.sequence))
    }

    /// Every statement must be the next one of its case.
    fn check(&self, commit: &mut Commit, batch: &Batch) -> Result<(), StoreError> {
        let mut lengths: HashMap<CaseId, u64> = HashMap::new();
        for write in &batch.0 {
            let Write::Statement { case, position, .. } = write else { continue };
            let known = lengths.get(case).or_else(|| commit.lengths.get(case)).copied();
            let expected = match known {
                Some(length) => length,
                None => self.length(*case)?,
            };
            if *position != expected {
                return Err(StoreError::NotNext { case: *case, expected, found: *position });
            }
            lengths.insert(*case, expected + 1);
        }
        commit.lengths.extend(lengths);
        Ok(())
    }

    /// How many statements of a case are stored.
    fn length(&self, case: CaseId) -> Result<u64, StoreError> {
        let beyond = Key::Position { case, position: u64::MAX }.bytes();
        let last = self.tree.get_lt(beyond).map_err(|error| StoreError::stopped(error.to_string()))?;
        let first = Key::Position { case, position: 0 }.bytes();
        let Some((key, _)) = last.filter(|(key, _)| key.len() == first.len() && key[..17] == first[..17]) else {
            return Ok(0);
        };
        value_bytes(&self.tree, &key)?;
        let (_, position) = key.split_at(17);
        Ok(u64::from_be_bytes(position.try_into().expect("8 bytes follow the case id")) + 1)
    }
}

impl Commit {
    fn put(&mut self, key: &Key, value: &[u8]) {
        let key = key.bytes();
        self.rows.insert(key.as_slice(), row::seal(&key, value));
    }

    fn statement(&mut self, case: CaseId, position: u64, bytes: &[u8]) {
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
        self.put(&Key::Open(case), &[]);
    }
}
