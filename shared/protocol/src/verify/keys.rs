//! Which of an agent's keys have something to sign.

use std::collections::BTreeSet;

use canton_topology::{
    id::{Fingerprint, Namespace},
    key::SigningPublicKey,
    mapping::Mapping,
    planner,
    state::State,
    transaction::Transaction,
};

use crate::{
    accepted::Accepted,
    danger::Danger,
    reader::Context,
    request::{Holder, SignRequest},
};

/// What comes out.
pub(super) struct Requests {
    pub requests: Vec<SignRequest>,
    /// Root delegations on which one of the agent's keys could sign that is not the root key, and the root key is not here.
    pub delegates: Vec<Danger>,
}

/// The agent's keys that are needed for each transaction, with the earlier ones of the batch taken for accepted. What
/// is effective already needs none.
pub(super) fn requests(
    transactions: &[Transaction],
    state: &State,
    context: &Context<'_>,
    accepts: &[Accepted],
) -> Requests {
    let me = context.me;
    let own: BTreeSet<Fingerprint> = me.keys.iter().map(SigningPublicKey::fingerprint).collect();
    let hosted: BTreeSet<Fingerprint> = me.host.iter().map(|(_, key)| key.fingerprint()).collect();
    let candidates: BTreeSet<Fingerprint> = own.union(&hosted).cloned().collect();
    let mut scratch = state.clone();
    let mut requests = Vec::new();
    let mut delegates = Vec::new();
    for (index, transaction) in transactions.iter().enumerate() {
        let is_effective = context.state.effective_since(&transaction.hash()).is_some();
        let mut keys = if is_effective { Vec::new() } else { needed(&scratch, transaction, &candidates) };
        if let Some(root) = root_of(transaction).filter(|_| !is_effective) {
            if keys.contains(&root) {
                keys.retain(|key| *key == root);
            } else {
                let namespace = transaction.mapping().namespace().clone();
                let danger =
                    |key: &Fingerprint| Danger::DelegateOnRoot { namespace: namespace.clone(), key: key.clone() };
                delegates.extend(keys.iter().map(danger));
                keys.retain(|_| accepts.contains(&Accepted::DelegateOnRoot));
            }
        }
        for key in keys {
            let holder = if own.contains(&key) { Holder::Agent } else { Holder::Participant };
            requests.push(SignRequest {
                index,
                transaction: transaction.hash(),
                unique_key: transaction.unique_key(),
                serial: transaction.serial(),
                key,
                holder,
            });
        }
        scratch.assume(transaction);
    }
    // The agent's own signatures first: a participant signs only what carries one already.
    requests.sort_by_key(|request| (request.index, request.holder == Holder::Participant));
    Requests { requests, delegates }
}

/// The root key, where the transaction is a root delegation: any other key on it takes away that it is one.
fn root_of(transaction: &Transaction) -> Option<Fingerprint> {
    match transaction.mapping() {
        Mapping::NamespaceDelegation(delegation) if delegation.is_root() => Some(delegation.target.fingerprint()),
        _ => None,
    }
}

/// Of the keys that Canton would keep, those that today's requirement asks for. A host that need not agree to a change
/// is not asked to: a signature too many is one more that can be carried elsewhere.
fn needed(state: &State, transaction: &Transaction, candidates: &BTreeSet<Fingerprint>) -> Vec<Fingerprint> {
    let permissible = planner::permissible(state, transaction, candidates);
    if root_of(transaction).is_some_and(|root| permissible.contains_key(&root)) {
        // Before the root is there nobody speaks for the namespace, and its key may sign all the same.
        return permissible.into_keys().collect();
    }
    let asked = planner::required(state, transaction).mentioned();
    let speaks =
        |key: &Fingerprint| asked.namespaces.iter().any(|namespace| speaks_for(state, namespace, key, transaction));
    permissible.into_keys().filter(|key| asked.keys.contains(key) || speaks(key)).collect()
}

/// Whether the key alone brings a namespace nearer to agreeing.
fn speaks_for(state: &State, namespace: &Namespace, key: &Fingerprint, transaction: &Transaction) -> bool {
    let signs_for_itself = matches!(transaction.mapping(), Mapping::PartyToParticipant(party)
        if party.self_signing_key().is_some_and(|own| own.fingerprint_ref() == key) && namespace.fingerprint() == key);
    let none = planner::lacking_owners(state, namespace, &BTreeSet::new(), transaction).1.len();
    let with = planner::lacking_owners(state, namespace, &BTreeSet::from([key.clone()]), transaction).1.len();
    signs_for_itself || with < none
}
