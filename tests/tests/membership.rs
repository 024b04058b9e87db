//! Changes of owners, hosts and keys, from the intent to the synchronizer, through the coordinator and every agent.
#![allow(clippy::unwrap_used)]

mod world;

use canton_topology::{
    id::Namespace,
    mapping::{Mapping, PartyToParticipant, Permission, party_key},
};
use protocol::{
    intent::{CaseId, Change, Delegate, Host, LeaveHost, OwnersChange, PartyChange, RotateOwnerKey, Scope},
    life::Status,
};
use world::World;

/// Three owners with a 2-of-3 party, and a fourth who has none.
fn with_party() -> World {
    let mut world = World::new(77, 4);
    world.show_coordinator();
    let founding = world.founding(3, 2);
    let case = world.propose(0, founding).unwrap();
    world.settle(&case);
    must_be_effective(&mut world, &case);
    world
}

fn must_be_effective(world: &mut World, case: &CaseId) {
    let now = world.at();
    let standing = world.coordinator.standing(case, now).unwrap();
    assert!(matches!(standing.status, Status::Effective { .. }), "{:?} {:?}", standing.status, standing.obstacle);
}

fn stage(world: &mut World, case: &CaseId) -> Option<(usize, usize)> {
    let now = world.at();
    world.coordinator.standing(case, now).unwrap().stage.map(|stage| (stage.number, stage.of))
}

fn owner(world: &World, index: usize) -> Namespace {
    world.owners[index].card.owner()
}

fn owners(world: &World) -> Vec<Namespace> {
    world.network.definition(&world.namespace(3)).unwrap().owners.clone()
}

fn party(world: &World) -> PartyToParticipant {
    let row = world.network.active(&party_key(&world.party_change(3).party)).unwrap();
    match row.transaction.mapping() {
        Mapping::PartyToParticipant(party) => party.clone(),
        other => panic!("{other:?}"),
    }
}

/// Owner 2 goes and owner 3 comes: seat, host and key.
fn replacement(world: &World) -> Change {
    let (old, new) = (&world.owners[2].card, &world.owners[3].card);
    let owners =
        OwnersChange { add: vec![new.namespace_key.clone()], remove: vec![old.owner()], ..world.owners_change(3) };
    let confirming = |participant| Host { participant, permission: Permission::Confirmation };
    let party = PartyChange {
        add_hosts: new.host.clone().map(confirming).into_iter().collect(),
        remove_hosts: old.host.clone().into_iter().collect(),
        add_keys: new.party_key.clone().into_iter().collect(),
        remove_keys: old.party_key.iter().map(|key| key.fingerprint()).collect(),
        ..world.party_change(3)
    };
    world.membership(Some(owners), Some(party))
}

#[test]
fn an_owner_who_cannot_be_reached_is_removed_by_the_others() {
    let mut world = with_party();
    let lost = OwnersChange { remove: vec![owner(&world, 2)], ..world.owners_change(3) };
    let change = world.membership(Some(lost), None);
    let case = world.propose(0, change).unwrap();

    world.settle_by(&case, &[0, 1]);

    must_be_effective(&mut world, &case);
    let mut expected = vec![owner(&world, 0), owner(&world, 1)];
    expected.sort();
    assert_eq!(owners(&world), expected);
}

#[test]
fn an_owner_is_replaced_in_three_stages_without_the_help_of_the_one_who_goes() {
    let mut world = with_party();
    let change = replacement(&world);
    let case = world.propose(0, change).unwrap();
    assert_eq!(stage(&mut world, &case), Some((1, 3)));

    world.settle_by(&case, &[0, 1, 3]);

    must_be_effective(&mut world, &case);
    assert_eq!(stage(&mut world, &case), Some((3, 3)));
    assert_eq!(world.coordinator.case(&case).unwrap().offers().len(), 3);
    assert!(owners(&world).contains(&owner(&world, 3)) && !owners(&world).contains(&owner(&world, 2)));
    let party = party(&world);
    let (old, new) = (&world.owners[2].card, &world.owners[3].card);
    assert!(party.host(new.host.as_ref().unwrap()).is_some() && party.host(old.host.as_ref().unwrap()).is_none());
    assert!(party.signing_keys.unwrap().keys.contains(new.party_key.as_ref().unwrap()));
}

#[test]
fn a_replacement_goes_on_at_its_stage_when_coordinator_and_agents_crash_in_between() {
    let mut world = with_party();
    let change = replacement(&world);
    let case = world.propose(1, change).unwrap();
    for expected in [(1, 3), (2, 3), (3, 3)] {
        assert_eq!(stage(&mut world, &case), Some(expected));
        world.crash_coordinator();
        for index in [0, 1, 3] {
            world.crash_agent(index);
        }
        world.show_coordinator();
        assert_eq!(stage(&mut world, &case), Some(expected), "after the crash");
        for index in [0, 1, 3] {
            world.show_owner(index);
            while world.deliver(index) {}
            if let Ok(statement) = world.approve(index, &case) {
                world.post(statement).unwrap();
            }
        }
        // The crash loses the submission; the one after it makes it again.
        world.crash_coordinator();
        world.show_coordinator();
        assert!(world.submit());
        world.show_coordinator();
    }
    must_be_effective(&mut world, &case);
}

