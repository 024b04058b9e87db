//! The registry of everything that is ever signed: Countersign's own kinds and Canton's two shapes. No two prefixes are
//! equal, none begins another, and [`Kind::message`] never returns a message as long as one of Canton's, so a signature
//! made for one row verifies only as that row.

use serde::{Deserialize, Serialize};

/// A kind of signed thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// An owner's namespace key certifies its identity key.
    Identity,
    /// What someone wants.
    Intent,
    /// The transactions that an intent means on one base, as the coordinator offers them.
    Offer,
    /// An owner's yes, with its Canton signatures.
    Approval,
    /// Canton signatures of keys that belong to no enrolled owner, carried by one who is.
    Contribution,
    /// An owner's no.
    Decline,
    /// The proposer takes the intent back.
    Withdrawal,
    /// What the coordinator saw happen.
    Outcome,
    /// An owner's public keys and host, to be entered into other owners' books.
    Card,
    /// An owner's agent, or the owner, vouches for what was done or seen on the owner's own node.
    Attestation,
    /// An owner asks another one for a fresh attestation.
    Question,
    /// A key proves to one coordinator, by a nonce, that its owner holds it and what for.
    Possession,
    /// A key shows that it still works. Inert: nothing acts on it.
    Drill,
}

impl Kind {
    /// Every kind, in the order of the registry.
    pub const ALL: [Self; 13] = [
        Self::Identity,
        Self::Intent,
        Self::Offer,
        Self::Approval,
        Self::Contribution,
        Self::Decline,
        Self::Withdrawal,
        Self::Outcome,
        Self::Card,
        Self::Attestation,
        Self::Question,
        Self::Possession,
        Self::Drill,
    ];

    /// The kind's name, as it stands in the prefix and in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Intent => "intent",
            Self::Offer => "offer",
            Self::Approval => "approval",
            Self::Contribution => "contribution",
            Self::Decline => "decline",
            Self::Withdrawal => "withdrawal",
            Self::Outcome => "outcome",
            Self::Card => "card",
            Self::Attestation => "attestation",
            Self::Question => "question",
            Self::Possession => "possession",
            Self::Drill => "drill",
        }
    }

    /// The bytes that are signed: `countersign/<kind>/v1`, a newline, and the payload.
    ///
    /// Returns `None` where the message would have the length of one of Canton's own (32 or 34 bytes), which no
    /// payload of ours does: the shortest kind has a case id and two hashes.
    pub fn message(self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut message = self.prefix();
        message.extend_from_slice(payload);
        (message.len() != 32 && message.len() != 34).then_some(message)
    }

    fn prefix(self) -> Vec<u8> {
        format!("countersign/{}/v1\n", self.name()).into_bytes()
    }
}

/// A row of the registry: the shape of a signed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// A topology transaction's hash, or the hash over several: 34 bytes, `12 20` and a SHA-256.
    TopologyTransaction,
    /// A prepared transaction's hash: 32 bytes.
    PreparedTransaction,
    /// One of ours: its prefix and a payload.
    Ours(Kind),
}

impl Shape {
    /// Every row.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::TopologyTransaction, Self::PreparedTransaction].into_iter().chain(Kind::ALL.map(Self::Ours))
    }

    /// The row that a message belongs to; `None` where it belongs to none, and nobody signs it.
    pub fn of(message: &[u8]) -> Option<Self> {
        match message {
            [0x12, 0x20, ..] if message.len() == 34 => Some(Self::TopologyTransaction),
            _ if message.len() == 34 => None,
            _ if message.len() == 32 => Some(Self::PreparedTransaction),
            _ => {
                let begins = |kind: &Kind| message.starts_with(&kind.prefix());
                Kind::ALL.into_iter().find(begins).map(Self::Ours)
            }
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::TopologyTransaction => "topology-transaction",
            Self::PreparedTransaction => "prepared-transaction",
            Self::Ours(kind) => kind.name(),
        }
    }
}
