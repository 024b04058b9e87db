//! What is alive: given signatures that Canton would still take. It dies only where another transaction takes its place.

use canton_topology::{
    hash::TransactionHash, id::Fingerprint, judge::Verifier, planner, state::State, transaction::Transaction,
};
use serde::{Deserialize, Serialize};

use crate::{case::Case, intent::Slot, merge};

/// A transaction whose given signatures Canton would still take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The slot that it waits for.
    pub slot: Slot,
    /// The keys that signed.
    pub signers: Vec<Fingerprint>,
    /// Whether these suffice: anybody who holds them can make it effective.
    pub satisfied: bool,
}

/// The transaction that took a slot which another one waits for.
pub fn winner(state: &State, transaction: &Transaction) -> Option<TransactionHash> {
    let row = state.active(&transaction.unique_key())?;
    (row.serial() >= transaction.serial() && row.hash() != transaction.hash()).then(|| row.hash())
}

/// Every transaction of every offer of which signatures are out and whose slot is still free.
pub(super) fn live(case: &Case, state: &State, verifier: &mut Verifier) -> Vec<Live> {
    let mut all: Vec<Live> = Vec::new();
    for offered in case.offers() {
        // A transaction can be made effective by whoever holds its signatures only where those before it can.
        let mut reachable = true;
        for one in merge::merge(case, offered, state, verifier).iter().filter(|one| !one.effective) {
            let transaction = &one.signed.transaction;
            let signers = one.signed.signers();
            let satisfied =
                one.missing.is_empty() && (reachable || planner::assess(state, transaction, &signers).satisfied);
            reachable &= satisfied;
            let is_known = all.iter().any(|live| live.slot.transaction == transaction.hash());
            if !is_known && !signers.is_empty() && winner(state, transaction).is_none() {
                all.push(Live { slot: slot(transaction), signers: signers.into_iter().collect(), satisfied });
            }
        }
    }
    all
}

fn slot(transaction: &Transaction) -> Slot {
    Slot { unique_key: transaction.unique_key(), serial: transaction.serial(), transaction: transaction.hash() }
}
