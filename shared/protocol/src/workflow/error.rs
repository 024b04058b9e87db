//! Why an intent means nothing on a topology.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::intent::CaseId;

/// Why an intent means nothing on this topology.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum PlanError {
    /// The intent is for another synchronizer than the state.
    #[error("synchronizer: the intent is for another synchronizer than this topology's")]
    OtherSynchronizer,
    /// A number is outside its range.
    #[error("{field}: {found}; expected from {min} to {max}{hint}")]
    OutOfRange {
        /// Which field of the intent.
        field: String,
        /// What it says.
        found: u64,
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
        /// Why.
        hint: String,
    },
    /// A field does not read, or contradicts another.
    #[error("{field}: {reason}")]
    Field {
        /// Which field of the intent.
        field: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// What should be changed is not there.
    #[error("{what} is not on this synchronizer")]
    NotFound {
        /// What.
        what: String,
    },
    /// What should be created is there already.
    #[error("{what} is on this synchronizer already")]
    AlreadyThere {
        /// What.
        what: String,
    },
    /// Nothing would change.
    #[error("nothing would change: the intent wants {what} as it stands")]
    NoChange {
        /// What.
        what: String,
    },
    /// A chain of serials is at its end.
    #[error("{what}: the chain of serials is at its end")]
    ChainEnded {
        /// What.
        what: String,
    },
    /// The synchronizer would refuse it whoever signs it.
    #[error("transaction {index}: the synchronizer would refuse it, whoever signs it ({name}): {reason}")]
    WouldBeRejected {
        /// Which transaction of the plan.
        index: usize,
        /// Canton's name for it.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Another case comes first.
    #[error("case {case} comes first, and what it wants does not stand yet")]
    ComesAfter {
        /// The case.
        case: CaseId,
    },
    /// A slot cannot be consumed by repeating what is active.
    #[error("slot {unique_key} serial {serial}: {reason}")]
    CannotVoid {
        /// The chain.
        unique_key: String,
        /// The serial.
        serial: u32,
        /// Why not, and what can be done instead.
        reason: String,
    },
}
