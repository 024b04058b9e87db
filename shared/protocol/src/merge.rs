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
    state::{Row, State},
    transaction::{SignatureOver, SignedTransaction, Transaction},
};
use serde::{Deserialize, Serialize};

use crate::case::{Case, Offered};

/// Where one transaction of an offer stands.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The transaction with the signatures that verify and count today; complete or not.
    pub signed: SignedTransaction,
    /// Of these signatures, the keys whose signature no statement brought: the synchronizer shows it.
    pub from_synchronizer: BTreeSet<Fingerprint>,
    /// Whether it is effective already.
    pub effective: bool,
    /// Whether the synchronizer holds all these signatures, they suffice, and it sleeps all the same: an honest node wakes
    /// it only for a signer more.
    pub asleep: bool,
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

/// Merges what a case received for an offer with what the synchronizer shows of it, on the topology of `state`.
pub fn merge(case: &Case, offered: &Offered, state: &State, verifier: &mut Verifier) -> Vec<Merged> {
    let mut scratch = state.clone();
    let mut all = Vec::new();
    for transaction in &offered.transactions {
        let message = *transaction.hash().as_bytes();
        let over = |signature: &Signature| SignatureOver { signature: signature.clone(), message, covers: Vec::new() };
        let brought = case.signatures(&transaction.hash()).map(over).collect();
        let open = state.proposal(&transaction.unique_key(), &transaction.hash());
        let one = merge_one(transaction, brought, open, &scratch, verifier);
        let is_effective = state.effective_since(&transaction.hash()).is_some();
        if !is_effective {
            scratch.assume(transaction);
        }
        all.push(if is_effective {
            Merged { effective: true, asleep: false, missing: Missing::default(), ..one }
        } else {
            one
        });
    }
    all
}

/// Brings together the signatures over one transaction: those that somebody brought, and those of its open proposal.
/// Each key counts once, and what was brought comes first.
pub fn merge_one(
    transaction: &Transaction,
    brought: Vec<SignatureOver>,
    open: Option<&Row>,
    state: &State,
    verifier: &mut Verifier,
) -> Merged {
    let shown: Vec<SignatureOver> = open.iter().flat_map(|row| row.signatures.values().cloned()).collect();
    let counting = counting(transaction, brought.iter().chain(&shown), state, verifier);
    let is_shown = |over: &&SignatureOver| shown.contains(over) && !brought.contains(over);
    let from_synchronizer = counting.iter().filter(is_shown).map(|over| over.signature.signed_by().clone()).collect();
    let signed = SignedTransaction::signed_over(transaction.clone(), &counting, false);
    let signers = signed.signers();
    let missing = missing(state, transaction, &signers);
    let holds_all = open.is_some_and(|row| signers.iter().all(|key| row.signatures.contains_key(key)));
    let asleep = holds_all && !signers.is_empty() && missing.is_empty();
    Merged { signed, from_synchronizer, effective: false, asleep, missing }
}

/// The signatures that verify and count, the first such of each key, ordered by key.
fn counting<'a>(
    transaction: &Transaction,
    received: impl Iterator<Item = &'a SignatureOver> + Clone,
    state: &State,
    verifier: &mut Verifier,
) -> Vec<SignatureOver> {
    let candidates: BTreeSet<Fingerprint> = received.clone().map(|over| over.signature.signed_by().clone()).collect();
    let permissible = planner::permissible(state, transaction, &candidates);
    let mut counting: Vec<SignatureOver> = Vec::new();
    for over in received {
        let signer = over.signature.signed_by();
        let is_first = counting.iter().all(|other| other.signature.signed_by() != signer);
        let Some(key) = permissible.get(signer).filter(|_| is_first) else { continue };
        if verifier.verify(over, key).is_ok() {
            counting.push(over.clone());
        }
    }
    if let Mapping::NamespaceDelegation(delegation) = transaction.mapping()
        && delegation.is_root()
        && let Some(own) =
            counting.iter().find(|over| over.signature.signed_by() == delegation.target.fingerprint_ref())
    {
        // Any other key on a root delegation takes away that it is one.
        return vec![own.clone()];
    }
    counting.sort_by(|a, b| a.signature.signed_by().cmp(b.signature.signed_by()));
    let is_plain = |over: &SignatureOver| {
        permissible.get(over.signature.signed_by()).is_some_and(|key| is_surely_taken(&over.signature, key, state))
    };
    if counting.iter().all(is_plain) { counting } else { without_spoilers(transaction, counting, state, verifier) }
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
    mut signatures: Vec<SignatureOver>,
    state: &State,
    verifier: &mut Verifier,
) -> Vec<SignatureOver> {
    while !signatures.is_empty() {
        let signed = SignedTransaction::signed_over(transaction.clone(), &signatures, false);
        let verdict = planner::would_accept(state, verifier, &[signed], Timestamp(0)).pop();
        let Some(Verdict::Rejected(Rejection::SignatureCheckFailed { key, .. })) = verdict else { break };
        let before = signatures.len();
        signatures.retain(|over| *over.signature.signed_by() != key);
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
    if open.iter().any(|signed| signed.signers().is_empty()) {
        return Completeness::Incomplete;
    }
    Completeness::Complete(open)
}
