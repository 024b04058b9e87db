//! Who must sign, said a second time for the mappings of the walk, as plainly as possible.

use std::collections::BTreeSet;

use canton_topology::{
    id::{Fingerprint, Namespace},
    mapping::{Code, Mapping, Restriction},
    state::State,
    transaction::{Operation, Transaction},
};

/// Whether these keys suffice for the transaction on that topology.
pub fn is_met(state: &State, transaction: &Transaction, signers: &BTreeSet<Fingerprint>) -> bool {
    let mapping = transaction.mapping();
    let code = mapping.code();
    let agrees = |namespace: &Namespace| namespace_agrees(state, namespace, code, signers);
    let synchronizer = state.synchronizer().logical.namespace();
    let previous = state.active(&transaction.unique_key());
    let removes = transaction.operation() == Operation::Remove;
    if let Mapping::NamespaceDelegation(root) = mapping
        && root.is_root()
        && allows(&root.restriction, Code::NamespaceDelegation)
        && *signers == BTreeSet::from([root.namespace.fingerprint().clone()])
    {
        // A root is its own key's word, the first time and ever after, where nobody else has a say in it.
        return true;
    }
    let own = match mapping {
        Mapping::NamespaceDelegation(delegation) => agrees(&delegation.namespace),
        Mapping::DecentralizedNamespaceDefinition(new) => match previous.map(|row| row.transaction.mapping()) {
            Some(Mapping::DecentralizedNamespaceDefinition(old)) => {
                // Those who are owners, by their threshold, and each who becomes one.
                agrees(&new.namespace) && new.owners.iter().all(|owner| old.owners.contains(owner) || agrees(owner))
            }
            _ => new.owners.iter().all(agrees),
        },
        Mapping::PartyHostingLimits(limits) => agrees(limits.synchronizer.namespace()),
        Mapping::OwnerToKeyMapping(new) => {
            let stood = previous.filter(|row| row.transaction.operation() == Operation::AddReplace);
            let known = |key| match stood.map(|row| row.transaction.mapping()) {
                Some(Mapping::OwnerToKeyMapping(old)) => old.signing_keys().any(|old| old == key),
                _ => false,
            };
            let mut new_keys = new.signing_keys().filter(|key| !known(*key));
            // A removal proves no keys, so that it cannot be repeated.
            let proved = new_keys.all(|key| !removes && signers.contains(&key.fingerprint()));
            agrees(new.member.uid.namespace()) && proved
        }
        other => panic!("the walk has no {}", other.code().name()),
    };
    own || (removes && agrees(synchronizer))
}

fn namespace_agrees(state: &State, namespace: &Namespace, code: Code, signers: &BTreeSet<Fingerprint>) -> bool {
    let definition =
        state.of_kind(Code::DecentralizedNamespaceDefinition).find_map(|row| match row.transaction.mapping() {
            Mapping::DecentralizedNamespaceDefinition(definition) if definition.namespace == *namespace => {
                Some(definition)
            }
            _ => None,
        });
    let Some(definition) = definition else { return key_speaks(state, namespace, code, signers) };
    let agreeing = definition.owners.iter().filter(|owner| key_speaks(state, owner, code, signers)).count();
    agreeing >= definition.threshold as usize
}

/// Whether one of the signers is a key to which a chain of delegations leads from the root.
fn key_speaks(state: &State, namespace: &Namespace, code: Code, signers: &BTreeSet<Fingerprint>) -> bool {
    let delegations: Vec<_> = state
        .of_kind(Code::NamespaceDelegation)
        .filter_map(|row| match row.transaction.mapping() {
            Mapping::NamespaceDelegation(one) if one.namespace == *namespace => Some((one, row.signers())),
            _ => None,
        })
        .collect();
    let mut reached: BTreeSet<Fingerprint> = BTreeSet::new();
    loop {
        let more: Vec<Fingerprint> = delegations
            .iter()
            .filter(|(one, by)| {
                let may_delegate = |key: &Fingerprint| {
                    reached.contains(key)
                        && delegations.iter().any(|(other, _)| {
                            other.target.fingerprint_ref() == key
                                && allows(&other.restriction, Code::NamespaceDelegation)
                        })
                };
                let is_root =
                    one.target.fingerprint_ref() == namespace.fingerprint() && by.contains(namespace.fingerprint());
                is_root || by.iter().any(may_delegate)
            })
            .map(|(one, _)| one.target.fingerprint())
            .filter(|key| !reached.contains(key))
            .collect();
        if more.is_empty() {
            break;
        }
        reached.extend(more);
    }
    delegations.iter().any(|(one, _)| {
        let key = one.target.fingerprint_ref();
        reached.contains(key) && signers.contains(key) && allows(&one.restriction, code)
    })
}

fn allows(restriction: &Restriction, code: Code) -> bool {
    match restriction {
        Restriction::All => true,
        Restriction::AllButNamespaceDelegations => code != Code::NamespaceDelegation,
        Restriction::Specific(codes) => codes.contains(&code),
    }
}
