//! A change that lost its serial to another one, wanted again on what stands now.
//!
//! A transaction says its whole mapping, so that bytes that lost would take back whatever the winner changed. What was
//! meant by them is the difference between what stood below their serial and what they say; that difference is put on
//! what stands now, and where both sides changed the same thing in different ways, people decide.
//!
//! The new intent opens a case of its own. Nothing that was signed for the old one counts there: a signature is over bytes.

mod merged;
mod synchronizer;
mod three;

use canton_topology::{
    hash::TransactionHash,
    id::Fingerprint,
    judge::next_serial,
    mapping::Mapping,
    show,
    state::{Row, State},
    transaction::{Operation, Serial, Transaction},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::{merged::merged, three::Clash};
use crate::{
    case::Case,
    intent::{CaseId, Change, Raw},
    life::{Live, Standing, Status, winner},
    limits,
    naming::subject,
};

/// What is to be proposed, and what becomes of the signatures that were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebase {
    /// The same change. Where it is bytes, they are built anew: what they change, on what stands today.
    pub change: Change,
    /// Why, in words that name the old case.
    pub reason: String,
    /// Signed transactions whose serial another one took.
    pub dead: Vec<Dead>,
    /// Those that Canton would still take: they can become effective beside the new case.
    pub alive: Vec<Live>,
}

/// A signed transaction that can never become effective.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dead {
    /// The transaction.
    pub transaction: TransactionHash,
    /// The one that took its serial.
    pub by: TransactionHash,
    /// The keys that signed it.
    pub signers: Vec<Fingerprint>,
}

/// Why there is nothing to rebase.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RebaseError {
    /// The case has what it wanted.
    #[error("the case is effective; there is nothing to rebase")]
    Effective,
    /// Nothing has taken its place.
    #[error("no transaction of the case's newest offer has lost its serial; it can still be signed as it is")]
    NothingWon,
    /// A chain cannot go on.
    #[error("{0}: the chain of serials is at its end")]
    ChainEnded(String),
    /// Both changed the same thing in different ways.
    #[error(
        "{subject}: both changed the {field}: {} stands there now, and the case wants {}; propose the change anew on what \
         stands now",
        stands.as_deref().unwrap_or("nothing"),
        wanted.as_deref().unwrap_or("nothing")
    )]
    Conflict {
        /// What the mapping is about.
        subject: String,
        /// Which part of it.
        field: String,
        /// What stands there now; `None` where it is gone.
        stands: Option<String>,
        /// What the case wants there; `None` where it is to go.
        wanted: Option<String>,
    },
    /// What the case changed cannot be told.
    #[error(
        "{subject}: the topology does not hold what stood below serial {serial}, so nobody can tell what the case \
         changes; propose the change anew on what stands now"
    )]
    BaseUnknown {
        /// What the mapping is about.
        subject: String,
        /// The serial that was lost.
        serial: Serial,
    },
    /// What stands has it already.
    #[error("what stands now has everything that the case wants; there is nothing to rebase")]
    NothingLeft,
}

impl RebaseError {
    /// Its name, stable.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Effective | Self::NothingWon | Self::NothingLeft => "NothingToRebase",
            Self::ChainEnded(_) => "ChainEnded",
            Self::Conflict { .. } => "RebaseConflict",
            Self::BaseUnknown { .. } => "BaseUnknown",
        }
    }
}

/// Rebases a case whose newest offer lost.
///
/// # Errors
/// See [`RebaseError`].
pub fn rebase(case: &Case, standing: &Standing, state: &State) -> Result<Rebase, RebaseError> {
    if matches!(standing.status, Status::Effective { .. }) {
        return Err(RebaseError::Effective);
    }
    let offered = case.offer().map_or(&[][..], |offered| &offered.transactions);
    if offered.iter().all(|transaction| winner(state, transaction).is_none()) {
        return Err(RebaseError::NothingWon);
    }
    let change = match &case.intent().change {
        Change::Raw(_) | Change::Adopt(_) => Change::Raw(Raw { transactions: built_anew(offered, state)? }),
        structured @ (Change::CreateParty(_)
        | Change::CreatePartyWithKeyMapping(_)
        | Change::Membership(_)
        | Change::Delegate(_)
        | Change::Revoke(_)
        | Change::RotateOwnerKey(_)
        | Change::LeaveHost(_)
        | Change::MigrateKeys(_)
        | Change::HostParty(_)
        | Change::Void(_)) => structured.clone(),
    };
    let reason = reason(case.id(), &case.intent().reason);
    Ok(Rebase { change, reason, dead: dead(case, state), alive: standing.live.clone() })
}

