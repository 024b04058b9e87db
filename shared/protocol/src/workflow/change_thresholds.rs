//! Other thresholds: of a namespace's owners, of a party's hosts, of a party's keys.
//!
//! The party's mapping comes before the namespace's definition, so that both are judged by the owners' old threshold.

use canton_topology::{
    mapping::{Mapping, PartyToParticipant, SigningKeysWithThreshold},
    state::State,
    transaction::Transaction,
};

use crate::{
    intent::ChangeThresholds,
    plan::{PlanError, definition, in_range, next, party},
};

/// Plans it.
///
/// # Errors
/// Names the field of the intent and the fix.
pub fn plan(change: &ChangeThresholds, state: &State) -> Result<Vec<Transaction>, PlanError> {
    let mut transactions = Vec::new();
    match (&change.confirmation, &change.signing) {
        (Some((a, _)), Some((b, _))) if a != b => {
            let reason = "confirmation and signing name two parties; use one intent for each".to_owned();
            return Err(PlanError::Field { field: "signing".to_owned(), reason });
        }
        (Some((id, _)), _) | (None, Some((id, _))) => {
            let before = party(state, id)?;
            let after = party_after(before, change)?;
            if after == *before {
                return Err(PlanError::NoChange { what: format!("the party {id}") });
            }
            transactions.push(next(state, Mapping::PartyToParticipant(after))?);
        }
        (None, None) => {}
    }
    if let Some((namespace, threshold)) = &change.namespace {
        let mut after = definition(state, namespace)?.clone();
        if after.threshold == *threshold {
            return Err(PlanError::NoChange { what: format!("the threshold of {namespace}") });
        }
        in_range("namespace", u64::from(*threshold), 1, after.owners.len() as u64, " (the number of owners)")?;
        after.threshold = *threshold;
        transactions.push(next(state, Mapping::DecentralizedNamespaceDefinition(after))?);
    }
    if transactions.is_empty() {
        let reason = "no threshold is named; name the namespace's, the confirmation or the signing one".to_owned();
        return Err(PlanError::Field { field: "change".to_owned(), reason });
    }
    Ok(transactions)
}

fn party_after(before: &PartyToParticipant, change: &ChangeThresholds) -> Result<PartyToParticipant, PlanError> {
    let mut after = before.clone();
    if let Some((_, threshold)) = &change.confirmation {
        let hint = " (the number of confirming hosts: above it, the party could never act)";
        in_range("confirmation", u64::from(*threshold), 1, before.confirming_hosts().max(1) as u64, hint)?;
        after.threshold = *threshold;
    }
    if let Some((id, threshold)) = &change.signing {
        let Some(keys) = &before.signing_keys else {
            return Err(PlanError::NotFound { what: format!("any signing key of {id}") });
        };
        in_range("signing", u64::from(*threshold), 1, keys.keys.len() as u64, " (the number of signing keys)")?;
        after.signing_keys = Some(SigningKeysWithThreshold { keys: keys.keys.clone(), threshold: *threshold });
    }
    Ok(after)
}
