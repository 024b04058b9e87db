//! Where a staged case stands: which of its stages are effective, and whether anything follows. Derived from its offers
//! and topology alone, so that a restart and another coordinator see the same.

use canton_topology::{Timestamp, state::State};
use serde::{Deserialize, Serialize};

use crate::{
    case::{Case, Offered},
    plan::plan,
    workflow::error::PlanError,
};

/// One stage among all of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Which, counted from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

/// What follows the newest offer of a case when all of that is effective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the case has reached its end.
    Nothing,
    /// Another stage.
    Stage,
    /// Another stage that means nothing today.
    Blocked(PlanError),
}

/// Since when all of an offer is effective; `None` where not all of it is.
pub fn effective_at(offered: &Offered, state: &State) -> Option<Timestamp> {
    let since = offered.transactions.iter().map(|transaction| state.effective_since(&transaction.hash()));
    since.collect::<Option<Vec<Timestamp>>>()?.into_iter().max()
}

/// What follows an offer that became effective then. A case that was once at its end stays there, whatever happens to
/// what it did: so the moment decides, and today only where the moment left something to do.
pub fn next(case: &Case, state: &State, at: Timestamp) -> Next {
    if !case.intent().change.is_staged() || is_done(case, &state.as_of(at)) {
        return Next::Nothing;
    }
    match plan(case.intent(), state) {
        Ok(_) => Next::Stage,
        Err(PlanError::NoChange { .. }) => Next::Nothing,
        Err(error) => Next::Blocked(error),
    }
}

/// Whether any offer of the case brought it to its end.
pub fn is_finished(case: &Case, state: &State) -> bool {
    case.offers().iter().any(|offered| end_by(case, offered, state).is_some())
}

/// When an offer before the newest one brought the case to its end. What was wanted once is not wanted again.
pub fn finished_before(case: &Case, state: &State) -> Option<Timestamp> {
    let (_, former) = case.offers().split_last()?;
    former.iter().find_map(|offered| end_by(case, offered, state))
}

/// When an offer brought the case to its end.
fn end_by(case: &Case, offered: &Offered, state: &State) -> Option<Timestamp> {
    let at = effective_at(offered, state)?;
    (!case.intent().change.is_staged() || is_done(case, &state.as_of(at))).then_some(at)
}

fn is_done(case: &Case, state: &State) -> bool {
    matches!(plan(case.intent(), state), Err(PlanError::NoChange { .. }))
}

/// The stage that a case is at; `None` where its intent knows none, or today's topology gives it no meaning.
pub fn stage(case: &Case, state: &State) -> Option<Stage> {
    if !case.intent().change.is_staged() {
        return None;
    }
    let done = case.offers().iter().filter(|offered| effective_at(offered, state).is_some()).count();
    if is_finished(case, state) {
        return Some(Stage { number: done, of: done });
    }
    // Where a part of the newest offer is effective, its stage is still the one that it was.
    let open = case.offer().filter(|offered| effective_at(offered, state).is_none());
    let hashes = open.iter().flat_map(|offered| offered.transactions.iter().map(|one| one.hash())).collect();
    match plan(case.intent(), &state.without(&hashes)) {
        Ok(plan) => Some(Stage { number: done + 1, of: done + 1 + plan.later.len() }),
        Err(PlanError::NoChange { .. }) => Some(Stage { number: done, of: done }),
        Err(_) => None,
    }
}
