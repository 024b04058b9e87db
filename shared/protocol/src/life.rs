//! Where a case stands. Never stored: derived from its statements, today's topology and the time.

use std::collections::BTreeSet;

use canton_topology::{
    Timestamp,
    hash::TransactionHash,
    id::{Fingerprint, Namespace},
    judge::Verifier,
    planner,
    state::State,
    transaction::Transaction,
};
use serde::{Deserialize, Serialize};

use crate::{
    case::{Case, Offered},
    intent::Slot,
    merge::{self, Merged, Missing},
    statement::OutcomeResult,
};

/// Where a case stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Status {
    /// There is no offer yet, or no topology to judge by.
    Waiting,
    /// Signatures are missing.
    Collecting,
    /// Canton's rule is met.
    Ready,
    /// Handed to a participant; not yet seen effective.
    Submitted,
    /// Every transaction was seen effective.
    Effective {
        /// Since when the last one is.
        at: Timestamp,
    },
    /// Another transaction took a serial.
    Superseded {
        /// The one that won.
        by: TransactionHash,
    },
    /// The node refused for good.
    Rejected {
        /// Canton's own name and words.
        reason: String,
    },
    /// Those who have not declined do not suffice.
    Declined {
        /// Who declined.
        by: Vec<Namespace>,
    },
    /// The proposer took it back.
    Withdrawn,
    /// The deadline passed.
    Expired,
    /// It ended, and its serials were consumed by others: nothing of it is alive.
    Voided,
}

impl Status {
    /// The word for it, as in `--json`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Collecting => "collecting",
            Self::Ready => "ready",
            Self::Submitted => "submitted",
            Self::Effective { .. } => "effective",
            Self::Superseded { .. } => "superseded",
            Self::Rejected { .. } => "rejected",
            Self::Declined { .. } => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Voided => "voided",
        }
    }

    /// Whether agents still sign it and the coordinator still submits it.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Waiting | Self::Collecting | Self::Ready | Self::Submitted => true,
            Self::Effective { .. }
            | Self::Superseded { .. }
            | Self::Rejected { .. }
            | Self::Declined { .. }
            | Self::Withdrawn
            | Self::Expired
            | Self::Voided => false,
        }
    }
}

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

/// Where a case stands, with everything that people ask next.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The status.
    pub status: Status,
    /// The transactions of the newest offer with the signatures that count.
    pub merged: Vec<Merged>,
    /// What to submit, where Canton's rule is met.
    pub complete: Option<Vec<canton_topology::transaction::SignedTransaction>>,
    /// What is alive, whatever the status says.
    pub live: Vec<Live>,
}

impl Standing {
    /// What the newest offer still lacks, transaction by transaction.
    pub fn missing(&self) -> impl Iterator<Item = (&Transaction, &Missing)> {
        self.merged.iter().map(|one| (&one.signed.transaction, &one.missing))
    }
}

/// Where a case stands on this topology at this time. Without topology nothing is ready and nothing ends but by words.
pub fn standing(case: &Case, state: Option<&State>, verifier: &mut Verifier, now: Timestamp) -> Standing {
    let Some((offered, state)) = case.offer().zip(state) else {
        let status = ended_by_words(case, now).unwrap_or(Status::Waiting);
        return Standing { status, merged: Vec::new(), complete: None, live: Vec::new() };
    };
    let merged = merge::merge(case, offered, state, verifier);
    let complete = merge::complete(&merged, state, verifier, now);
    let live = live(case, state, verifier);
    let status = status(case, offered, state, now, &merged, complete.is_some());
    Standing { status, merged, complete, live }
}

fn ended_by_words(case: &Case, now: Timestamp) -> Option<Status> {
    if case.withdrawal().is_some() {
        return Some(Status::Withdrawn);
    }
    (now > case.intent().deadline).then_some(Status::Expired)
}

