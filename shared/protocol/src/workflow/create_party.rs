//! A whole decentralized party in one batch: root delegations, the namespace's definition, the party's mapping.
//!
//! The order counts: Canton judges the batch one transaction after the other.

use std::collections::BTreeSet;

use canton_topology::{
    id::{Namespace, ParticipantId, PartyId, UniqueIdentifier, decentralized_namespace},
    key::{KeyUsage, SigningPublicKey},
    mapping::{
        DecentralizedNamespaceDefinition, HostingParticipant, Mapping, PartyToKeyMapping, PartyToParticipant,
        Permission, SigningKeysWithThreshold, definition_key,
    },
    state::State,
    transaction::Transaction,
};

use crate::{
    intent::CreateParty,
    limits,
    workflow::{
        building::{id_error, in_range, next, root_of},
        error::PlanError,
    },
};

/// Plans it, with the keys in the party's mapping.
///
/// # Errors
/// Names the field of the intent and the fix.
pub fn plan(change: &CreateParty, state: &State) -> Result<Vec<Transaction>, PlanError> {
    let (mut transactions, namespace) = foundation(change, state)?;
    transactions.push(next(state, Mapping::PartyToParticipant(mapping(change, namespace)?))?);
    Ok(transactions)
}

/// Plans it, with the keys in a mapping of their own behind the party's.
///
/// # Errors
/// Names the field of the intent and the fix.
pub fn plan_with_key_mapping(change: &CreateParty, state: &State) -> Result<Vec<Transaction>, PlanError> {
    in_range("signing_keys", change.signing_keys.len() as u64, 1, limits::SIGNING_KEYS_MAX as u64, "")?;
    let (mut transactions, namespace) = foundation(change, state)?;
    let mut hosting = mapping(change, namespace)?;
    let keys = hosting.signing_keys.take();
    let party = hosting.party.clone();
    transactions.push(next(state, Mapping::PartyToParticipant(hosting))?);
    if let Some(SigningKeysWithThreshold { keys, threshold }) = keys {
        transactions.push(next(state, Mapping::PartyToKeyMapping(PartyToKeyMapping { party, threshold, keys }))?);
    }
    Ok(transactions)
}

/// The roots and the definition, and the namespace that they found.
fn foundation(change: &CreateParty, state: &State) -> Result<(Vec<Transaction>, Namespace), PlanError> {
    check(change)?;
    let mut owners: Vec<Namespace> = change.owners.iter().map(|key| Namespace::from(key.fingerprint())).collect();
    // Sorted, so that everybody who builds this definition builds the same bytes.
    owners.sort();
    let namespace = decentralized_namespace(&owners);
    if state.active(&definition_key(&namespace)).is_some() {
        let what = format!("a namespace of exactly these first owners, {namespace}; use a fresh key for one of them,");
        return Err(PlanError::AlreadyThere { what });
    }
    let mut transactions = Vec::new();
    let mut keys: Vec<&SigningPublicKey> = change.owners.iter().collect();
    keys.sort_by_key(|key| key.fingerprint());
    for key in keys {
        transactions.extend(root_of(state, key)?);
    }
    let definition = DecentralizedNamespaceDefinition {
        namespace: namespace.clone(),
        threshold: change.namespace_threshold,
        owners,
    };
    transactions.push(next(state, Mapping::DecentralizedNamespaceDefinition(definition))?);
    Ok((transactions, namespace))
}

fn mapping(change: &CreateParty, namespace: Namespace) -> Result<PartyToParticipant, PlanError> {
    let uid = UniqueIdentifier::new(&change.hint, namespace).map_err(|error| id_error("hint", &error))?;
    let mut keys = change.signing_keys.clone();
    keys.sort_by_key(SigningPublicKey::fingerprint);
    Ok(PartyToParticipant {
        party: PartyId::from(uid),
        threshold: change.confirmation_threshold,
        participants: change
            .hosts
            .iter()
            .map(|host| HostingParticipant {
                participant: host.participant.clone(),
                permission: host.permission,
                onboarding: false,
            })
            .collect(),
        signing_keys: (!keys.is_empty())
            .then_some(SigningKeysWithThreshold { keys, threshold: change.signing_threshold }),
    })
}

fn check(change: &CreateParty) -> Result<(), PlanError> {
    let field = |field: &str, reason: String| PlanError::Field { field: field.to_owned(), reason };
    let owners = change.owners.len() as u64;
    in_range("owners", owners, 1, limits::OWNERS_MAX as u64, "")?;
    let distinct: BTreeSet<_> = change.owners.iter().map(SigningPublicKey::fingerprint).collect();
    if distinct.len() < change.owners.len() {
        return Err(field("owners", "an owner stands there twice; name each once".to_owned()));
    }
    if let Some(key) = change.owners.iter().find(|key| !key.usage().contains(&KeyUsage::Namespace)) {
        let reason = format!("key {} has not the usage NAMESPACE; an owner's key needs it", key.fingerprint());
        return Err(field("owners", reason));
    }
    in_range("namespace_threshold", u64::from(change.namespace_threshold), 1, owners, " (the number of owners)")?;
    let hosts = change.hosts.len() as u64;
    in_range("hosts", hosts, 1, limits::HOSTS_MAX as u64, "")?;
    let distinct: BTreeSet<&ParticipantId> = change.hosts.iter().map(|host| &host.participant).collect();
    if distinct.len() < change.hosts.len() {
        return Err(field("hosts", "a participant stands there twice; name each once".to_owned()));
    }
    let confirming = change.hosts.iter().filter(|host| host.permission != Permission::Observation).count() as u64;
    let hint = " (the number of confirming hosts: above it, the party could never act)";
    in_range("confirmation_threshold", u64::from(change.confirmation_threshold), 1, confirming.max(1), hint)?;
    check_keys(change)
}

fn check_keys(change: &CreateParty) -> Result<(), PlanError> {
    let keys = change.signing_keys.len() as u64;
    in_range("signing_keys", keys, 0, limits::SIGNING_KEYS_MAX as u64, "")?;
    let distinct: BTreeSet<_> = change.signing_keys.iter().map(SigningPublicKey::fingerprint).collect();
    if distinct.len() < change.signing_keys.len() {
        let reason = "a key stands there twice; name each once".to_owned();
        return Err(PlanError::Field { field: "signing_keys".to_owned(), reason });
    }
    let (min, hint) =
        if keys == 0 { (0, " (there are no signing keys)") } else { (1, " (the number of signing keys)") };
    in_range("signing_threshold", u64::from(change.signing_threshold), min, keys, hint)?;
    if let Some(key) = change.signing_keys.iter().find(|key| !key.usage().contains(&KeyUsage::Protocol)) {
        let reason = format!("key {} has not the usage PROTOCOL; a party's key needs it", key.fingerprint());
        return Err(PlanError::Field { field: "signing_keys".to_owned(), reason });
    }
    Ok(())
}
