//! What a participant signs first: a proposal of its own, or what the store has already.

use canton_proto::canton::topology::admin::v30::authorize_request::Proposal;
use canton_topology::{
    hash::TransactionHash,
    mapping::Mapping,
    rejection::Rejection,
    state::State,
    transaction::{Operation, Serial, Transaction},
};
use prost::Message as _;
use tonic::{Code, Status};

use crate::refused;

/// The transaction that a proposal's words make. Serial 0 lets the node choose.
pub(super) fn proposed(head: &State, proposal: Proposal) -> Result<Transaction, Status> {
    let operation = match proposal.change {
        1 => Operation::AddReplace,
        2 => Operation::Remove,
        _ => return Err(refused::not_set("operation")),
    };
    let mapping = proposal.mapping.ok_or_else(|| refused::not_set("mapping"))?;
    let mapping = Mapping::parse(&mapping.encode_to_vec()).map_err(|error| refused::undecodable(&error))?;
    let active = head.active(&mapping.unique_key()).map(|row| row.transaction.as_ref());
    let expected = match active {
        None => Serial::FIRST,
        Some(active) if active.operation() == operation && *active.mapping() == mapping => active.serial(),
        Some(active) => active.serial().next().ok_or_else(|| refused::rejection(&Rejection::MaxSerialReached))?,
    };
    if proposal.serial == 0 || proposal.serial == expected.get() {
        return Ok(Transaction::build(operation, expected, &mapping));
    }
    if active.is_some_and(|active| active.serial() == expected) {
        let cause = "a matching topology mapping with another serial is there already";
        return Err(refused::with_id(Code::AlreadyExists, "TOPOLOGY_MAPPING_ALREADY_EXISTS", cause));
    }
    let found = Serial::try_from(proposal.serial).map_err(|error| refused::undecodable(&error))?;
    Err(refused::rejection(&Rejection::SerialMismatch { expected, found }))
}

/// The transaction of that hash, active or proposed.
pub(super) fn stored(head: &State, hash: &str) -> Result<Transaction, Status> {
    let hash: TransactionHash = hash.parse().map_err(|error| refused::undecodable(&error))?;
    let row = head.rows().find(|row| row.valid_until.is_none() && row.hash() == hash);
    let row = row.ok_or_else(|| {
        let cause = format!("no transaction with hash {hash} is active or proposed");
        refused::with_id(Code::NotFound, "TOPOLOGY_TRANSACTION_NOT_FOUND", &cause)
    })?;
    Ok(row.transaction.as_ref().clone())
}
