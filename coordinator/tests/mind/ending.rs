//! How cases end.

use super::*;

#[test]
fn a_case_that_would_change_nothing_any_more_is_superseded_and_settles() {
    let mut play = Play::new();
    let loser = play.propose(1, play.threshold(3));
    let winner = play.propose(2, play.add_owner(3));
    play.approve(2, &loser);

    play.make_effective(&winner);

    assert!(matches!(play.status(&loser), Status::Superseded { .. }));
    assert!(matches!(play.outcomes(&loser).as_slice(), [OutcomeResult::Superseded { .. }]));
    assert!(play.mind.settled().any(|settled| settled == loser));
}

#[test]
fn a_case_that_was_voided_is_not_offered_again() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    let offered = &play.case(&id).offer().unwrap().transactions[0];
    let slot = Slot { unique_key: offered.unique_key(), serial: offered.serial(), transaction: offered.hash() };
    let void = play.propose(2, Change::Void(Void { case: id, slots: vec![slot] }));

    play.make_effective(&void);

    assert!(matches!(play.status(&id), Status::Superseded { .. }));
    assert_eq!(play.case(&id).offers().len(), 1);
    assert!(matches!(play.outcomes(&id).as_slice(), [OutcomeResult::Superseded { .. }]));
    assert!(play.mind.settled().any(|settled| settled == id));
}

#[test]
fn where_there_is_never_topology_a_case_settles_when_its_time_is_over_and_not_before() {
    let mut play = Play::new();
    let offer: Offer = {
        let id = play.propose(1, play.raise_threshold());
        play.case(&id).offer().unwrap().offer.clone()
    };
    play.mind = new_mind(&play.owners);
    play.mind.without_topology();
    play.stored.clear();
    let id = play.propose(1, play.raise_threshold());
    let offer = Offer { intent: play.case(&id).intent_hash(), ..offer };
    play.take(&Statement::sign(&offer, &play.owners[0].identity)).unwrap();
    play.approve(1, &id);
    assert_eq!(play.mind.settled().count(), 0, "agents still sign it");

    play.now = play.case(&id).intent().deadline.plus_micros(1);
    let effects = play.mind.tick(play.now);
    play.carry_out(effects);
    assert_eq!(play.mind.settled().collect::<Vec<_>>(), [id]);
}

#[test]
fn a_withdrawn_case_with_a_signature_stays_until_that_signature_is_dead() {
    let mut play = Play::new();
    let signed = play.propose(1, play.raise_threshold());
    let unsigned = play.propose(2, play.add_owner(2));
    play.approve(1, &signed);
    for id in [signed, unsigned] {
        let intent = play.case(&id).intent_hash();
        let body = Withdrawal { case: id, intent, reason: "no".to_owned() };
        let withdrawal = Statement::sign(&body, &play.owners[0].identity);
        play.take(&withdrawal).unwrap();
    }

    assert_eq!(play.mind.settled().collect::<Vec<_>>(), [unsigned]);
    assert_eq!(play.mind.standing(&signed, play.now).unwrap().live.len(), 1);
    play.approve(0, &signed);
    assert!(play.submitted.is_empty(), "a withdrawn case is never submitted by us");
}

#[test]
fn a_case_that_became_effective_after_its_withdrawal_is_reported() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    let intent = play.case(&id).intent_hash();
    let body = Withdrawal { case: id, intent, reason: "no".to_owned() };
    let withdrawal = Statement::sign(&body, &play.owners[0].identity);
    play.take(&withdrawal).unwrap();
    let transaction = play.case(&id).offer().unwrap().transactions[0].clone();
    play.world.must_accept(&[crate::support::signed(transaction, &[&play.owners[0], &play.owners[1]])]);

    play.see_topology();

    assert!(matches!(play.outcomes(&id).as_slice(), [OutcomeResult::Effective { .. }]));
}

#[test]
fn a_case_expires_by_itself_and_is_not_submitted_after_that() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);

    play.now = play.mind.next_tick().unwrap();
    let effects = play.mind.tick(play.now);
    play.carry_out(effects);

    assert_eq!(play.status(&id), Status::Expired);
    play.approve(1, &id);
    assert!(play.submitted.is_empty());
    assert_eq!(play.mind.standing(&id, play.now).unwrap().live.len(), 1);
}

#[test]
fn a_decline_that_leaves_enough_owners_does_not_stop_the_others() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    let offer = play.case(&id).offer().unwrap().hash;
    let body = Decline { case: id, offer, owner: play.owners[2].namespace(), reason: "no".to_owned() };
    let decline = Statement::sign(&body, &play.owners[2].identity);
    play.take(&decline).unwrap();

    play.make_effective(&id);

    assert!(matches!(play.status(&id), Status::Effective { .. }));
}
