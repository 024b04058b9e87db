//! Every smallest completing set is sufficient and minimal, against brute force.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::BTreeSet;

use canton_topology::{
    completing::{Helper, completing_sets},
    id::Fingerprint,
    planner,
    state::State,
    transaction::Transaction,
};
use protocol::intent::{OwnersChange, PartyChange};
use world::World;

/// In this world every owner has one key: its namespace's own.
fn key(helper: &Helper) -> Fingerprint {
    match helper {
        Helper::Owner(owner) => owner.fingerprint().clone(),
        Helper::Key(key) => key.clone(),
    }
}

fn subsets(all: &[Fingerprint]) -> impl Iterator<Item = BTreeSet<Fingerprint>> + '_ {
    (0..1u32 << all.len()).map(|bits| {
        all.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1).map(|(_, key)| key.clone()).collect()
    })
}

/// All keys that could say anything, and the sets of them that suffice and of which no part suffices.
fn brute_force(state: &State, transaction: &Transaction, keys: &[Fingerprint]) -> BTreeSet<BTreeSet<Fingerprint>> {
    let suffices = |set: &BTreeSet<Fingerprint>| planner::assess(state, transaction, set).satisfied;
    let sufficient: Vec<BTreeSet<Fingerprint>> = subsets(keys).filter(suffices).collect();
    let is_minimal = |set: &BTreeSet<Fingerprint>| !sufficient.iter().any(|other| other != set && other.is_subset(set));
    sufficient.iter().filter(|set| is_minimal(set)).cloned().collect()
}

fn compare(state: &State, transaction: &Transaction, keys: &[Fingerprint]) {
    let planned = completing_sets(state, transaction, &BTreeSet::new());
    assert!(!planned.more);
    let planned: BTreeSet<BTreeSet<Fingerprint>> =
        planned.sets.iter().map(|set| set.iter().map(key).collect()).collect();
    assert_eq!(planned, brute_force(state, transaction, keys), "{transaction:?}");
    // And beside any signatures that are there already, what is planned completes, and nothing less does.
    for given in subsets(keys) {
        for set in completing_sets(state, transaction, &given).sets {
            let whole: BTreeSet<Fingerprint> = set.iter().map(key).chain(given.iter().cloned()).collect();
            assert!(planner::assess(state, transaction, &whole).satisfied, "{transaction:?}");
            for left_out in &set {
                let less = whole.iter().filter(|one| **one != key(left_out)).cloned().collect();
                assert!(!planner::assess(state, transaction, &less).satisfied, "{transaction:?}: {left_out:?}");
            }
        }
    }
}

#[test]
fn completing_sets_are_sufficient_and_minimal() {
    let mut world = World::new(21, 4);
    let mut keys: Vec<Fingerprint> = Vec::new();
    for owner in &world.owners {
        keys.extend(owner.agent.me().keys.iter().map(|key| key.fingerprint()));
    }
    // Four namespace keys, two party keys and two hosts: 256 subsets.
    keys.retain(|key| {
        world.owners[..2].iter().all(|owner| owner.card.party_key.as_ref().unwrap().fingerprint() != *key)
    });
    keys.extend(
        world.owners[..2]
            .iter()
            .filter_map(|owner| owner.card.host.clone())
            .map(|host| host.namespace().fingerprint().clone()),
    );

    world.show_coordinator();
    let founding = world.founding(3, 2);
    let case = world.propose(0, founding).unwrap();
    let mut state = world.network.clone();
    for transaction in world.offered(&case) {
        let all: Vec<Fingerprint> = planner::required(&state, &transaction)
            .mentioned()
            .keys
            .into_iter()
            .chain(world.owners.iter().map(|owner| owner.card.owner().fingerprint().clone()))
            .chain(
                world
                    .owners
                    .iter()
                    .filter_map(|owner| owner.card.host.clone())
                    .map(|host| host.namespace().fingerprint().clone()),
            )
            .take(11)
            .collect();
        let planned = completing_sets(&state, &transaction, &BTreeSet::new());
        let planned: BTreeSet<BTreeSet<Fingerprint>> =
            planned.sets.iter().map(|set| set.iter().map(key).collect()).collect();
        // Roots that are only assumed give nobody's owner a key yet; the definition itself asks for each owner's.
        if !planned.is_empty() {
            assert_eq!(planned, brute_force(&state, &transaction, &all), "{transaction:?}");
        }
        state.assume(&transaction);
    }

    world.settle(&case);
    let owners = |change: OwnersChange| world.membership(Some(change), None);
    let added = vec![world.owners[3].card.namespace_key.clone()];
    let party = PartyChange { confirmation_threshold: Some(2), signing_threshold: Some(2), ..world.party_change(3) };
    let changes = [
        world.threshold(3, 3),
        world.membership(None, Some(party)),
        owners(OwnersChange { add: added, ..world.owners_change(3) }),
    ];
    for change in changes {
        let case = world.propose(0, change).unwrap();
        let mut state = world.network.clone();
        for transaction in world.offered(&case) {
            compare(&state, &transaction, &keys);
            state.assume(&transaction);
        }
    }
}
