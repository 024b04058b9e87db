//! Received signatures, brought together: which of them verify and count, and what is still missing.

use std::collections::BTreeSet;

use canton_topology::{
    Timestamp,
    id::{Fingerprint, Namespace},
    judge::{Verdict, Verifier},
    key::{KeyUsage, SigningPublicKey},
    mapping::Mapping,
    planner,
    rejection::Rejection,
    signature::{Signature, SignatureAlgorithm},
    state::State,
    transaction::{SignatureOver, SignedTransaction, Transaction},
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
    pub namespace: Namespace,
    /// How many of `owners` must agree still.
    pub more: usize,
    /// Those who have not; the namespace itself, where it is a plain one.
    pub owners: Vec<Namespace>,
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

/// The signatures that verify and count, the first such of each key, ordered by key.
fn counting(case: &Case, transaction: &Transaction, state: &State, verifier: &mut Verifier) -> Vec<Signature> {
    let candidates: BTreeSet<Fingerprint> =
        case.signatures(&transaction.hash()).map(|signature| signature.signed_by().clone()).collect();
    let permissible = planner::permissible(state, transaction, &candidates);
    let mut signatures: Vec<Signature> = Vec::new();
    for signature in case.signatures(&transaction.hash()) {
        let is_first = signatures.iter().all(|other| other.signed_by() != signature.signed_by());
        let Some(key) = permissible.get(signature.signed_by()).filter(|_| is_first) else { continue };
        let over =
            SignatureOver { signature: signature.clone(), message: *transaction.hash().as_bytes(), covers: Vec::new() };
        if verifier.verify(&over, key).is_ok() {
            signatures.push(signature.clone());
        }
    }
    if let Mapping::NamespaceDelegation(delegation) = transaction.mapping()
        && delegation.is_root()
        && let Some(own) = signatures.iter().find(|one| one.signed_by() == delegation.target.fingerprint_ref())
    {
        // Any other key on a root delegation takes away that it is one.
        return vec![own.clone()];
    }
    signatures.sort_by(|a, b| a.signed_by().cmp(b.signed_by()));
    let is_plain = |signature: &Signature| {
        permissible.get(signature.signed_by()).is_some_and(|key| is_surely_taken(signature, key, state))
    };
    if signatures.iter().all(is_plain) {
        signatures
    } else {
        without_spoilers(transaction, signatures, state, verifier)
    }
}

/// Whether nothing but the mathematics can be wrong with a signature.
fn is_surely_taken(signature: &Signature, key: &SigningPublicKey, state: &State) -> bool {
    let parameters = state.parameters();
    let algorithm = signature.algorithm().unwrap_or(SignatureAlgorithm::of(key.spec()));
    key.usage().contains(&KeyUsage::Namespace)
        && parameters.signing_keys.contains(&key.spec())
        && parameters.signing_algorithms.contains(&algorithm)
}

/// One signature that verifies and that the synchronizer does not take, for its curve or its key's usage, spoils the
/// whole transaction.
fn without_spoilers(
    transaction: &Transaction,
    mut signatures: Vec<Signature>,
    state: &State,
    verifier: &mut Verifier,
) -> Vec<Signature> {
    while !signatures.is_empty() {
        let signed = SignedTransaction::new(transaction.clone(), signatures.clone(), false);
        let verdict = planner::would_accept(state, verifier, &[signed], Timestamp(0)).pop();
        let Some(Verdict::Rejected(Rejection::SignatureCheckFailed { key, .. })) = verdict else { break };
        let before = signatures.len();
        signatures.retain(|signature| *signature.signed_by() != key);
        if signatures.len() == before {
            break;
        }
    }
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

/// What Canton would say to the signatures that are here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// All of it would be accepted, together and in this order.
    Complete(Vec<SignedTransaction>),
    /// Signatures are missing.
    Incomplete,
    /// It would be refused for another reason, whoever signs.
    Refused(Rejection),
}

/// The transactions to submit, where all of them would be accepted; `None` where it is not so far.
pub fn complete(
    merged: &[Merged],
    state: &State,
    verifier: &mut Verifier,
    now: Timestamp,
) -> Option<Vec<SignedTransaction>> {
    match completeness(merged, state, verifier, now) {
        Completeness::Complete(transactions) => Some(transactions),
        Completeness::Incomplete | Completeness::Refused(_) => None,
    }
}

/// Asks the judge about the transactions that are not effective yet, together and in their order.
pub fn completeness(merged: &[Merged], state: &State, verifier: &mut Verifier, now: Timestamp) -> Completeness {
    let open: Vec<SignedTransaction> =
        merged.iter().filter(|one| !one.effective).map(|one| one.signed.clone()).collect();
    if open.is_empty() {
        return Completeness::Incomplete;
    }
    for verdict in planner::would_accept(state, verifier, &open, now) {
        match verdict {
            Verdict::Active { .. } => {}
            Verdict::Proposal { .. } => return Completeness::Incomplete,
            Verdict::Rejected(
                Rejection::NotFullyAuthorized { .. }
                | Rejection::NoDelegationFoundForKeys { .. }
                | Rejection::NotAuthorizedByNamespaceKey,
            ) => return Completeness::Incomplete,
            Verdict::Rejected(rejection) => return Completeness::Refused(rejection),
        }
    }
    // What carries no signature was completed by what the synchronizer holds already; a node takes none without one.
    if open.iter().any(|signed| signed.signatures.is_empty()) {
        return Completeness::Incomplete;
    }
    Completeness::Complete(open)
}
