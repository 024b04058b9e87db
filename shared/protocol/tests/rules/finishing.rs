//! Going on without the coordinator: whose turn it is to hand a complete case in, and whose word counts after another
//! coordinator took over.

use ed25519_dalek::SigningKey;
use protocol::{
    case::{Case, CaseError},
    directory::Directory,
    limits,
    statement::{Outcome, OutcomeResult, SignStatements, Statement},
    submission::{Attempts, NotSubmitted, Submitter, complete_set, submitter, turn},
};

use crate::world::World;

const PATIENCE: i64 = limits::COORDINATOR_SUBMITS_WITHIN_MICROS;

fn ready(world: &World) -> Case {
    let mut case = world.offered("alice", world.thresholds(Some(3), None, None));
    world.must_approve("alice", &mut case);
    world.must_approve("bob", &mut case);
    case
}

#[test]
fn an_agent_waits_for_the_coordinator_and_for_approvers_before_it() {
    let world = World::with_party();
    let case = ready(&world);
    let standing = world.standing(&case);
    let attempts = Attempts { complete_since: world.now, own: 0, last: None };
    let mut owners = [world.owner("alice").namespace(), world.owner("bob").namespace()];
    owners.sort();
    for (rank, owner) in (0..).zip(&owners) {
        let until = world.now.plus_micros(PATIENCE + rank * limits::AGENT_SUBMITS_WITHIN_MICROS);
        let at = |now| turn(&case, &standing, owner, &attempts, PATIENCE, now);
        assert_eq!(at(until.plus_micros(-1)), Err(NotSubmitted::TooEarly { until }));
        assert_eq!(at(until), Ok(standing.complete.clone().unwrap()));
    }
    let carol = world.owner("carol").namespace();
    let late = world.now.plus_micros(PATIENCE * 10);
    assert_eq!(turn(&case, &standing, &carol, &attempts, PATIENCE, late), Err(NotSubmitted::NotApproved));
    assert_eq!(complete_set(&case, &standing), Ok(standing.complete.clone().unwrap()), "by command, anybody");
}

#[test]
fn an_agent_that_handed_a_case_in_waits_longer_each_time() {
    let world = World::with_party();
    let case = ready(&world);
    let standing = world.standing(&case);
    let alice = world.owner("alice").namespace();
    for (own, factor) in [(1, 1), (2, 2), (3, 4), (8, 128), (30, 128)] {
        let attempts = Attempts { complete_since: world.now, own, last: Some(world.now) };
        let until = world.now.plus_micros(limits::AGENT_SUBMITS_WITHIN_MICROS * factor);
        let at = |now| turn(&case, &standing, &alice, &attempts, PATIENCE, now);
        assert_eq!(at(until.plus_micros(-1)), Err(NotSubmitted::TooEarly { until }), "{own}");
        assert!(at(until).is_ok(), "{own}");
    }
}

#[test]
fn only_complete_sets_are_handed_in_and_the_coordinators_word_does_not_stop_it() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(Some(3), None, None));
    world.must_approve("alice", &mut case);
    let not_ready = |status| Err(NotSubmitted::NotReady { status });
    assert_eq!(complete_set(&case, &world.standing(&case)), not_ready("collecting"));

    let mut case = ready(&world);
    world.must_report(&mut case, OutcomeResult::Submitted { at: world.now });
    assert!(complete_set(&case, &world.standing(&case)).is_ok(), "whoever says so may lie");
    world.must_report(&mut case, OutcomeResult::Rejected { reason: "I would rather not".to_owned() });
    assert!(complete_set(&case, &world.standing(&case)).is_ok());

    let mut withdrawn = case.clone();
    world.must_withdraw("alice", &mut withdrawn);
    assert_eq!(complete_set(&withdrawn, &world.standing(&withdrawn)), not_ready("withdrawn"));
    world.must_submit(&case);
    assert_eq!(complete_set(&case, &world.standing(&case)), not_ready("effective"));
}

#[test]
fn every_change_of_today_may_be_handed_in_by_anybody() {
    let world = World::with_party();
    let changes = [world.create_party(), world.add_dave(), world.thresholds(Some(3), None, None), world.raw(&[])];
    assert!(changes.iter().all(|change| submitter(change) == Submitter::Anybody));
}

fn succeeded(world: &World) -> (SigningKey, Directory) {
    let second = SigningKey::from_bytes(&[8; 32]);
    let mut directory = Directory::new(SignStatements::identity(&second));
    assert!(directory.succeed(SignStatements::identity(&world.coordinator)));
    for owner in &world.owners {
        directory.admit(SignStatements::identity(&owner.identity), owner.namespace());
    }
    (second, directory)
}

fn folded(case: &Case, directory: &Directory) -> Result<Case, CaseError> {
    let mut statements = case.statements().iter().cloned();
    let mut folded = Case::open(statements.next().unwrap(), directory)?;
    for statement in statements {
        folded.append(statement, directory)?;
    }
    Ok(folded)
}

#[test]
fn a_case_of_another_coordinator_goes_on_where_its_successor_is_known_as_such() {
    let world = World::with_party();
    let case = ready(&world);
    let (second, directory) = succeeded(&world);
    assert_eq!(folded(&case, &directory), Ok(case.clone()), "the same statements make the same case");

    let unrelated = Directory::new(SignStatements::identity(&second));
    assert!(matches!(folded(&case, &unrelated), Err(CaseError::Speaker { .. })));
    let mut stranger = Directory::new(SignStatements::identity(&second));
    for owner in &world.owners {
        stranger.admit(SignStatements::identity(&owner.identity), owner.namespace());
    }
    assert!(matches!(folded(&case, &stranger), Err(CaseError::Speaker { .. })), "nobody took over from the first");
}

#[test]
fn a_former_coordinator_has_no_word_after_its_successors_first() {
    let world = World::with_party();
    let case = ready(&world);
    let (second, directory) = succeeded(&world);
    let mut case = folded(&case, &directory).unwrap();
    let say = |result, key: &SigningKey, case: &mut Case| {
        let outcome = Outcome { case: case.id(), offer: case.offer().unwrap().hash, result };
        case.append(Statement::sign(&outcome, key), &directory)
    };
    say(OutcomeResult::Submitted { at: world.now }, &world.coordinator, &mut case).unwrap();
    say(OutcomeResult::Submitted { at: world.now }, &second, &mut case).unwrap();
    let late = say(OutcomeResult::Rejected { reason: "no".to_owned() }, &world.coordinator, &mut case);
    assert!(matches!(late, Err(CaseError::Speaker { .. })), "{late:?}");
}

#[test]
fn no_owners_key_becomes_a_coordinators_nor_the_other_way_round() {
    let world = World::with_party();
    let (second, mut directory) = succeeded(&world);
    let alice = world.owner("alice");
    assert!(!directory.succeed(SignStatements::identity(&alice.identity)));
    assert!(!directory.succeed(SignStatements::identity(&second)));
    assert!(!directory.admit(SignStatements::identity(&world.coordinator), alice.namespace()));
    assert!(directory.is_former(&SignStatements::identity(&world.coordinator)));
}
