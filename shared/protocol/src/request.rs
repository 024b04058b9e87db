//! A signature to be made.

use canton_topology::{
    hash::{TransactionHash, UniqueKey},
    id::Fingerprint,
    transaction::Serial,
};
use serde::{Deserialize, Serialize};

/// Who holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// The agent itself.
    Agent,
    /// The owner's participant.
    Participant,
}

/// One signature to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignRequest {
    /// Which transaction of the offer.
    pub index: usize,
    /// Its hash: what is signed.
    pub transaction: TransactionHash,
    /// The chain.
    pub unique_key: UniqueKey,
    /// The serial in the chain.
    pub serial: Serial,
    /// The key.
    pub key: Fingerprint,
    /// Who holds it.
    pub holder: Holder,
}
