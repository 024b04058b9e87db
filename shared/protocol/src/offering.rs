//! What is offered in a case, and when: an offer where there is none, the next stage of a staged intent, or the same wish
//! on another base. Who makes it does not matter: every owner's agent plans the intent again before it signs.

use canton_topology::{hash::TransactionHash, state::State, transaction::Transaction};

use crate::{
    case::{Case, Offered},
    intent::{CaseId, Change},
    life::{Status, winner},
    limits,
    plan::{Plan, Planner},
    stage::{self, is_finished},
    statement::{Offer, OutcomeResult, StatementHash},
    workflow::after,
};

/// The offer that a case is to get now; `None` where it needs none, or its intent means nothing on this topology.
/// `others` are the cases in which it may have been voided.
pub fn next_offer<'a>(
    case: &Case,
    status: &Status,
    state: &State,
    others: impl Iterator<Item = &'a Case>,
    planner: Planner,
) -> Option<Offer> {
    let is_wanted = match status {
        Status::Waiting => lacks_offer(case, state),
        Status::Superseded { by } => may_be_offered_again(case, *by, state, others),
        Status::Collecting
        | Status::Ready
        | Status::Submitted
        | Status::Effective { .. }
        | Status::Rejected { .. }
        | Status::Declined { .. }
        | Status::Withdrawn
        | Status::Expired
        | Status::Voided => false,
    };
    if !is_wanted {
        return None;
    }
    let plan = planner(case.intent(), state).ok()?;
    if case.offer().is_some_and(|offered| !is_better(offered, &plan, state)) {
        return None;
    }
    Some(Offer {
        case: case.id(),
        intent: case.intent_hash(),
        round: u32::try_from(case.offers().len()).ok()?,
        base: plan.base,
        transactions: plan.transactions.iter().map(|transaction| transaction.bytes().to_vec()).collect(),
    })
}

/// Whether there is no offer, or none of the stage that follows the one that is effective; not while another case comes
/// first.
pub fn lacks_offer(case: &Case, state: &State) -> bool {
    let is_turn = after::is_reached(case.intent(), state);
    is_turn && case.offer().is_none_or(|offered| stage::effective_at(offered, state).is_some())
}

/// Whether it was said of an offer that it is over. Owners who read that stop caring.
pub fn is_said_to_be_superseded(case: &Case, offer: StatementHash) -> bool {
    let mut outcomes = case.outcomes().iter();
    outcomes.any(|outcome| outcome.offer == offer && matches!(outcome.result, OutcomeResult::Superseded { .. }))
}

/// A superseded offer is made again on the new base, unless that would undo what somebody wanted.
fn may_be_offered_again<'a>(
    case: &Case,
    by: TransactionHash,
    state: &State,
    mut others: impl Iterator<Item = &'a Case>,
) -> bool {
    let Some(offered) = case.offer() else { return false };
    if is_said_to_be_superseded(case, offered.hash) || case.offers().len() >= limits::OFFERS_PER_CASE_MAX {
        return false;
    }
    let is_voided = others.any(|other| {
        voids(other, case.id())
            && other.offers().iter().flat_map(|offered| &offered.transactions).any(|one| one.hash() == by)
    });
    !is_voided && !is_finished(case, state)
}

fn voids(other: &Case, case: CaseId) -> bool {
    matches!(&other.intent().change, Change::Void(void) if void.case == case)
}

/// Whether a plan differs from the offer and could become effective.
fn is_better(offered: &Offered, plan: &Plan, state: &State) -> bool {
    let hashes = |transactions: &[Transaction]| transactions.iter().map(Transaction::hash).collect::<Vec<_>>();
    let is_free = plan.transactions.iter().all(|transaction| winner(state, transaction).is_none());
    is_free && hashes(&offered.transactions) != hashes(&plan.transactions)
}
