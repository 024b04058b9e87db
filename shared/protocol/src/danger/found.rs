//! Finding dangers: in the transactions, in the parts of them, and in what is wanted.

use std::collections::{BTreeMap, BTreeSet};

use canton_topology::{
    awakening::{Awakened, Awakening, awakened_by},
    hash::TransactionHash,
    id::{Fingerprint, Namespace, PartyId},
    judge::Verifier,
    mapping::{Code, HostingParticipant, Mapping, Permission},
    state::State,
    transaction::{Operation, SignedTransaction, Transaction},
};

use super::Danger;
use crate::{
    cascade,
    intent::Change,
    newcomers::newcomers,
    plan::Plan,
    reach::{self, Parts},
};

/// The dangers of these transactions on a topology: of all of them, and of each part that whoever holds the signatures
/// could make effective alone. `live` are the signatures that the caller knows of beside the open proposals of the
/// topology.
pub fn dangers(transactions: &[Transaction], state: &State, live: &[SignedTransaction]) -> Vec<Danger> {
    let mut all = together(transactions, state, live);
    match reach::parts(transactions, state) {
        Parts::Whole => {}
        Parts::Each(parts) => {
            for part in parts {
                add(&mut all, together(&part.transactions, state, live));
                all.push(Danger::Part { name: part.name, stands: part.stands, lacks: part.lacks });
            }
        }
        Parts::TooMany(parts) => all.push(Danger::AnyPart { parts }),
    }
    // What the offer completes of itself is what the intent wants.
    let own: BTreeSet<TransactionHash> = transactions.iter().map(Transaction::hash).collect();
    all.retain(|danger| !matches!(danger, Danger::Awakens { transaction, .. } if own.contains(transaction)));
    all
}

/// The dangers of a plan: of its next stage, of those that come later, and of the change that it is for.
pub fn dangers_of_plan(change: &Change, plan: &Plan, state: &State, live: &[SignedTransaction]) -> Vec<Danger> {
    let mut scratch = state.clone();
    let mut all = dangers(&plan.transactions, state, live);
    let mut former = &plan.transactions;
    for stage in &plan.later {
        former.iter().for_each(|transaction| scratch.assume(transaction));
        add(&mut all, dangers(stage, &scratch, live));
        former = stage;
    }
    all.extend(of_change(change, state));
    all
}

/// The dangers of what is wanted, where the transactions alone do not tell them.
fn of_change(change: &Change, state: &State) -> impl Iterator<Item = Danger> {
    let new = newcomers(change, state).into_iter();
    new.map(|(party, participant)| Danger::HostWithoutContracts { party, participant })
}

fn add(all: &mut Vec<Danger>, more: Vec<Danger>) {
    for danger in more {
        if !all.contains(&danger) {
            all.push(danger);
        }
    }
}

fn together(transactions: &[Transaction], state: &State, live: &[SignedTransaction]) -> Vec<Danger> {
    let mut after = state.clone();
    let mut dangers = Vec::new();
    for transaction in transactions {
        let active = after.active(&transaction.unique_key()).map(|row| row.transaction.as_ref());
        let says_the_same = |active: &Transaction| {
            active.operation() == transaction.operation() && active.mapping() == transaction.mapping()
        };
        // What is said once more makes nothing worse.
        if !active.is_some_and(says_the_same) {
            dangers.extend(of_one(transaction, active.map(Transaction::mapping)));
        }
        after.assume(transaction);
    }
    dangers.extend(rootless(state, &after));
    dangers.extend(dangling(transactions, state, &after));
    // Any change can wake something: it moves its own chain on, to the serial that a proposal waits for.
    let awakened = awakened_by(state, transactions, live, &mut Verifier::default());
    dangers.extend(awakened.iter().map(awakens));
    dangers
}

fn awakens(awakened: &Awakened) -> Danger {
    let more = match &awakened.how {
        Awakening::AlreadyComplete | Awakening::Completed => 0,
        Awakening::WithinReach(lacking) => lacking.values().sum(),
    };
    Danger::Awakens { transaction: awakened.transaction, more }
}

/// Owners who lose the root that they had, or are taken in without one.
fn rootless(before: &State, after: &State) -> Vec<Danger> {
    let mut dangers = Vec::new();
    for row in after.of_kind(Code::DecentralizedNamespaceDefinition) {
        let Mapping::DecentralizedNamespaceDefinition(definition) = row.transaction.mapping() else { continue };
        let known = before.definition(&definition.namespace);
        let is_owner = |owner: &Namespace| known.is_some_and(|known| known.owners.contains(owner));
        for owner in definition.owners.iter().filter(|owner| !after.has_root(owner)) {
            if before.has_root(owner) || !is_owner(owner) {
                let (namespace, owner) = (definition.namespace.clone(), owner.clone());
                dangers.push(Danger::OwnerWithoutRoot { namespace, owner });
            }
        }
    }
    dangers
}

