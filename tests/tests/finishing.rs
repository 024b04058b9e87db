//! The coordinator does not do its part, and the owners' agents do: whoever opened a case offers what it comes to, and
//! after the last signature those who approved hand it in.
#![allow(clippy::unwrap_used)]

mod world;

use canton_topology::{
    Timestamp,
    judge::{Time, Verdict, Verifier, fold_batch},
    transaction::SignedTransaction,
};
use custody::ladder::Permission;
use protocol::{
    intent::{CaseId, PartyChange},
    life::Status,
    limits,
    statement::{Offer, Statement},
};
use signer_agent::{
    finish::{Finisher, NotFinished, Record, Submission, Told},
    offering::Offering,
};
use world::World;

const PATIENCE: i64 = limits::COORDINATOR_SUBMITS_WITHIN_MICROS;

/// Alice and bob have approved a higher threshold, everybody has every statement, and the coordinator is gone.
fn abandoned() -> (World, CaseId) {
    let mut world = World::new(7, 3);
    let founding = world.founding(3, 2);
    let first = world.propose(0, founding).unwrap();
    world.settle(&first);
    world.show_coordinator();
    let raise = world.threshold(3, 3);
    let case = world.propose(0, raise).unwrap();
    for owner in 0..2 {
        deliver(&mut world);
        let approval = world.approve(owner, &case).unwrap();
        world.post(approval).unwrap();
    }
    deliver(&mut world);
    assert!(!world.submissions.is_empty(), "it would submit");
    world.submissions.clear();
    (world, case)
}

fn deliver(world: &mut World) {
    for owner in 0..world.owners.len() {
        world.show_owner(owner);
        while world.deliver(owner) {}
    }
}

fn hand_in(world: &mut World, transactions: &[SignedTransaction]) -> Vec<Verdict> {
    let time = Time { sequenced: world.at(), effective: world.at().plus_micros(250_000) };
    fold_batch(&mut world.network, &mut Verifier::default(), transactions, time)
}

/// A finisher, and how long it waits for the coordinator, in microseconds.
type Waited = (Finisher, i64);

fn waits(patience: i64) -> Waited {
    (Finisher::default(), patience)
}

/// What an owner's agent would hand in, so many microseconds from now.
fn due(world: &mut World, waited: &mut Waited, owner: usize, micros: i64) -> Vec<Submission> {
    world.now += micros;
    world.show_owner(owner);
    waited.0.due(&world.owners[owner].agent, waited.1, Timestamp(world.now))
}

fn first_approver(world: &World) -> usize {
    usize::from(world.owners[0].card.owner() > world.owners[1].card.owner())
}

#[test]
fn the_change_becomes_effective_through_an_agent_and_a_second_one_does_no_harm() {
    let (mut world, case) = abandoned();
    let (first, second) = (first_approver(&world), 1 - first_approver(&world));
    let (mut early, mut late) = (waits(PATIENCE), waits(PATIENCE));
    assert!(due(&mut world, &mut early, first, 0).is_empty());
    assert!(due(&mut world, &mut late, second, 0).is_empty());
    assert!(due(&mut world, &mut early, first, PATIENCE - 1).is_empty(), "the coordinator has its time");

    let handed_in = due(&mut world, &mut early, first, 1);
    let [submission] = handed_in.as_slice() else { panic!("{handed_in:?}") };
    assert_eq!(submission.case, case);
    assert!(due(&mut world, &mut late, second, 0).is_empty(), "it is left to the one before it");
    // The second one lost sight of topology for a while and hands the same bytes in once more.
    let again = due(&mut world, &mut late, second, limits::AGENT_SUBMITS_WITHIN_MICROS);
    assert_eq!(again[0].transactions, submission.transactions);
    for transactions in [&submission.transactions, &again[0].transactions] {
        for verdict in hand_in(&mut world, transactions) {
            assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
        }
    }

    for owner in 0..3 {
        world.show_owner(owner);
        let agent = &world.owners[owner].agent;
        let known = agent.case(&case).unwrap();
        let standing = agent.standing_to_finish(known, &mut Verifier::default(), world.at()).unwrap();
        assert!(matches!(standing.status, Status::Effective { .. }), "{:?}", standing.status);
    }
    assert!(due(&mut world, &mut early, first, PATIENCE * 100).is_empty(), "there is nothing more to do");
}

#[test]
fn an_owner_who_did_not_approve_hands_nothing_in_unless_told_to() {
    let (mut world, case) = abandoned();
    let mut finisher = waits(0);
    for _ in 0..10 {
        assert!(due(&mut world, &mut finisher, 2, PATIENCE).is_empty());
    }
    let told = Finisher::at_once(&world.owners[2].agent, &case, world.at()).unwrap();
    assert_eq!(told.transactions.len(), 1);
}

#[test]
fn a_frozen_agent_and_one_with_stale_topology_hand_nothing_in() {
    let (mut world, case) = abandoned();
    let first = first_approver(&world);
    let mut finisher = waits(0);
    world.now += limits::TOPOLOGY_AGE_MICROS_MAX + 1;
    let now = world.at();
    assert!(finisher.0.due(&world.owners[first].agent, 0, now).is_empty(), "stale");
    assert_eq!(Finisher::at_once(&world.owners[first].agent, &case, now).unwrap_err(), NotFinished::NotNow);
    world.show_owner(first);
    world.owners[first].agent.set_frozen(true);
    assert!(finisher.0.due(&world.owners[first].agent, 0, now).is_empty(), "frozen");
    world.owners[first].agent.set_frozen(false);
    assert_eq!(finisher.0.due(&world.owners[first].agent, 0, now).len(), 1);
}

