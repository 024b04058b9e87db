//! Why an offer is not signed: it is wrong, or something comes first.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{hosting::gate::Pending, intent::CaseId, refusal::Refusal};

/// Why an offer that may be right cannot be signed yet.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// The agent's participant lags behind the offer's base.
    #[error("transaction {index} builds on serial {expected}, this agent's participant shows {seen}", index = .0.index, expected = .0.expected, seen = .0.seen)]
    Base(Behind),
    /// A step of a hosting comes first.
    #[error("step {step} comes first, by {by}: {detail}", step = .0.step, by = .0.by, detail = .0.detail)]
    Hosting(Pending),
    /// Another case comes first.
    #[error("case {0} comes first, and what it wants does not stand here yet")]
    After(CaseId),
}

/// The agent's participant lags behind the offer's base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// Which transaction of the offer.
    pub index: usize,
    /// The active serial that the offer builds on.
    pub expected: u32,
    /// The active serial that this agent sees; 0 for none.
    pub seen: u32,
}

/// Why nothing is verified.
pub(super) enum Stop {
    Refused(Refusal),
    NotYet(Wait),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
