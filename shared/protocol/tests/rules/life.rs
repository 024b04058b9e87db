//! A case through every status, and what of it is alive.

use canton_topology::{Timestamp, transaction::Transaction};
use protocol::{
    intent::{Change, Void},
    life::{Status, standing},
    statement::OutcomeResult,
    todo::{Step, todo},
};

use crate::world::{MINUTE, World};

fn status(world: &World, case: &protocol::case::Case) -> Status {
    world.standing(case).status
}

#[test]
fn a_case_without_an_offer_or_without_topology_waits() {
    let world = World::new();
    let mut case = world.proposed("alice", world.create_party());
    assert_eq!(status(&world, &case), Status::Waiting);
    let waiting = world.standing(&case);
    assert_eq!(todo(&case, &waiting, Some(&world.state), world.now, 0), [Step::Offer]);
    assert_eq!(todo(&case, &waiting, None, world.now, 0), []);

    let plan = protocol::plan::plan(case.intent(), &world.state).unwrap();
    world.offer(&mut case, &plan.transactions, plan.base);
    let blind = standing(&case, None, &mut Default::default(), world.now);
    assert_eq!(blind.status, Status::Waiting);
}

#[test]
fn a_party_is_created_in_one_batch_that_is_ready_with_the_last_signature() {
    let mut world = World::new();
    let mut case = world.offered("alice", world.create_party());
    assert_eq!(status(&world, &case), Status::Collecting);

    world.must_approve("alice", &mut case);
    world.must_approve("bob", &mut case);
    let collecting = world.standing(&case);
    assert_eq!(collecting.status, Status::Collecting);
    let carol = world.owner("carol").namespace();
    let steps = todo(&case, &collecting, Some(&world.state), world.now, 0);
    assert!(matches!(&steps[..], [Step::Sign { owners }] if owners.contains(&carol)), "{steps:?}");
    let missing_keys: Vec<_> = collecting.missing().flat_map(|(_, missing)| missing.keys.clone()).collect();
    assert!(missing_keys.contains(&world.owner("carol").party_key().fingerprint()));

    world.must_approve("carol", &mut case);
    let ready = world.standing(&case);
    assert_eq!(ready.status, Status::Ready);
    assert_eq!(ready.complete.as_ref().unwrap().len(), 5);
    assert_eq!(ready.live.len(), 5);
    assert!(ready.live.iter().all(|live| live.satisfied));

    world.must_report(&mut case, OutcomeResult::Submitted { at: world.now });
    let submitted = world.standing(&case);
    assert_eq!(submitted.status, Status::Submitted);
    assert_eq!(todo(&case, &submitted, Some(&world.state), world.now, MINUTE), [Step::Watch]);
    let later = world.now.plus_micros(MINUTE);
    let steps = todo(&case, &submitted, Some(&world.state), later, MINUTE);
    assert!(matches!(&steps[..], [Step::Submit { transactions }] if transactions.len() == 5));

    world.must_submit(&case);
    let effective = world.standing(&case);
    assert_eq!(effective.status, Status::Effective { at: world.now });
    assert_eq!(effective.effective_after, None);
    assert!(effective.live.is_empty());
    assert_eq!(todo(&case, &effective, Some(&world.state), world.now, 0), []);
}

#[test]
fn two_of_three_owners_suffice_for_a_higher_threshold_and_nobody_else_is_waited_for() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(Some(3), Some(3), None));
    world.must_approve("alice", &mut case);
    assert_eq!(status(&world, &case), Status::Collecting);
    world.must_decline("carol", &mut case);
    assert_eq!(status(&world, &case), Status::Collecting, "two can still do it");
    world.must_approve("bob", &mut case);
    assert_eq!(status(&world, &case), Status::Ready);
    world.must_submit(&case);
    assert_eq!(world.party_mapping().threshold, 3);
}

#[test]
fn declines_that_leave_too_few_end_a_case_and_its_signature_stays_alive_until_its_place_is_taken() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_approve("alice", &mut case);
    world.must_decline("bob", &mut case);
    assert_eq!(status(&world, &case), Status::Collecting);
    world.must_decline("carol", &mut case);

    let declined = world.standing(&case);
    let mut by = vec![world.owner("bob").namespace(), world.owner("carol").namespace()];
    by.sort();
    assert_eq!(declined.status, Status::Declined { by });
    assert_eq!(declined.live.len(), 1);
    assert!(!declined.live[0].satisfied);
    assert_eq!(declined.live[0].signers, [world.owner("alice").namespace_key().fingerprint()]);
    assert_eq!(todo(&case, &declined, Some(&world.state), world.now, 0), [Step::Watch]);

    world.must_change(world.thresholds(None, Some(3), None), &["bob", "carol"]);
    let after = world.standing(&case);
    assert_eq!(after.status, Status::Voided);
    assert!(after.live.is_empty());
}