#[test]
fn an_agent_whose_participant_does_not_show_the_former_stage_signs_nothing_of_the_next() {
    let mut world = with_party();
    let change = replacement(&world);
    let case = world.propose(0, change).unwrap();
    for index in [0, 1] {
        world.show_owner(index);
        while world.deliver(index) {}
        let statement = world.approve(index, &case).unwrap();
        world.post(statement).unwrap();
    }
    assert!(world.submit());
    world.show_coordinator();
    assert_eq!(stage(&mut world, &case), Some((2, 3)));
    while world.deliver(0) {}

    let waits = world.approve(0, &case).unwrap_err();

    assert!(waits.to_string().starts_with("not yet"), "{waits}");
    world.show_owner(0);
    world.approve(0, &case).unwrap();
}

#[test]
fn an_owner_goes_over_to_another_key_and_the_old_one_is_revoked() {
    let mut world = with_party();
    let new = world.owners[3].card.namespace_key.clone();
    let (old, namespace) = (owner(&world, 1), world.namespace(3));
    let change = Change::RotateOwnerKey(RotateOwnerKey { namespace, old: old.clone(), new, revoke_old: true });
    let case = world.propose(1, change).unwrap();

    world.settle(&case);

    must_be_effective(&mut world, &case);
    assert_eq!(stage(&mut world, &case), Some((3, 3)));
    assert!(owners(&world).contains(&owner(&world, 3)) && !owners(&world).contains(&old));
    assert!(!world.network.has_root(&old));
}

#[test]
fn namespace_hosting_and_keys_change_as_one_set() {
    let mut world = with_party();
    let newcomer = world.owners[3].card.clone();
    let owners =
        OwnersChange { add: vec![newcomer.namespace_key.clone()], threshold: Some(3), ..world.owners_change(3) };
    let permissions =
        vec![Host { participant: world.owners[2].card.host.clone().unwrap(), permission: Permission::Observation }];
    let party_change = PartyChange {
        permissions,
        confirmation_threshold: Some(2),
        add_keys: newcomer.party_key.into_iter().collect(),
        remove_keys: world.owners[2].card.party_key.iter().map(|key| key.fingerprint()).collect(),
        signing_threshold: Some(2),
        ..world.party_change(3)
    };
    let change = world.membership(Some(owners), Some(party_change));
    let case = world.propose(0, change).unwrap();

    world.settle(&case);

    must_be_effective(&mut world, &case);
    let after = party(&world);
    let keys = after.signing_keys.clone().unwrap();
    assert_eq!((after.threshold, after.confirming_hosts(), keys.keys.len(), keys.threshold), (2, 2, 3, 2));
    let definition = world.network.definition(&world.namespace(3)).unwrap();
    assert_eq!((definition.owners.len(), definition.threshold), (4, 3));
}

#[test]
fn a_stage_that_another_case_makes_stale_is_offered_again() {
    let mut world = with_party();
    let change = replacement(&world);
    let slow = world.propose(0, change).unwrap();
    for index in [0, 1] {
        world.show_owner(index);
        while world.deliver(index) {}
        let statement = world.approve(index, &slow).unwrap();
        world.post(statement).unwrap();
    }
    assert!(world.submit());
    world.show_coordinator();
    assert_eq!(stage(&mut world, &slow), Some((2, 3)));
    // The same chain, taken by another case.
    let change = world.threshold(3, 1);
    let quick = world.propose(1, change).unwrap();
    world.settle_by(&quick, &[0, 1]);
    must_be_effective(&mut world, &quick);
    assert_eq!(stage(&mut world, &slow), Some((2, 3)));

    world.settle_by(&slow, &[0, 1, 3]);

    must_be_effective(&mut world, &slow);
    assert_eq!(world.coordinator.case(&slow).unwrap().offers().len(), 4);
    assert_eq!(world.network.definition(&world.namespace(3)).unwrap().threshold, 1, "what the other case wanted");
}

#[test]
fn a_host_leaves_by_its_own_signature_and_a_delegate_signs_for_its_owner() {
    let mut world = with_party();
    let party_id = world.party_change(3).party;
    let participant = world.owners[2].card.host.clone().unwrap();
    let leave = Change::LeaveHost(LeaveHost { party: party_id, participant: participant.clone() });
    let case = world.propose(2, leave).unwrap();
    world.settle_by(&case, &[2]);
    must_be_effective(&mut world, &case);
    assert!(party(&world).host(&participant).is_none());

    let (namespace, key) = (owner(&world, 0), world.owners[3].card.namespace_key.clone());
    let delegate = Change::Delegate(Delegate { namespace, key, scope: Scope::Namespaces });
    let case = world.propose(0, delegate).unwrap();
    world.settle_by(&case, &[0]);
    must_be_effective(&mut world, &case);
    let change = world.threshold(3, 3);
    let case = world.propose(1, change).unwrap();
    world.settle_by(&case, &[1, 3]);
    must_be_effective(&mut world, &case);
}
