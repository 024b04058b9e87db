//! What a rule of an owner signs, from the coordinator's offer to the approval; and everything that it leaves to a human.
#![allow(clippy::unwrap_used)]

mod world;

use canton_topology::transaction::Transaction;
use custody::ladder::Permission;
use protocol::{
    book::Book,
    difference::DifferenceClass::{Other, ThresholdRaise, Unchanged},
    intent::{CaseId, Change, Membership, Order, OwnersChange, Raw},
    life::Status,
    statement::Approval,
};
use signer_agent::agent::AgentError;
use world::World;

const ALICE: usize = 0;
const CAROL: usize = 2;

/// Four owners with a 2-of-4 party; carol lets a rule sign raised thresholds.
fn party(seed: u64) -> World {
    let mut world = World::new(seed, 4);
    world.show_coordinator();
    let founding = world.propose(ALICE, world.founding(4, 2)).unwrap();
    world.settle(&founding);
    world.run_with_rules(CAROL, &[ThresholdRaise]);
    assert!(world.follow_rules(CAROL).is_empty(), "what is effective waits for nobody");
    world
}

fn thresholds(world: &World, owners: u32) -> Change {
    let (namespace, threshold) = (world.namespace(4), Some(owners));
    let owners = Some(OwnersChange { namespace, add: Vec::new(), remove: Vec::new(), threshold });
    Change::Membership(Membership { owners, party: None, order: Order::Staged })
}

/// A change of alice's, offered to everybody.
fn offered(world: &mut World, change: Change) -> CaseId {
    world.show_coordinator();
    let case = world.propose(ALICE, change).unwrap();
    everybody_reads(world);
    case
}

fn everybody_reads(world: &mut World) {
    for owner in 0..world.owners.len() {
        world.show_owner(owner);
        while world.deliver(owner) {}
    }
}

/// What the rule says itself, whatever it was asked for.
fn refused(world: &mut World, case: &CaseId) -> String {
    match world.sign(CAROL, case, Permission::Rule(ThresholdRaise)) {
        Ok(_) => panic!("the rule signed"),
        Err(AgentError::Refused(refusal)) => refusal.name().to_owned(),
        Err(AgentError::NoRule) => "NoRule".to_owned(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_rule_signs_the_class_that_it_names_and_once() {
    let mut world = party(1);
    let change = thresholds(&world, 3);
    let case = offered(&mut world, change);

    let signed = world.follow_rules(CAROL);

    let approval: Approval = signed[0].open().unwrap();
    assert_eq!((signed.len(), approval.case), (1, case));
    assert!(world.follow_rules(CAROL).is_empty(), "the coordinator need not have shown it");
    world.run_with_rules(CAROL, &[ThresholdRaise]);
    assert!(world.follow_rules(CAROL).is_empty(), "nor after a restart");
    world.post_waiting(CAROL);
    world.settle(&case);
    let status = world.coordinator.standing(&case, world.at()).unwrap().status;
    assert!(matches!(status, Status::Effective { .. }), "{status:?}");
}

#[test]
fn a_rule_does_not_sign_what_the_owner_has_declined() {
    let mut world = party(2);
    let change = thresholds(&world, 3);
    let case = offered(&mut world, change);
    world.run_with_rules(CAROL, &[]);
    let declined = world.decline(CAROL, &case).unwrap();

    // The coordinator has not heard of it, or says so.
    world.run_with_rules(CAROL, &[ThresholdRaise]);
    assert!(world.follow_rules(CAROL).is_empty());
    assert_eq!(refused(&mut world, &case), "DeclinedHere");

    world.post(declined).unwrap();
    everybody_reads(&mut world);
    world.run_with_rules(CAROL, &[ThresholdRaise]);
    assert!(world.follow_rules(CAROL).is_empty());
    assert_eq!(refused(&mut world, &case), "DeclinedHere");

    // It was a human's no, and a human may think again.
    world.approve(CAROL, &case).unwrap();
}

#[test]
fn the_case_alone_tells_a_rule_of_the_decline() {
    let mut world = party(3);
    let change = thresholds(&world, 3);
    let case = offered(&mut world, change);
    let declined = world.owners[CAROL].agent.decline(&case, "not before the audit").unwrap();
    world.post(declined).unwrap();
    everybody_reads(&mut world);

    assert!(world.follow_rules(CAROL).is_empty());
    assert_eq!(refused(&mut world, &case), "DeclinedHere");
}

#[test]
fn a_rule_leaves_other_classes_to_a_human() {
    let mut world = party(4);
    let change = thresholds(&world, 1);
    let lowered = offered(&mut world, change);
    let change = thresholds(&world, 3);
    let raised = offered(&mut world, change);
    assert_eq!(refused(&mut world, &lowered), "NoRule");
    world.run_with_rules(CAROL, &[Unchanged, Other]);
    assert!(world.follow_rules(CAROL).is_empty());
    for (case, class) in [(lowered, Other), (raised, Unchanged)] {
        assert!(matches!(world.sign(CAROL, &case, Permission::Rule(class)), Err(AgentError::NoRule)), "{class:?}");
    }
}

#[test]
fn a_rule_leaves_a_danger_to_a_human_although_the_intent_accepts_it() {
    let mut world = party(5);
    let change = thresholds(&world, 4);
    let case = offered(&mut world, change);
    let verified = world.owners[CAROL].agent.verify(&case, world.at()).unwrap();
    assert!(!verified.dangers().is_empty(), "every owner would be needed");
    assert!(world.follow_rules(CAROL).is_empty());
    assert_eq!(refused(&mut world, &case), "NoRule");
}

#[test]
fn a_rule_leaves_raw_bytes_to_a_human() {
    let mut world = party(6);
    let change = thresholds(&world, 3);
    let planned = offered(&mut world, change);
    let transactions = world.offered(&planned).iter().map(|one: &Transaction| one.bytes().to_vec()).collect();
    let raw = offered(&mut world, Change::Raw(Raw { transactions }));
    let permitted: Vec<CaseId> =
        world.owners[CAROL].agent.permitted_by_rule(world.at()).iter().map(|one| one.0).collect();
    assert_eq!(permitted, [planned]);
    assert_eq!(refused(&mut world, &raw), "NoRule");
}

#[test]
fn a_rule_signs_nothing_of_somebody_who_left_the_book() {
    let mut world = party(7);
    let change = thresholds(&world, 3);
    let case = offered(&mut world, change);
    let mut book = Book::default();
    for entry in world.owners[CAROL].agent.book().entries() {
        if entry.name != "owner0" {
            book.add(entry.clone()).unwrap();
        }
    }
    world.owners[CAROL].agent.set_book(book);
    assert!(world.follow_rules(CAROL).is_empty());
    assert_eq!(refused(&mut world, &case), "UnknownProposer");
}

#[test]
fn a_rule_signs_nothing_that_is_withdrawn_or_over() {
    let mut world = party(8);
    let change = thresholds(&world, 3);
    let withdrawn = offered(&mut world, change);
    world.withdraw(ALICE, &withdrawn).unwrap();
    world.post_waiting(ALICE);
    everybody_reads(&mut world);
    assert!(world.follow_rules(CAROL).is_empty());
    assert_eq!(refused(&mut world, &withdrawn), "Withdrawn");

    let change = thresholds(&world, 3);
    let over = offered(&mut world, change);
    for owner in [0, 1, 3] {
        let declined = world.decline(owner, &over).unwrap();
        world.post(declined).unwrap();
    }
    everybody_reads(&mut world);
    assert!(world.follow_rules(CAROL).is_empty());
    assert_eq!(refused(&mut world, &over), "Ended");
}
