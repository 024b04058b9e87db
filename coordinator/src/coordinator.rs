//! The coordinator's mind: statements and topology in, things to store and to submit out. Synchronous and pure: no clock,
//! no socket, no disk.
//!
//! It holds no owner's key. Its own key signs offers and outcomes, so that two stories told to two owners convict it.

use std::collections::BTreeMap;

use canton_topology::{
    Timestamp,
    id::Namespace,
    judge::Verifier,
    state::State,
    transaction::{SignedTransaction, Transaction},
};
use protocol::{
    api::CaseSummary,
    case::{Appended, Case, CaseError},
    directory::Directory,
    identity::IdentityPublicKey,
    intent::{CaseId, Intent},
    life::{Standing, Status, standing},
    limits,
    plan::{PlanError, Planner},
    registry::Kind,
    statement::{Offer, Outcome, OutcomeResult, SignStatements, Statement, StatementError, StatementHash},
    todo::{Step, todo},
};
use thiserror::Error;

/// How long a submission is left alone before it is repeated, in microseconds.
const RESUBMIT_AFTER: i64 = 10 * 1_000_000;

/// What the shell must do, in this order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Store the statement durably before anybody hears of it.
    Append {
        /// The case.
        case: CaseId,
        /// Its place in the case.
        position: u64,
        /// The statement.
        statement: Statement,
    },
    /// Hand the transactions to a participant.
    Submit {
        /// The case.
        case: CaseId,
        /// The offer that they belong to.
        offer: StatementHash,
        /// The transactions, in order, complete.
        transactions: Vec<SignedTransaction>,
    },
}

/// Why a statement is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The case refuses it.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The statement itself is bad.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// There is no such case.
    #[error("case {0} is not here; post its intent first")]
    UnknownCase(CaseId),
    /// The intent means nothing on today's topology.
    #[error("the intent cannot be carried out: {0}")]
    Plan(#[from] PlanError),
    /// The owner has too many open cases.
    #[error("owner {owner} has {max} open cases, the most that one may have; withdraw some")]
    TooManyCases {
        /// The owner.
        owner: Namespace,
        /// The limit.
        max: usize,
    },
}

/// Where a statement stands after it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its case.
    pub case: CaseId,
    /// Its place in the case.
    pub position: u64,
    /// The case's head after it.
    pub head: [u8; 32],
}

/// What a participant said to a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitResult {
    /// It was taken, or nobody knows: reading topology tells.
    Watch,
    /// It was refused for good.
    Rejected(String),
}

/// The coordinator.
pub struct Coordinator {
    signer: Box<dyn SignStatements + Send>,
    planner: Planner,
    directory: Directory,
    cases: BTreeMap<CaseId, Case>,
    state: Option<State>,
    verifier: Verifier,
}

impl Coordinator {
    /// An empty coordinator.
    pub fn new(signer: Box<dyn SignStatements + Send>, planner: Planner) -> Self {
        let directory = Directory::new(signer.identity());
        Self { signer, planner, directory, cases: BTreeMap::new(), state: None, verifier: Verifier::default() }
    }

    /// Who may speak.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Lets an owner speak with an identity key that the shell has verified.
    pub fn admit(&mut self, identity: IdentityPublicKey, owner: Namespace) {
        self.directory.admit(identity, owner);
    }

    /// Takes back a stored statement, at start, without any consequence.
    ///
    /// # Errors
    /// Where the store does not hold what was put into it.
    pub fn restore(&mut self, statement: Statement) -> Result<(), Refused> {
        if statement.kind() == Kind::Intent {
            let case = Case::open(statement, &self.directory)?;
            self.cases.insert(case.id(), case);
            return Ok(());
        }
        let id = statement.case()?;
        let case = self.cases.get_mut(&id).ok_or(Refused::UnknownCase(id))?;
        case.append(statement, &self.directory)?;
        Ok(())
    }

    /// Takes a statement that somebody handed in.
    ///
    /// # Errors
    /// See [`Refused`]. Nothing changed then.
    pub fn take(&mut self, statement: Statement, now: Timestamp) -> Result<(Taken, Vec<Effect>), Refused> {
        let id = statement.case()?;
        let mut effects = Vec::new();
        if statement.kind() == Kind::Intent && !self.cases.contains_key(&id) {
            self.open(&statement)?;
            effects.push(Effect::Append { case: id, position: 0, statement: statement.clone() });
        } else {
            let case = self.cases.get_mut(&id).ok_or(Refused::UnknownCase(id))?;
            let position = case.statements().len() as u64;
            if case.append(statement.clone(), &self.directory)? == Appended::New {
                effects.push(Effect::Append { case: id, position, statement: statement.clone() });
            }
        }
        let taken = self.taken(id, &statement).ok_or(Refused::UnknownCase(id))?;
        self.advance(id, now, &mut effects);
        Ok((taken, effects))
    }

    fn open(&mut self, statement: &Statement) -> Result<(), Refused> {
        let intent: Intent = statement.open()?;
        let max = limits::OPEN_CASES_PER_OWNER_MAX;
        let open = self.cases.values().filter(|case| case.intent().proposer == intent.proposer);
        // Ended cases are rare beside open ones; counting both keeps the limit cheap.
        if open.count() >= max {
            return Err(Refused::TooManyCases { owner: intent.proposer, max });
        }
        let case = Case::open(statement.clone(), &self.directory)?;
        if let Some(state) = &self.state {
            (self.planner)(case.intent(), state)?;
        }
        self.cases.insert(case.id(), case);
        Ok(())
    }

    fn taken(&self, id: CaseId, statement: &Statement) -> Option<Taken> {
        let case = self.cases.get(&id)?;
        let position = case.statements().iter().position(|known| known.hash() == statement.hash())? as u64;
        Some(Taken { case: id, position, head: case.head_at(position + 1)? })
    }

