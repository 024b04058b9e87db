//! An agent's own judgement of an offer, before any policy or human is asked: read it, check where it comes from, plan the
//! intent again on the agent's own topology, hold the change against the intent a second way, look up everybody new in
//! the book, and find out which of the agent's keys have something to sign.

mod base;
pub mod frame;
mod hosting;
mod introductions;
mod keys;
mod origin;
mod replan;
mod rule;
mod stop;

use std::collections::BTreeSet;

use canton_topology::{Timestamp, hash::TransactionHash, id::SynchronizerId, state::State, transaction::Transaction};

use self::stop::Stop;
pub use self::{
    origin::{is_fresh, still_wanted},
    stop::{Behind, Wait},
};
use crate::{
    cascade::{Cascade, cascade},
    case::{Case, Offered},
    consequence::{Consequence, consequences},
    danger::{Danger, dangers_of_plan},
    difference::{Difference, DifferenceClass, differences},
    intent::{CaseId, Change, Intent},
    plan::{self, Plan, Planner},
    reader::Context,
    refusal::Refusal,
    request::SignRequest,
    stage,
    statement::{BaseRow, StatementHash},
};

/// What comes out.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made; nobody keeps many")]
pub enum Verification {
    /// The offer is what the intent means; these keys have something to sign.
    Verified(Verified),
    /// The agent does not sign, and says why.
    Refused(Refusal),
    /// The agent's participant has not seen the base yet.
    NotYet(Wait),
}

/// A verified offer. Only this module makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    intent: Intent,
    offered: Offered,
    requests: Vec<SignRequest>,
    differences: Vec<Difference>,
    later: Vec<Vec<Difference>>,
    dangers: Vec<Danger>,
    rule: Result<(), Refusal>,
    cascade: Cascade,
    consequences: Vec<Consequence>,
}

impl Verified {
    /// The case.
    pub fn case(&self) -> CaseId {
        self.intent.case
    }

    /// What is wanted.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// The synchronizer that intent, topology and keys are of.
    pub fn synchronizer(&self) -> &SynchronizerId {
        &self.intent.synchronizer
    }

    /// When agents stop signing it.
    pub fn deadline(&self) -> Timestamp {
        self.intent.deadline
    }

    /// The offer.
    pub fn offer(&self) -> StatementHash {
        self.offered.hash
    }

    /// What it builds on.
    pub fn base(&self) -> &[BaseRow] {
        &self.offered.offer.base
    }

    /// Its transactions.
    pub fn transactions(&self) -> &[Transaction] {
        &self.offered.transactions
    }

    /// What is to be signed, by which key.
    pub fn requests(&self) -> &[SignRequest] {
        &self.requests
    }

    /// What would change, transaction by transaction.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// What the later stages would change, were nothing else to change in between.
    pub fn later(&self) -> &[Vec<Difference>] {
        &self.later
    }

    /// What people have come to regret, in this stage or in a later one.
    pub fn dangers(&self) -> &[Danger] {
        &self.dangers
    }

    /// Whether a rule may decide at all: not where the owner has said no, and not where the case is over. A human who
    /// looks again may still sign.
    ///
    /// # Errors
    /// [`Refusal::DeclinedHere`], [`Refusal::Ended`].
    pub fn rule_may_decide(&self) -> Result<(), Refusal> {
        self.rule.clone()
    }

    /// What goes with what is taken away.
    pub fn cascade(&self) -> &Cascade {
        &self.cascade
    }

    /// What follows for the owner who verified it.
    pub fn consequences(&self) -> &[Consequence] {
        &self.consequences
    }

    /// The class of the change, for rules. What came as raw bytes, has a danger, is one of several stages, or names anybody
    /// who comes or goes is for humans alone.
    pub fn class(&self) -> DifferenceClass {
        if !self.dangers.is_empty() || !self.later.is_empty() {
            return DifferenceClass::Other;
        }
        match &self.intent.change {
            Change::Membership(membership) if membership.is_thresholds_alone() => {
                DifferenceClass::of(&self.differences)
            }
            Change::Void(_) => DifferenceClass::of(&self.differences),
            Change::CreateParty(_)
            | Change::CreatePartyWithKeyMapping(_)
            | Change::Membership(_)
            | Change::Delegate(_)
            | Change::Revoke(_)
            | Change::RotateOwnerKey(_)
            | Change::LeaveHost(_)
            | Change::MigrateKeys(_)
            | Change::HostParty(_)
            | Change::Raw(_)
            | Change::Adopt(_) => DifferenceClass::Other,
        }
    }
}

