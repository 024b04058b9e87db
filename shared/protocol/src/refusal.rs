//! An agent's reasoned no. Data, not an error: the other side is wrong, and is told what is there, what was expected and
//! how to go on.

use canton_topology::{
    Timestamp,
    hash::TransactionHash,
    id::{Namespace, ParticipantId, SynchronizerId},
    show::moment,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{danger::Danger, limits, statement::StatementHash, workflow::error::PlanError};

/// Why an agent does not sign.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// There is no offer to sign.
    #[error("the case has no offer yet; wait until the coordinator makes one")]
    NoOffer,
    /// The intent is for a synchronizer that this agent is not pinned to.
    #[error(
        "the intent is for synchronizer {found}; this agent's keys are pinned to {pinned}; propose it to owners there"
    )]
    OtherSynchronizer {
        /// Where the intent points.
        found: SynchronizerId,
        /// Where this agent signs.
        pinned: SynchronizerId,
    },
    /// The topology that the agent is shown is another synchronizer's.
    #[error(
        "this agent's topology is that of synchronizer {found}; its keys are pinned to {pinned}; look at its participant"
    )]
    OtherTopology {
        /// Whose topology it is.
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
    #[error(
        "the deadline of the intent, {at}, has passed: it is {clock} here; propose it again",
        at = moment(*deadline),
        clock = moment(*now)
    )]
    DeadlinePassed {
        /// The deadline.
        deadline: Timestamp,
        /// This agent's time.
        now: Timestamp,
    },
    /// The intent comes from the future.
    #[error(
        "the intent was made at {at}, and it is {clock} here; compare the clocks of both machines",
        at = moment(*created_at),
        clock = moment(*now)
    )]
    FromTheFuture {
        /// When it was made, by the proposer's clock.
        created_at: Timestamp,
        /// This agent's time.
        now: Timestamp,
    },
    /// The proposer took it back.
    #[error("the proposer has withdrawn the intent; what was signed before lives on, see its live signatures")]
    Withdrawn,
    /// This agent is frozen.
    #[error("this agent is frozen by its owner; nothing is signed until it is thawed")]
    Frozen,
    /// The topology that the agent would judge by is not of today.
    #[error(
        "this agent's topology was read at {at}, and it is {clock} here; at most {max} s may lie between: is its participant reachable, and connected?",
        at = moment(*seen),
        clock = moment(*now),
        max = limits::TOPOLOGY_AGE_MICROS_MAX / 1_000_000
    )]
    StaleState {
        /// When the participant showed it last.
        seen: Timestamp,
        /// This agent's time.
        now: Timestamp,
    },
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
    /// The base does not fit the transactions.
    #[error("base row {row}: {found}; the transactions touch {expected} there; the coordinator should offer anew")]
    BaseMismatch {
        /// Which row.
        row: usize,
        /// The unique key that the transactions touch; `nothing` where they touch no further one.
        expected: String,
        /// The unique key of the row; `nothing` where there is no such row.
        found: String,
    },
    /// The offer builds on a base that is gone.
    #[error(
        "transaction {index} builds on {claimed}, and active here is {seen}; the proposer should look again and ask again"
    )]
    StaleBase {
        /// Which transaction of the offer.
        index: usize,
        /// Serial and hash that the offer builds on; `nothing` for none.
        claimed: String,
        /// Serial and hash that are active here; `nothing` for none.
        seen: String,
    },
    /// The serial is not the next one.
    #[error("transaction {index} has serial {found}; the next one is {expected}")]
    SerialNotNext {
        /// Which transaction of the offer.
        index: usize,
        /// The next one; 0 where the chain is at its end.
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
    #[error("transaction {index} would make {field} {found}; by the intent it is {expected}")]
    OutsideFrame {
        /// Which transaction of the offer.
        index: usize,
        /// What would change.
        field: String,
        /// What the intent, or what stands today, says.
        expected: String,
        /// What the transaction says.
        found: String,
    },
    /// Something that the intent names is not done.
    #[error("the intent names {what}; no transaction of the offer does it")]
    FrameNotFilled {
        /// What.
        what: String,
    },
    /// A principal that nobody introduced.
    #[error("{what} {id} is not in the book; enter the card of who it belongs to with `book add`")]
    UnknownPrincipal {
        /// Owner, host, node or key.
        what: String,
        /// Which.
        id: String,
    },
    /// A seat of a hosting is not held by whom the intent says.
    #[error(
        "the intent gives the seat {seat} to {owner} with participant {participant}; no card in the book says so; enter that owner's card with `book add`"
    )]
    UnknownSeat {
        /// Source, target or second.
        seat: String,
        /// The owner whom the intent names.
        owner: Namespace,
        /// The participant that the intent names.
        participant: ParticipantId,
    },
    /// The change is what the intent means, and dangerous in a way that the intent does not accept.
    #[error("{danger}; the intent does not accept that: propose it again with --accept {name}", name = danger.accepted_as())]
    Danger {
        /// What is dangerous.
        danger: Danger,
    },
    /// None of this agent's keys has anything to sign.
    #[error("none of this agent's keys counts for what is still open in this offer")]
    NothingToSign,
    /// The coordinator shows another history than before.
    #[error(
        "the coordinator shows a history of this case that contradicts the one it showed before; keep both, and compare heads with the other owners"
    )]
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
    /// The owner has said no to this case, and a rule does not say yes behind that.
    #[error("this owner has declined the case: {reason:?}; no rule signs it, a human may with `approve`")]
    DeclinedHere {
        /// Why, in the owner's words.
        reason: String,
    },
    /// The case is over, and a rule does not sign what is.
    #[error("the case is {status}; no rule signs what has ended")]
    Ended {
        /// How, as in `--json`.
        status: String,
    },
    /// What is wanted was carried out by an earlier offer; whatever happened since, nobody has wanted it again.
    #[error("the intent was carried out at {at}; whoever wants it again proposes it again", at = moment(*at))]
    Finished {
        /// When.
        at: Timestamp,
    },
}

