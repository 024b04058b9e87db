//! An agent's reasoned no. Data, not an error: the other side is wrong, and is told how.

use canton_topology::{
    hash::TransactionHash,
    id::{Namespace, SynchronizerId},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{difference::Fact, plan::PlanError, statement::StatementHash};

/// Why an agent does not sign.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// There is no offer to sign.
    #[error("the case has no offer")]
    NoOffer,
    /// The intent is for a synchronizer that this agent is not pinned to.
    #[error("the intent is for synchronizer {found}; this agent is pinned to {pinned}")]
    OtherSynchronizer {
        /// Where the intent points.
        found: SynchronizerId,
        /// Where this agent signs.
        pinned: SynchronizerId,
    },
    /// The proposer's identity key is not the one in the book.
    #[error(
        "the intent is signed by identity key {identity}, which the book does not have for {proposer}; enter the proposer's card with `book add`"
    )]
    UnknownProposer {
        /// Who the intent says that it is from.
        proposer: Namespace,
        /// The key that signed it.
        identity: String,
    },
    /// The deadline has passed.
    #[error("the deadline of the intent has passed")]
    DeadlinePassed,
    /// The intent comes from the future.
    #[error("the intent was made in the future, by this agent's clock; compare the clocks")]
    FromTheFuture,
    /// The proposer took it back.
    #[error("the proposer has withdrawn the intent")]
    Withdrawn,
    /// This agent is frozen.
    #[error("this agent is frozen by its owner")]
    Frozen,
    /// The bytes say more than the view shows.
    #[error("transaction {index}: {place}: {reason}; nothing may be signed that is not shown")]
    NotShown {
        /// Which transaction of the offer.
        index: usize,
        /// The field's path and the byte.
        place: String,
        /// What is there.
        reason: String,
    },
    /// The offer builds on a base that is gone.
    #[error("transaction {index} builds on a base that has changed since; the proposer should ask again")]
    StaleBase {
        /// Which transaction of the offer.
        index: usize,
    },
    /// The serial is not the next one.
    #[error("transaction {index} has serial {found}; the next one is {expected}")]
    SerialNotNext {
        /// Which transaction of the offer.
        index: usize,
        /// The next one.
        expected: u32,
        /// The one that it has.
        found: u32,
    },
    /// The intent means nothing here.
    #[error("the intent cannot be planned here: {0}")]
    Unplannable(PlanError),
    /// The offer has more or fewer transactions than the intent means.
    #[error("the offer has {found} transactions; the intent means {expected}")]
    PlanLength {
        /// How many the intent means.
        expected: usize,
        /// How many were offered.
        found: usize,
    },
    /// A transaction is not what the intent means.
    #[error("transaction {index}: {field}: the offer says {found}, the intent means {expected}")]
    PlanMismatch {
        /// Which transaction of the offer.
        index: usize,
        /// What differs.
        field: String,
        /// What the intent means.
        expected: String,
        /// What was offered.
        found: String,
    },
    /// A change that the intent does not name.
    #[error("transaction {index} would change {fact}, which the intent does not name")]
    OutsideFrame {
        /// Which transaction of the offer.
        index: usize,
        /// What would change.
        fact: Fact,
    },
    /// A principal that nobody introduced.
    #[error("{what} {id} is not in the book; enter the card of who it belongs to with `book add`")]
    UnknownPrincipal {
        /// Owner, host or key.
        what: String,
        /// Which.
        id: String,
    },
    /// None of this agent's keys has anything to sign.
    #[error("none of this agent's keys counts for this offer")]
    NothingToSign,
    /// The coordinator shows another history than before.
    #[error("the coordinator shows a history of this case that contradicts the one it showed before")]
    ForkedHistory,
    /// A void that does not kill what it says.
    #[error("the void does not name what is alive: {reason}")]
    VoidMismatch {
        /// What differs.
        reason: String,
    },
    /// Another hash was signed for the same slot, and no human released it.
    #[error(
        "this key has signed {existing} for the same serial; a human may release it with --release {existing}, knowing that both stay usable"
    )]
    Conflict {
        /// What was signed.
        existing: TransactionHash,
    },
    /// The approval was given for another offer.
    #[error("the decision is for offer {decided}; the newest offer is {newest}; look again")]
    OtherOffer {
        /// The offer that was decided about.
        decided: StatementHash,
        /// The newest one.
        newest: StatementHash,
    },
}

impl Refusal {
    /// Its name, stable.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoOffer => "NoOffer",
            Self::OtherSynchronizer { .. } => "OtherSynchronizer",
            Self::UnknownProposer { .. } => "UnknownProposer",
            Self::DeadlinePassed => "DeadlinePassed",
            Self::FromTheFuture => "FromTheFuture",
            Self::Withdrawn => "Withdrawn",
            Self::Frozen => "Frozen",
            Self::NotShown { .. } => "NotShown",
            Self::StaleBase { .. } => "StaleBase",
            Self::SerialNotNext { .. } => "SerialNotNext",
            Self::Unplannable(_) => "Unplannable",
            Self::PlanLength { .. } => "PlanLength",
            Self::PlanMismatch { .. } => "PlanMismatch",
            Self::OutsideFrame { .. } => "OutsideFrame",
            Self::UnknownPrincipal { .. } => "UnknownPrincipal",
            Self::NothingToSign => "NothingToSign",
            Self::ForkedHistory => "ForkedHistory",
            Self::VoidMismatch { .. } => "VoidMismatch",
            Self::Conflict { .. } => "Conflict",
            Self::OtherOffer { .. } => "OtherOffer",
        }
    }
}
