//! What comes before a case.

use canton_topology::id::{ParticipantId, PartyId};
use serde::{Deserialize, Serialize};

use super::{CaseId, Membership};

/// A case that comes first. What it wants is said here once more, so that anybody can tell by topology alone whether it
/// stands: it does not matter which case brought it about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// The case, for people.
    pub case: CaseId,
    /// What must stand.
    pub stands: Former,
}

/// What a case wants that others wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Former {
    /// A change set of which nothing is left to be done.
    Membership(Membership),
    /// A host that has the party's contracts: one that is not onboarding any more.
    Host {
        /// The party.
        party: PartyId,
        /// The host.
        participant: ParticipantId,
    },
}
