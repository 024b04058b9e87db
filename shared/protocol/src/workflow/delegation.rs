//! Delegations of a plain namespace: given under a scope, taken back for good.

use canton_topology::{
    judge::next_serial,
    key::KeyUsage,
    mapping::{Code, Mapping, NamespaceDelegation, Restriction, delegation_key},
    state::State,
    transaction::{Operation, Transaction},
};

use crate::{
    intent::{Delegate, Revoke, Scope},
    workflow::{building::next, error::PlanError},
};

/// Plans a delegation.
///
/// # Errors
/// Names the field of the intent and the fix.
pub fn delegate(change: &Delegate, state: &State) -> Result<Vec<Transaction>, PlanError> {
    let field =
        |field: &str, reason: &str| Err(PlanError::Field { field: field.to_owned(), reason: reason.to_owned() });
    if state.definition(&change.namespace).is_some() {
        return field("namespace", "a decentralized namespace delegates nothing; each of its owners may for itself");
    }
    if !state.has_root(&change.namespace) {
        return Err(PlanError::NotFound { what: format!("the root delegation of {}", change.namespace) });
    }
    if change.key.fingerprint_ref() == change.namespace.fingerprint() {
        return field("key", "it is the namespace's own key, which may sign everything");
    }
    if !change.key.usage().contains(&KeyUsage::Namespace) {
        return field("key", "it has not the usage NAMESPACE; a delegated key needs it");
    }
    let (namespace, target) = (change.namespace.clone(), change.key.clone());
    let delegation = NamespaceDelegation { namespace, target, restriction: restriction(change.scope) };
    let stands = state.delegations(&change.namespace).any(|(active, _)| *active == delegation);
    if stands {
        return Err(PlanError::NoChange { what: format!("the delegation to {}", change.key.fingerprint()) });
    }
    Ok(vec![next(state, Mapping::NamespaceDelegation(delegation))?])
}

/// What Canton calls a scope.
fn restriction(scope: Scope) -> Restriction {
    let specific = |codes: &[Code]| Restriction::Specific(codes.iter().copied().collect());
    match scope {
        Scope::All => Restriction::All,
        Scope::AllButDelegations => Restriction::AllButNamespaceDelegations,
        Scope::Owner => {
            specific(&[Code::DecentralizedNamespaceDefinition, Code::PartyToParticipant, Code::PartyToKeyMapping])
        }
        Scope::Parties => specific(&[Code::PartyToParticipant, Code::PartyToKeyMapping]),
        Scope::Namespaces => specific(&[Code::DecentralizedNamespaceDefinition]),
        Scope::Vetting => specific(&[Code::VettedPackages]),
        Scope::Node => specific(&[Code::OwnerToKeyMapping, Code::SynchronizerTrustCertificate, Code::VettedPackages]),
    }
}

/// Plans a revocation.
///
/// # Errors
/// [`PlanError::NotFound`] where there is no such delegation.
pub fn revoke(change: &Revoke, state: &State) -> Result<Vec<Transaction>, PlanError> {
    let is_meant = |delegation: &NamespaceDelegation| *delegation.target.fingerprint_ref() == change.key;
    let active = state.delegations(&change.namespace).find(|(delegation, _)| is_meant(delegation));
    let what = || format!("a delegation of {} to key {}", change.namespace, change.key);
    let (delegation, _) = active.ok_or_else(|| PlanError::NotFound { what: what() })?;
    let serial = next_serial(state, &delegation_key(&change.namespace, &change.key));
    let serial = serial.ok_or_else(|| PlanError::ChainEnded { what: what() })?;
    Ok(vec![Transaction::build(Operation::Remove, serial, &Mapping::NamespaceDelegation(delegation.clone()))])
}
