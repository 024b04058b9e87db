//! The frame of delegations: one key may sign what is named, or may sign no more; one owner is another key's.

use std::collections::BTreeSet;

use canton_topology::{
    id::Namespace,
    mapping::{Code, Mapping, NamespaceDelegation, Restriction},
};

use super::{Done, Step, key_words};
use crate::{
    intent::{Delegate, Revoke, RotateOwnerKey, Scope},
    refusal::Refusal,
};

pub(super) fn delegate(wanted: &Delegate, step: &Step<'_>, done: &mut Done) -> Result<(), Refusal> {
    step.sets()?;
    let Mapping::NamespaceDelegation(after) = step.transaction.mapping() else { return Err(step.untouched()) };
    step.once(&mut done.delegation)?;
    step.same("namespace", &wanted.namespace, &after.namespace)?;
    step.same("target key", key_words(&wanted.key).as_str(), key_words(&after.target).as_str())?;
    if after.is_root() {
        return Err(step.outside("target key", "another key than the namespace's own", after.target.fingerprint_ref()));
    }
    step.same("what it may sign", kinds_of(wanted.scope).as_str(), signable(after).as_str())
}

/// Everything that a delegation lets its key sign, kind by kind.
fn signable(delegation: &NamespaceDelegation) -> String {
    let kinds = Code::ALL.into_iter().filter(|code| delegation.restriction.allows(*code));
    let all = match &delegation.restriction {
        Restriction::All => "all of ",
        Restriction::AllButNamespaceDelegations => "all but delegations of ",
        Restriction::Specific(_) => "",
    };
    format!("{all}{}", kinds.map(Code::name).collect::<Vec<_>>().join(", "))
}

/// What the name of a scope promises.
fn kinds_of(scope: Scope) -> String {
    let only = |kinds: &[&str]| {
        let kinds: BTreeSet<&str> = kinds.iter().copied().collect();
        let in_order = Code::ALL.into_iter().map(Code::name).filter(|name| kinds.contains(name));
        in_order.collect::<Vec<_>>().join(", ")
    };
    let every = || Code::ALL.into_iter().map(Code::name);
    match scope {
        Scope::All => format!("all of {}", every().collect::<Vec<_>>().join(", ")),
        Scope::AllButDelegations => {
            let rest = every().filter(|name| *name != "NamespaceDelegation");
            format!("all but delegations of {}", rest.collect::<Vec<_>>().join(", "))
        }
        Scope::Owner => only(&["DecentralizedNamespaceDefinition", "PartyToParticipant", "PartyToKeyMapping"]),
        Scope::Parties => only(&["PartyToParticipant", "PartyToKeyMapping"]),
        Scope::Namespaces => only(&["DecentralizedNamespaceDefinition"]),
        Scope::Vetting => only(&["VettedPackages"]),
        Scope::Node => only(&["OwnerToKeyMapping", "SynchronizerTrustCertificate", "VettedPackages"]),
    }
}

pub(super) fn revoke(wanted: &Revoke, step: &Step<'_>, done: &mut Done) -> Result<(), Refusal> {
    let Mapping::NamespaceDelegation(gone) = step.transaction.mapping() else { return Err(step.untouched()) };
    step.removes()?;
    step.once(&mut done.delegation)?;
    step.same("namespace", &wanted.namespace, &gone.namespace)?;
    step.same("target key", &wanted.key, gone.target.fingerprint_ref())
}

/// One stage in one transaction; each only where the one before it stands.
pub(super) fn rotate(wanted: &RotateOwnerKey, step: &Step<'_>, done: &mut Done) -> Result<(), Refusal> {
    let new = Namespace::from(wanted.new.fingerprint());
    if done.delegation || done.definition {
        return Err(step.untouched());
    }
    let owners = step.state.definition(&wanted.namespace).map(|definition| definition.owners.as_slice());
    let owners = owners.ok_or_else(|| step.untouched())?;
    let (has_old, has_new) = (owners.contains(&wanted.old), owners.contains(&new));
    match (step.before(), step.transaction.mapping()) {
        (None, Mapping::NamespaceDelegation(root)) if has_old && !has_new => {
            step.once(&mut done.delegation)?;
            step.root(root, std::slice::from_ref(&wanted.new))
        }
        (Some(Mapping::DecentralizedNamespaceDefinition(before)), Mapping::DecentralizedNamespaceDefinition(after))
            if after.namespace == wanted.namespace && has_old && !has_new =>
        {
            step.sets()?;
            step.once(&mut done.definition)?;
            step.same("threshold", &before.threshold, &after.threshold)?;
            let swap = |owner: &Namespace| if *owner == wanted.old { new.clone() } else { owner.clone() };
            step.owners(&before.owners.iter().map(swap).collect::<Vec<_>>(), after)
        }
        (Some(Mapping::NamespaceDelegation(_)), Mapping::NamespaceDelegation(gone))
            if wanted.revoke_old && !has_old && has_new =>
        {
            step.removes()?;
            step.once(&mut done.delegation)?;
            step.same("namespace", &wanted.old, &gone.namespace)?;
            step.same("target key", wanted.old.fingerprint(), gone.target.fingerprint_ref())
        }
        _ => Err(step.untouched()),
    }
}
