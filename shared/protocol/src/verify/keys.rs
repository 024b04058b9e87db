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

use super::{Context, Holder, SignRequest};

/// The agent's keys that are needed for each transaction, with the earlier ones of the batch taken for accepted. What
/// is effective already needs none.
pub(super) fn requests(transactions: &[Transaction], state: &State, context: &Context<'_>) -> Vec<SignRequest> {
    let me = context.me;
    let own: BTreeSet<Fingerprint> = me.keys.iter().map(SigningPublicKey::fingerprint).collect();
    let hosted: BTreeSet<Fingerprint> = me.host.iter().map(|(_, key)| key.fingerprint()).collect();
    let candidates: BTreeSet<Fingerprint> = own.union(&hosted).cloned().collect();
    let mut scratch = state.clone();
    let mut requests = Vec::new();
    for (index, transaction) in transactions.iter().enumerate() {
        let is_effective = context.state.effective_since(&transaction.hash()).is_some();
        for key in needed(&scratch, transaction, &candidates).into_iter().filter(|_| !is_effective) {
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
    requests
}

/// Of the keys that Canton would keep, those that today's requirement asks for. A host that need not agree to a change
/// is not asked to: a signature too many is one more that can be carried elsewhere.
fn needed(state: &State, transaction: &Transaction, candidates: &BTreeSet<Fingerprint>) -> Vec<Fingerprint> {
    let permissible = planner::permissible(state, transaction, candidates);
    if let Mapping::NamespaceDelegation(delegation) = transaction.mapping()
        && delegation.is_root()
    {
        // Any other key on a root delegation, first or later, takes away that it is one.
        let root = delegation.target.fingerprint();
        return permissible.into_keys().filter(|key| *key == root).collect();
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
