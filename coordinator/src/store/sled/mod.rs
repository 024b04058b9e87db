//! The embedded store: one sled tree of small, checksummed rows.
//!
//! sled's own promises are not relied on: its `flush` issues no fsync, so the writer syncs the file and the folder; its
//! pages are checked by a short checksum only, so every row has one of ours; it opens without a damaged end of its log,
//! so an anchor beside it knows how far it must reach; it may panic on a damaged file, so opening turns that into a
//! named error; where a change of a page is lost, a walk over neighbouring rows passes over some of them, so a case knows
//! how many statements it has, and [`SledStore::check`] holds the walk over the cases against the statements.

mod anchor;
mod cases;
mod commit;
mod introductions;
mod writer;

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::DirBuilderExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use canton_topology::id::Namespace;
use protocol::{encoding, intent::CaseId};
use tokio::sync::watch;

use self::{
    anchor::Anchor,
    writer::{Job, Writer},
};
use super::{
    Appending, Batch, Enrolment, Introduction, Invitation, Store, StoreError, Stored,
    row::{self, Key},
};

/// Memory for pages, in bytes.
const CACHE_BYTES: u64 = 128 << 20;
/// Bytes of statements after which [`Store::since`] stops early.
const SINCE_BYTES_MAX: usize = 8 << 20;

/// Whoever had the store before lets go of its file a moment after it has ended.
const IN_USE_MAX: Duration = Duration::from_secs(5);
const IN_USE_LOOK_EVERY: Duration = Duration::from_millis(20);

/// The embedded store.
pub struct SledStore {
    tree: ::sled::Db,
    durable: watch::Receiver<u64>,
    queue: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl SledStore {
    /// Opens the store in a folder, or makes one there.
    ///
    /// # Errors
    /// Where it is in use, unreadable or damaged at its end. Older rows are checked when they are read.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let refused = |reason: String| StoreError::Open { path: folder.display().to_string(), reason };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| refused(format!("the folder cannot be made: {error}")))?;
        let config = ::sled::Config::new().path(folder).cache_capacity(CACHE_BYTES);
        let until = Instant::now() + IN_USE_MAX;
        let tree = loop {
            // sled asserts where a file is not as it left it.
            let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
            match opened {
                Ok(Ok(tree)) => break tree,
                Ok(Err(::sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => {
                    if Instant::now() > until {
                        return Err(StoreError::InUse { path: folder.display().to_string() });
                    }
                    std::thread::sleep(IN_USE_LOOK_EVERY);
                }
                Ok(Err(error)) => return Err(refused(error.to_string())),
                Err(_) => return Err(refused("its file is damaged beyond reading".to_owned())),
            }
        };
        let head = head(&tree)?;
        let (anchor, commits) = Anchor::open(folder).map_err(|error| refused(error.to_string()))?;
        if head.commits < commits {
            let reason =
                format!("commit {} is its last; {commits} were acknowledged, so its end is lost", head.commits);
            return Err(StoreError::Damaged { row: folder.join("db").display().to_string(), reason });
        }
        let (tell, durable) = watch::channel(head.sequence);
        let (queue, jobs) = mpsc::channel();
        let writer =
            Writer::new(tree.clone(), folder, anchor, head, tell).map_err(|error| refused(error.to_string()))?;
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let writer = thread.spawn(move || writer.run(&jobs)).map_err(|error| refused(error.to_string()))?;
        Ok(Self { tree, durable, queue: Some(queue), writer: Some(writer) })
    }

    fn last(&self) -> u64 {
        *self.durable.borrow()
    }
}

/// How far the store reaches.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// The newest statement.
    sequence: u64,
    /// How many commits there were.
    commits: u64,
}

impl Head {
    fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[8..].copy_from_slice(&self.commits.to_be_bytes());
        bytes
    }
}

