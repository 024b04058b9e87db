//! One more owner of a decentralized namespace: its root delegation, where it has none, and the definition.

use canton_topology::{
    id::Namespace,
    key::KeyUsage,
    mapping::{DecentralizedNamespaceDefinition, Mapping},
    state::State,
    transaction::Transaction,
};

use crate::{
    intent::AddOwner,
    plan::{PlanError, definition, in_range, next, root_of},
};

/// Plans it.
///
/// # Errors
/// Names the field of the intent and the fix.
pub fn plan(change: &AddOwner, state: &State) -> Result<Vec<Transaction>, PlanError> {
    let before = definition(state, &change.namespace)?;
    let owner = Namespace::from(change.owner.fingerprint());
    if before.owners.contains(&owner) {
        return Err(PlanError::AlreadyThere { what: format!("owner {owner}") });
    }
    if !change.owner.usage().contains(&KeyUsage::Namespace) {
        let reason = format!("key {owner} has not the usage NAMESPACE; an owner's key needs it");
        return Err(PlanError::Field { field: "owner".to_owned(), reason });
    }
    let mut owners = before.owners.clone();
    owners.push(owner);
    owners.sort();
    in_range("threshold", u64::from(change.threshold), 1, owners.len() as u64, " (the number of owners)")?;
    let mut transactions: Vec<Transaction> = root_of(state, &change.owner)?.into_iter().collect();
    let after =
        DecentralizedNamespaceDefinition { namespace: change.namespace.clone(), threshold: change.threshold, owners };
    transactions.push(next(state, Mapping::DecentralizedNamespaceDefinition(after))?);
    Ok(transactions)
}
