//! The registry of everything that Countersign's own keys sign. One row per kind; no two prefixes are equal and none
//! begins another, so a signature made for one kind verifies only as that kind.
//!
//! Canton's own two shapes (34 bytes for a topology hash, 32 for a prepared transaction) are not in the registry:
//! [`Kind::message`] never returns a message of either length.

use serde::{Deserialize, Serialize};

/// A kind of signed thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// An owner's namespace key certifies its identity key. The only kind that a namespace key signs.
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
}

impl Kind {
    /// Every kind, in the order of the registry.
    pub const ALL: [Self; 11] = [
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
        }
    }

    /// The bytes that are signed: `countersign/<kind>/v1`, a newline, and the payload.
    ///
    /// Returns `None` where the message would have the length of one of Canton's own (32 or 34 bytes), which no
    /// payload of ours does: the shortest kind has a case id and two hashes.
    pub fn message(self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut message = format!("countersign/{}/v1\n", self.name()).into_bytes();
        message.extend_from_slice(payload);
        (message.len() != 32 && message.len() != 34).then_some(message)
    }
}
