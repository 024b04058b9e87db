//! Doing whatever is to be done about a case now: offer, submit, say what was seen. Derived each time, so that a restart
//! asks again.

use canton_topology::{Timestamp, judge::Verifier, state::State, transaction::SignedTransaction};
use protocol::{
    case::{Case, Offered},
    intent::CaseId,
    life::{Standing, Status, standing, winner},
    limits, merge,
    offering::{is_said_to_be_superseded, next_offer},
    stage::effective_at,
    statement::{Offer, Outcome, OutcomeResult, Statement, StatementHash},
    submission::{Submitter, submitter},
    todo::{Step, todo},
};

use super::{Coordinator, Effect, Submission};

/// How long the first submission is left alone before it is repeated, in microseconds; doubled each time.
const RESUBMIT_AFTER: i64 = 10 * 1_000_000;
/// How long the first failed attempt to reach the participant rests, in microseconds; doubled each time.
const REST: i64 = 250_000;
/// The longest of these waits, as a power of two of the first.
const DOUBLINGS_MAX: u32 = 7;
/// After this long without a word from the shell, in microseconds, a submission counts as lost.
const LOST_AFTER: i64 = 60 * 1_000_000;

impl Coordinator {
    /// Does whatever is to be done about a case now.
    pub(super) fn advance(&mut self, id: CaseId, now: Timestamp, effects: &mut Vec<Effect>) {
        // Each pass that says something changes where the case stands. It says an outcome of each offer at most once and
        // makes an offer only on another base, so it comes to an end; the bound is for planners that do not.
        for _ in 0..2 * limits::OFFERS_PER_CASE_MAX {
            let Some(entry) = self.cases.get(&id) else { return };
            let standing = standing(&entry.case, self.state.as_ref(), &mut self.verifier, now);
            if !self.speak(id, &standing, effects) {
                self.submit(id, &standing, now, effects);
                self.plan_attention(id, &standing, now);
                return;
            }
        }
    }

    /// Says what there is to be said: an outcome that was seen, or an offer. `false` where it is nothing.
    fn speak(&mut self, id: CaseId, standing: &Standing, effects: &mut Vec<Effect>) -> bool {
        let Some(case) = self.case(&id) else { return false };
        if let Some((offer, at)) = self.state.as_ref().and_then(|state| unsaid_effect(case, state)) {
            return self.report(id, offer, OutcomeResult::Effective { at }, effects);
        }
        if let Some(offer) = self.offer(case, &standing.status) {
            let statement = Statement::sign(&offer, self.signer.as_ref());
            return self.append_own(id, statement, effects);
        }
        let Status::Superseded { by } = standing.status else { return false };
        let Some(offer) = case.offer().map(|offered| offered.hash) else { return false };
        !is_said_to_be_superseded(case, offer) && self.report(id, offer, OutcomeResult::Superseded { by }, effects)
    }

    /// What is to be offered in a case now.
    fn offer(&self, case: &Case, status: &Status) -> Option<Offer> {
        next_offer(case, status, self.state.as_ref()?, self.cases(), self.planner)
    }

    /// Says what happened to an offer.
    pub(super) fn report(
        &mut self,
        id: CaseId,
        offer: StatementHash,
        result: OutcomeResult,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let statement = Statement::sign(&Outcome { case: id, offer, result }, self.signer.as_ref());
        self.append_own(id, statement, effects)
    }

    fn submit(&mut self, id: CaseId, standing: &Standing, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(entry) = self.cases.get(&id) else { return };
        let failures = match entry.submission {
            Submission::Idle => 0,
            Submission::UnderWay { since, failures } if since.plus_micros(LOST_AFTER) <= now => failures,
            Submission::Resting { failures, until } if until <= now => failures,
            Submission::UnderWay { .. } | Submission::Resting { .. } => return,
        };
        if submitter(&entry.case.intent().change) == Submitter::AgentUnderConditions {
            return;
        }
        let Some(offer) = entry.case.offer().map(|offered| offered.hash) else { return };
        let retry_after = resubmit_after(&entry.case, offer);
        for step in todo(&entry.case, standing, self.state.as_ref(), now, retry_after) {
            match step {
                Step::Submit { .. } => {
                    if let Some(transactions) = self.verified_again(id, now) {
                        self.set_submission(id, Submission::UnderWay { since: now, failures });
                        effects.push(Effect::Submit { case: id, offer, transactions });
                        return;
                    }
                }
                Step::Offer
                | Step::Sign { .. }
                | Step::NodeAction { .. }
                | Step::Attest { .. }
                | Step::Verify { .. }
                | Step::Watch => {}
            }
        }
    }

