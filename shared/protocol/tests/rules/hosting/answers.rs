//! What the new host answers to the questions of the others, and for how long it counts.

use protocol::{
    case::Case,
    hosting::{HostingStep, record::Record},
    identity::IdentityPublicKey,
    limits,
    statement::{Claim, SignStatements},
};

use super::{NONCE, ask, claim, due, moment, offered, replicated, surveyed, up_to_disconnected, waits_for};
use crate::world::World;

#[test]
fn an_answer_that_is_old_or_came_before_the_question_or_after_a_reconnect_counts_for_nothing() {
    let mut world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    claim(&world, &mut case, "dave", Claim::Disconnected { nonce: Some(NONCE) });
    ask(&world, &mut case, "bob");
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
    claim(&world, &mut case, "dave", Claim::Disconnected { nonce: Some(NONCE) });
    world.must_verify("bob", &case);

    let mut reconnected = case.clone();
    claim(&world, &mut reconnected, "dave", Claim::Reconnected);
    assert_eq!(waits_for(&world, "bob", &reconnected).step, HostingStep::Disconnect);
    let mut put_back = case.clone();
    claim(&world, &mut put_back, "dave", Claim::PutBack);
    assert_eq!(waits_for(&world, "bob", &put_back).step, HostingStep::Disconnect);

    world.now = world.now.plus_micros(limits::FRESH_MICROS_MAX + 1);
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
}

#[test]
fn an_answer_to_another_question_or_to_one_from_the_future_counts_for_nothing() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    let asked_at = moment(&world, &case);
    ask(&world, &mut case, "bob");
    claim(&world, &mut case, "dave", Claim::Disconnected { nonce: Some([8; 32]) });
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
    claim(&world, &mut case, "dave", Claim::Disconnected { nonce: Some(NONCE) });
    world.must_verify("bob", &case);

    // Whoever set a clock forward when it asked could hold an answer back for as long.
    let speaks = |signer: &IdentityPublicKey, owner: &_| world.directory.owner(signer) == Some(owner);
    let record = Record::of(&case, &world.state, &speaks).unwrap();
    let bob = SignStatements::identity(&world.owner("bob").identity);
    assert!(record.answered(&bob, asked_at));
    assert!(!record.answered(&bob, asked_at.plus_micros(-1)));
}

#[test]
fn a_question_is_open_until_it_is_answered_or_old() {
    let mut world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    let open = |world: &World, case: &Case| {
        let speaks = |signer: &IdentityPublicKey, owner: &_| world.directory.owner(signer) == Some(owner);
        Record::of(case, &world.state, &speaks).unwrap().open_questions(world.now)
    };
    ask(&world, &mut case, "bob");
    assert_eq!(open(&world, &case), [NONCE]);
    let mut answered = case.clone();
    claim(&world, &mut answered, "dave", Claim::Disconnected { nonce: Some(NONCE) });
    assert!(open(&world, &answered).is_empty());

    world.now = world.now.plus_micros(limits::FRESH_MICROS_MAX + 1);
    assert!(open(&world, &case).is_empty());
}

#[test]
fn an_answer_is_not_the_disconnecting_and_is_not_asked_for_before_it() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    surveyed(&world, &mut case);
    claim(&world, &mut case, "alice", Claim::Prepared { begin: 7 });
    claim(&world, &mut case, "bob", Claim::Prepared { begin: 5 });
    world.must_approve("dave", &mut case);
    ask(&world, &mut case, "bob");
    let speaks = |signer: &IdentityPublicKey, owner: &_| world.directory.owner(signer) == Some(owner);
    assert!(Record::of(&case, &world.state, &speaks).unwrap().open_questions(world.now).is_empty());
    // Nobody looked whether the node could import at all, and no backup could follow it.
    claim(&world, &mut case, "dave", Claim::Disconnected { nonce: Some(NONCE) });
    assert!(due(&world, &case).contains(&HostingStep::Disconnect));
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
}
