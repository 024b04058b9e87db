//! Statements that end a case, or say how it went. None of them kills a signature: only a consumed serial does.

use canton_topology::{Timestamp, hash::TransactionHash, id::Namespace};
use serde::{Deserialize, Serialize};

use super::{Body, InCase, StatementHash};
use crate::{intent::CaseId, registry::Kind};

/// An owner's no, by policy or by a human.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// The case.
    pub case: CaseId,
    /// The offer that was declined.
    pub offer: StatementHash,
    /// The owner who declines.
    pub owner: Namespace,
    /// Why, in the owner's words.
    pub reason: String,
}

/// The proposer takes the intent back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// The case.
    pub case: CaseId,
    /// The intent that is withdrawn.
    pub intent: StatementHash,
    /// Why.
    pub reason: String,
}

/// What the coordinator saw happen to an offer. A convenience: every reader derives the same from topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The case.
    pub case: CaseId,
    /// The offer.
    pub offer: StatementHash,
    /// What happened.
    pub result: Result,
}

/// What happened to an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Result {
    /// Handed to a participant, complete; not yet seen effective.
    Submitted {
        /// When.
        at: Timestamp,
    },
    /// Every transaction was seen effective.
    Effective {
        /// The effective time of the last one.
        at: Timestamp,
    },
    /// Another transaction took a serial.
    Superseded {
        /// The one that won.
        by: TransactionHash,
    },
    /// The node refused for good.
    Rejected {
        /// Canton's own name and words.
        reason: String,
    },
}

impl Body for Decline {
    const KIND: Kind = Kind::Decline;
}

impl InCase for Decline {
    fn case(&self) -> CaseId {
        self.case
    }
}

impl Body for Withdrawal {
    const KIND: Kind = Kind::Withdrawal;
}

impl InCase for Withdrawal {
    fn case(&self) -> CaseId {
        self.case
    }
}

impl Body for Outcome {
    const KIND: Kind = Kind::Outcome;
}

impl InCase for Outcome {
    fn case(&self) -> CaseId {
        self.case
    }
}
