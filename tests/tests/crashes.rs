//! Killed at any moment, the coordinator and the agents carry on from what they keep: nothing is lost, nothing is given
//! twice.
#![allow(clippy::unwrap_used)]

mod world;

use custody::ladder::Permission;
use protocol::{intent::CaseId, life::Status, statement::Statement};
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
