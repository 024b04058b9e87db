//! Where a case stands. Never stored: derived from its statements, today's topology and the time.

mod live;

use std::collections::BTreeSet;

use canton_topology::{
    Timestamp,
    hash::TransactionHash,
    id::{Fingerprint, Namespace},
    judge::Verifier,
    planner,
    state::State,
    transaction::{SignedTransaction, Transaction},
};
use serde::{Deserialize, Serialize};

use self::live::live;
pub use self::live::{Live, winner};
use crate::{
    case::{Case, Offered},
    merge::{self, Completeness, Merged, Missing},
    registry::Kind,
    stage::{self, Next, Stage},
    statement::{Outcome, OutcomeResult, StatementHash},
};

/// Where a case stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Status {
    /// There is no offer yet, none of the next stage, or no topology to judge by.
    Waiting,
    /// Signatures are missing.
    Collecting,
    /// Canton's rule is met.
    Ready,
    /// Handed to a participant; not yet seen effective.
    Submitted,
    /// Every transaction, of every stage, was seen effective.
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

/// Where a case stands, with everything that people ask next.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The status.
    pub status: Status,
    /// The transactions of the newest offer with the signatures that count.
    pub merged: Vec<Merged>,
    /// What to submit, where Canton's rule is met.
    pub complete: Option<Vec<SignedTransaction>>,
    /// Why the synchronizer would refuse the newest offer today, whoever signs it; in Canton's words.
    pub obstacle: Option<String>,
    /// What is alive, whatever the status says.
    pub live: Vec<Live>,
    /// How it had ended before it became effective all the same: an alarm. Signatures outlive what we say.
    pub effective_after: Option<Status>,
    /// The stage that it is at, where its intent is carried out in stages.
    pub stage: Option<Stage>,
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
        let (merged, live) = (Vec::new(), Vec::new());
        let stage = state.and_then(|state| stage::stage(case, state));
        return Standing { status, merged, complete: None, obstacle: None, live, effective_after: None, stage };
    };
    let merged = merge::merge(case, offered, state, verifier);
    let (complete, mut obstacle) = match merge::completeness(&merged, state, verifier, now) {
        Completeness::Complete(transactions) => (Some(transactions), None),
        Completeness::Incomplete => (None, None),
        Completeness::Refused(rejection) => (None, Some(format!("{}: {rejection}", rejection.name()))),
    };
    let live = live(case, state, verifier);
    let next = stage::effective_at(offered, state).map(|at| (at, stage::next(case, state, at)));
    if let Some((_, Next::Blocked(error))) = &next {
        obstacle = Some(format!("the next stage: {error}"));
    }
    let status = Scene { case, offered, state, now, merged: &merged }.status(complete.is_some(), next);
    let effective_after = match &status {
        Status::Effective { at } => ended_before(case, offered.hash, *at),
        Status::Waiting
        | Status::Collecting
        | Status::Ready
        | Status::Submitted
        | Status::Superseded { .. }
        | Status::Rejected { .. }
        | Status::Declined { .. }
        | Status::Withdrawn
        | Status::Expired
        | Status::Voided => None,
    };
    Standing { status, merged, complete, obstacle, live, effective_after, stage: stage::stage(case, state) }
}

fn ended_by_words(case: &Case, now: Timestamp) -> Option<Status> {
    if case.withdrawal().is_some() {
        return Some(Status::Withdrawn);
    }
    (now > case.intent().deadline).then_some(Status::Expired)
}

/// How the case had ended by words before it became effective. A withdrawal behind the news of it came too late to be
/// one.
fn ended_before(case: &Case, offer: StatementHash, at: Timestamp) -> Option<Status> {
    let news = case.statements().iter().find_map(|statement| match statement.kind() {
        Kind::Withdrawal => Some(Status::Withdrawn),
        Kind::Outcome => {
            let outcome: Outcome = statement.open().ok()?;
            let is_news = outcome.offer == offer && matches!(outcome.result, OutcomeResult::Effective { .. });
            is_news.then_some(Status::Effective { at })
        }
        Kind::Identity
        | Kind::Intent
        | Kind::Offer
        | Kind::Approval
        | Kind::Contribution
        | Kind::Decline
        | Kind::Card
        | Kind::Possession
        | Kind::Drill
        | Kind::Attestation
        | Kind::Question => None,
    });
    match news {
        Some(Status::Withdrawn) => Some(Status::Withdrawn),
        _ => (at > case.intent().deadline).then_some(Status::Expired),
    }
}

/// What a status is derived from.
struct Scene<'a> {
    case: &'a Case,
    offered: &'a Offered,
    state: &'a State,
    now: Timestamp,
    merged: &'a [Merged],
}

impl Scene<'_> {
    fn status(&self, is_complete: bool, next: Option<(Timestamp, Next)>) -> Status {
        match next {
            Some((at, Next::Nothing)) => return Status::Effective { at },
            Some((_, Next::Stage | Next::Blocked(_))) => {
                return ended_by_words(self.case, self.now).unwrap_or(Status::Waiting);
            }
            None => {}
        }
        let ended = ended_by_words(self.case, self.now);
        if let Some(by) = self.offered.transactions.iter().find_map(|one| winner(self.state, one)) {
            return match ended.or_else(|| self.declined()) {
                Some(_) if !self.is_anything_free() => Status::Voided,
                Some(ended) => ended,
                None => Status::Superseded { by },
            };
        }
        if let Some(ended) = ended {
            return ended;
        }
        let last = self.case.outcomes().iter().rev().find(|outcome| outcome.offer == self.offered.hash);
        match last.map(|outcome| &outcome.result) {
            Some(OutcomeResult::Rejected { reason }) => return Status::Rejected { reason: reason.clone() },
            Some(OutcomeResult::Submitted { .. }) if is_complete => return Status::Submitted,
            Some(
                OutcomeResult::Submitted { .. } | OutcomeResult::Effective { .. } | OutcomeResult::Superseded { .. },
            )
            | None => {}
        }
        if is_complete {
            return Status::Ready;
        }
        self.declined().unwrap_or(Status::Collecting)
    }

    /// Where those who have not declined do not suffice.
    fn declined(&self) -> Option<Status> {
        let declined: BTreeSet<Namespace> = self
            .case
            .declines()
            .iter()
            .filter(|decline| decline.offer == self.offered.hash && !self.case.is_approved_by(&decline.owner))
            .map(|decline| decline.owner.clone())
            .collect();
        let is_over = !declined.is_empty() && !can_still_be_met(self.merged, self.state, &declined);
        is_over.then(|| Status::Declined { by: declined.into_iter().collect() })
    }

    /// Whether any transaction that was ever offered could still take its place.
    fn is_anything_free(&self) -> bool {
        let mut offered = self.case.offers().iter().flat_map(|offered| &offered.transactions);
        offered.any(|one| self.state.effective_since(&one.hash()).is_none() && winner(self.state, one).is_none())
    }
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
