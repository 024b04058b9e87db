//! What someone wants: the body of an intent statement. A closed list of changes; every field stands in the bytes.

mod after;
mod hosting;
mod membership;

use std::{fmt, str::FromStr};

use canton_topology::{
    Timestamp,
    hash::{TransactionHash, UniqueKey},
    id::{Namespace, ParticipantId, SynchronizerId},
    key::SigningPublicKey,
    mapping::Permission,
    transaction::Serial,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::{
    after::{After, Former},
    hosting::{HostParty, HostingPath, Seat},
    membership::{
        Delegate, LeaveHost, Membership, MigrateKeys, Order, OwnersChange, PartyChange, Revoke, RotateOwnerKey, Scope,
    },
};
use crate::accepted::Accepted;

/// A case's id: a UUIDv7 minted by the proposer, inside the signed intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CaseId([u8; 16]);

/// The text is not a case id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a case id: expected a UUID such as 0198f0c1-7c1e-7d7c-9a3e-6d1f1f0a2b3c")]
pub struct NotACaseId(pub String);

impl CaseId {
    /// From the 16 bytes of a UUID.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).fmt(f)
    }
}

impl FromStr for CaseId {
    type Err = NotACaseId;

    fn from_str(text: &str) -> Result<Self, NotACaseId> {
        uuid::Uuid::from_str(text).map(|uuid| Self(uuid.into_bytes())).map_err(|_| NotACaseId(text.to_owned()))
    }
}

/// What someone wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The case that this intent opens.
    pub case: CaseId,
    /// The logical synchronizer that it is about. Canton's hashes name none, so everything of ours does.
    pub synchronizer: SynchronizerId,
    /// The owner who wants it.
    pub proposer: Namespace,
    /// When, by the proposer's clock.
    pub created_at: Timestamp,
    /// When agents stop signing it. Stops only us: a Canton signature lives on.
    pub deadline: Timestamp,
    /// Why, in the proposer's words; shown to every owner, believed by nobody.
    pub reason: String,
    /// What.
    pub change: Change,
    /// The dangers of the change that the proposer accepts, by name; any other one is refused.
    pub accepts: Vec<Accepted>,
    /// What must stand before it is planned, offered and signed; `None` where nothing comes first.
    pub after: Option<After>,
}

/// One kind of intent for each workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A whole new decentralized party in one batch.
    CreateParty(CreateParty),
    /// Other owners, hosts, keys and thresholds, as one change set.
    Membership(Membership),
    /// A key that may sign for a namespace from then on.
    Delegate(Delegate),
    /// Transactions as they are. Every field is shown; no rule may permit it.
    Raw(Raw),
    /// The serials of another case are consumed, so that its live signatures die.
    Void(Void),
    /// A key that may sign for a namespace no more.
    Revoke(Revoke),
    /// One owner under another key.
    RotateOwnerKey(RotateOwnerKey),
    /// A host leaves a party by itself.
    LeaveHost(LeaveHost),
    /// A party's keys move into the party's mapping.
    MigrateKeys(MigrateKeys),
    /// A whole new decentralized party whose keys stand in a mapping of their own, for releases before 3.5.
    CreatePartyWithKeyMapping(CreateParty),
    /// A party gets one more host.
    HostParty(HostParty),
    /// A transaction that was proposed elsewhere.
    Adopt(Adopt),
}

impl Change {
    /// The workflow's name, as on the command line and in `--json`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateParty(_) => "create-party",
            Self::Membership(_) => "membership",
            Self::Delegate(_) => "delegate",
            Self::Raw(_) => "raw",
            Self::Void(_) => "void",
            Self::Revoke(_) => "revoke",
            Self::RotateOwnerKey(_) => "rotate-owner-key",
            Self::LeaveHost(_) => "leave-host",
            Self::MigrateKeys(_) => "migrate-keys",
            Self::CreatePartyWithKeyMapping(_) => "create-party-with-key-mapping",
            Self::HostParty(_) => "host-party",
            Self::Adopt(_) => "adopt",
        }
    }

    /// Whether it may take more than one offer: the next part is planned when the former is effective.
    pub fn is_staged(&self) -> bool {
        match self {
            Self::Membership(membership) => membership.order == Order::Staged,
            Self::RotateOwnerKey(_) | Self::MigrateKeys(_) => true,
            Self::CreateParty(_)
            | Self::Delegate(_)
            | Self::Raw(_)
            | Self::Void(_)
            | Self::Revoke(_)
            | Self::LeaveHost(_)
            | Self::CreatePartyWithKeyMapping(_)
            | Self::HostParty(_)
            | Self::Adopt(_) => false,
        }
    }
}

/// Root delegations, the namespace definition and the party's mapping, in this order, in one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateParty {
    /// The part of the party id before `::`.
    pub hint: String,
    /// The owners' namespace keys (usage NAMESPACE). A root delegation is planned for each that has none.
    pub owners: Vec<SigningPublicKey>,
    /// How many owners must sign a change of the namespace and the party.
    pub namespace_threshold: u32,
    /// The party's hosts, in this order.
    pub hosts: Vec<Host>,
    /// How many hosts must confirm a transaction of the party.
    pub confirmation_threshold: u32,
    /// The party's inline signing keys (usage PROTOCOL); empty for none.
    pub signing_keys: Vec<SigningPublicKey>,
    /// How many of these keys must sign a transaction of the party; 0 exactly where there are none.
    pub signing_threshold: u32,
}

/// A participant that hosts a party, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The participant.
    pub participant: ParticipantId,
    /// What it may do for the party.
    pub permission: Permission,
}

/// Wrapped topology transactions, exactly as they are to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raw {
    /// The transactions, in the order in which they are to be submitted.
    pub transactions: Vec<Vec<u8>>,
}

/// Kills the live signatures of another case: its mappings as they are today, at the serials that they wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    /// The case whose signatures are to die.
    pub case: CaseId,
    /// What is voided: the serials to be consumed, and the transactions that they belong to.
    pub slots: Vec<Slot>,
}

/// A transaction that somebody proposed elsewhere, such as in a Canton console, exactly as it stands there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopt {
    /// The wrapped transaction.
    pub transaction: Vec<u8>,
}

/// One place in Canton's chains that one transaction can take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// The mapping's unique key.
    pub unique_key: UniqueKey,
    /// The serial.
    pub serial: Serial,
    /// The transaction that was signed for it.
    pub transaction: TransactionHash,
}
