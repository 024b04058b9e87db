//! Why an agent has nothing to send, or does not take what it is sent.

use std::time::Duration;

use canton_topology::id::Fingerprint;
use custody::{journal::JournalError, keys::KeyError, ladder::SignError};
use protocol::{case::CaseError, intent::CaseId, refusal::Refusal, statement::StatementError, verify::Wait};
use thiserror::Error;

/// Why an agent has nothing to send.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The agent does not sign, for a reason that the others are told.
    #[error("{0}")]
    Refused(Refusal),
    /// The agent's participant has not seen the base yet.
    #[error("not yet: {0}")]
    NotYet(Wait),
    /// There is no topology to judge by.
    #[error("not yet: this agent's participant has shown no topology; is it reachable?")]
    NoTopology,
    /// There is no such case.
    #[error("case {0} is not known here; `list` shows those that are")]
    UnknownCase(CaseId),
    /// No rule permits it.
    #[error("no rule permits this; a human may, with `approve`")]
    NoRule,
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A key backend failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Whoever holds keys takes time; what they were asked for is recorded.
    #[error("not yet: {}", asked.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Pending {
        /// Who was asked.
        asked: Vec<Asked>,
    },
    /// Something signed that was not the pinned key.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The participant did not sign.
    #[error("the participant did not sign: {0}")]
    Participant(String),
}

/// A key that was asked to sign and has not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The key.
    pub key: Fingerprint,
    /// What its backend says.
    pub note: String,
    /// When asking again may be worth it.
    pub retry_after: Duration,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "key {} has been asked to sign: {}", self.key, self.note)
    }
}

impl From<Refusal> for AgentError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Why a statement from the coordinator is not taken.
#[derive(Debug, Error)]
pub enum Received {
    /// It does not belong where it was put.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// It is no statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The history of a case contradicts what was shown before.
    #[error("ForkedHistory: the coordinator shows case {0} differently than before; nothing of it is signed")]
    Forked(CaseId),
}
