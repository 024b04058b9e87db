//! What a rule may permit, and what people should think about first.

use canton_topology::mapping::Mapping;
use protocol::{
    difference::DifferenceClass,
    intent::{Change, Void},
};

use crate::world::{World, build};

#[test]
fn only_raises_and_repetitions_without_danger_have_a_class_that_a_rule_can_name() {
    let mut world = World::with_party();
    world.must_change(world.add_dave(), &["alice", "bob", "dave"]);
    world.must_change(world.thresholds(Some(2), Some(1), Some(1)), &["alice", "bob", "carol"]);
    let class = |change: Change| {
        let case = world.offered("alice", change);
        world.must_verify("bob", &case).class()
    };
    use DifferenceClass::{Other, ThresholdRaise, Unchanged};
    assert_eq!(class(world.thresholds(None, Some(2), Some(3))), ThresholdRaise);
    assert_eq!(class(world.thresholds(Some(3), Some(2), Some(3))), Other, "each half is a state of its own");
    assert_eq!(class(world.thresholds(Some(3), None, None)), ThresholdRaise);
    assert_eq!(class(world.thresholds(Some(4), None, None)), Other, "every owner would be needed");
    assert_eq!(class(world.thresholds(Some(1), None, None)), Other);
    assert_eq!(class(world.thresholds(Some(1), Some(2), None)), Other);

    let mut raised = world.party_mapping();
    raised.threshold = 2;
    let serial = world.state.active(&canton_topology::mapping::party_key(&world.party())).unwrap().serial();
    let next = serial.next().unwrap().get();
    assert_eq!(class(world.raw(&[build(next, Mapping::PartyToParticipant(raised))])), Other, "raw is for humans");

    let mut live = world.offered("carol", world.thresholds(None, Some(3), None));
    world.must_approve("bob", &mut live);
    let slots = world.standing(&live).live.iter().map(|one| one.slot.clone()).collect();
    assert_eq!(class(Change::Void(Void { case: live.id(), slots })), Unchanged);
    assert!(!Other.is_permissible_by_rule());
    assert!("other".parse::<DifferenceClass>().is_err());
    assert_eq!("threshold-raise".parse(), Ok(ThresholdRaise));
    assert_eq!("unchanged".parse(), Ok(Unchanged));
}

#[test]
fn a_difference_is_told_in_lines_with_what_changes_first() {
    let world = World::with_party();
    let case = world.offered("alice", world.thresholds(Some(3), None, None));
    let lines = world.must_verify("bob", &case).differences()[0].lines();
    assert_eq!(lines[0], format!("DecentralizedNamespaceDefinition {}: serial 1 -> serial 2", world.namespace()));
    assert_eq!(lines[1], "  threshold: 2 -> 3");
    assert_eq!(lines.len(), 5);
    assert!(lines[2..].iter().all(|line| line.starts_with("  owner ") && line.ends_with("(unchanged)")), "{lines:?}");
}
