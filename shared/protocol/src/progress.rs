//! How far a case is, step by step: who does each, and who is to look at the end.

use canton_topology::{
    Timestamp,
    id::{Namespace, ParticipantId},
};
use serde::{Deserialize, Serialize};

use crate::intent::CaseId;

/// One step of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item<S> {
    /// Which.
    pub step: S,
    /// Who does it.
    pub by: Actor,
    /// How far it is.
    pub progress: Progress<S>,
}

/// Who does a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// One owner's agent, on the owner's node.
    Owner(Namespace, ParticipantId),
    /// Those owners of the party who have not signed and could.
    Owners(Vec<Namespace>),
    /// The coordinator, through whatever participant it has.
    Coordinator,
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress<S> {
    /// It is done, since then.
    Done(Timestamp),
    /// It can be done now.
    Due,
    /// These come first.
    Waiting(Vec<S>),
    /// Another case comes first.
    After(CaseId),
    /// It must not go on: what was found contradicts what was expected.
    Stopped(Alarm),
}

/// Why a case must not go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alarm {
    /// The second host counted other contracts than the source exported.
    OtherContracts {
        /// What the source exported, in words.
        exported: String,
        /// What the second host counted, in words.
        counted: String,
    },
    /// The case has ended, and whoever holds its signatures can still make it effective.
    SignaturesAlive,
    /// The source says that it is over, and the new host's own node cannot show it.
    SaidToBeUndone,
    /// The case is effective, and what stands is not what its intent says.
    NotAsWanted {
        /// What differs.
        reason: String,
    },
}

impl<S> Item<S> {
    /// Whether it is this owner's turn.
    pub fn is_due_for(&self, owner: &Namespace) -> bool {
        let is_by = match &self.by {
            Actor::Owner(by, _) => by == owner,
            Actor::Owners(owners) => owners.contains(owner),
            Actor::Coordinator => false,
        };
        is_by && matches!(self.progress, Progress::Due)
    }
}

/// An owner on whose node a case is to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The owner.
    pub owner: Namespace,
    /// The owner's node, where the reader knows of one.
    pub participant: Option<ParticipantId>,
    /// When the owner's agent saw it there; `None` where it has not said so.
    pub since: Option<Timestamp>,
}
