//! Who may act for a namespace or a party, and how that changes: owners, hosts, keys, delegations. Each type says what is
//! to be there, not what is to be done, so that a change of which a part is done already means the rest.

use canton_topology::{
    id::{Fingerprint, Namespace, ParticipantId, PartyId},
    key::SigningPublicKey,
};
use serde::{Deserialize, Serialize};

use super::Host;

/// Other owners, hosts, keys and thresholds, as one change set. What is not named stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// What becomes of a decentralized namespace.
    pub owners: Option<OwnersChange>,
    /// What becomes of a party; of that namespace, where both are named.
    pub party: Option<PartyChange>,
    /// How the parts of it follow each other.
    pub order: Order,
}

/// How the parts of a change set follow each other. Canton knows no batch that is done as a whole: whoever holds the
/// signatures chooses which of the transactions take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// One part after the other: an agent signs the next one when it has seen the former effective.
    Staged,
    /// All in one offer. Every state that a part of it would bring about must be accepted by name.
    Together,
}

/// Other owners of a decentralized namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnersChange {
    /// The namespace.
    pub namespace: Namespace,
    /// Namespace keys of those who are owners from then on. A root delegation is planned for each that has none.
    pub add: Vec<SigningPublicKey>,
    /// Those who are owners no more.
    pub remove: Vec<Namespace>,
    /// How many owners must sign; `None` leaves it as it is.
    pub threshold: Option<u32>,
}

/// Other hosts and keys of a party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyChange {
    /// The party.
    pub party: PartyId,
    /// Those who host it from then on.
    pub add_hosts: Vec<Host>,
    /// Those who host it no more.
    pub remove_hosts: Vec<ParticipantId>,
    /// Hosts that stay, with what each may do from then on.
    pub permissions: Vec<Host>,
    /// How many hosts must confirm; `None` leaves it as it is.
    pub confirmation_threshold: Option<u32>,
    /// Inline keys that sign for it from then on.
    pub add_keys: Vec<SigningPublicKey>,
    /// Inline keys that sign for it no more.
    pub remove_keys: Vec<Fingerprint>,
    /// How many of the inline keys must sign; `None` leaves it as it is.
    pub signing_threshold: Option<u32>,
}

impl PartyChange {
    /// A change of a party that names nothing yet.
    pub fn of(party: PartyId) -> Self {
        Self {
            party,
            add_hosts: Vec::new(),
            remove_hosts: Vec::new(),
            permissions: Vec::new(),
            confirmation_threshold: None,
            add_keys: Vec::new(),
            remove_keys: Vec::new(),
            signing_threshold: None,
        }
    }

    /// Whether nothing is named but the party.
    pub fn is_empty(&self) -> bool {
        *self == Self::of(self.party.clone())
    }
}

impl Membership {
    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        let of_owners = self.owners.iter().all(|owners| owners.threshold.is_none());
        of_owners && self.party.iter().all(PartyChange::is_empty) && self.is_thresholds_alone()
    }

    /// Whether nothing but thresholds is named.
    pub fn is_thresholds_alone(&self) -> bool {
        let of_owners = self.owners.iter().all(|owners| owners.add.is_empty() && owners.remove.is_empty());
        let of_party = self.party.iter().all(|party| {
            party.add_hosts.is_empty()
                && party.remove_hosts.is_empty()
                && party.permissions.is_empty()
                && party.add_keys.is_empty()
                && party.remove_keys.is_empty()
        });
        of_owners && of_party
    }
}

/// A key that may sign for a plain namespace from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegate {
    /// The namespace: an owner's, a participant's.
    pub namespace: Namespace,
    /// The key (usage NAMESPACE); not the namespace's own.
    pub key: SigningPublicKey,
    /// What it may sign.
    pub scope: Scope,
}

/// What a delegated key may sign: Canton's restrictions under names that say what the key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Every mapping, delegations too: as good as the root key.
    All,
    /// Every mapping but delegations.
    AllButDelegations,
    /// What an owner signs: namespace definitions, hosting, keys of parties.
    Owner,
    /// Hosting and keys of parties.
    Parties,
    /// Definitions of decentralized namespaces.
    Namespaces,
    /// A participant's packages.
    Vetting,
    /// What a participant says of itself: keys, trust certificate, packages.
    Node,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] =
        [Self::All, Self::AllButDelegations, Self::Owner, Self::Parties, Self::Namespaces, Self::Vetting, Self::Node];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::AllButDelegations => "all-but-delegations",
            Self::Owner => "owner",
            Self::Parties => "parties",
            Self::Namespaces => "namespaces",
            Self::Vetting => "vetting",
            Self::Node => "node",
        }
    }
}

/// A key that may sign for a plain namespace no more, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoke {
    /// The namespace.
    pub namespace: Namespace,
    /// The key; the namespace's own ends the namespace.
    pub key: Fingerprint,
}

/// One owner under another key, without a moment in which it is no owner: the new key's root delegation, then the swap
/// in the definition, then the revocation of the old root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateOwnerKey {
    /// The decentralized namespace.
    pub namespace: Namespace,
    /// The owner as it is.
    pub old: Namespace,
    /// The key under which it owns from then on (usage NAMESPACE).
    pub new: SigningPublicKey,
    /// Whether the old key's root is revoked at the end.
    pub revoke_old: bool,
}

/// A host leaves a party by itself: Canton asks nobody else, as long as nothing else changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaveHost {
    /// The party.
    pub party: PartyId,
    /// The host that leaves.
    pub participant: ParticipantId,
}

/// A party's keys move from a mapping of their own, which releases before 3.5 knew, into the party's mapping; then the
/// old mapping is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrateKeys {
    /// The party.
    pub party: PartyId,
}
