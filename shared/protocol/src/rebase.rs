//! A change that lost its serial to another one, wanted again on what stands now.
//!
//! The new intent opens a case of its own. Nothing that was signed for the old one counts there: a signature is over bytes.

use canton_topology::{
    hash::TransactionHash, id::Fingerprint, judge::next_serial, state::State, transaction::Transaction,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    case::Case,
    intent::{CaseId, Change, Raw},
    life::{Live, Standing, Status, winner},
    limits,
    plan::subject,
};

/// What is to be proposed, and what becomes of the signatures that were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebase {
    /// The same change. Where it is bytes, they are built anew, at the serials that are next today.
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

/// The same operations on the same mappings, at the next serials. What is effective already stays out.
fn built_anew(offered: &[Transaction], state: &State) -> Result<Vec<Vec<u8>>, RebaseError> {
    let mut scratch = state.clone();
    let mut built = Vec::new();
    for old in offered.iter().filter(|old| state.effective_since(&old.hash()).is_none()) {
        let serial = next_serial(&scratch, &old.unique_key());
        let serial = serial.ok_or_else(|| RebaseError::ChainEnded(subject(old.mapping())))?;
        let new = Transaction::build(old.operation(), serial, old.mapping());
        scratch.assume(&new);
        built.push(new.bytes().to_vec());
    }
    Ok(built)
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
