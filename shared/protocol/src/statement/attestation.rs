//! The attestation: an owner's agent, or the owner, vouches for what was done or seen on the owner's own node. And the
//! question: another owner asks for a fresh one.
//!
//! Nobody but the owner's own agent sees the owner's node, so the others can only know who said what, and when.

use canton_topology::{
    Timestamp,
    id::{Namespace, ParticipantId, PartyId},
};
use serde::{Deserialize, Serialize};

use super::{Body, InCase, StatementHash};
use crate::{hosting::contract_set::Contents, intent::CaseId, parcel::Sealed, registry::Kind};

/// Something that an owner vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The case.
    pub case: CaseId,
    /// The intent that it was done for.
    pub intent: StatementHash,
    /// The owner who vouches.
    pub owner: Namespace,
    /// The owner's participant.
    pub participant: ParticipantId,
    /// When, by the owner's clock.
    pub at: Timestamp,
    /// Whether a human of the owner confirmed it at the agent.
    pub human: bool,
    /// What.
    pub claim: Claim,
}

/// What an owner vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// The party has no contract, and took part in no transaction up to this offset of the node's ledger.
    Unused {
        /// The ledger's end when it was looked at.
        ledger_end: u64,
    },
    /// What the party's contracts are made of.
    Surveyed {
        /// How many contracts there were.
        contracts: u64,
        /// The packages that they need, by id, sorted.
        packages: Vec<String>,
    },
    /// The pruning schedule is remembered and off, and the ledger's end is noted: the export starts to look there.
    Prepared {
        /// The ledger's end.
        begin: u64,
    },
    /// The node is connected to no synchronizer, and connects to none by itself.
    Disconnected {
        /// The question that this answers; `None` where nobody asked.
        nonce: Option<[u8; 32]>,
    },
    /// The party's contracts as they were when the new host was added, in a file sealed for its owner.
    Exported(Snapshot),
    /// The same contracts, counted on another host.
    Counted(Contents),
    /// The pruning schedule is as it was.
    PruningRestored,
    /// The node's database is backed up, while it is disconnected.
    BackedUp(Backup),
    /// The snapshot is imported, and the node holds exactly its contracts beside those that it held before.
    Imported {
        /// What was imported.
        contents: Contents,
        /// The ledger's end after it.
        ledger_end: u64,
    },
    /// The node is connected again, and connects by itself where it did before.
    Reconnected,
    /// The node shows the party's new host, and no onboarding flag on it.
    SeenHosted,
    /// What was changed on the node is as it was before the case.
    PutBack,
    /// The node shows every transaction of the case as effective, with what the intent says.
    Verified {
        /// The offer with which the case came to its end.
        offer: StatementHash,
        /// Whether the node's ledger shows the party among its own, too; not where the node hosts none, or the owner's agent
        /// reads no ledger.
        on_ledger: bool,
    },
}

/// How a backup was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backup {
    /// The agent's own backup command ended well.
    Command,
    /// A human says so, in these words.
    Human(String),
}

/// A party's contracts in a file, as their source exported and sealed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The party.
    pub party: PartyId,
    /// The new host.
    pub target: ParticipantId,
    /// When the new host was added, by the synchronizer's clock.
    pub activated_at: Timestamp,
    /// What is in it.
    pub contents: Contents,
    /// The file, as the node wrote it and as it travels.
    pub file: Sealed,
}

/// An owner asks whether a new host's node is disconnected now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The case.
    pub case: CaseId,
    /// The intent.
    pub intent: StatementHash,
    /// The owner who asks.
    pub owner: Namespace,
    /// 32 random bytes, so that no older answer fits.
    pub nonce: [u8; 32],
    /// When, by the owner's clock.
    pub at: Timestamp,
}

impl Claim {
    /// The claim's name, as in `--json`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unused { .. } => "unused",
            Self::Surveyed { .. } => "surveyed",
            Self::Prepared { .. } => "prepared",
            Self::Disconnected { .. } => "disconnected",
            Self::Exported(_) => "exported",
            Self::Counted(_) => "counted",
            Self::PruningRestored => "pruning-restored",
            Self::BackedUp(_) => "backed-up",
            Self::Imported { .. } => "imported",
            Self::Reconnected => "reconnected",
            Self::SeenHosted => "seen-hosted",
            Self::PutBack => "put-back",
            Self::Verified { .. } => "verified",
        }
    }
}

impl Body for Attestation {
    const KIND: Kind = Kind::Attestation;
}

impl InCase for Attestation {
    fn case(&self) -> CaseId {
        self.case
    }
}

impl Body for Question {
    const KIND: Kind = Kind::Question;
}

impl InCase for Question {
    fn case(&self) -> CaseId {
        self.case
    }
}
