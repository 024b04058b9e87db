//! Received signatures, brought together: which of them verify and count, and what is still missing.

use std::collections::BTreeSet;

use canton_topology::{
    Timestamp,
    id::Fingerprint,
    judge::{Verdict, Verifier},
    planner,
    signature::Signature,
    state::State,
    transaction::{SignedTransaction, Transaction},
};
use serde::{Deserialize, Serialize};

use crate::case::{Case, Offered};

/// Where one transaction of an offer stands.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The transaction with the signatures that verify and count today; complete or not.
    pub signed: SignedTransaction,
    /// Whether it is effective already.
    pub effective: bool,
    /// What is missing.
    pub missing: Missing,
}

/// What a transaction still lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Namespaces that must agree, with the owners who could and how many of them it takes.
    pub namespaces: Vec<MissingNamespace>,
    /// Keys that must sign themselves.
    pub keys: Vec<Fingerprint>,
}

impl Missing {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty() && self.keys.is_empty()
    }
}

/// A namespace that has not agreed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingNamespace {
    /// The namespace.
    pub namespace: canton_topology::id::Namespace,
    /// How many of `owners` must agree still.
    pub more: usize,
    /// Those who have not; the namespace itself, where it is a plain one.
    pub owners: Vec<canton_topology::id::Namespace>,
}

/// Merges what a case received for an offer, on the topology of `state`.
pub fn merge(case: &Case, offered: &Offered, state: &State, verifier: &mut Verifier) -> Vec<Merged> {
    let mut scratch = state.clone();
    let mut all = Vec::new();
    for transaction in &offered.transactions {
        let effective = state.effective_since(&transaction.hash()).is_some();
        let signatures = counting(case, transaction, &scratch, verifier);
        let signers: BTreeSet<Fingerprint> = signatures.iter().map(|one| one.signed_by().clone()).collect();
        let missing = if effective { Missing::default() } else { missing(&scratch, transaction, &signers) };
        if !effective {
            scratch.assume(transaction);
        }
        all.push(Merged { signed: SignedTransaction::new(transaction.clone(), signatures, false), effective, missing });
    }
    all
}

/// The signatures that verify and count, the first of each key, ordered by key.
fn counting(case: &Case, transaction: &Transaction, state: &State, verifier: &mut Verifier) -> Vec<Signature> {
    let candidates: BTreeSet<Fingerprint> =
        case.signatures(&transaction.hash()).map(|signature| signature.signed_by().clone()).collect();
    let counting = planner::permissible(state, transaction, &candidates);
    let mut signatures: Vec<Signature> = Vec::new();
    for signature in case.signatures(&transaction.hash()) {
        let is_first = signatures.iter().all(|other| other.signed_by() != signature.signed_by());
        let Some(key) = counting.get(signature.signed_by()).filter(|_| is_first) else { continue };
        let over = canton_topology::transaction::SignatureOver {
            signature: signature.clone(),
            message: *transaction.hash().as_bytes(),
            covers: Vec::new(),
        };
        if verifier.verify(&over, key).is_ok() {
            signatures.push(signature.clone());
        }
    }
    signatures.sort_by(|a, b| a.signed_by().cmp(b.signed_by()));
    signatures
}

fn missing(state: &State, transaction: &Transaction, signers: &BTreeSet<Fingerprint>) -> Missing {
    let needed = planner::assess(state, transaction, signers).missing;
    let namespaces = needed.namespaces.into_iter().map(|namespace| {
        let (more, owners) = planner::lacking_owners(state, &namespace, signers, transaction);
        MissingNamespace { namespace, more, owners }
    });
    Missing { namespaces: namespaces.collect(), keys: needed.keys.into_iter().collect() }
}

/// The transactions to submit, where Canton's own rule says that all of them would be accepted, together and in this
/// order; what is effective already is left out. `None` where it is not so far.
pub fn complete(
    merged: &[Merged],
    state: &State,
    verifier: &mut Verifier,
    now: Timestamp,
) -> Option<Vec<SignedTransaction>> {
    let open: Vec<SignedTransaction> =
        merged.iter().filter(|one| !one.effective).map(|one| one.signed.clone()).collect();
    if open.is_empty() || open.iter().any(|signed| signed.signatures.is_empty()) {
        return None;
    }
    let verdicts = planner::would_accept(state, verifier, &open, now);
    verdicts.iter().all(|verdict| matches!(verdict, Verdict::Active { .. })).then_some(open)
}