    /// The complete set, from the statements and today's topology alone: nothing that was remembered takes part.
    fn verified_again(&self, id: CaseId, now: Timestamp) -> Option<Vec<SignedTransaction>> {
        let (case, state) = self.case(&id).zip(self.state.as_ref())?;
        let mut verifier = Verifier::default();
        let merged = merge::merge(case, case.offer()?, state, &mut verifier);
        merge::complete(&merged, state, &mut verifier, now)
    }

    fn set_submission(&mut self, id: CaseId, submission: Submission) {
        if let Some(entry) = self.cases.get_mut(&id) {
            entry.submission = submission;
        }
    }

    /// When the case is looked at next, and whether it is settled.
    fn plan_attention(&mut self, id: CaseId, standing: &Standing, now: Timestamp) {
        let Some(entry) = self.cases.get(&id) else { return };
        let mut times = Vec::new();
        if standing.status.is_open() {
            times.push(entry.case.intent().deadline.plus_micros(1));
        }
        match (entry.submission, &standing.status) {
            (Submission::UnderWay { since, .. }, _) => times.push(since.plus_micros(LOST_AFTER)),
            (Submission::Resting { until, .. }, _) => times.push(until),
            (Submission::Idle, Status::Submitted) => times.extend(resubmit_at(&entry.case)),
            (Submission::Idle, _) => {}
        }
        let is_over = self.is_blind && !standing.status.is_open();
        let is_settled = is_over || is_settled(&entry.case, standing, self.state.as_ref());
        match times.into_iter().filter(|at| *at > now).min() {
            Some(at) if !is_settled => self.schedule.wake(id, at),
            Some(_) | None => self.schedule.never(id),
        }
        if is_settled {
            self.settled.insert(id);
        } else {
            self.settled.remove(&id);
        }
    }
}

impl Submission {
    /// The shell could not reach the participant.
    pub(super) fn failed(self, now: Timestamp) -> Self {
        let before = match self {
            Self::Idle => 0,
            Self::UnderWay { failures, .. } | Self::Resting { failures, .. } => failures,
        };
        Self::Resting { failures: before + 1, until: now.plus_micros(doubled(REST, before)) }
    }
}

/// An offer that became effective, of which nothing was said yet. Older offers too: their signatures lived on.
fn unsaid_effect(case: &Case, state: &State) -> Option<(StatementHash, Timestamp)> {
    let is_said = |offer| {
        let mut outcomes = case.outcomes().iter();
        outcomes.any(|outcome| outcome.offer == offer && matches!(outcome.result, OutcomeResult::Effective { .. }))
    };
    let is_unsaid = |offered: &&Offered| !is_said(offered.hash);
    let mut offers = case.offers().iter().filter(is_unsaid);
    offers.find_map(|offered| Some((offered.hash, effective_at(offered, state)?)))
}

/// Whether nothing can happen to a case any more: it has ended, and each transaction that was ever offered is effective,
/// has lost its place, or was never signed by anybody here or elsewhere.
fn is_settled(case: &Case, standing: &Standing, state: Option<&State>) -> bool {
    if standing.status.is_open() {
        return false;
    }
    let mut offered = case.offers().iter().flat_map(|offered| &offered.transactions);
    offered.all(|transaction| {
        let is_over = state.is_some_and(|state| {
            state.effective_since(&transaction.hash()).is_some() || winner(state, transaction).is_some()
        });
        let is_open =
            state.is_some_and(|state| state.proposal(&transaction.unique_key(), &transaction.hash()).is_some());
        is_over || (!is_open && case.signatures(&transaction.hash()).next().is_none())
    })
}

/// How long the last submission of an offer is left alone.
fn resubmit_after(case: &Case, offer: StatementHash) -> i64 {
    let times = case
        .outcomes()
        .iter()
        .filter(|outcome| outcome.offer == offer && matches!(outcome.result, OutcomeResult::Submitted { .. }));
    doubled(RESUBMIT_AFTER, u32::try_from(times.count()).unwrap_or(u32::MAX).saturating_sub(1))
}

fn resubmit_at(case: &Case) -> Option<Timestamp> {
    let offer = case.offer()?.hash;
    case.outcomes().iter().rev().find_map(|outcome| match outcome.result {
        OutcomeResult::Submitted { at } => Some(at.plus_micros(resubmit_after(case, offer))),
        OutcomeResult::Effective { .. } | OutcomeResult::Superseded { .. } | OutcomeResult::Rejected { .. } => None,
    })
}

fn doubled(first: i64, times: u32) -> i64 {
    first << times.min(DOUBLINGS_MAX)
}
