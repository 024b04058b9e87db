//! Killed at any moment, the coordinator and the agents carry on from what they keep: nothing is lost, nothing is given
//! twice.
#![allow(clippy::unwrap_used)]

mod world;

use custody::ladder::Permission;
use protocol::{
    intent::{
        CaseId, Change, Delegate, LeaveHost, MigrateKeys, OwnersChange, PartyChange, Raw, Revoke, RotateOwnerKey,
        Scope, Slot, Void,
    },
    life::Status,
    statement::Statement,
};
use world::World;

fn everybody_reads(world: &mut World) {
    for owner in 0..world.owners.len() {
        world.show_owner(owner);
        while world.deliver(owner) {}
    }
}

fn founded(seed: u64) -> (World, CaseId) {
    let mut world = World::new(seed, 3);
    world.show_coordinator();
    let founding = world.founding(3, 2);
    let case = world.propose(0, founding).unwrap();
    everybody_reads(&mut world);
    (world, case)
}

fn approve(world: &mut World, owner: usize, case: &CaseId) -> Statement {
    let statement = world.approve(owner, case).unwrap();
    world.post(statement.clone()).unwrap();
    statement
}

fn ends_well(mut world: World, case: &CaseId) {
    world.settle(case);
    let now = world.at();
    let status = world.coordinator.standing(case, now).unwrap().status;
    assert!(matches!(status, Status::Effective { .. }), "{status:?}");
    for owner in &world.owners {
        for (slot, entries) in owner.journal.entries().unwrap() {
            assert_eq!(entries.len(), 1, "two hashes in {slot:?}");
        }
    }
}

#[test]
fn the_coordinator_dies_after_it_took_the_intent() {
    let mut world = World::new(11, 3);
    let founding = world.founding(3, 2);
    let case = world.propose(0, founding).unwrap();
    world.crash_coordinator();
    ends_well(world, &case);
}

#[test]
fn the_coordinator_dies_with_one_approval_of_three() {
    let (mut world, case) = founded(12);
    approve(&mut world, 0, &case);
    world.crash_coordinator();
    assert_eq!(world.coordinator.case(&case).unwrap().approvals().len(), 1);
    ends_well(world, &case);
}

#[test]
fn the_coordinator_dies_when_everything_is_there_and_nothing_is_submitted() {
    let (mut world, case) = founded(13);
    for owner in 0..3 {
        approve(&mut world, owner, &case);
    }
    assert_eq!(world.submissions.len(), 1);
    world.crash_coordinator();
    assert!(world.submissions.is_empty());
    // It had said that it submits, and nobody knows whether it did: it waits, looks, and submits the same bytes again.
    world.show_coordinator();
    world.tick(60_000_000);
    ends_well(world, &case);
}

#[test]
fn the_coordinator_dies_between_the_submission_and_its_answer() {
    let (mut world, case) = founded(14);
    for owner in 0..3 {
        approve(&mut world, owner, &case);
    }
    let before = world.network.rows().count();
    world.submit();
    assert_eq!(world.network.rows().count(), before + 5);
    world.crash_coordinator();
    world.show_coordinator();
    world.tick(60_000_000);
    assert!(world.submissions.is_empty(), "what is effective is not submitted again");
    ends_well(world, &case);
}

#[test]
fn an_agent_dies_after_it_signed_and_before_anybody_heard_of_it() {
    let (mut world, case) = founded(15);
    let shown = world.owners[1].agent.case(&case).and_then(|case| case.offer()).unwrap().hash;
    let lost = world.sign(1, &case, Permission::Human { shown, release: None }).unwrap();
    world.crash_agent(1);
    world.show_owner(1);
    assert_eq!(world.owners[1].outgoing.waiting().count(), 0);
    let again = approve(&mut world, 1, &case);
    assert_eq!(again.hash(), lost.hash(), "the journal gives the same signatures again");
    ends_well(world, &case);
}

#[test]
fn an_agent_dies_after_it_kept_its_approval_and_before_anybody_heard_of_it() {
    let (mut world, case) = founded(18);
    let kept = world.approve(1, &case).unwrap();
    world.crash_agent(1);
    world.post_waiting(1);
    assert_eq!(world.stored.last().unwrap().bytes(), kept.bytes(), "the same bytes, without another signature");
    assert_eq!(world.owners[1].outgoing.waiting().count(), 0);
    world.crash_agent(1);
    assert_eq!(world.owners[1].outgoing.waiting().count(), 0, "what was taken is not posted again");
    ends_well(world, &case);
}

#[test]
fn an_agent_dies_in_the_middle_of_reading_its_inbox() {
    let (mut world, case) = founded(19);
    approve(&mut world, 0, &case);
    let whole = world.owners[2].agent.case(&case).unwrap().clone();
    world.crash_agent(2);
    assert_eq!(world.owners[2].agent.case(&case), Some(&whole), "what was read is there without the coordinator");
    assert_eq!(world.owners[2].inbox.len(), 1, "only what is new is read");
    ends_well(world, &case);
}

