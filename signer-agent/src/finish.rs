//! Finishing a case without the coordinator: which complete cases this agent hands in by its own participant, and what it
//! remembers of having done so.

use std::collections::BTreeMap;

use canton_client::error::NodeError;
use canton_topology::{Timestamp, hash::TransactionHash, judge::Verifier, transaction::SignedTransaction};
use protocol::{
    case::Case,
    intent::CaseId,
    life::Standing,
    statement::StatementHash,
    submission::{Attempts, NotSubmitted, complete_set, turn},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::agent::Agent;

/// A complete set, on its way to the participant.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The case.
    pub case: CaseId,
    /// The offer that it carries out.
    pub offer: StatementHash,
    /// The transactions, in order, complete.
    pub transactions: Vec<SignedTransaction>,
}

/// What the agent did, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The case.
    #[serde(with = "as_text")]
    pub case: CaseId,
    /// The offer.
    #[serde(with = "as_text")]
    pub offer: StatementHash,
    /// The transactions, in order.
    pub transactions: Vec<TransactionHash>,
    /// When the participant had answered.
    pub at: Timestamp,
    /// Whether the owner asked for it; else the coordinator did not do it in time.
    pub by_command: bool,
    /// What the participant said. Whether the change is effective, topology says.
    pub answer: Told,
}

/// What a participant said to a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "kebab-case")]
pub enum Told {
    /// It was taken.
    Taken,
    /// Nobody knows whether it was.
    Unknown {
        /// What happened.
        reason: String,
    },
    /// It was refused.
    Refused {
        /// Why, in the node's words.
        reason: String,
    },
}

impl From<Result<(), NodeError>> for Told {
    fn from(answer: Result<(), NodeError>) -> Self {
        match answer {
            Ok(()) => Self::Taken,
            Err(error @ (NodeError::Retry(_) | NodeError::OutcomeUnknown(_) | NodeError::BadAnswer(_))) => {
                Self::Unknown { reason: error.to_string() }
            }
            Err(error @ NodeError::Rejected { .. }) => Self::Refused { reason: error.to_string() },
        }
    }
}

/// Why a case is not handed in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotFinished {
    /// There is no such case, or nothing was offered in it.
    #[error("the case has no offer here")]
    NoOffer,
    /// The agent does not act now.
    #[error("this agent is frozen, or has no topology of today; see `status`")]
    NotNow,
    /// The rules say no.
    #[error(transparent)]
    Not(#[from] NotSubmitted),
}

/// What the agent knows about the cases that it could finish. Rebuilt by looking: a restart only lets it wait anew.
#[derive(Debug, Default)]
pub struct Finisher {
    cases: BTreeMap<CaseId, (StatementHash, Attempts)>,
    verifier: Verifier,
}

impl Finisher {
    /// What is this agent's turn to hand in now, where the coordinator has had so many microseconds for it.
    pub fn due(&mut self, agent: &Agent, patience: i64, now: Timestamp) -> Vec<Submission> {
        let mine: Vec<CaseId> = agent.cases().map(Case::id).collect();
        let due = mine.iter().filter_map(|id| self.due_of(agent, id, patience, now)).collect();
        // What it remembers is about signatures that were judged; forgetting costs time only, and bounds its memory.
        self.verifier = Verifier::default();
        due
    }

    fn due_of(&mut self, agent: &Agent, id: &CaseId, patience: i64, now: Timestamp) -> Option<Submission> {
        let case = agent.whole_case(id)?;
        let offered = case.offer()?;
        let state = agent.state()?;
        let is_over = offered.transactions.iter().all(|one| state.effective_since(&one.hash()).is_some());
        if is_over || !case.is_approved_by(&agent.me().owner) {
            self.cases.remove(id);
            return None;
        }
        let standing = agent.standing_to_finish(&case, &mut self.verifier, now)?;
        if complete_set(&case, &standing).is_err() {
            self.cases.remove(id);
            return None;
        }
        let fresh = (offered.hash, Attempts { complete_since: now, own: 0, last: None });
        let known = self.cases.entry(*id).or_insert(fresh);
        if known.0 != offered.hash {
            *known = fresh;
        }
        turn(&case, &standing, &agent.me().owner, &known.1, patience, now).ok()?;
        verified_again(agent, &case, now).ok()
    }

    /// A complete set, because the owner asks for it.
    ///
    /// # Errors
    /// See [`NotFinished`].
    pub fn at_once(agent: &Agent, id: &CaseId, now: Timestamp) -> Result<Submission, NotFinished> {
        let case = agent.whole_case(id).ok_or(NotFinished::NoOffer)?;
        verified_again(agent, &case, now)
    }

    /// Hears that something was handed in.
    pub fn handed_in(&mut self, record: &Record) {
        if let Some((offer, attempts)) = self.cases.get_mut(&record.case)
            && *offer == record.offer
        {
            attempts.own += 1;
            attempts.last = Some(record.at);
        }
    }
}

/// The complete set, from the statements and today's topology alone: nothing that was remembered takes part.
fn verified_again(agent: &Agent, case: &Case, now: Timestamp) -> Result<Submission, NotFinished> {
    let offer = case.offer().ok_or(NotFinished::NoOffer)?.hash;
    let standing: Standing =
        agent.standing_to_finish(case, &mut Verifier::default(), now).ok_or(NotFinished::NotNow)?;
    Ok(Submission { case: case.id(), offer, transactions: complete_set(case, &standing)? })
}

/// Names as people write them.
mod as_text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