/// How far the store reaches, where the rows at its end bear it out.
fn head(tree: &::sled::Tree) -> Result<Head, StoreError> {
    let key = Key::Head.bytes();
    let damaged = |reason: String| StoreError::Damaged { row: row::name(&key), reason };
    let Some(value) = value(tree, &Key::Head)? else {
        let is_new = tree.is_empty();
        return if is_new { Ok(Head::default()) } else { Err(damaged("it is gone, and others are there".to_owned())) };
    };
    let (sequence, commits) = value.split_at_checked(8).ok_or_else(|| damaged("it is too short".to_owned()))?;
    let head = Head { sequence: number(&key, sequence)?, commits: number(&key, commits)? };
    if head.sequence > 0 {
        statement(tree, head.sequence)?;
    }
    let beyond = Key::Statement { sequence: head.sequence + 1, chunk: 0 };
    if value_bytes(tree, &beyond.bytes())?.is_some() {
        return Err(damaged(format!("it says {}, and there is a statement after that", head.sequence)));
    }
    Ok(head)
}

impl Store for SledStore {
    fn append(&self, batch: Batch) -> Appending {
        let (done, appending) = Appending::new();
        if let Some(queue) = &self.queue {
            // A writer that has ended drops the job, and with it `done`: the caller is told.
            let _ = queue.send(Job { batch, done });
        }
        appending
    }

    fn durable(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }

    fn load(&self, case: CaseId) -> Result<Vec<Stored>, StoreError> {
        let last = self.last();
        let mut statements = Vec::new();
        for position in 0..cases::one(&self.tree, case)?.statements {
            let key = Key::Position { case, position }.bytes();
            let gone = || StoreError::Damaged { row: row::name(&key), reason: "it is gone".to_owned() };
            let sequence = number(&key, &value_bytes(&self.tree, &key)?.ok_or_else(gone)?)?;
            if sequence > last {
                break;
            }
            let stored = statement(&self.tree, sequence)?;
            if (stored.case, stored.position) != (case, position) {
                let reason = format!("it points to statement {sequence}, which stands elsewhere");
                return Err(StoreError::Damaged { row: row::name(&key), reason });
            }
            statements.push(stored);
        }
        Ok(statements)
    }

    fn open_cases(&self) -> Result<Vec<CaseId>, StoreError> {
        let all = self.tree.scan_prefix(b"o").map(cases::listed);
        let open = all.filter(|one| one.as_ref().map_or(true, |(_, case_row)| case_row.is_open));
        open.map(|one| Ok(one?.0)).collect()
    }

    fn cases(&self, before: Option<CaseId>, limit: usize) -> Result<Vec<CaseId>, StoreError> {
        let below = before.map_or_else(|| b"p".to_vec(), |case| Key::Case(case).bytes());
        let all = self.tree.range(b"o".to_vec()..below).rev().map(cases::listed);
        all.take(limit).map(|one| Ok(one?.0)).collect()
    }

    fn since(&self, sequence: u64, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let mut statements = Vec::new();
        let mut bytes = 0;
        for sequence in sequence.saturating_add(1)..=self.last() {
            if statements.len() >= limit || bytes >= SINCE_BYTES_MAX {
                break;
            }
            let stored = statement(&self.tree, sequence)?;
            bytes += stored.bytes.len();
            statements.push(stored);
        }
        Ok(statements)
    }

    fn sequence_of(&self, case: CaseId, position: u64) -> Result<Option<u64>, StoreError> {
        let key = Key::Position { case, position };
        let sequence = value(&self.tree, &key)?.map(|value| number(&key.bytes(), &value)).transpose()?;
        Ok(sequence.filter(|sequence| *sequence <= self.last()))
    }

    fn enrolment(&self, tls_key_hash: &[u8; 32]) -> Result<Option<Enrolment>, StoreError> {
        let key = Key::Enrolment(*tls_key_hash);
        value(&self.tree, &key)?.map(|value| decode(&key.bytes(), "enrolment", &value)).transpose()
    }