#[test]
fn a_participant_that_does_not_take_it_is_asked_again_later_each_time() {
    let (mut world, case) = abandoned();
    let first = first_approver(&world);
    let mut finisher = waits(0);
    let mut wait = 0;
    for attempt in 0..4 {
        let handed_in = due(&mut world, &mut finisher, first, wait);
        let [submission] = handed_in.as_slice() else { panic!("attempt {attempt}: {handed_in:?}") };
        let record = Record {
            case,
            offer: submission.offer,
            transactions: Vec::new(),
            at: world.at(),
            by_command: false,
            answer: Told::Unknown { reason: "the line broke".to_owned() },
        };
        finisher.0.handed_in(&record);
        wait = limits::AGENT_SUBMITS_WITHIN_MICROS << attempt;
        assert!(due(&mut world, &mut finisher, first, wait - 1).is_empty());
        wait = 1;
    }
}

#[test]
fn the_last_signature_counts_although_the_coordinator_never_showed_it() {
    let (mut world, _) = abandoned();
    let party = PartyChange { confirmation_threshold: Some(2), ..world.party_change(3) };
    let lower = world.membership(None, Some(party));
    world.show_coordinator();
    let case = world.propose(0, lower).unwrap();
    deliver(&mut world);
    let approval = world.approve(0, &case).unwrap();
    world.post(approval).unwrap();
    deliver(&mut world);
    // From here on nobody hears of anything any more.
    let shown = world.owners[1].agent.case(&case).unwrap().offer().unwrap().hash;
    let permission = Permission::Human { shown, release: None };
    let mine = world.sign(1, &case, permission).unwrap();
    let mut finisher = waits(0);
    assert!(due(&mut world, &mut finisher, 1, 0).iter().all(|one| one.case != case));

    world.owners[1].agent.remember(&mine).unwrap();

    let wait = limits::AGENT_SUBMITS_WITHIN_MICROS;
    due(&mut world, &mut finisher, 1, 0);
    let handed_in = due(&mut world, &mut finisher, 1, wait);
    assert!(handed_in.iter().any(|one| one.case == case), "{handed_in:?}");
}

/// A case that a coordinator which sees no topology has taken, and everybody has heard of.
fn without_offer() -> (World, CaseId) {
    let mut world = World::new(7, 3);
    let founding = world.founding(3, 2);
    let case = world.propose(0, founding).unwrap();
    deliver(&mut world);
    (world, case)
}

fn offers(world: &World, offering: &mut Offering, owner: usize, patience: i64) -> Vec<Statement> {
    offering.due(&world.owners[owner].agent, patience, world.at())
}

#[test]
fn whoever_opened_a_case_offers_what_it_comes_to_where_the_coordinator_does_not_and_the_others_sign_it() {
    let (mut world, case) = without_offer();
    let (mut own, mut others) = (Offering::default(), Offering::default());
    for _ in 0..2 {
        assert!(offers(&world, &mut own, 0, PATIENCE).is_empty(), "the coordinator has its time");
        assert!(offers(&world, &mut others, 1, 0).is_empty(), "it is not bob's case");
    }
    world.now += PATIENCE;
    world.show_owner(0);
    let made = offers(&world, &mut own, 0, PATIENCE);
    let [offer] = made.as_slice() else { panic!("{made:?}") };

    world.post(offer.clone()).unwrap();
    deliver(&mut world);
    assert!(offers(&world, &mut own, 0, 0).is_empty(), "one is enough");
    world.settle(&case);
    assert!(offers(&world, &mut own, 0, 0).is_empty(), "there is nothing more to do");
}

#[test]
fn an_offer_that_is_on_its_way_is_not_made_again() {
    let (mut world, _) = without_offer();
    let mut offering = Offering::default();
    let made = offers(&world, &mut offering, 0, 0);
    world.owners[0].agent.remember(&made[0]).unwrap();
    assert!(offers(&world, &mut offering, 0, 0).is_empty());
}

#[test]
fn a_frozen_agent_and_one_with_stale_topology_offer_nothing() {
    let (mut world, _) = without_offer();
    let mut offering = Offering::default();
    world.now += limits::TOPOLOGY_AGE_MICROS_MAX + 1;
    assert!(offers(&world, &mut offering, 0, 0).is_empty(), "stale");
    world.show_owner(0);
    world.owners[0].agent.set_frozen(true);
    assert!(offers(&world, &mut offering, 0, 0).is_empty(), "frozen");
    world.owners[0].agent.set_frozen(false);
    assert_eq!(offers(&world, &mut offering, 0, 0).len(), 1);
}

#[test]
fn an_owner_makes_no_offer_in_the_case_of_another() {
    let (mut world, case) = without_offer();
    let made = offers(&world, &mut Offering::default(), 0, 0);
    let offer: Offer = made[0].open().unwrap();
    let of_bob = Statement::sign(&offer, world.owners[1].agent.identity());
    let refused = world.post(of_bob).unwrap_err().to_string();
    assert!(refused.contains("only the coordinator makes offers, or the identity key that signed"), "{refused}");
    assert!(world.coordinator.case(&case).unwrap().offers().is_empty());
}
