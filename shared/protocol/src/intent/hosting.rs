//! One more host of a party.

use canton_topology::{
    id::{Namespace, ParticipantId, PartyId},
    mapping::Permission,
};
use serde::{Deserialize, Serialize};

/// A party gets one more host, in the way that fits what the party has done so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostParty {
    /// The party.
    pub party: PartyId,
    /// A host that the party has already: it knows the party's contracts.
    pub source: Seat,
    /// The new host.
    pub target: Seat,
    /// What the new host may do for the party.
    pub permission: Permission,
    /// How many hosts must confirm from then on; `None` leaves it as it is.
    pub confirmation_threshold: Option<u32>,
    /// How the new host learns of the party's contracts.
    pub path: HostingPath,
}

/// A participant, and the owner whose agent acts on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The owner.
    pub owner: Namespace,
    /// The owner's participant.
    pub participant: ParticipantId,
}

/// How a new host learns of a party's contracts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostingPath {
    /// There is nothing to learn: the party was never used. Its source looks, and says so.
    Simple {
        /// The packages that the new host must have vetted, by id.
        packages: Vec<String>,
    },
    /// Offline replication: the contracts are exported, carried over and imported while the new host is disconnected.
    Replicated {
        /// Another host that counts the same contracts, so that nobody believes the source alone; `None` where the
        /// party has no other.
        second: Option<Seat>,
        /// Owners who may sign before the new host is disconnected. So few that they alone can complete nothing.
        ahead: Vec<Namespace>,
    },
}
