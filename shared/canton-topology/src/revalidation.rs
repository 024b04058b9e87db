//! A stored history judged again, as Canton judges the snapshot that it is born with: every row, also those that were
//! refused, must come out as it stands there.
//!
//! Source: Canton's `InitialTopologySnapshotValidator`. It looks at the outcome, the proposal flag and the times, not at
//! the signatures: those that serve nothing are dropped, and named here.

use std::collections::BTreeSet;

use crate::{
    Timestamp,
    id::Fingerprint,
    judge::{Verdict, Verifier, fold_batch},
    rejection::Rejection,
    snapshot::Item,
    state::State,
    transaction::SignedTransaction,
};

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It stands there and is refused.
    Rejected(Rejection),
    /// It is marked as refused, and is not.
    NotRejected {
        /// The stored reason.
        reason: String,
    },
    /// It is marked as a proposal, and nothing is missing.
    Complete,
    /// It ends at another time than the rows after it make it end.
    Ends {
        /// When it ends by its own word.
        found: Option<Timestamp>,
        /// When it ends by the rows after it.
        expected: Option<Timestamp>,
    },
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revalidation {
    /// What is wrong, by the row's place.
    pub faults: Vec<(usize, Fault)>,
    /// Keys whose signatures stand on a row and serve nothing, by the row's place.
    pub dropped: Vec<(usize, BTreeSet<Fingerprint>)>,
}

/// Judges all rows again, batch after batch in the order of their times, and leaves in `state` what they leave.
pub fn revalidate(state: &mut State, verifier: &mut Verifier, items: &[Item]) -> Revalidation {
    let mut order: Vec<usize> = (0..items.len()).collect();
    let times = |row: &usize| (items[*row].sequenced, items[*row].valid_from);
    order.sort_by_key(times);
    let mut found = Revalidation::default();
    let mut accepted = Vec::new();
    for batch in order.chunk_by(|one, other| times(one) == times(other)) {
        let Some(time) = batch.first().map(|row| items[*row].time()) else { continue };
        let transactions: Vec<SignedTransaction> = batch.iter().map(|row| items[*row].transaction.clone()).collect();
        for (row, verdict) in batch.iter().zip(fold_batch(state, verifier, &transactions, time)) {
            let item = &items[*row];
            if let Verdict::Active { signers } | Verdict::Proposal { signers } = &verdict {
                accepted.push(*row);
                let dropped: BTreeSet<Fingerprint> = item.transaction.signers().difference(signers).cloned().collect();
                if !dropped.is_empty() {
                    found.dropped.push((*row, dropped));
                }
            } else if item.rejection.is_some() && item.valid_until != Some(item.valid_from) {
                let expected = Some(item.valid_from);
                found.faults.push((*row, Fault::Ends { found: item.valid_until, expected }));
            }
            found.faults.extend(fault(item, verdict).map(|fault| (*row, fault)));
        }
    }
    for (row, stored) in accepted.iter().zip(state.rows()) {
        let (ends, expected) = (items[*row].valid_until, stored.valid_until);
        if ends != expected {
            found.faults.push((*row, Fault::Ends { found: ends, expected }));
        }
    }
    found.faults.sort_by_key(|(row, _)| *row);
    found.dropped.sort_by_key(|(row, _)| *row);
    found
}

/// What is wrong with the outcome. A row for good that lacks signatures is refused as one that is not fully authorized.
fn fault(item: &Item, verdict: Verdict) -> Option<Fault> {
    match (verdict, &item.rejection) {
        (Verdict::Rejected(_), Some(_)) => None,
        (Verdict::Rejected(rejection), None) => Some(Fault::Rejected(rejection)),
        (Verdict::Active { .. } | Verdict::Proposal { .. }, Some(reason)) => {
            Some(Fault::NotRejected { reason: reason.clone() })
        }
        (Verdict::Active { .. }, None) if item.transaction.proposal => Some(Fault::Complete),
        (Verdict::Active { .. } | Verdict::Proposal { .. }, None) => None,
    }
}
