//! The approval: an owner's yes as an envelope under its identity key, with the Canton signatures inside. And the
//! contribution: Canton signatures of keys that belong to no enrolled owner.

use canton_topology::{
    hash::TransactionHash,
    id::{Namespace, SynchronizerId},
};
use serde::{Deserialize, Serialize};

use super::{BaseRow, Body, InCase, StatementHash};
use crate::{intent::CaseId, registry::Kind};

/// An owner's yes. A bearer instrument: the signatures inside live until Canton's serial is consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The case.
    pub case: CaseId,
    /// The offer that was approved.
    pub offer: StatementHash,
    /// The owner who approves.
    pub owner: Namespace,
    /// The synchronizer that the owner means: Canton's signatures name none.
    pub synchronizer: SynchronizerId,
    /// The hashes of all transactions of the offer, in its order.
    pub transactions: Vec<TransactionHash>,
    /// The base that the owner's own topology confirmed.
    pub base: Vec<BaseRow>,
    /// SHA-256 of the policy that permitted it; `None` where a human did.
    pub policy: Option<[u8; 32]>,
    /// The head of the case that the owner saw; `None` from an agent that keeps none.
    pub checkpoint: Option<Checkpoint>,
    /// The owner's Canton signatures.
    pub signatures: Vec<EncodedSignature>,
}

/// How much of a case its reader has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How many statements.
    pub statements: u64,
    /// The chain's head over them: see `case::Head`.
    pub head: [u8; 32],
}

/// One Canton signature over one transaction's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodedSignature {
    /// The transaction.
    pub transaction: TransactionHash,
    /// The signature in Canton's own encoding (message `crypto.v30.Signature`).
    pub signature: Vec<u8>,
}

/// Canton signatures of keys that no enrolled owner holds (a host without an agent, a recorded signature), carried
/// by an enrolled owner. Not a yes of anybody: each signature is verified before it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// The case.
    pub case: CaseId,
    /// The offer whose transactions were signed.
    pub offer: StatementHash,
    /// The signatures.
    pub signatures: Vec<EncodedSignature>,
}

impl Body for Approval {
    const KIND: Kind = Kind::Approval;
}

impl InCase for Approval {
    fn case(&self) -> CaseId {
        self.case
    }
}

impl Body for Contribution {
    const KIND: Kind = Kind::Contribution;
}

impl InCase for Contribution {
    fn case(&self) -> CaseId {
        self.case
    }
}