    fn check(&self, last: u64, goes_on: &dyn Fn() -> bool) -> Result<u64, StoreError> {
        let mut found: HashMap<CaseId, u64> = HashMap::new();
        for sequence in 1..=last {
            if !goes_on() {
                return Ok(sequence - 1);
            }
            let Stored { case, position, .. } = statement(&self.tree, sequence)?;
            if self.sequence_of(case, position)? != Some(sequence) {
                let row = row::name(&Key::Position { case, position }.bytes());
                return Err(StoreError::Damaged { row, reason: format!("it does not point to statement {sequence}") });
            }
            *found.entry(case).or_default() += 1;
        }
        cases::must_list(&self.tree, found)?;
        Ok(last)
    }

    fn enrolments(&self) -> Result<Vec<Enrolment>, StoreError> {
        let mut all = Vec::new();
        for entry in self.tree.scan_prefix(b"e") {
            let (key, row) = entry.map_err(|error| broken("enrolments", &error))?;
            all.push(decode(&key, "enrolment", row::open(&key, &row)?)?);
        }
        Ok(all)
    }

    fn invitation(&self, token_hash: &[u8; 32]) -> Result<Option<Invitation>, StoreError> {
        let key = invitation_key(token_hash);
        value(&self.tree, &key)?.map(|value| decode(&key.bytes(), "invitation", &value)).transpose()
    }

    fn introduction(&self, owner: &Namespace) -> Result<Option<Introduction>, StoreError> {
        introductions::one(&self.tree, owner)
    }

    fn introductions(&self, after: Option<&Namespace>, limit: usize) -> Result<Vec<Introduction>, StoreError> {
        introductions::after(&self.tree, after, limit)
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // The writer ends after what is queued.
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn invitation_key(token_hash: &[u8; 32]) -> Key {
    let (first, _) = token_hash.split_at(16);
    Key::Invitation(first.try_into().expect("half of 32 bytes is 16"))
}

/// Reads one statement from its pieces.
fn statement(tree: &::sled::Tree, sequence: u64) -> Result<Stored, StoreError> {
    let chunk = |chunk: u16| {
        let key = Key::Statement { sequence, chunk };
        let gone = || StoreError::Damaged { row: row::name(&key.bytes()), reason: "it is gone".to_owned() };
        value(tree, &key)?.ok_or_else(gone)
    };
    let first = chunk(0)?;
    let header = first.first_chunk::<28>();
    let header = header.ok_or_else(|| StoreError::Damaged {
        row: row::name(&Key::Statement { sequence, chunk: 0 }.bytes()),
        reason: "it is shorter than its header".to_owned(),
    })?;
    let (case, rest) = header.split_at(16);
    let (position, length) = rest.split_at(8);
    let position = u64::from_be_bytes(position.try_into().expect("8 of 28 bytes"));
    let length = u32::from_be_bytes(length.try_into().expect("4 of 28 bytes")) as usize;
    let mut bytes = first[28..].to_vec();
    let mut next = 1;
    while bytes.len() < length {
        bytes.extend_from_slice(&chunk(next)?);
        next += 1;
    }
    let case = CaseId::from_bytes(case.try_into().expect("16 of 28 bytes"));
    Ok(Stored { sequence, case, position, bytes })
}

fn value(tree: &::sled::Tree, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
    value_bytes(tree, &key.bytes())
}

fn value_bytes(tree: &::sled::Tree, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let row = tree.get(key).map_err(|error| broken(&row::name(key), &error))?;
    row.map(|row| row::open(key, &row).map(<[u8]>::to_vec)).transpose()
}

fn broken(row: &str, error: &::sled::Error) -> StoreError {
    StoreError::Damaged { row: row.to_owned(), reason: error.to_string() }
}

fn number(key: &[u8], value: &[u8]) -> Result<u64, StoreError> {
    let bytes: Option<[u8; 8]> = value.try_into().ok();
    bytes
        .map(u64::from_be_bytes)
        .ok_or_else(|| StoreError::Damaged { row: row::name(key), reason: "not a number of 8 bytes".to_owned() })
}

fn decode<T: serde::Serialize + serde::de::DeserializeOwned>(
    key: &[u8],
    what: &'static str,
    value: &[u8],
) -> Result<T, StoreError> {
    encoding::decode(what, value)
        .map_err(|error| StoreError::Damaged { row: row::name(key), reason: error.to_string() })
}