    /// Looks at every case with new topology.
    pub fn topology_changed(&mut self, state: State, now: Timestamp) -> Vec<Effect> {
        self.state = Some(state);
        self.tick(now)
    }

    /// Looks at every case again, as time goes by.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        let ids: Vec<CaseId> = self.cases.keys().copied().collect();
        for id in ids {
            self.advance(id, now, &mut effects);
        }
        effects
    }

    /// Hears what a participant said to a submission.
    pub fn submitted(
        &mut self,
        case: CaseId,
        offer: StatementHash,
        result: SubmitResult,
        now: Timestamp,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        match result {
            SubmitResult::Watch => {}
            SubmitResult::Rejected(reason) => {
                self.report(case, offer, OutcomeResult::Rejected { reason }, &mut effects);
                self.advance(case, now, &mut effects);
            }
        }
        effects
    }

    /// Does whatever is to be done about a case now.
    fn advance(&mut self, id: CaseId, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(&id) else { return };
        let standing = standing(case, self.state.as_ref(), &mut self.verifier, now);
        let offer = case.offer().map(|offered| offered.hash);
        if let Some((offer, result)) = offer.zip(seen(case, &standing)) {
            self.report(id, offer, result, effects);
        }
        let Some(case) = self.cases.get(&id) else { return };
        for step in todo(case, &standing, self.state.as_ref(), now, RESUBMIT_AFTER) {
            match (step, offer) {
                (Step::Offer, _) => {
                    if self.offer(id, effects) {
                        return self.advance(id, now, effects);
                    }
                }
                (Step::Submit { transactions }, Some(offer)) => {
                    self.report(id, offer, OutcomeResult::Submitted { at: now }, effects);
                    effects.push(Effect::Submit { case: id, offer, transactions });
                }
                (Step::Submit { .. }, None) | (Step::Sign { .. } | Step::Watch, _) => {}
            }
        }
    }

    /// Offers what the intent means today; `false` where it means nothing.
    fn offer(&mut self, id: CaseId, effects: &mut Vec<Effect>) -> bool {
        let Some((case, state)) = self.cases.get(&id).zip(self.state.as_ref()) else { return false };
        let Ok(plan) = (self.planner)(case.intent(), state) else { return false };
        let offer = Offer {
            case: id,
            intent: case.intent_hash(),
            round: case.offers().len() as u32,
            base: plan.base,
            transactions: plan.transactions.iter().map(|transaction| transaction.bytes().to_vec()).collect(),
        };
        let statement = Statement::sign(&offer, self.signer.as_ref());
        self.append_own(id, statement, effects)
    }

    fn report(&mut self, id: CaseId, offer: StatementHash, result: OutcomeResult, effects: &mut Vec<Effect>) {
        let statement = Statement::sign(&Outcome { case: id, offer, result }, self.signer.as_ref());
        self.append_own(id, statement, effects);
    }

    fn append_own(&mut self, id: CaseId, statement: Statement, effects: &mut Vec<Effect>) -> bool {
        let Some(case) = self.cases.get_mut(&id) else { return false };
        let position = case.statements().len() as u64;
        let appended = case.append(statement.clone(), &self.directory);
        let is_new = appended == Ok(Appended::New);
        if is_new {
            effects.push(Effect::Append { case: id, position, statement });
        }
        is_new
    }

    /// A case.
    pub fn case(&self, id: &CaseId) -> Option<&Case> {
        self.cases.get(id)
    }

    /// Every case, oldest first.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.values()
    }

    /// Where a case stands.
    pub fn standing(&mut self, id: &CaseId, now: Timestamp) -> Option<Standing> {
        let case = self.cases.get(id)?;
        Some(standing(case, self.state.as_ref(), &mut self.verifier, now))
    }

    /// Whether there is topology to judge by.
    pub fn has_topology(&self) -> bool {
        self.state.is_some()
    }

    /// A case at a glance.
    pub fn summary(&mut self, id: &CaseId, now: Timestamp) -> Option<CaseSummary> {
        let standing = self.standing(id, now)?;
        let case = self.cases.get(id)?;
        Some(CaseSummary {
            case: id.to_string(),
            workflow: case.intent().change.name().to_owned(),
            proposer: case.intent().proposer.to_string(),
            status: standing.status.name().to_owned(),
            statements: case.statements().len() as u64,
            live: standing.live.len(),
        })
    }
}

/// What the coordinator has seen and not said yet.
fn seen(case: &Case, standing: &Standing) -> Option<OutcomeResult> {
    let result = match &standing.status {
        Status::Effective { at } => OutcomeResult::Effective { at: *at },
        Status::Superseded { by } => OutcomeResult::Superseded { by: *by },
        Status::Waiting
        | Status::Collecting
        | Status::Ready
        | Status::Submitted
        | Status::Rejected { .. }
        | Status::Declined { .. }
        | Status::Withdrawn
        | Status::Expired
        | Status::Voided => return None,
    };
    let said = case.outcomes().iter().any(|outcome| outcome.result == result);
    (!said).then_some(result)
}

/// What is missing of a case's newest offer, in words.
pub fn missing_in_words(standing: &Standing) -> Vec<String> {
    let mut words = Vec::new();
    for (transaction, missing) in standing.missing() {
        let name = |transaction: &Transaction| transaction.mapping().code().name();
        for namespace in &missing.namespaces {
            let owners: Vec<&str> = namespace.owners.iter().map(Namespace::as_str).collect();
            let more = namespace.more;
            words.push(format!("{}: {more} more of {}", name(transaction), owners.join(", ")));
        }
        words.extend(missing.keys.iter().map(|key| format!("{}: key {key}", name(transaction))));
    }
    words
}