/// What the transactions change, on what stands now and at the next serials. What stands already stays out.
fn built_anew(offered: &[Transaction], state: &State) -> Result<Vec<Vec<u8>>, RebaseError> {
    let mut scratch = state.clone();
    let mut built = Vec::new();
    for (place, old) in offered.iter().enumerate() {
        if state.effective_since(&old.hash()).is_some() {
            continue;
        }
        let base = base(&offered[..place], old, state)?;
        let stands = scratch.active(&old.unique_key()).map(|row| row.transaction.as_ref()).and_then(sets);
        let conflict = |Clash { field, stands, wanted }: Clash| {
            let escaped = |value: Option<String>| value.as_deref().map(show::escaped);
            let subject = format!("{} {}", old.mapping().code().name(), show::escaped(&subject(old.mapping())));
            RebaseError::Conflict { subject, field, stands: escaped(stands), wanted: escaped(wanted) }
        };
        let merged = merged(base.as_ref().and_then(sets), stands, sets(old)).map_err(conflict)?;
        if merged.as_ref() == stands {
            continue;
        }
        let serial = next_serial(&scratch, &old.unique_key());
        let serial = serial.ok_or_else(|| RebaseError::ChainEnded(subject(old.mapping())))?;
        let new = match &merged {
            Some(mapping) => Transaction::build(Operation::AddReplace, serial, mapping),
            None => Transaction::build(Operation::Remove, serial, old.mapping()),
        };
        scratch.assume(&new);
        built.push(new.bytes().to_vec());
    }
    if built.is_empty() { Err(RebaseError::NothingLeft) } else { Ok(built) }
}

/// What a transaction leaves standing.
fn sets(transaction: &Transaction) -> Option<&Mapping> {
    (transaction.operation() == Operation::AddReplace).then(|| transaction.mapping())
}

/// What a transaction was made on: the one below it in its own batch, or what was effective below its serial; `None`
/// where nothing ever was.
fn base(before: &[Transaction], old: &Transaction, state: &State) -> Result<Option<Transaction>, RebaseError> {
    let (key, serial) = (old.unique_key(), old.serial());
    if let Some(own) = before.iter().rev().find(|one| one.unique_key() == key && one.serial() < serial) {
        return Ok(Some(own.clone()));
    }
    let is_below = |row: &&Row| !row.proposal && row.transaction.unique_key() == key && row.serial() < serial;
    let below = state.rows().filter(is_below).max_by_key(|row| row.serial());
    let active = state.active(&key);
    // Serials of a chain have no gaps, but a history may begin in the middle of one.
    let is_known = |row: &&Row| row.serial().next() == Some(serial) || active.is_some_and(|it| it.serial() < serial);
    match below.filter(is_known) {
        Some(row) => Ok(Some((*row.transaction).clone())),
        None if serial == Serial::FIRST || active.is_none() => Ok(None),
        None => Err(RebaseError::BaseUnknown { subject: subject(old.mapping()), serial }),
    }
}

fn dead(case: &Case, state: &State) -> Vec<Dead> {
    let mut all: Vec<Dead> = Vec::new();
    for transaction in case.offers().iter().flat_map(|offered| &offered.transactions) {
        let hash = transaction.hash();
        let mut signers: Vec<Fingerprint> = case.signatures(&hash).map(|one| one.signed_by().clone()).collect();
        signers.dedup();
        let is_known = all.iter().any(|dead| dead.transaction == hash);
        if let Some(by) = winner(state, transaction)
            && !signers.is_empty()
            && !is_known
            && state.effective_since(&hash).is_none()
        {
            all.push(Dead { transaction: hash, by, signers });
        }
    }
    all
}

/// Names the old case, and as much of its reason as there is room for.
fn reason(case: CaseId, old: &str) -> String {
    let mut reason = format!("rebases {case}: {old}");
    while reason.len() > limits::REASON_BYTES_MAX {
        reason.pop();
    }
    reason
}
