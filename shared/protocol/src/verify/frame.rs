//! The frame check: everything that would change is named by the intent, everything else stays as it is.
//!
//! Written apart from the planners and without them, so that a mistake in one is caught by the other. It knows nothing
//! of how a change is planned, only of what an intent names.

use canton_topology::{id::Namespace, state::State, transaction::Operation};

use crate::{
    case::Offered,
    difference::{Change as FactChange, Difference, Fact, difference},
    intent::{Change, CreateParty, Intent},
    refusal::Refusal,
};

pub(super) fn check(intent: &Intent, offered: &Offered, state: &State) -> Result<Vec<Difference>, Refusal> {
    let mut scratch = state.clone();
    let mut differences = Vec::new();
    for (index, transaction) in offered.transactions.iter().enumerate() {
        if state.effective_since(&transaction.hash()).is_some() {
            continue;
        }
        let difference = difference(transaction, &scratch);
        let is_raw = matches!(intent.change, Change::Raw(_));
        if difference.operation == Operation::Remove && !is_raw {
            return Err(Refusal::OutsideFrame { index, fact: Fact::Stands });
        }
        if let Some(change) = difference.changes.iter().find(|change| !is_named(&intent.change, &difference, change)) {
            return Err(Refusal::OutsideFrame { index, fact: change.fact.clone() });
        }
        scratch.assume(transaction);
        differences.push(difference);
    }
    Ok(differences)
}

/// Whether the intent names this change of this mapping.
pub fn is_named(intent: &Change, difference: &Difference, change: &FactChange) -> bool {
    match intent {
        // The bytes themselves are the intent; a human sees every field of them.
        Change::Raw(_) => true,
        // What is active is said once more: nothing may change.
        Change::Void(_) => false,
        Change::CreateParty(wanted) => names_in_new_party(wanted, difference, change),
        Change::AddOwner(wanted) => {
            let owner = Namespace::from(wanted.owner.fingerprint());
            match difference.kind {
                "NamespaceDelegation" => names_root(&owner, difference, change),
                "DecentralizedNamespaceDefinition" if difference.subject == wanted.namespace.to_string() => {
                    match &change.fact {
                        Fact::Owner(added) => *added == owner && change.before.is_none(),
                        Fact::Threshold => becomes(change, wanted.threshold),
                        _ => false,
                    }
                }
                _ => false,
            }
        }
        Change::ChangeThresholds(wanted) => match (difference.kind, &change.fact) {
            ("DecentralizedNamespaceDefinition", Fact::Threshold) => wanted
                .namespace
                .as_ref()
                .is_some_and(|(id, to)| difference.subject == id.to_string() && becomes(change, *to)),
            ("PartyToParticipant", Fact::Threshold) => wanted
                .confirmation
                .as_ref()
                .is_some_and(|(id, to)| difference.subject == id.to_string() && becomes(change, *to)),
            ("PartyToParticipant", Fact::KeyThreshold) => wanted
                .signing
                .as_ref()
                .is_some_and(|(id, to)| difference.subject == id.to_string() && becomes(change, *to)),
            _ => false,
        },
    }
}

fn becomes(change: &FactChange, value: u32) -> bool {
    change.after.as_deref() == Some(value.to_string().as_str())
}

fn names_root(owner: &Namespace, difference: &Difference, change: &FactChange) -> bool {
    let is_own = difference.subject == format!("{owner} to key {owner}");
    let may_all = |after: &String| after.ends_with("signs every mapping");
    is_own
        && match &change.fact {
            Fact::Stands => change.before.is_none(),
            Fact::Target(key) => key == owner.fingerprint() && change.after.as_ref().is_some_and(may_all),
            _ => false,
        }
}

fn names_in_new_party(wanted: &CreateParty, difference: &Difference, change: &FactChange) -> bool {
    let owners: Vec<Namespace> = wanted.owners.iter().map(|key| Namespace::from(key.fingerprint())).collect();
    if difference.kind == "NamespaceDelegation" {
        return owners.iter().any(|owner| names_root(owner, difference, change));
    }
    let namespace = canton_topology::id::decentralized_namespace(&owners);
    let is_new = difference.serial_before.is_none() && change.before.is_none();
    match difference.kind {
        "DecentralizedNamespaceDefinition" => {
            is_new
                && difference.subject == namespace.to_string()
                && match &change.fact {
                    Fact::Stands => true,
                    Fact::Threshold => becomes(change, wanted.namespace_threshold),
                    Fact::Owner(owner) => owners.contains(owner),
                    _ => false,
                }
        }
        "PartyToParticipant" => {
            is_new
                && difference.subject == format!("{}::{namespace}", wanted.hint)
                && match &change.fact {
                    Fact::Stands => true,
                    Fact::Threshold => becomes(change, wanted.confirmation_threshold),
                    Fact::KeyThreshold => becomes(change, wanted.signing_threshold),
                    Fact::Host(host) => wanted.hosts.iter().any(|named| {
                        named.participant == *host && change.after.as_deref() == Some(named.permission.name())
                    }),
                    Fact::Key(key) => wanted.signing_keys.iter().any(|named| named.fingerprint() == *key),
                    _ => false,
                }
        }
        _ => false,
    }
}