#[test]
fn everybody_dies_at_once_in_the_middle() {
    let (mut world, case) = founded(16);
    approve(&mut world, 2, &case);
    world.crash_coordinator();
    for owner in 0..3 {
        world.crash_agent(owner);
    }
    ends_well(world, &case);
}

#[test]
fn what_the_agents_hold_rebuilds_the_case_at_another_coordinator() {
    let (mut world, case) = founded(17);
    approve(&mut world, 0, &case);
    everybody_reads(&mut world);
    let held: Vec<Statement> = world.owners[1].agent.case(&case).unwrap().statements().to_vec();
    world.stored = held;
    world.crash_coordinator();
    assert_eq!(world.coordinator.case(&case), world.owners[0].agent.case(&case));
    ends_well(world, &case);
}

fn everybody_dies(world: &mut World) {
    world.crash_coordinator();
    for owner in 0..world.owners.len() {
        world.crash_agent(owner);
    }
}

/// One thing happens; `false` where nothing is left to happen.
fn one_thing(world: &mut World, case: &CaseId) -> bool {
    world.show_coordinator();
    if world.submit() {
        return true;
    }
    for owner in 0..world.owners.len() {
        world.show_owner(owner);
        if world.owners[owner].outgoing.waiting().next().is_some() {
            world.post_waiting(owner);
            return true;
        }
        if world.deliver(owner) {
            return true;
        }
        let me = world.owners[owner].card.owner();
        let is_done = world.owners[owner].agent.case(case).is_some_and(|case| case.is_approved_by(&me));
        // Kept, and not posted before the next death.
        if !is_done && world.approve(owner, case).is_ok() {
            return true;
        }
    }
    false
}

/// A world with a party of three, and a fourth owner who has no part in it yet.
fn with_party() -> World {
    let mut world = World::new(23, 4);
    let case = world.propose(0, world.founding(3, 2)).unwrap();
    world.settle(&case);
    world
}

/// A change of each kind that is signatures alone, in a world in which it means something.
fn every_kind() -> Vec<(World, Change)> {
    let of = |change: &dyn Fn(&World) -> Change| {
        let world = with_party();
        let change = change(&world);
        (world, change)
    };
    let raise = |world: &World| world.planned(world.threshold(3, 3));
    let key = |world: &World, owner: usize| world.owners[owner].card.namespace_key.clone();
    let delegate = |world: &World| {
        let namespace = world.owners[0].card.owner();
        Change::Delegate(Delegate { namespace, key: key(world, 3), scope: Scope::Owner })
    };
    let mut delegated = with_party();
    let case = delegated.propose(0, delegate(&delegated)).unwrap();
    delegated.settle(&case);
    let revoke = Revoke { namespace: delegated.owners[0].card.owner(), key: key(&delegated, 3).fingerprint() };
    let new = |with_mapping: bool| {
        let world = World::new(23, 4);
        let Change::CreateParty(party) = world.founding(3, 2) else { panic!() };
        let change = if with_mapping { Change::CreatePartyWithKeyMapping(party) } else { Change::CreateParty(party) };
        (world, change)
    };
    let (mut old, founding) = new(true);
    let case = old.propose(0, founding).unwrap();
    old.settle(&case);
    let party = old.party_change(3).party;
    vec![
        new(false),
        new(true),
        of(&|world| {
            let (add, remove) = (vec![key(world, 3)], vec![world.owners[2].card.owner()]);
            let owners = OwnersChange { add, remove, ..world.owners_change(3) };
            world.membership(
                Some(owners),
                Some(PartyChange { confirmation_threshold: Some(2), ..world.party_change(3) }),
            )
        }),
        of(&delegate),
        (delegated, Change::Revoke(revoke)),
        of(&|world| {
            let (namespace, old) = (world.namespace(3), world.owners[1].card.owner());
            Change::RotateOwnerKey(RotateOwnerKey { namespace, old, new: key(world, 3), revoke_old: true })
        }),
        of(&|world| {
            let (party, participant) = (world.party_change(3).party, world.owners[2].card.host.clone().unwrap());
            Change::LeaveHost(LeaveHost { party, participant })
        }),
        (old, Change::MigrateKeys(MigrateKeys { party })),
        of(&|world| {
            let transactions = raise(world).iter().map(|one| one.bytes().to_vec()).collect();
            Change::Raw(Raw { transactions })
        }),
        of(&|world| {
            let one = &raise(world)[0];
            let slot = Slot { unique_key: one.unique_key(), serial: one.serial(), transaction: one.hash() };
            Change::Void(Void { case: CaseId::from_bytes([9; 16]), slots: vec![slot] })
        }),
    ]
}

#[test]
fn every_kind_comes_to_its_end_though_everybody_dies_after_each_single_thing() {
    for (mut world, change) in every_kind() {
        let name = change.name();
        let case = world.propose(0, change).unwrap();
        let mut deaths = 0;
        everybody_dies(&mut world);
        while one_thing(&mut world, &case) {
            everybody_dies(&mut world);
            deaths += 1;
            assert!(deaths < 500, "{name} does not come to an end");
        }
        assert!(deaths > 10, "{name}: {deaths}");
        ends_well(world, &case);
    }
}
