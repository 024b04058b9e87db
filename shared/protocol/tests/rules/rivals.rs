//! Several who wait for one serial: who they are, who is nearest, and how the losers go on.

use canton_topology::{judge::Verifier, transaction::Transaction};
use protocol::{
    case::Case,
    foreign::{Foreign, offered, quarantine},
    intent::{Adopt, Change, Raw},
    life::Status,
    limits,
    rebase::{RebaseError, rebase},
    rival::{Contest, Origin},
};

use crate::world::World;

fn contest(world: &World, cases: &[&Case]) -> Contest {
    let known = offered(cases.iter().copied());
    let foreign: Vec<Foreign> = quarantine(&world.state, &known, &|_| false, &mut Verifier::default()).shown;
    Contest::of(cases.iter().copied(), &foreign, &world.state, &mut Verifier::default(), world.now)
}

fn transaction(case: &Case) -> Transaction {
    case.offer().unwrap().transactions[0].clone()
}

#[test]
fn rivals_for_one_serial_stand_side_by_side_the_nearest_first() {
    let mut world = World::with_party();
    let raise = world.offered("alice", world.thresholds(Some(3), None, None));
    let mut lower = world.offered("bob", world.thresholds(Some(1), None, None));
    let beside = world.offered("carol", world.thresholds(None, Some(3), None));
    world.must_approve("bob", &mut lower);
    let elsewhere = world.other_threshold(3);
    assert_eq!(elsewhere.hash(), transaction(&raise).hash(), "the same words make the same bytes: no rival");
    let mut definition = elsewhere.mapping().clone();
    let canton_topology::mapping::Mapping::DecentralizedNamespaceDefinition(inner) = &mut definition else { panic!() };
    inner.owners.pop();
    inner.threshold = 1;
    let foreign = crate::world::build(2, definition);
    let bob = world.owner("bob").namespace_key().fingerprint();
    world.must_propose_elsewhere(&foreign, &["bob"]);

    let contest = contest(&world, &[&raise, &lower, &beside]);

    let of = |case: &Case| {
        let against = contest.against_case(case);
        against.into_iter().map(|one| (one.origin, one.lacks, one.signers.clone())).collect::<Vec<_>>()
    };
    let mut two = vec![(Origin::Case(lower.id()), 1, vec![bob.clone()]), (Origin::Elsewhere, 1, vec![bob])];
    let mut found = of(&raise);
    two.sort();
    found.sort();
    assert_eq!(found, two);
    let against_lower = of(&lower);
    assert_eq!(against_lower.len(), 2);
    assert!(against_lower[0].1 < against_lower[1].1, "the nearest first: {against_lower:?}");
    assert_eq!(of(&beside), []);
}

#[test]
fn where_one_has_won_nobody_competes_any_more() {
    let mut world = World::with_party();
    let mut raise = world.offered("alice", world.thresholds(Some(3), None, None));
    let mut add = world.offered("alice", world.add_dave());
    world.must_approve("alice", &mut raise);
    world.must_approve("alice", &mut add);
    assert_eq!(contest(&world, &[&raise, &add]).against_case(&raise).len(), 1);
    world.must_change(world.thresholds(Some(1), None, None), &["bob", "carol"]);
    assert_eq!(contest(&world, &[&raise, &add]).against_case(&raise).len(), 0);
}

#[test]
fn what_nobody_signed_and_nobody_wants_any_more_is_no_rival() {
    let world = World::with_party();
    let raise = world.offered("alice", world.thresholds(Some(3), None, None));
    let mut lower = world.offered("bob", world.thresholds(Some(1), None, None));
    world.must_withdraw("bob", &mut lower);
    assert_eq!(contest(&world, &[&raise, &lower]).against_case(&raise).len(), 0);

    let mut signed = world.offered("bob", world.thresholds(Some(1), None, None));
    world.must_approve("bob", &mut signed);
    world.must_withdraw("bob", &mut signed);
    assert_eq!(contest(&world, &[&raise, &signed]).against_case(&raise).len(), 1, "its signature lives on");
}

#[test]
fn the_loser_is_rebased_as_the_same_change_on_what_stands_now() {
    let mut world = World::with_party();
    let mut loser = world.offered("alice", world.add_dave());
    world.must_approve("alice", &mut loser);
    world.must_approve("dave", &mut loser);
    let standing = world.standing(&loser);
    assert_eq!(rebase(&loser, &standing, &world.state), Err(RebaseError::NothingWon));
    world.must_change(world.thresholds(Some(3), None, None), &["bob", "carol"]);

    let standing = world.standing(&loser);
    assert!(matches!(standing.status, Status::Superseded { .. }));
    let rebased = rebase(&loser, &standing, &world.state).unwrap();

    assert_eq!(rebased.change, loser.intent().change);
    assert_eq!(rebased.reason, format!("rebases {}: because", loser.id()));
    let definition = loser.offer().unwrap().transactions.last().unwrap();
    let [dead] = rebased.dead.as_slice() else { panic!("{:?}", rebased.dead) };
    assert_eq!((dead.transaction, dead.by), (definition.hash(), world.definition().hash()));
    assert_eq!(rebased.alive.len(), 1, "dave's root can still be published: {:?}", rebased.alive);

    let mut again = world.offered("alice", rebased.change);
    for name in ["alice", "bob", "carol", "dave"] {
        world.must_approve(name, &mut again);
    }
    world.must_submit(&again);
    assert_eq!(rebase(&again, &world.standing(&again), &world.state), Err(RebaseError::Effective));
}

#[test]
fn bytes_that_lost_are_built_anew_at_the_next_serial_whether_adopted_or_raw() {
    let lost = World::with_party().other_threshold(3);
    let adopted = Change::Adopt(Adopt { transaction: lost.bytes().to_vec() });
    let raw = Change::Raw(Raw { transactions: vec![lost.bytes().to_vec()] });
    for change in [adopted, raw] {
        let mut world = World::with_party();
        let loser = world.offered("alice", change);
        world.must_change(world.add_dave_alone(), &["bob", "carol", "dave"]);

        let rebased = rebase(&loser, &world.standing(&loser), &world.state).unwrap();

        let Change::Raw(Raw { transactions }) = rebased.change else { panic!("{:?}", rebased.change) };
        let new = Transaction::parse(&transactions[0]).unwrap();
        assert_eq!(new, world.other_threshold(3), "on the four owners of now");
        assert_eq!(rebased.dead, [], "nobody had signed it");
    }
}

#[test]
fn a_reason_that_has_no_room_left_is_cut_between_letters() {
    let mut world = World::with_party();
    let mut intent = world.intent("alice", world.thresholds(Some(3), None, None));
    intent.reason = "ü".repeat(limits::REASON_BYTES_MAX / 2);
    let loser = world.offered_as("alice", intent);
    world.must_change(world.thresholds(Some(1), None, None), &["bob", "carol"]);

    let rebased = rebase(&loser, &world.standing(&loser), &world.state).unwrap();

    assert!(rebased.reason.len() <= limits::REASON_BYTES_MAX && rebased.reason.ends_with("üü"));
    assert!(rebased.reason.starts_with(&format!("rebases {}: ", loser.id())));
}
