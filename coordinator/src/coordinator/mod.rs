//! The coordinator's mind: statements and topology in, things to store and to submit out. Synchronous and pure: no clock,
//! no socket, no disk.
//!
//! It holds no owner's key. Its own key signs offers and outcomes, so that two stories told to two owners convict it.

mod admission;
mod advance;
mod schedule;
mod take_over;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use canton_topology::{
    Timestamp,
    id::{Fingerprint, Namespace},
    judge::Verifier,
    state::State,
    transaction::SignedTransaction,
};
use protocol::{
    api::CaseSummary,
    case::{Appended, Case, CaseError},
    directory::Directory,
    identity::IdentityPublicKey,
    intent::CaseId,
    life::{Standing, standing},
    plan::Planner,
    registry::Kind,
    statement::{OutcomeResult, SignStatements, Statement, StatementError, StatementHash},
    workflow::error::PlanError,
};
use thiserror::Error;

pub use self::view::{missing_in_words, summary};
use self::{admission::check_signatures, schedule::Schedule};

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
    /// Hand the transactions to a participant, after everything above is durable, and report by
    /// [`Coordinator::submitted`].
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
    #[error(
        "owner {owner} has {max} open cases, the most that one may have; withdraw some, and void what is alive of them"
    )]
    TooManyCases {
        /// The owner.
        owner: Namespace,
        /// The limit.
        max: usize,
    },
    /// The owner has said too much in open cases.
    #[error(
        "owner {owner} has {found} bytes of statements in open cases; {max} are the most that one may have; wait until some of these cases have ended"
    )]
    TooManyBytes {
        /// The owner.
        owner: Namespace,
        /// How many bytes it would be.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// There is nothing to take over.
    #[error("statements: none; a case begins with its intent")]
    EmptyHistory,
    /// The history that is handed over is not the one that stands here.
    #[error(
        "case {case}: statement {position} is another one here; compare heads with the other owners. What is missing here may be posted, statement by statement"
    )]
    OtherHistory {
        /// The case.
        case: CaseId,
        /// The first place where they differ.
        position: usize,
    },
    /// A Canton signature does not verify.
    #[error("{kind}: field signatures: number {index} is not key {key}'s signature over the transaction that it names; sign its hash again", kind = kind.name())]
    CantonSignature {
        /// What was said.
        kind: Kind,
        /// Which signature.
        index: usize,
        /// The key that it names.
        key: Fingerprint,
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
    /// Nothing was handed over, and the same may work later.
    Retry(String),
    /// It was refused for good.
    Rejected(String),
}

/// The coordinator.
pub struct Coordinator {
    signer: Box<dyn SignStatements + Send>,
    planner: Planner,
    directory: Directory,
    cases: BTreeMap<CaseId, Entry>,
    /// Bytes of statements that each owner has in the cases above.
    bytes: BTreeMap<Namespace, usize>,
    state: Option<State>,
    verifier: Verifier,
    schedule: Schedule,
    settled: BTreeSet<CaseId>,
    /// Whether there will ever be topology to judge by.
    is_blind: bool,
}

/// A case, and what is under way about it.
struct Entry {
    case: Case,
    submission: Submission,
}

/// Where the submitting of a case's newest offer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Submission {
    /// Nobody is at it.
    Idle,
    /// The shell is at it, since then, after so many failures in a row.
    UnderWay { since: Timestamp, failures: u32 },
    /// It failed so many times in a row, and is left alone until then.
    Resting { failures: u32, until: Timestamp },
}

impl Coordinator {
    /// An empty coordinator.
    pub fn new(signer: Box<dyn SignStatements + Send>, planner: Planner) -> Self {
        let directory = Directory::new(signer.identity());
        Self {
            signer,
            planner,
            directory,
            cases: BTreeMap::new(),
            bytes: BTreeMap::new(),
            state: None,
            verifier: Verifier::default(),
            schedule: Schedule::default(),
            settled: BTreeSet::new(),
            is_blind: false,
        }
    }

    /// There will never be topology: agents offer, hand in and watch, and a case that has ended by words has settled here.
    pub fn without_topology(&mut self) {
        self.is_blind = true;
    }

    /// Who may speak.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Lets an owner speak with an identity key that the shell has verified; `false` where it is somebody else's.
    pub fn admit(&mut self, identity: IdentityPublicKey, owner: Namespace) -> bool {
        self.directory.admit(identity, owner)
    }

    /// Takes over from another coordinator: what it said in a case stands there until this one speaks. `false` where the
    /// key is an owner's.
    pub fn succeed(&mut self, former: IdentityPublicKey) -> bool {
        self.directory.succeed(former)
    }

    /// Takes back a stored statement, at start, without any consequence.
    ///
    /// # Errors
    /// Where the store does not hold what was put into it.
    pub fn restore(&mut self, statement: Statement) -> Result<(), Refused> {
        if statement.kind() == Kind::Intent {
            self.count(&statement);
            let case = Case::open(statement, &self.directory)?;
            self.schedule.wake(case.id(), Timestamp(0));
            self.cases.insert(case.id(), Entry { case, submission: Submission::Idle });
            return Ok(());
        }
        let id = statement.case()?;
        let entry = self.cases.get_mut(&id).ok_or(Refused::UnknownCase(id))?;
        entry.case.append(statement.clone(), &self.directory)?;
        self.count(&statement);
        Ok(())
    }