/// Keys that go with one that is named.
fn dangling(transactions: &[Transaction], before: &State, after: &State) -> Vec<Danger> {
    let mut by_namespace: BTreeMap<Namespace, Vec<Fingerprint>> = BTreeMap::new();
    for lost in cascade::lost_keys(transactions, before, after).into_iter().filter(|lost| !lost.named) {
        by_namespace.entry(lost.namespace).or_default().push(lost.key);
    }
    by_namespace.into_iter().map(|(namespace, keys)| Danger::KeysDangle { namespace, keys }).collect()
}

fn of_one(transaction: &Transaction, before: Option<&Mapping>) -> Vec<Danger> {
    let removes = transaction.operation() == Operation::Remove;
    let mut dangers = Vec::new();
    match transaction.mapping() {
        Mapping::DecentralizedNamespaceDefinition(m) if removes => {
            dangers.push(Danger::NamespaceLost { namespace: m.namespace.clone() });
        }
        Mapping::NamespaceDelegation(m) if removes => {
            dangers.push(Danger::DelegationLost { namespace: m.namespace.clone() });
        }
        Mapping::NamespaceDelegation(m) if !m.is_root() && m.restriction.allows(Code::NamespaceDelegation) => {
            dangers.push(Danger::UnlimitedDelegate { namespace: m.namespace.clone(), key: m.target.fingerprint() });
        }
        Mapping::DecentralizedNamespaceDefinition(m) => {
            let (namespace, owners) = (m.namespace.clone(), m.owners.len());
            if m.threshold as usize >= owners {
                dangers.push(Danger::EveryOwnerNeeded { namespace, owners });
            } else if m.threshold == 1 {
                dangers.push(Danger::OneOwnerSuffices { namespace, owners });
            }
        }
        Mapping::PartyToParticipant(m) if !removes => {
            let (party, threshold, hosts) = (m.party.clone(), m.threshold, m.confirming_hosts());
            let comes = |host: &&HostingParticipant| host.permission != Permission::Observation && host.onboarding;
            // Where all hosts only observe, the party confirms nothing and its threshold does not count.
            let only_observes = |host: &HostingParticipant| host.permission == Permission::Observation;
            let observes = !m.participants.is_empty() && m.participants.iter().all(only_observes);
            if threshold as usize > hosts && !observes {
                let onboarding = m.participants.iter().filter(comes).count();
                dangers.push(Danger::ConfirmationOutOfReach { party, threshold, hosts, onboarding });
            }
            if let Some(keys) = &m.signing_keys {
                dangers.extend(signatures_out_of_reach(&m.party, keys.threshold, keys.keys.len()));
            }
            let had_keys = matches!(before, Some(Mapping::PartyToParticipant(m)) if m.signing_keys.is_some());
            if had_keys && m.signing_keys.is_none() {
                dangers.push(Danger::PartyKeysGone { party: m.party.clone() });
            }
        }
        Mapping::PartyToKeyMapping(m) if !removes => {
            dangers.extend(signatures_out_of_reach(&m.party, m.threshold, m.keys.len()));
        }
        Mapping::NamespaceDelegation(_)
        | Mapping::PartyToParticipant(_)
        | Mapping::OwnerToKeyMapping(_)
        | Mapping::SynchronizerTrustCertificate(_)
        | Mapping::ParticipantSynchronizerPermission(_)
        | Mapping::PartyHostingLimits(_)
        | Mapping::VettedPackages(_)
        | Mapping::SynchronizerParametersState(_)
        | Mapping::MediatorSynchronizerState(_)
        | Mapping::SequencerSynchronizerState(_)
        | Mapping::DynamicSequencingParametersState(_)
        | Mapping::PartyToKeyMapping(_)
        | Mapping::LsuAnnouncement(_)
        | Mapping::LsuSequencerConnectionSuccessor(_) => {}
    }
    dangers
}

fn signatures_out_of_reach(party: &PartyId, threshold: u32, keys: usize) -> Option<Danger> {
    (threshold as usize > keys).then(|| Danger::SignaturesOutOfReach { party: party.clone(), threshold, keys })
}
