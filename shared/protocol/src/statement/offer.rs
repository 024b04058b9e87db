//! The offer: the transactions that an intent means on one base, in the coordinator's words.
//!
//! The coordinator signs it so that two different offers shown to two owners convict it. Nobody believes an offer:
//! every agent plans the intent again.

use canton_topology::{
    hash::{TransactionHash, UniqueKey},
    transaction::Serial,
};
use serde::{Deserialize, Serialize};

use super::{Body, InCase, StatementHash};
use crate::{intent::CaseId, registry::Kind};

/// A proposal as it is handed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The case.
    pub case: CaseId,
    /// The intent that it carries out.
    pub intent: StatementHash,
    /// 0 for the first offer of the case, then one more each time: a new base needs new transactions.
    pub round: u32,
    /// What the transactions build on, one row for each unique key they touch, in the order of the transactions.
    pub base: Vec<BaseRow>,
    /// Wrapped topology transactions, in the order in which they are submitted. These bytes are signed.
    pub transactions: Vec<Vec<u8>>,
}

/// The active row of one unique key that a proposal builds on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseRow {
    /// The unique key.
    pub unique_key: UniqueKey,
    /// Serial and hash of the active transaction; `None` where there is none.
    pub active: Option<(Serial, TransactionHash)>,
}

impl Body for Offer {
    const KIND: Kind = Kind::Offer;
}

impl InCase for Offer {
    fn case(&self) -> CaseId {
        self.case
    }
}