#[test]
fn who_approves_after_a_decline_counts_again() {
    let world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_decline("bob", &mut case);
    world.must_decline("carol", &mut case);
    assert!(matches!(status(&world, &case), Status::Declined { .. }));
    world.must_approve("carol", &mut case);
    assert_eq!(status(&world, &case), Status::Collecting);
}

#[test]
fn a_withdrawn_case_keeps_its_live_signature_until_a_void_consumes_the_serial() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_approve("bob", &mut case);
    world.must_withdraw("alice", &mut case);
    let withdrawn = world.standing(&case);
    assert_eq!(withdrawn.status, Status::Withdrawn);
    assert_eq!(withdrawn.live.len(), 1);

    let slots = withdrawn.live.iter().map(|live| live.slot.clone()).collect();
    let void = Void { case: case.id(), slots };
    protocol::verify::frame::names_what_is_alive(&void, &case).unwrap();
    let before = world.party_mapping();
    world.must_change(Change::Void(void), &["alice", "bob"]);
    assert_eq!(world.party_mapping(), before, "a void changes nothing");
    let voided = world.standing(&case);
    assert_eq!(voided.status, Status::Voided);
    assert!(voided.live.is_empty());
}

#[test]
fn a_withdrawn_case_of_two_transactions_is_voided_only_when_both_places_are_taken() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(Some(3), Some(3), None));
    world.must_approve("bob", &mut case);
    world.must_withdraw("alice", &mut case);
    assert_eq!(world.standing(&case).live.len(), 2);

    world.must_change(world.thresholds(None, Some(1), None), &["alice", "carol"]);
    let half = world.standing(&case);
    assert_eq!(half.status, Status::Withdrawn);
    assert_eq!(half.live.len(), 1);

    world.must_change(world.thresholds(Some(1), None, None), &["alice", "carol"]);
    assert_eq!(status(&world, &case), Status::Voided);
}

#[test]
fn a_deadline_ends_only_our_part_of_it() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_approve("alice", &mut case);
    world.must_approve("bob", &mut case);
    let complete = world.standing(&case).complete.unwrap();
    let deadline = case.intent().deadline;

    world.now = deadline;
    assert_eq!(status(&world, &case), Status::Ready, "the deadline itself is in time");
    world.now = deadline.plus_micros(1);
    let expired = world.standing(&case);
    assert_eq!(expired.status, Status::Expired);
    assert!(expired.live[0].satisfied, "whoever holds the signatures can still use them");

    let time = canton_topology::judge::Time { sequenced: world.now, effective: world.now };
    canton_topology::judge::fold_batch(&mut world.state, &mut Default::default(), &complete, time);
    let effective = world.standing(&case);
    assert_eq!(effective.status, Status::Effective { at: world.now });
    assert_eq!(effective.effective_after, Some(Status::Expired), "an alarm");
}

#[test]
fn a_withdrawn_case_that_becomes_effective_all_the_same_is_an_alarm() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_approve("alice", &mut case);
    world.must_approve("bob", &mut case);
    let ready = case.clone();
    world.must_withdraw("alice", &mut case);
    assert_eq!(world.standing(&case).status, Status::Withdrawn);
    world.must_submit(&ready);
    let effective = world.standing(&case);
    assert_eq!(effective.status, Status::Effective { at: world.now });
    assert_eq!(effective.effective_after, Some(Status::Withdrawn));

    let mut late = ready;
    world.must_report(&mut late, OutcomeResult::Effective { at: world.now });
    world.must_withdraw("alice", &mut late);
    assert_eq!(world.standing(&late).effective_after, None, "a withdrawal behind the news is none");
}

