//! A staged case: one offer after the other, until the last one is effective.

use canton_topology::hash::TransactionHash;
use protocol::{
    accepted::Accepted,
    danger::Danger,
    intent::{Order, OwnersChange, PartyChange},
    life::Status,
    plan::plan,
    refusal::Refusal,
    statement::OutcomeResult,
    todo::{Step, todo},
    verify::{Behind, Verification, Wait},
};

use crate::world::World;

fn stage(world: &World, case: &protocol::case::Case) -> Option<(usize, usize)> {
    world.standing(case).stage.map(|stage| (stage.number, stage.of))
}

#[test]
fn each_stage_is_offered_when_the_former_is_effective_and_the_case_ends_with_the_last() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.replace_carol(Order::Staged));
    let by: [&[&str]; 3] = [&["alice", "bob"], &["alice", "bob", "dave"], &["alice", "bob", "dave"]];
    for (number, names) in by.into_iter().enumerate() {
        assert_eq!(stage(&world, &case), Some((number + 1, 3)));
        assert_eq!(case.offers().len(), number + 1);
        for name in names {
            world.must_approve(name, &mut case);
        }
        world.must_submit(&case);
        let standing = world.standing(&case);
        let steps = todo(&case, &standing, Some(&world.state), world.now, 0);
        if number < 2 {
            assert_eq!((standing.status, steps), (Status::Waiting, vec![Step::Offer]));
            assert!(world.must_offer_next(&mut case));
            assert_eq!(world.standing(&case).status, Status::Collecting);
        } else {
            assert_eq!((standing.status, steps), (Status::Effective { at: world.now }, Vec::new()));
        }
    }
    assert_eq!(stage(&world, &case), Some((3, 3)));
    assert_eq!(world.party_mapping().participants.len(), 3);
}

#[test]
fn a_case_at_its_end_stays_there_when_somebody_undoes_what_it_did() {
    let mut world = World::with_party();
    let owners = OwnersChange { threshold: Some(3), ..world.owners_change() };
    let party = PartyChange { confirmation_threshold: Some(3), ..world.party_change() };
    let mut case = world.offered("alice", world.membership(Some(owners), Some(party)));
    for _ in 0..2 {
        for name in ["alice", "bob"] {
            world.must_approve(name, &mut case);
        }
        world.must_submit(&case);
        world.must_offer_next(&mut case);
    }
    let at = world.now;
    assert_eq!(world.standing(&case).status, Status::Effective { at });
    world.must_change(world.thresholds(None, Some(1), None), &["alice", "bob", "carol"]);
    let standing = world.standing(&case);
    assert_eq!(standing.status, Status::Effective { at });
    assert_eq!(todo(&case, &standing, Some(&world.state), world.now, 0), []);
}

#[test]
fn a_coordinator_that_offers_again_what_was_carried_out_and_undone_is_refused() {
    for staged in [true, false] {
        let mut world = World::with_party();
        let mut owners = world.owners_change();
        owners.threshold = Some(3);
        let party = PartyChange { confirmation_threshold: Some(3), ..world.party_change() };
        let set = world.membership(Some(owners), Some(party));
        let mut case = world.offered("alice", if staged { set } else { world.thresholds(Some(3), None, None) });
        for _ in 0..2 {
            for name in ["alice", "bob"] {
                if matches!(world.verify(name, &case), Verification::Verified(_)) {
                    world.must_approve(name, &mut case);
                }
            }
            world.must_submit(&case);
            if !world.must_offer_next(&mut case) {
                break;
            }
        }
        let at = world.now;
        world.must_change(world.thresholds(Some(2), None, None), &["alice", "bob", "carol"]);
        // The intent would mean something again, and its deadline is far.
        let again = plan(case.intent(), &world.state).unwrap();
        world.offer(&mut case, &again.transactions, again.base);
        assert_eq!(world.must_refuse("bob", &case), Refusal::Finished { at });
    }
}

#[test]
fn a_stage_that_somebody_else_carried_out_is_not_asked_for() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.replace_carol(Order::Staged));
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    let owners = OwnersChange {
        add: vec![world.owner("dave").namespace_key()],
        remove: vec![world.owner("carol").namespace()],
        ..world.owners_change()
    };
    world.must_change(world.membership(Some(owners), None), &["alice", "bob", "dave"]);
    assert_eq!(stage(&world, &case), Some((2, 2)));
    assert!(world.must_offer_next(&mut case));
    assert_eq!(case.offer().unwrap().transactions.len(), 1, "the party's gain alone");
}

#[test]
fn an_agent_whose_participant_lags_a_stage_behind_waits() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.replace_carol(Order::Staged));
    let before = world.state.clone();
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    world.must_offer_next(&mut case);
    world.must_verify("bob", &case);
    world.state = before;
    let Verification::NotYet(wait) = world.verify("bob", &case) else { panic!("does not wait") };
    assert_eq!(wait, Wait::Base(Behind { index: 0, expected: 2, seen: 1 }));
}

#[test]
fn a_later_stage_offered_first_is_not_signed() {
    let world = World::with_party();
    let intent = world.intent("alice", world.replace_carol(Order::Staged));
    let planned = plan(&intent, &world.state).unwrap();
    let mut case = world.proposed("alice", intent.change.clone());
    world.offer_on_top(&mut case, &planned.later[0]);
    assert!(matches!(world.verify("bob", &case), Verification::NotYet(_)));
    let mut both = world.proposed("alice", intent.change);
    let all = [planned.transactions, planned.later[0].clone()].concat();
    world.offer_on_top(&mut both, &all);
    assert_eq!(world.must_refuse("bob", &both).name(), "PlanLength");
}