fn status(
    case: &Case,
    offered: &Offered,
    state: &State,
    now: Timestamp,
    merged: &[Merged],
    is_complete: bool,
) -> Status {
    let since: Option<Vec<Timestamp>> =
        offered.transactions.iter().map(|transaction| state.effective_since(&transaction.hash())).collect();
    if let Some(at) = since.and_then(|times| times.into_iter().max()) {
        return Status::Effective { at };
    }
    let ended = ended_by_words(case, now);
    if let Some(by) = offered.transactions.iter().find_map(|transaction| winner(state, transaction)) {
        return if ended.is_some() { Status::Voided } else { Status::Superseded { by } };
    }
    if let Some(ended) = ended {
        return ended;
    }
    let last = case.outcomes().iter().rev().find(|outcome| outcome.offer == offered.hash);
    match last.map(|outcome| &outcome.result) {
        Some(OutcomeResult::Rejected { reason }) => return Status::Rejected { reason: reason.clone() },
        Some(OutcomeResult::Submitted { .. }) if is_complete => return Status::Submitted,
        Some(OutcomeResult::Submitted { .. } | OutcomeResult::Effective { .. } | OutcomeResult::Superseded { .. })
        | None => {}
    }
    if is_complete {
        return Status::Ready;
    }
    let declined: BTreeSet<Namespace> = case
        .declines()
        .iter()
        .filter(|decline| decline.offer == offered.hash && !case.is_approved_by(&decline.owner))
        .map(|decline| decline.owner.clone())
        .collect();
    if !declined.is_empty() && !can_still_be_met(merged, state, &declined) {
        return Status::Declined { by: declined.into_iter().collect() };
    }
    Status::Collecting
}

/// The transaction that took a slot which another one waits for.
pub fn winner(state: &State, transaction: &Transaction) -> Option<TransactionHash> {
    let row = state.active(&transaction.unique_key())?;
    (row.serial() >= transaction.serial() && row.hash() != transaction.hash()).then(|| row.hash())
}

/// Whether everybody but those who declined would suffice.
fn can_still_be_met(merged: &[Merged], state: &State, declined: &BTreeSet<Namespace>) -> bool {
    let mut scratch = state.clone();
    for one in merged.iter().filter(|one| !one.effective) {
        let transaction = &one.signed.transaction;
        let signers = everybody_but(&scratch, transaction, declined);
        if !planner::assess(&scratch, transaction, &signers).satisfied {
            return false;
        }
        scratch.assume(transaction);
    }
    true
}

fn everybody_but(state: &State, transaction: &Transaction, declined: &BTreeSet<Namespace>) -> BTreeSet<Fingerprint> {
    let mentioned = planner::required(state, transaction).mentioned();
    let code = transaction.mapping().code();
    let mut signers = mentioned.keys;
    for namespace in &mentioned.namespaces {
        let owners = state.definition(namespace).map_or(std::slice::from_ref(namespace), |all| &all.owners);
        for owner in owners.iter().filter(|owner| !declined.contains(owner)) {
            signers.extend(state.keys_of(owner, code).into_keys());
            // A root that is about to be published, or a party that signs for itself.
            signers.insert(owner.fingerprint().clone());
        }
    }
    signers
}

/// Every transaction of every offer of which signatures are out and whose slot is still free.
fn live(case: &Case, state: &State, verifier: &mut Verifier) -> Vec<Live> {
    let mut all: Vec<Live> = Vec::new();
    for offered in case.offers() {
        for one in merge::merge(case, offered, state, verifier) {
            let transaction = &one.signed.transaction;
            let is_free = !one.effective && winner(state, transaction).is_none();
            let is_known = all.iter().any(|live| live.slot.transaction == transaction.hash());
            if !is_free || is_known || one.signed.signatures.is_empty() {
                continue;
            }
            all.push(Live {
                slot: Slot {
                    unique_key: transaction.unique_key(),
                    serial: transaction.serial(),
                    transaction: transaction.hash(),
                },
                signers: one.signed.signers().into_iter().collect(),
                satisfied: one.missing.is_empty(),
            });
        }
    }
    all
}
