//! What is submitted, and how often.

use super::*;

#[test]
fn a_participant_that_cannot_be_reached_is_asked_again_later_and_later() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    play.approve(1, &id);
    let mut waits = Vec::new();
    for _ in 0..10 {
        let (case, offer, _) = play.submitted.pop().unwrap();
        let effects = play.mind.submitted(case, offer, SubmitResult::Retry("away".to_owned()), play.now);
        assert!(effects.is_empty());
        let next = play.mind.next_tick().unwrap();
        waits.push((next.micros() - play.now.micros()) / 1000);
        play.now = next;
        let effects = play.mind.tick(play.now);
        play.carry_out(effects);
    }

    assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 32_000, 32_000]);
    assert!(play.outcomes(&id).is_empty(), "nothing was handed over");
}

#[test]
fn a_submission_that_shows_no_effect_is_repeated_with_the_same_bytes() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    play.approve(1, &id);
    let (case, offer, first) = play.submitted.pop().unwrap();
    let effects = play.mind.submitted(case, offer, SubmitResult::Watch, play.now);
    play.carry_out(effects);
    assert_eq!(play.status(&id), Status::Submitted);

    play.now = play.mind.next_tick().unwrap();
    let effects = play.mind.tick(play.now);
    play.carry_out(effects);

    let (_, _, second) = play.submitted.pop().unwrap();
    assert_eq!(first, second);
}

#[test]
fn a_submission_of_which_nothing_is_heard_is_repeated() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    play.approve(1, &id);
    play.submitted.clear();

    play.now = play.mind.next_tick().unwrap();
    let effects = play.mind.tick(play.now);
    play.carry_out(effects);

    assert_eq!(play.submitted.len(), 1);
}

#[test]
fn a_refused_submission_is_reported_with_the_reason() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    play.approve(1, &id);
    let (case, offer, _) = play.submitted.pop().unwrap();

    let effects = play.mind.submitted(case, offer, SubmitResult::Rejected("BAD: so".to_owned()), play.now);
    play.carry_out(effects);

    assert_eq!(play.status(&id), Status::Rejected { reason: "BAD: so".to_owned() });
    assert!(play.submitted.is_empty());
}

#[test]
fn a_mind_that_is_restored_from_what_was_stored_does_the_same() {
    let mut play = Play::new();
    let ready = play.propose(1, play.raise_threshold());
    let waiting = play.propose(2, play.add_owner(2));
    play.approve(0, &ready);
    play.approve(1, &ready);
    play.approve(2, &waiting);
    let before: BTreeMap<CaseId, Case> = play.mind.cases().map(|case| (case.id(), case.clone())).collect();
    let first = play.submitted.pop().unwrap();

    play.mind = new_mind(&play.owners);
    for statement in play.stored.clone() {
        play.mind.restore(statement).unwrap();
    }
    let after: BTreeMap<CaseId, Case> = play.mind.cases().map(|case| (case.id(), case.clone())).collect();
    play.see_topology();

    assert_eq!(before, after);
    let second = play.submitted.pop().unwrap();
    assert_eq!((first.0, first.1, first.2), (second.0, second.1, second.2));
}
