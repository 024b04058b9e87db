//! Submitting by an owner's own participant: the coordinator has no power, and so none to hold a change back. What all have
//! signed stands in everybody's case; whoever has a participant can hand it over.

use canton_client::error::NodeError;
use canton_topology::{Timestamp, judge::Verifier, transaction::SignedTransaction};
use protocol::{intent::CaseId, life::standing};

use crate::{
    agent::{Agent, AgentError},
    control::Answer,
};

/// The complete set of a case's newest offer, as the agent's own topology judges it.
///
/// # Errors
/// An answer that says what is missing, or that the case has ended.
pub fn complete(agent: &Agent, id: &CaseId, now: Timestamp) -> Result<Vec<SignedTransaction>, Answer> {
    let case = agent.case(id).ok_or_else(|| Answer::failed("UnknownCase", id))?;
    let state = agent.state().ok_or_else(|| Answer::NotYet { reason: AgentError::NoTopology.to_string() })?;
    let standing = standing(case, Some(state), &mut Verifier::default(), now);
    if !standing.status.is_open() {
        return Err(Answer::failed(
            "Ended",
            format!("the case is {}; nothing of it is submitted", standing.status.name()),
        ));
    }
    let missing = || Answer::NotYet {
        reason: match &standing.obstacle {
            Some(obstacle) => format!("not yet: the synchronizer would refuse it: {obstacle}"),
            None => format!("not yet: the case is {}; `show` says who is missing", standing.status.name()),
        },
    };
    standing.complete.clone().ok_or_else(missing)
}

/// What the participant's answer means. That it took the transactions is not that they stand: topology tells.
///
/// # Errors
/// An answer that says whether it is worth trying again.
pub fn heard(answer: Result<(), NodeError>) -> Result<(), Answer> {
    match answer {
        Ok(()) | Err(NodeError::OutcomeUnknown(_) | NodeError::BadAnswer(_)) => Ok(()),
        Err(error @ NodeError::Retry(_)) => Err(Answer::NotYet { reason: error.to_string() }),
        Err(error @ NodeError::Rejected { .. }) => Err(Answer::failed("Rejected", error)),
    }
}