#[test]
fn the_first_of_two_cases_on_one_base_supersedes_the_other() {
    let mut world = World::with_party();
    let mut first = world.offered("alice", world.thresholds(None, Some(1), None));
    let mut second = world.offered("bob", world.thresholds(None, Some(3), None));
    world.must_approve("carol", &mut second);
    assert_eq!(world.standing(&second).live.len(), 1);
    world.must_approve("alice", &mut first);
    world.must_approve("bob", &mut first);
    world.must_submit(&first);

    let by = first.offer().unwrap().transactions[0].hash();
    let superseded = world.standing(&second);
    assert_eq!(superseded.status, Status::Superseded { by });
    assert!(superseded.live.is_empty());
    assert_eq!(status(&world, &first), Status::Effective { at: world.now });

    world.must_change(world.thresholds(None, Some(2), None), &["alice", "bob"]);
    assert!(matches!(status(&world, &first), Status::Effective { .. }), "what was effective stays so");
}

#[test]
fn a_refusal_of_the_node_ends_a_case_with_its_reason() {
    let world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_approve("alice", &mut case);
    world.must_approve("bob", &mut case);
    let reason = "TOPOLOGY_INVALID_MAPPING".to_owned();
    world.must_report(&mut case, OutcomeResult::Rejected { reason: reason.clone() });
    let rejected = world.standing(&case);
    assert_eq!(rejected.status, Status::Rejected { reason });
    assert!(rejected.live[0].satisfied);
    assert_eq!(todo(&case, &rejected, Some(&world.state), world.now, 0), [Step::Watch]);
}

#[test]
fn a_signer_who_lost_its_authority_drops_out() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_approve("alice", &mut case);
    world.must_approve("carol", &mut case);
    assert_eq!(status(&world, &case), Status::Ready);

    let canton_topology::mapping::Mapping::DecentralizedNamespaceDefinition(mut definition) =
        world.definition().mapping().clone()
    else {
        panic!("not a definition");
    };
    definition.owners.retain(|owner| *owner != world.owner("carol").namespace());
    let without_carol =
        crate::world::build(2, canton_topology::mapping::Mapping::DecentralizedNamespaceDefinition(definition));
    world.must_change(world.raw(&[without_carol]), &["alice", "bob"]);

    let after = world.standing(&case);
    assert_eq!(after.status, Status::Collecting);
    assert_eq!(after.live[0].signers, [world.owner("alice").namespace_key().fingerprint()]);
    assert!(!after.live[0].satisfied);
}

#[test]
fn signatures_of_an_older_offer_stay_alive_beside_the_newest() {
    let world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_approve("bob", &mut case);
    let other: Vec<Transaction> =
        protocol::plan::plan(&world.intent("alice", world.thresholds(None, Some(3), None)), &world.state)
            .unwrap()
            .transactions;
    world.offer_on_top(&mut case, &other);
    let standing = world.standing(&case);
    assert_eq!(standing.status, Status::Collecting);
    assert_eq!(standing.live.len(), 1);
    assert_eq!(standing.live[0].slot.transaction, case.offers()[0].transactions[0].hash());
}

#[test]
fn what_blocks_a_case_is_said_in_cantons_words() {
    let mut world = World::with_party();
    let case = world.offered("alice", world.thresholds(None, Some(1), None));
    assert_eq!(world.standing(&case).obstacle, None);
    let mut blocked = world.proposed("alice", world.thresholds(None, Some(1), None));
    let mut mapping = world.party_mapping();
    let stranger = crate::world::Owner::new("mallory");
    mapping.participants[0].participant = stranger.host();
    let transaction = crate::world::build(2, canton_topology::mapping::Mapping::PartyToParticipant(mapping));
    world.offer_on_top(&mut blocked, &[transaction]);
    let obstacle = world.standing(&blocked).obstacle.unwrap();
    assert!(obstacle.starts_with("UnknownMembers"), "{obstacle}");
    world.now = Timestamp(world.now.micros() + 1);
}

#[test]
fn a_batch_of_which_a_part_went_through_is_finished_by_those_who_come_late() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(Some(3), Some(3), None));
    world.must_approve("alice", &mut case);
    world.must_approve("bob", &mut case);
    // Somebody else hands in only the first half.
    let first = world.standing(&case).complete.unwrap()[..1].to_vec();
    let time = canton_topology::judge::Time { sequenced: world.now, effective: world.now };
    canton_topology::judge::fold_batch(&mut world.state, &mut Default::default(), &first, time);
    let half = world.standing(&case);
    assert_eq!(half.status, Status::Ready);
    assert_eq!(half.complete.unwrap().len(), 1);

    let late = world.must_verify("carol", &case);
    assert_eq!(late.requests().iter().map(|request| request.index).collect::<Vec<_>>(), [1]);
    world.must_submit(&case);
    assert!(matches!(status(&world, &case), Status::Effective { .. }));
}
