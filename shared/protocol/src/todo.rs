//! What is to be done about a case, derived: a restart asks again.

use canton_topology::{Timestamp, id::Namespace, state::State, transaction::SignedTransaction};

use crate::{
    case::Case,
    hosting::HostingStep,
    life::{Standing, Status},
    offering::lacks_offer,
    progress::{Actor, Item, Progress},
    statement::{OutcomeResult, StatementHash},
    submission::{Submitter, submitter},
    witness::WitnessedStep,
};

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The coordinator plans the intent and offers what it means; the proposer's agent where the coordinator does not.
    Offer,
    /// Owners sign. Each of these could; not all of them have to.
    Sign {
        /// Who has not approved and could help.
        owners: Vec<Namespace>,
    },
    /// The complete set goes to a participant, the same bytes each time.
    Submit {
        /// The transactions, in order.
        transactions: Vec<SignedTransaction>,
    },
    /// An owner's agent does something on the owner's own node.
    NodeAction {
        /// The owner.
        owner: Namespace,
        /// What.
        step: HostingStep,
    },
    /// An owner does something that takes a human, and says so.
    Attest {
        /// The owner.
        owner: Namespace,
        /// What.
        step: HostingStep,
    },
    /// An owner's agent looks whether what is effective stands on the owner's own node, and says so.
    Verify {
        /// The owner.
        owner: Namespace,
    },
    /// Topology is watched, for as long as anything is alive.
    Watch,
}

/// What is to be done now. `retry_after` is how long, in microseconds, the last submission is left alone before it is
/// repeated; the caller lets it grow.
pub fn todo(case: &Case, standing: &Standing, state: Option<&State>, now: Timestamp, retry_after: i64) -> Vec<Step> {
    match &standing.status {
        Status::Waiting if state.is_some_and(|state| lacks_offer(case, state)) => vec![Step::Offer],
        Status::Waiting => Vec::new(),
        Status::Collecting => vec![Step::Sign { owners: helpers(case, standing) }],
        Status::Ready if is_under_conditions(case) => vec![Step::Watch],
        Status::Ready => submit(standing),
        Status::Submitted if is_under_conditions(case) => vec![Step::Watch],
        Status::Submitted if case.offer().is_some_and(|offered| is_stale(case, offered.hash, now, retry_after)) => {
            submit(standing)
        }
        Status::Submitted => vec![Step::Watch],
        Status::Effective { .. }
        | Status::Superseded { .. }
        | Status::Rejected { .. }
        | Status::Declined { .. }
        | Status::Withdrawn
        | Status::Expired
        | Status::Voided => {
            if standing.live.is_empty() {
                Vec::new()
            } else {
                vec![Step::Watch]
            }
        }
    }
}

fn is_under_conditions(case: &Case) -> bool {
    submitter(&case.intent().change) == Submitter::AgentUnderConditions
}

/// What the owners are to do on their nodes, by the checklist of a hosting.
pub fn on_nodes(checklist: &[Item<HostingStep>]) -> Vec<Step> {
    let due = checklist.iter().filter(|item| item.progress == Progress::Due);
    let of_item = |item: &Item<HostingStep>| {
        let Actor::Owner(owner, _) = &item.by else { return None };
        let (owner, step) = (owner.clone(), item.step);
        Some(if step.takes_a_human() { Step::Attest { owner, step } } else { Step::NodeAction { owner, step } })
    };
    due.filter_map(of_item).collect()
}

/// Whose agents are to verify what is effective, by the checklist of a case that is signatures alone.
pub fn to_verify(checklist: &[Item<WitnessedStep>]) -> Vec<Step> {
    let due = checklist.iter().filter(|item| item.step == WitnessedStep::Verify && item.progress == Progress::Due);
    let of_item = |item: &Item<WitnessedStep>| {
        let Actor::Owner(owner, _) = &item.by else { return None };
        Some(Step::Verify { owner: owner.clone() })
    };
    due.filter_map(of_item).collect()
}

fn submit(standing: &Standing) -> Vec<Step> {
    standing.complete.clone().map(|transactions| Step::Submit { transactions }).into_iter().collect()
}

/// Whether the last submission of the offer was so long ago that it is repeated.
fn is_stale(case: &Case, offer: StatementHash, now: Timestamp, retry_after: i64) -> bool {
    let mut newest_first = case.outcomes().iter().rev().filter(|outcome| outcome.offer == offer);
    let last = newest_first.find_map(|outcome| match outcome.result {
        OutcomeResult::Submitted { at } => Some(at),
        OutcomeResult::Effective { .. } | OutcomeResult::Superseded { .. } | OutcomeResult::Rejected { .. } => None,
    });
    last.is_some_and(|at| at.plus_micros(retry_after) <= now)
}

fn helpers(case: &Case, standing: &Standing) -> Vec<Namespace> {
    let mut owners: Vec<Namespace> = Vec::new();
    for (_, missing) in standing.missing() {
        for owner in missing.namespaces.iter().flat_map(|namespace| &namespace.owners) {
            if !owners.contains(owner) && !case.is_approved_by(owner) {
                owners.push(owner.clone());
            }
        }
    }
    owners
}
