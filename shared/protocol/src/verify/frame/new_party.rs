//! The frame of a new party: nothing of it stood before, and all of it is as the intent says.

use canton_topology::{
    id::{Namespace, decentralized_namespace},
    key::SigningPublicKey,
    mapping::{HostingParticipant, Mapping, PartyToParticipant, SigningKeysWithThreshold},
};

use super::{Done, KeysIn, Step};
use crate::{intent::CreateParty, refusal::Refusal};

pub(super) fn check(wanted: &CreateParty, keys_in: KeysIn, step: &Step<'_>, done: &mut Done) -> Result<(), Refusal> {
    step.sets()?;
    let owners: Vec<Namespace> = wanted.owners.iter().map(|key| Namespace::from(key.fingerprint())).collect();
    let namespace = decentralized_namespace(&owners);
    match step.transaction.mapping() {
        Mapping::NamespaceDelegation(delegation) if !done.definition => step.root(delegation, &wanted.owners),
        Mapping::DecentralizedNamespaceDefinition(after) => {
            is_new(step)?;
            step.once(&mut done.definition)?;
            step.same("namespace", &namespace, &after.namespace)?;
            step.same("threshold", &wanted.namespace_threshold, &after.threshold)?;
            step.owners(&owners, after)
        }
        Mapping::PartyToParticipant(after) => {
            is_new(step)?;
            step.once(&mut done.party)?;
            if !done.definition {
                return Err(Refusal::FrameNotFilled {
                    what: "a namespace definition before the party's mapping".into(),
                });
            }
            party(wanted, &namespace, after, step)?;
            let wanted = match keys_in {
                KeysIn::Party => keys(wanted),
                KeysIn::OwnMapping => None,
            };
            step.keys(wanted, after.signing_keys.as_ref())
        }
        Mapping::PartyToKeyMapping(after) if keys_in == KeysIn::OwnMapping && done.party => {
            is_new(step)?;
            step.once(&mut done.keys)?;
            step.same("party", &format!("{}::{namespace}", wanted.hint), &after.party.to_string())?;
            let found = SigningKeysWithThreshold { keys: after.keys.clone(), threshold: after.threshold };
            step.keys(keys(wanted), Some(&found))
        }
        _ => Err(step.untouched()),
    }
}

/// A removed namespace or party is not a new one.
fn is_new(step: &Step<'_>) -> Result<(), Refusal> {
    match step.state.active(&step.transaction.unique_key()) {
        None => Ok(()),
        Some(_) => Err(step.untouched()),
    }
}

fn party(
    wanted: &CreateParty,
    namespace: &Namespace,
    after: &PartyToParticipant,
    step: &Step<'_>,
) -> Result<(), Refusal> {
    step.same("party", &format!("{}::{namespace}", wanted.hint), &after.party.to_string())?;
    step.same("confirmation threshold", &wanted.confirmation_threshold, &after.threshold)?;
    step.same("number of hosts", &wanted.hosts.len(), &after.participants.len())?;
    for (named, host) in wanted.hosts.iter().zip(&after.participants) {
        let HostingParticipant { participant, permission, onboarding } = host;
        step.same("host", &named.participant, participant)?;
        step.same(&format!("permission of {participant}"), named.permission.name(), permission.name())?;
        step.same(&format!("onboarding of {participant}"), &false, onboarding)?;
    }
    Ok(())
}

fn keys(wanted: &CreateParty) -> Option<(&[SigningPublicKey], u32)> {
    let keys = wanted.signing_keys.as_slice();
    (!keys.is_empty()).then_some((keys, wanted.signing_threshold))
}
