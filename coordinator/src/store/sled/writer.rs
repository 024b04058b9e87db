//! Group commit: one thread takes everything that waits, writes it as one sled batch and syncs once for all of it.

use std::{collections::HashMap, fs::File, io, path::Path, sync::mpsc};

use protocol::{encoding, intent::CaseId};
use tokio::sync::{oneshot, watch};

use super::{Head, anchor::Anchor, cases, commit::Commit, introductions, invitation_key};
use crate::store::{
    Batch, Durable, StoreError, Write,
    row::{CaseRow, Key},
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
        let mut commit = Commit::after(self.head.sequence);
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
        if let Err(error) = self.write(commit.rows(head), head) {
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
        let cases = self.changed(commit, &batch)?;
        commit.cases.extend(cases);
        for write in batch.0 {
            match write {
                Write::Statement { case, position, bytes } => commit.statement(case, position, &bytes),
                // It stands in the row of its case.
                Write::Settle(_) => {}
                Write::Invitation(invitation) => {
                    commit.put(&invitation_key(&invitation.token_hash), &encoding::encode(&invitation));
                }
                Write::Enrolment(enrolment) => {
                    commit.put(&Key::Enrolment(enrolment.tls_key_hash), &encoding::encode(&enrolment));
                }
                Write::Introduction(introduction) => introductions::put(commit, &introduction),
            }
        }
        Ok(Durable(commit.sequence))
    }

    /// The cases that a batch changes. Every statement must be the next one of its case.
    fn changed(&self, commit: &Commit, batch: &Batch) -> Result<HashMap<CaseId, CaseRow>, StoreError> {
        let mut cases: HashMap<CaseId, CaseRow> = HashMap::new();
        for write in &batch.0 {
            let (Write::Statement { case, .. } | Write::Settle(case)) = write else { continue };
            let known = cases.get(case).or_else(|| commit.cases.get(case)).copied();
            let mut case_row = known.map_or_else(|| cases::one(&self.tree, *case), Ok)?;
            if let Write::Statement { position, .. } = write {
                if *position != case_row.statements {
                    let expected = case_row.statements;
                    return Err(StoreError::NotNext { case: *case, expected, found: *position });
                }
                case_row.statements += 1;
            }
            case_row.is_open = matches!(write, Write::Statement { .. });
            // A case that nobody has made a statement about is none.
            if case_row.statements > 0 {
                cases.insert(*case, case_row);
            }
        }
        Ok(cases)
    }
}