/// Verifies the newest offer of a case.
pub fn verify(case: &Case, context: &Context<'_>) -> Verification {
    verify_with(case, context, plan::plan)
}

/// The same with another planner: so that a test can show what holds without ours.
pub fn verify_with(case: &Case, context: &Context<'_>, planner: Planner) -> Verification {
    match check(case, context, planner) {
        Ok(verified) => Verification::Verified(verified),
        Err(Stop::Refused(refusal)) => Verification::Refused(refusal),
        Err(Stop::NotYet(wait)) => Verification::NotYet(wait),
    }
}

fn check(case: &Case, context: &Context<'_>, planner: Planner) -> Result<Verified, Stop> {
    still_wanted(case, context)?;
    origin::proposer(case, context)?;
    let offered = case.offer().ok_or(Refusal::NoOffer)?;
    if let Some(at) = stage::finished_before(case, context.state) {
        return Err(Refusal::Finished { at }.into());
    }
    let transactions = &offered.transactions;
    everything_is_shown(transactions)?;
    let state = &as_offered(offered, context.state);
    base::check(offered, state)?;
    let plan = replan::check(case.intent(), transactions, state, planner)?;
    frame::check(case.intent(), transactions, state)?;
    // Whoever comes with a later stage must be known before the first one takes from anybody.
    let all: Vec<Transaction> = transactions.iter().chain(plan.later.iter().flatten()).cloned().collect();
    introductions::check(&all, state, context)?;
    let accepts = &case.intent().accepts;
    // What is offered is what was planned; so the plan's later stages are those of the offer.
    let plan = Plan { transactions: transactions.clone(), ..plan };
    let mut dangers = dangers_of_plan(&case.intent().change, &plan, state, context.live);
    let keys::Requests { requests, delegates } = keys::requests(transactions, state, context, accepts);
    dangers.extend(delegates);
    if let Some(danger) = dangers.iter().find(|danger| !danger.is_accepted(accepts)) {
        return Err(Refusal::Danger { danger: danger.clone() }.into());
    }
    if requests.is_empty() {
        return Err(Refusal::NothingToSign.into());
    }
    let requests = hosting::check(case, context, state, requests)?;
    Ok(Verified {
        intent: case.intent().clone(),
        requests,
        differences: differences(transactions, state),
        later: later_differences(&plan, state),
        dangers,
        rule: rule::may_decide(case, context),
        cascade: cascade(transactions, state, context.live),
        consequences: consequences(transactions, state, context.me),
        offered: offered.clone(),
    })
}

fn later_differences(plan: &Plan, state: &State) -> Vec<Vec<Difference>> {
    let mut scratch = state.clone();
    let mut former = &plan.transactions;
    let mut all = Vec::new();
    for stage in &plan.later {
        former.iter().for_each(|transaction| scratch.assume(transaction));
        all.push(differences(stage, &scratch));
        former = stage;
    }
    all
}

/// Where a part of the offer is effective already, all of it is judged as it was when nothing of it was. What the offer
/// itself calls active was no part of it then.
fn as_offered(offered: &Offered, state: &State) -> State {
    let is_base = |hash: &TransactionHash| {
        offered.offer.base.iter().any(|row| row.active.is_some_and(|(_, active)| active == *hash))
    };
    let hashes: BTreeSet<TransactionHash> = offered.transactions.iter().map(Transaction::hash).collect();
    state.without(&hashes.into_iter().filter(|hash| !is_base(hash)).collect())
}

fn everything_is_shown(transactions: &[Transaction]) -> Result<(), Refusal> {
    for (index, transaction) in transactions.iter().enumerate() {
        if let Some(unshown) = transaction.unshown().first() {
            let (place, reason) = (unshown.place.to_string(), unshown.reason.to_string());
            return Err(Refusal::NotShown { index, place, reason });
        }
    }
    Ok(())
}
