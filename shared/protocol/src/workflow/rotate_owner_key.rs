//! One owner under another key: its new root, then the swap in the definition, then the revocation of the old root. At no
//! moment is the owner without a key that counts.

use canton_topology::{id::Namespace, key::KeyUsage, mapping::Mapping, state::State, transaction::Transaction};

use super::delegation;
use crate::{
    intent::{Revoke, RotateOwnerKey},
    workflow::{
        building::{definition, next, root_of},
        error::PlanError,
    },
};

/// Plans its next part.
///
/// # Errors
/// Names the field of the intent and the fix; [`PlanError::NoChange`] where all of it is done.
pub fn plan(change: &RotateOwnerKey, state: &State) -> Result<Vec<Transaction>, PlanError> {
    let new = Namespace::from(change.new.fingerprint());
    let field = |reason: &str| Err(PlanError::Field { field: "new".to_owned(), reason: reason.to_owned() });
    if new == change.old {
        return field("it is the key that the owner has");
    }
    if !change.new.usage().contains(&KeyUsage::Namespace) {
        return field("it has not the usage NAMESPACE; an owner's key needs it");
    }
    let before = definition(state, &change.namespace)?;
    match (before.owners.contains(&change.old), before.owners.contains(&new)) {
        (true, true) => field("it is another owner's key already"),
        (false, false) => Err(PlanError::NotFound { what: format!("owner {} of {}", change.old, change.namespace) }),
        (true, false) => match root_of(state, &change.new)? {
            Some(root) => Ok(vec![root]),
            None => {
                let mut after = before.clone();
                after.owners.retain(|owner| *owner != change.old);
                after.owners.push(new);
                after.owners.sort();
                Ok(vec![next(state, Mapping::DecentralizedNamespaceDefinition(after))?])
            }
        },
        (false, true) if change.revoke_old && state.has_root(&change.old) => {
            let (namespace, key) = (change.old.clone(), change.old.fingerprint().clone());
            delegation::revoke(&Revoke { namespace, key }, state)
        }
        (false, true) => Err(PlanError::NoChange { what: format!("owner {new} of {}", change.namespace) }),
    }
}
