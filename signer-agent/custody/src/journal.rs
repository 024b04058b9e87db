//! The journal: an agent's durable memory of what it signed. Written before a key is touched, and again after.
//!
//! One row for each (key, synchronizer, unique key, serial): every transaction that was signed for that slot. A second
//! transaction never enters silently; a human may release the first one by its hash, and the row says so.

use std::{
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use canton_topology::{
    Timestamp,
    hash::{TransactionHash, UniqueKey},
    id::{Fingerprint, SynchronizerId},
    signature::Signature,
    transaction::Serial,
};
use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition, backends::FileBackend};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::ladder::Recorded;

const SLOTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("slots");
const HEADS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("heads");
const PINS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pins");

const ROW_VERSION: u8 = 1;

/// Where a signature goes: one place of one chain of one synchronizer, for one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalSlot {
    /// The key.
    pub key: Fingerprint,
    /// The synchronizer: Canton's hashes name none.
    pub synchronizer: SynchronizerId,
    /// The chain.
    pub unique_key: UniqueKey,
    /// The place in it.
    pub serial: Serial,
}

/// What the journal knows of one transaction in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What was to be signed.
    pub transaction: TransactionHash,
    /// When it was recorded.
    pub intended_at: Timestamp,
    /// The signature, once the key has given it.
    pub signature: Option<Signature>,
    /// The transaction that a human released so that this one could be signed beside it.
    pub released: Option<TransactionHash>,
}

/// Why the journal refuses.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Another transaction has the slot.
    #[error(
        "key {key} has signed {existing} for the same serial; both would stay usable; release it by its hash to go on"
    )]
    Conflict {
        /// The key.
        key: Fingerprint,
        /// What was signed.
        existing: TransactionHash,
    },
    /// The key belongs to another synchronizer.
    #[error("key {key} is pinned to synchronizer {pinned}; it signs for no other")]
    Pinned {
        /// The key.
        key: Fingerprint,
        /// Where it signs.
        pinned: SynchronizerId,
    },
    /// A row was changed.
    #[error("journal: the row {row} was changed or damaged; nothing is signed until it is restored")]
    Damaged {
        /// Which row.
        row: String,
    },
    /// Another process holds it.
    #[error("an agent already runs in this data folder: it holds {path}")]
    InUse {
        /// The journal's file.
        path: PathBuf,
    },
    /// The file does not work.
    #[error("journal: {0}")]
    Store(String),
}

macro_rules! store_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for JournalError {
            fn from(error: $error) -> Self {
                Self::Store(error.to_string())
            }
        }
    )*};
}

store_errors!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);

/// An agent's journal.
pub struct Journal {
    database: Database,
}

