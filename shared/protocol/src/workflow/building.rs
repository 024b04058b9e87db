//! What every workflow builds with: the next transaction of a chain, what stands, and numbers in their range.

use canton_topology::{
    id::{IdError, Namespace, PartyId},
    judge::next_serial,
    key::SigningPublicKey,
    mapping::{DecentralizedNamespaceDefinition, Mapping, NamespaceDelegation, PartyToParticipant},
    state::State,
    transaction::{Operation, Transaction},
    wire::DecodeError,
};

use super::error::PlanError;
use crate::naming::subject;

pub(crate) fn in_range(field: &str, found: u64, min: u64, max: u64, hint: &str) -> Result<(), PlanError> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(PlanError::OutOfRange { field: field.to_owned(), found, min, max, hint: hint.to_owned() })
}

pub(crate) fn id_error(field: &str, error: &IdError) -> PlanError {
    PlanError::Field { field: field.to_owned(), reason: error.to_string() }
}

pub(crate) fn decode_error(field: &str, error: &DecodeError) -> PlanError {
    PlanError::Field { field: field.to_owned(), reason: error.to_string() }
}

/// The next transaction of a mapping's chain.
pub(crate) fn next(state: &State, mapping: Mapping) -> Result<Transaction, PlanError> {
    let what = || format!("{} {}", mapping.code().name(), subject(&mapping));
    let serial = next_serial(state, &mapping.unique_key());
    let serial = serial.ok_or_else(|| PlanError::ChainEnded { what: what() })?;
    Ok(Transaction::build(Operation::AddReplace, serial, &mapping))
}

/// The active definition of a namespace.
pub(crate) fn definition<'a>(
    state: &'a State,
    namespace: &Namespace,
) -> Result<&'a DecentralizedNamespaceDefinition, PlanError> {
    state
        .definition(namespace)
        .ok_or_else(|| PlanError::NotFound { what: format!("the decentralized namespace {namespace}") })
}

/// The active mapping of a party.
pub(crate) fn party<'a>(state: &'a State, party: &PartyId) -> Result<&'a PartyToParticipant, PlanError> {
    state.hosting(party).ok_or_else(|| PlanError::NotFound { what: format!("the party {party}") })
}

/// The root delegation of an owner, where it has none yet.
pub(crate) fn root_of(state: &State, key: &SigningPublicKey) -> Result<Option<Transaction>, PlanError> {
    let delegation = NamespaceDelegation::root(key.clone());
    if state.has_root(&delegation.namespace) {
        return Ok(None);
    }
    next(state, Mapping::NamespaceDelegation(delegation)).map(Some)
}