impl Refusal {
    /// Its name, stable.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoOffer => "NoOffer",
            Self::OtherSynchronizer { .. } => "OtherSynchronizer",
            Self::OtherTopology { .. } => "OtherTopology",
            Self::UnknownProposer { .. } => "UnknownProposer",
            Self::DeadlinePassed { .. } => "DeadlinePassed",
            Self::FromTheFuture { .. } => "FromTheFuture",
            Self::Withdrawn => "Withdrawn",
            Self::Frozen => "Frozen",
            Self::StaleState { .. } => "StaleState",
            Self::NotShown { .. } => "NotShown",
            Self::BaseMismatch { .. } => "BaseMismatch",
            Self::StaleBase { .. } => "StaleBase",
            Self::SerialNotNext { .. } => "SerialNotNext",
            Self::Unplannable(_) => "Unplannable",
            Self::PlanLength { .. } => "PlanLength",
            Self::PlanMismatch { .. } => "PlanMismatch",
            Self::OutsideFrame { .. } => "OutsideFrame",
            Self::FrameNotFilled { .. } => "FrameNotFilled",
            Self::UnknownPrincipal { .. } => "UnknownPrincipal",
            Self::UnknownSeat { .. } => "UnknownSeat",
            Self::Danger { .. } => "Danger",
            Self::NothingToSign => "NothingToSign",
            Self::ForkedHistory => "ForkedHistory",
            Self::VoidMismatch { .. } => "VoidMismatch",
            Self::Conflict { .. } => "Conflict",
            Self::OtherOffer { .. } => "OtherOffer",
            Self::DeclinedHere { .. } => "DeclinedHere",
            Self::Ended { .. } => "Ended",
            Self::Finished { .. } => "Finished",
        }
    }
}
