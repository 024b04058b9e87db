//! Who hands a complete case in, and when: the coordinator first, and where it does not, any agent of an owner who
//! approved it, by the owner's own participant. The bytes are the same, so it does no harm if two do.

use canton_topology::{Timestamp, id::Namespace, transaction::SignedTransaction};
use thiserror::Error;

use crate::{
    case::Case,
    intent::{Change, HostParty, HostingPath},
    life::{Standing, Status},
    limits,
};

/// Who may hand in what is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitter {
    /// Whoever has it: completeness is Canton's rule, and that is all there is to it.
    Anybody,
    /// An owner's agent alone, under conditions of the workflow that it checks itself. Nobody does it for want of another.
    AgentUnderConditions,
}

/// Who may hand in a change.
pub fn submitter(change: &Change) -> Submitter {
    match change {
        // Contracts are carried over: the source's agent submits, right after it has made sure of what must hold before.
        Change::HostParty(HostParty { path: HostingPath::Replicated { .. }, .. }) => Submitter::AgentUnderConditions,
        Change::HostParty(HostParty { path: HostingPath::Simple { .. }, .. })
        | Change::CreateParty(_)
        | Change::CreatePartyWithKeyMapping(_)
        | Change::Membership(_)
        | Change::Delegate(_)
        | Change::Revoke(_)
        | Change::RotateOwnerKey(_)
        | Change::LeaveHost(_)
        | Change::MigrateKeys(_)
        | Change::Raw(_)
        | Change::Void(_)
        | Change::Adopt(_) => Submitter::Anybody,
    }
}

/// Why an agent does not hand a case in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotSubmitted {
    /// It is not ready.
    #[error("the case is {status}; only a complete set whose serials are free is handed in")]
    NotReady {
        /// How it is.
        status: &'static str,
    },
    /// Its workflow has conditions.
    #[error("the workflow of this case hands it in itself, under conditions; see what it waits for")]
    UnderConditions,
    /// The owner has not said yes to it.
    #[error("this owner has not approved the offer; what others want, they hand in themselves, or `submit` does")]
    NotApproved,
    /// It is another's turn.
    #[error("it is left to the coordinator, and to approvers before this one, for a while")]
    TooEarly {
        /// Until when.
        until: Timestamp,
    },
}

/// The complete set, where the case may be handed in at all: what `submit` does at once.
///
/// # Errors
/// See [`NotSubmitted`].
pub fn complete_set(case: &Case, standing: &Standing) -> Result<Vec<SignedTransaction>, NotSubmitted> {
    if submitter(&case.intent().change) == Submitter::AgentUnderConditions {
        return Err(NotSubmitted::UnderConditions);
    }
    let not_ready = || NotSubmitted::NotReady { status: standing.status.name() };
    match standing.status {
        // A refusal that the coordinator reports is its word alone.
        Status::Ready | Status::Submitted | Status::Rejected { .. } => standing.complete.clone().ok_or_else(not_ready),
        Status::Waiting
        | Status::Collecting
        | Status::Effective { .. }
        | Status::Superseded { .. }
        | Status::Declined { .. }
        | Status::Withdrawn
        | Status::Expired
        | Status::Voided => Err(not_ready()),
    }
}

/// What an agent knows of the submitting of a case's newest offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Since when the agent sees the offer complete.
    pub complete_since: Timestamp,
    /// How often it handed it in itself.
    pub own: u32,
    /// When it did so last.
    pub last: Option<Timestamp>,
}

/// Most doublings of the wait between two attempts of one agent.
const DOUBLINGS_MAX: u32 = 7;

/// The complete set, where it is this agent's turn to hand it in without being told to. What the coordinator says about it
/// does not matter, beyond the `patience` in microseconds that is had with it: until it is effective, nobody has handed it in as far as anybody can see.
///
/// # Errors
/// See [`NotSubmitted`].
pub fn turn(
    case: &Case,
    standing: &Standing,
    me: &Namespace,
    attempts: &Attempts,
    patience: i64,
    now: Timestamp,
) -> Result<Vec<SignedTransaction>, NotSubmitted> {
    let transactions = complete_set(case, standing)?;
    let rank = rank(case, me).ok_or(NotSubmitted::NotApproved)?;
    let first = patience + rank * limits::AGENT_SUBMITS_WITHIN_MICROS;
    let until = match attempts.last {
        None => attempts.complete_since.plus_micros(first),
        Some(last) => {
            let doublings = attempts.own.saturating_sub(1).min(DOUBLINGS_MAX);
            last.plus_micros(limits::AGENT_SUBMITS_WITHIN_MICROS << doublings)
        }
    };
    if now < until { Err(NotSubmitted::TooEarly { until }) } else { Ok(transactions) }
}

/// The owner's place among those who approved the newest offer; `None` where it is not among them.
fn rank(case: &Case, me: &Namespace) -> Option<i64> {
    let newest = case.offer()?.hash;
    let approvals = case.approvals().iter().filter(|approval| approval.offer == newest);
    let mut owners: Vec<&Namespace> = approvals.map(|approval| &approval.owner).collect();
    owners.sort();
    owners.dedup();
    i64::try_from(owners.iter().position(|owner| *owner == me)?).ok()
}
