//! What is offered, and when.

use super::*;

#[test]
fn an_intent_becomes_an_offer_at_once() {
    let mut play = Play::new();

    let id = play.propose(1, play.raise_threshold());

    assert_eq!(play.status(&id), Status::Collecting);
    let kinds: Vec<Kind> = play.stored.iter().map(Statement::kind).collect();
    assert_eq!(kinds, [Kind::Intent, Kind::Offer]);
}

#[test]
fn a_case_is_submitted_at_the_signature_that_meets_the_rule_and_not_before() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());

    play.approve(0, &id);
    assert!(play.submitted.is_empty());
    play.approve(1, &id);

    assert_eq!(play.submitted.len(), 1);
    assert_eq!(play.status(&id), Status::Ready);
    play.approve(2, &id);
    assert_eq!(play.submitted.len(), 1, "what is under way is not submitted again");
}

#[test]
fn an_effective_case_is_reported_and_settles() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());

    play.make_effective(&id);

    let outcomes = play.outcomes(&id);
    assert!(matches!(outcomes.as_slice(), [OutcomeResult::Submitted { .. }, OutcomeResult::Effective { .. }]));
    assert_eq!(play.mind.settled().collect::<Vec<_>>(), [id]);
    assert!(play.mind.forget(&id));
    assert!(play.mind.case(&id).is_none());
}

#[test]
fn a_case_that_waits_for_topology_is_offered_when_there_is_some() {
    let mut play = Play::new();
    play.mind = new_mind(&play.owners);
    let id = play.propose(1, play.raise_threshold());
    assert_eq!(play.status(&id), Status::Waiting);

    play.see_topology();

    assert_eq!(play.status(&id), Status::Collecting);
}

#[test]
fn what_comes_after_another_case_is_taken_and_offered_when_that_stands() {
    let mut play = Play::new();
    let Change::Membership(wanted) = play.raise_threshold() else { panic!("not a change set") };
    let first = play.propose(1, play.raise_threshold());
    let later = play.owners[0].intent(2, &synchronizer(), play.now, play.add_owner(3));
    let after = Some(After { case: first, stands: Former::Membership(wanted) });
    let intent = Intent { after, ..later.open().unwrap() };
    play.take(&Statement::sign(&intent, &play.owners[0].identity)).unwrap();
    assert_eq!(play.status(&intent.case), Status::Waiting);
    play.see_topology();
    assert!(play.case(&intent.case).offer().is_none());

    play.make_effective(&first);

    // Topology alone tells: the case that came first is not needed any more.
    assert!(play.mind.forget(&first));
    assert_eq!(play.status(&intent.case), Status::Collecting);
    assert_eq!(play.case(&intent.case).offers().len(), 1);
}

#[test]
fn a_stale_offer_is_made_again_on_the_new_base() {
    let mut play = Play::new();
    let loser = play.propose(1, play.raise_threshold());
    let winner = play.propose(2, play.add_owner(2));
    play.approve(0, &loser);

    play.make_effective(&winner);

    let rounds: Vec<u32> = play.case(&loser).offers().iter().map(|offered| offered.offer.round).collect();
    assert_eq!(rounds, [0, 1]);
    assert_eq!(play.status(&loser), Status::Collecting);
    play.approve(0, &loser);
    play.approve(1, &loser);
    let (case, offer, transactions) = play.submitted.pop().unwrap();
    assert_eq!((case, Some(offer)), (loser, play.case(&loser).offer().map(|offered| offered.hash)));
    play.world.must_accept(&transactions);
    play.see_topology();
    assert!(matches!(play.status(&loser), Status::Effective { .. }));
}

#[test]
fn two_cases_that_mean_the_same_bytes_are_effective_together() {
    let mut play = Play::new();
    let one = play.propose(1, play.raise_threshold());
    let other = play.propose(2, play.raise_threshold());

    play.make_effective(&other);

    assert!(matches!(play.status(&one), Status::Effective { .. }));
    assert!(matches!(play.outcomes(&one).as_slice(), [OutcomeResult::Effective { .. }]));
}