impl Journal {
    /// Opens the journal, or makes it. One process holds it at a time.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |error: std::io::Error| JournalError::Store(format!("{}: {error}", path.display()));
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
        let opened = FileBackend::new(file).and_then(|backend| Database::builder().create_with_backend(backend));
        let database = opened.map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => JournalError::InUse { path: path.to_owned() },
            other => other.into(),
        })?;
        let write = database.begin_write()?;
        write.open_table(SLOTS)?;
        write.open_table(HEADS)?;
        write.open_table(PINS)?;
        write.commit()?;
        Ok(Self { database })
    }

    /// Records that a key is about to sign a transaction for a slot. Durable when it returns.
    ///
    /// The same transaction again is no conflict; its signature comes back, where the key has given it.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] where another transaction has the slot and `release` does not name each of them.
    pub fn reserve(
        &self,
        slot: &JournalSlot,
        transaction: TransactionHash,
        release: Option<TransactionHash>,
        now: Timestamp,
    ) -> Result<Recorded, JournalError> {
        let mut write = self.database.begin_write()?;
        write.set_durability(Durability::Immediate)?;
        let known = {
            let mut pins = write.open_table(PINS)?;
            let pin_key = slot.key.as_str().as_bytes();
            let pinned: Option<SynchronizerId> = read_row(pins.get(pin_key)?.map(|row| row.value().to_vec()), "pin")?;
            match pinned {
                Some(pinned) if pinned != slot.synchronizer => {
                    return Err(JournalError::Pinned { key: slot.key.clone(), pinned });
                }
                Some(_) => {}
                None => {
                    pins.insert(pin_key, row_bytes(&slot.synchronizer).as_slice())?;
                }
            }
            let mut slots = write.open_table(SLOTS)?;
            let key = slot_key(slot);
            let mut entries: Vec<Entry> =
                read_row(slots.get(key.as_slice())?.map(|row| row.value().to_vec()), "slot")?.unwrap_or_default();
            let known = entries.iter().find(|entry| entry.transaction == transaction).cloned();
            if known.is_none() {
                let rival = entries.iter().find(|entry| Some(entry.transaction) != release);
                if let Some(rival) = rival {
                    return Err(JournalError::Conflict { key: slot.key.clone(), existing: rival.transaction });
                }
                let released = release.filter(|_| !entries.is_empty());
                entries.push(Entry { transaction, intended_at: now, signature: None, released });
                slots.insert(key.as_slice(), row_bytes(&entries).as_slice())?;
            }
            known
        };
        write.commit()?;
        let given = known.and_then(|entry| entry.signature);
        Ok(Recorded::new(slot.clone(), transaction, given))
    }

    /// Records the signature that a key gave. Durable when it returns.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn record_outcome(&self, recorded: &Recorded, signature: &Signature) -> Result<(), JournalError> {
        let mut write = self.database.begin_write()?;
        write.set_durability(Durability::Immediate)?;
        {
            let mut slots = write.open_table(SLOTS)?;
            let key = slot_key(recorded.slot());
            let mut entries: Vec<Entry> =
                read_row(slots.get(key.as_slice())?.map(|row| row.value().to_vec()), "slot")?.unwrap_or_default();
            let damaged = || JournalError::Damaged { row: format!("slot of {}", recorded.key()) };
            let entry = entries.iter_mut().find(|entry| entry.transaction == recorded.transaction());
            entry.ok_or_else(damaged)?.signature = Some(signature.clone());
            slots.insert(key.as_slice(), row_bytes(&entries).as_slice())?;
        }
        write.commit()?;
        Ok(())
    }

    /// Everything that was ever signed, slot by slot.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn entries(&self) -> Result<Vec<(JournalSlot, Vec<Entry>)>, JournalError> {
        let read = self.database.begin_read()?;
        let slots = read.open_table(SLOTS)?;
        let mut all = Vec::new();
        for row in slots.iter()? {
            let (key, value) = row?;
            let damaged = || JournalError::Damaged { row: hex::encode(key.value()) };
            let slot: JournalSlot = postcard::from_bytes(key.value()).map_err(|_| damaged())?;
            let entries = read_row(Some(value.value().to_vec()), "slot")?.ok_or_else(damaged)?;
            all.push((slot, entries));
        }
        Ok(all)
    }

    /// Remembers how much of a case was seen: the number of statements and the chain's head over them.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn remember_head(&self, case: &[u8; 16], statements: u64, head: [u8; 32]) -> Result<(), JournalError> {
        let write = self.database.begin_write()?;
        write.open_table(HEADS)?.insert(case.as_slice(), row_bytes(&(statements, head)).as_slice())?;
        write.commit()?;
        Ok(())
    }

    /// How much of a case was seen before.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn head(&self, case: &[u8; 16]) -> Result<Option<(u64, [u8; 32])>, JournalError> {
        let read = self.database.begin_read()?;
        let row = read.open_table(HEADS)?.get(case.as_slice())?.map(|row| row.value().to_vec());
        read_row(row, "head")
    }
}

fn slot_key(slot: &JournalSlot) -> Vec<u8> {
    postcard::to_allocvec(slot).expect("a slot always encodes")
}

/// Version, SHA-256, content: the database gives back flipped bits without a word.
fn row_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let content = postcard::to_allocvec(value).expect("a row always encodes");
    let mut row = vec![ROW_VERSION];
    row.extend_from_slice(&Sha256::digest(&content));
    row.extend_from_slice(&content);
    row
}

fn read_row<T: DeserializeOwned>(row: Option<Vec<u8>>, what: &str) -> Result<Option<T>, JournalError> {
    let Some(row) = row else { return Ok(None) };
    let damaged = || JournalError::Damaged { row: what.to_owned() };
    let (head, content) = row.split_at_checked(33).ok_or_else(damaged)?;
    if head[0] != ROW_VERSION || head[1..] != Sha256::digest(content)[..] {
        return Err(damaged());
    }
    postcard::from_bytes(content).map(Some).map_err(|_| damaged())
}