#[test]
fn a_danger_of_a_later_stage_is_refused_before_the_first_is_signed() {
    let world = World::with_party();
    let owners = OwnersChange { threshold: Some(1), ..world.owners_change() };
    let party = PartyChange { confirmation_threshold: Some(1), ..world.party_change() };
    let change = world.membership(Some(owners), Some(party));
    let case = world.offered_accepting("alice", change, Vec::new());
    let refusal = world.must_refuse("bob", &case);
    assert!(matches!(refusal, Refusal::Danger { danger: Danger::OneOwnerSuffices { .. } }), "{refusal}");
}

#[test]
fn a_sleeper_that_only_a_later_stage_would_wake_is_named_at_the_first_and_at_that_stage() {
    let mut world = World::with_party();
    world.must_change(world.thresholds(Some(3), None, None), &["alice", "bob"]);
    let mut sleeping = world.offered("carol", world.thresholds(None, None, Some(1)));
    world.must_approve("alice", &mut sleeping);
    world.must_approve("carol", &mut sleeping);
    let transaction: TransactionHash = sleeping.offer().unwrap().transactions[0].hash();
    world.live = world.signed_in(&sleeping);
    let owners = OwnersChange { threshold: Some(2), ..world.owners_change() };
    let change = || world.membership(Some(owners.clone()), None);
    let refusal = world.must_refuse("bob", &world.offered("alice", change()));
    let danger = Danger::Awakens { transaction, more: 0 };
    assert_eq!(refusal, Refusal::Danger { danger });
    let accepts = vec![Accepted::Awakens(transaction)];
    world.must_verify("bob", &world.offered_accepting("alice", change(), accepts));
}

#[test]
fn a_sleeper_that_comes_between_two_stages_stops_the_second() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.replace_carol(Order::Staged));
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    world.must_offer_next(&mut case);
    world.must_verify("bob", &case);
    // Dave, who is no owner yet, and alice have signed something that would be enough the moment he is one.
    let other = world.offered("carol", world.thresholds(None, None, Some(1)));
    let transaction = other.offer().unwrap().transactions[0].clone();
    let signature = |name: &str| world.sign(&world.owner(name).namespace_key().fingerprint(), transaction.hash());
    let signatures = vec![signature("alice"), signature("dave")];
    let hash = transaction.hash();
    world.live = vec![canton_topology::transaction::SignedTransaction::new(transaction, signatures, true)];
    let danger = Danger::Awakens { transaction: hash, more: 0 };
    assert_eq!(world.must_refuse("bob", &case), Refusal::Danger { danger });
}

#[test]
fn a_case_withdrawn_between_two_stages_ends_and_nothing_of_it_is_alive() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.replace_carol(Order::Staged));
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    world.must_report(&mut case, OutcomeResult::Effective { at: world.now });
    world.must_withdraw("alice", &mut case);
    let standing = world.standing(&case);
    assert_eq!(standing.status, Status::Withdrawn);
    assert!(standing.live.is_empty());
    assert_eq!(todo(&case, &standing, Some(&world.state), world.now, 0), []);
    world.now = case.intent().deadline.plus_micros(1);
    assert_eq!(world.standing(&case).status, Status::Withdrawn);
}

#[test]
fn a_case_withdrawn_between_two_stages_that_goes_on_all_the_same_is_an_alarm() {
    let mut world = World::with_party();
    let owners = OwnersChange { threshold: Some(3), ..world.owners_change() };
    let party = PartyChange { confirmation_threshold: Some(3), ..world.party_change() };
    let mut case = world.offered("alice", world.membership(Some(owners), Some(party)));
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    world.must_report(&mut case, OutcomeResult::Effective { at: world.now });
    world.must_offer_next(&mut case);
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    let ready = case.clone();
    world.must_withdraw("alice", &mut case);
    world.must_submit(&ready);
    assert_eq!(world.standing(&case).effective_after, Some(Status::Withdrawn));
}

#[test]
fn a_stage_that_means_nothing_any_more_is_said_with_its_reason() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.replace_carol(Order::Staged));
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    // Everybody but two goes: the threshold of the namespace cannot stay.
    let remove = ["alice", "bob"].map(|name| world.owner(name).namespace()).to_vec();
    let owners = OwnersChange { remove, threshold: Some(1), ..world.owners_change() };
    world.must_change(world.membership(Some(owners), None), &["alice", "bob"]);
    let raw = {
        let mut state = world.state.clone();
        let dave = crate::world::root(world.owner("dave").namespace_key());
        state.assume(&dave);
        state.assume(&canton_topology::transaction::Transaction::build(
            canton_topology::transaction::Operation::Remove,
            canton_topology::transaction::Serial::try_from(2).unwrap(),
            dave.mapping(),
        ));
        state
    };
    world.state = raw;
    let standing = world.standing(&case);
    assert_eq!(standing.status, Status::Waiting);
    assert!(standing.obstacle.as_ref().unwrap().starts_with("the next stage: "), "{:?}", standing.obstacle);
}