    /// Takes a statement that somebody handed in.
    ///
    /// # Errors
    /// See [`Refused`]. Nothing changed then.
    pub fn take(&mut self, statement: Statement, now: Timestamp) -> Result<(Taken, Vec<Effect>), Refused> {
        let id = statement.case()?;
        let mut effects = Vec::new();
        let position = match self.cases.get(&id) {
            None if statement.kind() == Kind::Intent => {
                self.open(&statement, now)?;
                Some(0)
            }
            None => return Err(Refused::UnknownCase(id)),
            Some(entry) if entry.case.position(&statement.hash()).is_some() => None,
            Some(entry) => {
                let position = entry.case.statements().len() as u64;
                self.append(id, &statement)?;
                Some(position)
            }
        };
        if let Some(position) = position {
            self.count(&statement);
            self.settled.remove(&id);
            effects.push(Effect::Append { case: id, position, statement: statement.clone() });
        }
        let taken = self.taken(id, &statement).ok_or(Refused::UnknownCase(id))?;
        self.advance(id, now, &mut effects);
        Ok((taken, effects))
    }

    /// Appends somebody's statement to its case.
    fn append(&mut self, id: CaseId, statement: &Statement) -> Result<(), Refused> {
        self.check_bytes(statement)?;
        let Self { cases, state, verifier, .. } = self;
        let entry = cases.get_mut(&id).ok_or(Refused::UnknownCase(id))?;
        check_signatures(&entry.case, state.as_ref(), verifier, statement)?;
        entry.case.append(statement.clone(), &self.directory)?;
        Ok(())
    }

    fn taken(&self, id: CaseId, statement: &Statement) -> Option<Taken> {
        let case = self.case(&id)?;
        let position = case.position(&statement.hash())? as u64;
        Some(Taken { case: id, position, head: case.head_at(position + 1)? })
    }

    /// Looks at every case with new topology.
    pub fn topology_changed(&mut self, state: State, now: Timestamp) -> Vec<Effect> {
        self.state = Some(state);
        // What it remembers is about signatures that were judged; forgetting costs time only, and bounds its memory.
        self.verifier = Verifier::default();
        let mut effects = Vec::new();
        let ids: Vec<CaseId> = self.cases.keys().copied().collect();
        for id in ids {
            self.advance(id, now, &mut effects);
        }
        effects
    }

    /// Looks at the cases whose time has come.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        for id in self.schedule.due(now) {
            self.advance(id, now, &mut effects);
        }
        effects
    }

    /// When [`Self::tick`] has something to do next, if nothing else happens.
    pub fn next_tick(&self) -> Option<Timestamp> {
        self.schedule.next()
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
        let Some(entry) = self.cases.get_mut(&case) else { return effects };
        let outcome = match result {
            SubmitResult::Watch => Some(OutcomeResult::Submitted { at: now }),
            SubmitResult::Rejected(reason) => Some(OutcomeResult::Rejected { reason }),
            SubmitResult::Retry(_) => None,
        };
        entry.submission = match outcome {
            Some(_) => Submission::Idle,
            None => entry.submission.failed(now),
        };
        if let Some(result) = outcome {
            self.report(case, offer, result, &mut effects);
        }
        self.advance(case, now, &mut effects);
        effects
    }

    /// Cases to which nothing can happen any more, unless somebody makes another statement about them. They may be
    /// [forgotten](Self::forget) as soon as what they did is durable.
    pub fn settled(&self) -> impl Iterator<Item = CaseId> {
        self.settled.iter().copied()
    }

    /// Drops a case from memory, where it is still settled; the shell brings it back by [`Self::restore`].
    pub fn forget(&mut self, id: &CaseId) -> bool {
        if !self.settled.remove(id) {
            return false;
        }
        if let Some(entry) = self.cases.remove(id) {
            for statement in entry.case.statements() {
                self.discount(statement);
            }
        }
        self.schedule.never(*id);
        true
    }

    /// A case.
    pub fn case(&self, id: &CaseId) -> Option<&Case> {
        self.cases.get(id).map(|entry| &entry.case)
    }

    /// Every case in memory, oldest first.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.values().map(|entry| &entry.case)
    }

    /// Where a case stands.
    pub fn standing(&mut self, id: &CaseId, now: Timestamp) -> Option<Standing> {
        let entry = self.cases.get(id)?;
        Some(standing(&entry.case, self.state.as_ref(), &mut self.verifier, now))
    }

    /// Whether there is topology to judge by.
    pub fn has_topology(&self) -> bool {
        self.state.is_some()
    }

    /// A case at a glance.
    pub fn summary(&mut self, id: &CaseId, now: Timestamp) -> Option<CaseSummary> {
        let standing = self.standing(id, now)?;
        Some(summary(self.case(id)?, &standing))
    }

    /// Appends a statement of the coordinator's own.
    fn append_own(&mut self, id: CaseId, statement: Statement, effects: &mut Vec<Effect>) -> bool {
        let Some(entry) = self.cases.get_mut(&id) else { return false };
        let position = entry.case.statements().len() as u64;
        let is_new = entry.case.append(statement.clone(), &self.directory) == Ok(Appended::New);
        if is_new {
            effects.push(Effect::Append { case: id, position, statement });
        }
        is_new
    }
}
