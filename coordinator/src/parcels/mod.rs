//! Parcels: sealed files that wait here until the owner whom they are for has fetched them.
//!
//! The coordinator cannot open them, and loses nothing by losing them: their senders send them again. [`ledger`] decides,
//! without a disk; [`files`] holds the bytes; here both are kept in step. Everything blocks as long as a disk takes.

pub mod files;
pub mod keeper;
pub mod ledger;
pub mod places;

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use canton_topology::{Timestamp, id::Namespace};
use protocol::{
    api::{ParcelState, ParcelStatus},
    intent::CaseId,
    parcel::ContentHash,
};
use thiserror::Error;
use tokio::sync::watch;
use tracing::{info, warn};

use self::{
    files::{Files, FilesError},
    ledger::{Key, Ledger, Piece, Quotas, Refused},
};
use crate::data_folder::DataFolder;

/// All parcels of a data folder.
pub struct Parcels {
    files: Files,
    ledger: Mutex<Ledger>,
    /// Parcels that somebody writes, hashes or removes right now.
    busy: Mutex<BTreeSet<Key>>,
    stop: watch::Receiver<bool>,
}

/// Why a parcel is not taken or given.
#[derive(Debug, Error)]
pub enum ParcelError {
    /// The ledger says no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The disk says no.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// Whoever holds it is alone with a parcel.
struct Turn<'a> {
    parcels: &'a Parcels,
    key: Key,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.parcels.busy).remove(&self.key);
    }
}

/// A panic in between leaves a ledger that is as it was, or one piece ahead of nothing: each change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Parcels {
    /// Takes up what an earlier process left. What was cut short goes on where it was; [`Self::unchecked`] says what must
    /// be hashed.
    ///
    /// # Errors
    /// Where the folder cannot be made or read.
    pub fn open(folder: &DataFolder, quotas: Quotas, stop: watch::Receiver<bool>) -> Result<Self, FilesError> {
        let files = Files::open(&folder.path().join("parcels"))?;
        let mut ledger = Ledger::new(quotas);
        for (key, held) in files.load()? {
            ledger.restore(key, held);
        }
        Ok(Self { files, ledger: Mutex::new(ledger), busy: Mutex::default(), stop })
    }

    fn turn(&self, key: &Key) -> Result<Turn<'_>, Refused> {
        if lock(&self.busy).insert(key.clone()) {
            Ok(Turn { parcels: self, key: key.clone() })
        } else {
            Err(Refused::Busy { parcel: key.parcel })
        }
    }

    /// Takes the next piece of a parcel; it is durable when this returns. A parcel whose bytes are all there must be
    /// [checked](Self::check) next.
    ///
    /// # Errors
    /// See [`ParcelError`]. Nothing changed then.
    pub fn receive(&self, piece: &Piece, bytes: &[u8], now: Timestamp) -> Result<ParcelStatus, ParcelError> {
        let _turn = self.turn(&piece.key)?;
        let free = self.files.free()?;
        let is_new = lock(&self.ledger).admit(piece, bytes.len() as u64, free, now)?;
        let written = self.write(piece, bytes, is_new);
        let mut ledger = lock(&self.ledger);
        match written {
            Ok(()) => ledger.received(&piece.key, bytes.len() as u64, now),
            Err(error) => {
                if is_new {
                    ledger.remove(&piece.key);
                }
                return Err(error.into());
            }
        }
        Ok(ledger.status(&piece.key)?)
    }

    fn write(&self, piece: &Piece, bytes: &[u8], is_new: bool) -> Result<(), FilesError> {
        if is_new {
            self.files.begin(&piece.key, &piece.to, piece.length)?;
        }
        self.files.append(&piece.key, piece.offset, bytes)
    }

    /// Hashes a parcel whose bytes are all there, and says what came of it. A stop leaves it for the next start.
    ///
    /// # Errors
    /// See [`ParcelError`].
    pub fn check(&self, key: &Key, now: Timestamp) -> Result<ParcelState, ParcelError> {
        let _turn = self.turn(key)?;
        let held = lock(&self.ledger).held(key)?.clone();
        if held.state != ParcelState::Checking {
            return Ok(held.state);
        }
        let stop = self.stop.clone();
        let Some(found) = self.files.hash(key, || *stop.borrow())? else { return Ok(ParcelState::Checking) };
        let state = if found == key.parcel { ParcelState::Complete } else { ParcelState::Refused };
        self.files.settle(key, &held.to, held.length, state)?;
        lock(&self.ledger).checked(key, state, now);
        match state {
            ParcelState::Complete => {
                info!(case = %key.case, parcel = %key.parcel, from = %key.from, "a parcel is here")
            }
            ParcelState::Receiving | ParcelState::Checking | ParcelState::Refused => {
                warn!(case = %key.case, parcel = %key.parcel, %found, from = %key.from, "a parcel's bytes are others");
            }
        }
        Ok(state)
    }

    /// Parcels whose bytes are all there and that nobody has hashed yet.
    pub fn unchecked(&self) -> Vec<Key> {
        lock(&self.ledger).unchecked()
    }

    /// How far a parcel is, for whoever sends it or may fetch it.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn status(&self, case: CaseId, parcel: ContentHash, caller: &Namespace) -> Result<ParcelStatus, Refused> {
        let ledger = lock(&self.ledger);
        let key = ledger.find(case, parcel, caller)?;
        ledger.status(&key)
    }

    /// Some bytes of a complete parcel, for whoever may fetch it.
    ///
    /// # Errors
    /// See [`ParcelError`].
    pub fn read(
        &self,
        case: CaseId,
        parcel: ContentHash,
        caller: &Namespace,
        range: (u64, usize),
        now: Timestamp,
    ) -> Result<Vec<u8>, ParcelError> {
        let (offset, length) = range;
        let key = lock(&self.ledger).fetch(case, parcel, caller, offset, now)?;
        Ok(self.files.read(&key, offset, length)?)
    }

    /// Takes a parcel away, for its sender.
    ///
    /// # Errors
    /// See [`ParcelError`].
    pub fn take_back(&self, key: &Key) -> Result<(), ParcelError> {
        let _turn = self.turn(key)?;
        lock(&self.ledger).held(key)?;
        self.files.remove(key)?;
        lock(&self.ledger).remove(key);
        Ok(())
    }

    /// Takes away what nobody needs any more: says how many parcels that were. `is_open` tells cases that have not
    /// ended.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn sweep(&self, is_open: impl Fn(CaseId) -> bool, now: Timestamp) -> Result<usize, FilesError> {
        let expired = lock(&self.ledger).expired(is_open, now);
        let mut removed = 0;
        for (key, why) in expired {
            // Somebody is at it, so it is not idle.
            let Ok(_turn) = self.turn(&key) else { continue };
            self.files.remove(&key)?;
            lock(&self.ledger).remove(&key);
            info!(case = %key.case, parcel = %key.parcel, from = %key.from, why, "a parcel was removed");
            removed += 1;
        }
        Ok(removed)
    }
}
