//! What may be wanted, and the plan of it.

use canton_topology::{
    id::PartyId,
    mapping::{HostingParticipant, Mapping, PartyToKeyMapping, PartyToParticipant, Permission},
};
use protocol::{
    consequence::Consequence,
    danger::Danger,
    intent::{Change, HostParty, HostingPath, LeaveHost, Seat},
    limits,
    plan::plan,
    refusal::Refusal,
    workflow::error::PlanError,
};

use super::{offered, replicated, seat, simple, surveyed};
use crate::world::{World, build};

#[test]
fn a_new_host_stands_at_the_end_flagged_where_contracts_are_carried_over() {
    let world = World::with_party();
    for (change, onboarding) in [(replicated(&world), true), (simple(&world, &[]), false)] {
        let case = offered(&world, change);
        let Mapping::PartyToParticipant(after) = case.offer().unwrap().transactions[0].mapping() else { panic!() };
        let (participant, permission) = (world.owner("dave").host(), Permission::Confirmation);
        assert_eq!(after.participants.last(), Some(&HostingParticipant { participant, permission, onboarding }));
        assert_eq!(after.participants.len(), 4);
    }
}

#[test]
fn what_cannot_be_hosted_so_is_named_with_its_field() {
    let world = World::with_party();
    let right = replicated(&world);
    let path = |second: Option<&str>, ahead: &[&str]| HostingPath::Replicated {
        second: second.map(|name| seat(&world, name)),
        ahead: ahead.iter().map(|name| world.owner(name).namespace()).collect(),
    };
    let wrong = [
        ("AlreadyThere", HostParty { target: seat(&world, "bob"), ..right.clone() }),
        ("source", HostParty { source: seat(&world, "dave"), target: seat(&world, "dave"), ..right.clone() }),
        ("permission", HostParty { permission: Permission::Submission, ..right.clone() }),
        ("confirmation_threshold", HostParty { confirmation_threshold: Some(5), ..right.clone() }),
        ("second", HostParty { path: path(Some("alice"), &[]), ..right.clone() }),
        ("second", HostParty { path: path(Some("dave"), &[]), ..right.clone() }),
        ("second", HostParty { path: path(None, &[]), ..right.clone() }),
        ("ahead", HostParty { path: path(Some("bob"), &["dave"]), ..right.clone() }),
        ("ahead", HostParty { path: path(Some("bob"), &["bob", "carol"]), ..right.clone() }),
        ("packages", HostParty { path: HostingPath::Simple { packages: vec!["no id!".to_owned()] }, ..right.clone() }),
    ];
    for (expected, change) in wrong {
        let found = match plan(&world.intent("alice", Change::HostParty(change.clone())), &world.state) {
            Err(PlanError::Field { field, .. } | PlanError::OutOfRange { field, .. }) => field,
            Err(PlanError::AlreadyThere { .. }) if change.target == change.source => "source".to_owned(),
            Err(PlanError::AlreadyThere { .. }) => "AlreadyThere".to_owned(),
            other => panic!("{expected}: {other:?}"),
        };
        assert_eq!(found, expected);
    }
}

/// The field that is wrong in a hosting; `None` where none is.
fn wrong_field(world: &World, change: HostParty) -> Option<String> {
    match plan(&world.intent("alice", Change::HostParty(change)), &world.state) {
        Ok(_) => None,
        Err(PlanError::Field { field, .. } | PlanError::OutOfRange { field, .. }) => Some(field),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn who_is_still_onboarding_is_no_source_and_counts_nothing() {
    let mut world = World::with_party();
    let mut mapping = world.party_mapping();
    mapping.participants[1].onboarding = true;
    mapping.participants[2].onboarding = true;
    world.state.assume(&build(2, Mapping::PartyToParticipant(mapping)));
    let path = |second: Option<&str>| HostingPath::Replicated {
        second: second.map(|name| seat(&world, name)),
        ahead: Vec::new(),
    };
    let of = |source: &str, second| {
        let change = HostParty { source: seat(&world, source), path: path(second), ..replicated(&world) };
        wrong_field(&world, change)
    };
    assert_eq!(of("bob", None).as_deref(), Some("source"));
    assert_eq!(of("alice", Some("bob")).as_deref(), Some("second"));
    assert_eq!(of("alice", None), None, "nobody else could count");
}

#[test]
fn an_external_party_lets_no_host_submit_wherever_its_keys_stand() {
    let mut world = World::with_party();
    let mut mapping = world.party_mapping();
    let keys = mapping.signing_keys.take().unwrap().keys;
    world.state.assume(&build(2, Mapping::PartyToParticipant(mapping)));
    let submitting = || HostParty { permission: Permission::Submission, ..replicated(&world) };
    assert_eq!(wrong_field(&world, submitting()), None, "a party without keys of its own");
    let party = world.party();
    let of_old = Mapping::PartyToKeyMapping(PartyToKeyMapping { party, threshold: 1, keys });
    world.state.assume(&build(1, of_old));
    let submitting = HostParty { permission: Permission::Submission, ..replicated(&world) };
    assert_eq!(wrong_field(&world, submitting).as_deref(), Some("permission"));
}

#[test]
fn a_hosting_has_bounds() {
    let world = World::with_party();
    let packages = vec!["pkg".to_owned(); limits::PACKAGES_MAX + 1];
    let change = HostParty { path: HostingPath::Simple { packages }, ..replicated(&world) };
    assert_eq!(wrong_field(&world, change).as_deref(), Some("packages"));
    // A new host that only observes confirms nothing.
    let of = |permission| {
        let change = HostParty { permission, confirmation_threshold: Some(4), ..replicated(&world) };
        wrong_field(&world, change)
    };
    assert_eq!(of(Permission::Confirmation), None);
    assert_eq!(of(Permission::Observation).as_deref(), Some("confirmation_threshold"));
}

#[test]
fn a_threshold_that_counts_on_the_new_host_is_shown_to_whoever_approves_it() {
    let world = World::with_party();
    let raised = |to| Change::HostParty(HostParty { confirmation_threshold: Some(to), ..replicated(&world) });
    let danger = Danger::ConfirmationOutOfReach { party: world.party(), threshold: 4, hosts: 3, onboarding: 1 };
    let unaccepted = world.offered_accepting("alice", raised(4), Vec::new());
    assert_eq!(world.must_refuse("dave", &unaccepted), Refusal::Danger { danger: danger.clone() });
    let mut accepted = world.offered_accepting("alice", raised(4), vec![danger.accepted_as()]);
    surveyed(&world, &mut accepted);
    assert_eq!(world.must_verify("dave", &accepted).dangers(), [danger]);

    // The three others suffice, and none of them can be lost until the fourth is through.
    let mut exact = world.offered_accepting("alice", raised(3), Vec::new());
    surveyed(&world, &mut exact);
    let verified = world.must_verify("dave", &exact);
    let none_can_be_lost = |one: &Consequence| matches!(one, Consequence::NoneCanBeLost { what, threshold: 3, count: 3, .. } if what == "confirming hosts");
    assert!(verified.consequences().iter().any(none_can_be_lost), "{:?}", verified.consequences());
}

#[test]
fn nobody_signs_ahead_for_one_holder_or_together_with_a_new_hosts_owner_up_to_the_threshold() {
    let mut world = World::with_party();
    let leave = LeaveHost { party: world.party(), participant: world.owner("carol").host() };
    world.must_change(Change::LeaveHost(leave), &["alice", "bob", "carol"]);
    let ahead = |name: &str| HostingPath::Replicated {
        second: Some(seat(&world, "bob")),
        ahead: vec![world.owner(name).namespace()],
    };
    let of = |target: &str| {
        let change = HostParty { target: seat(&world, target), path: ahead("alice"), ..replicated(&world) };
        wrong_field(&world, change)
    };
    assert_eq!(of("dave"), None);
    assert_eq!(of("carol").as_deref(), Some("ahead"), "carol is an owner too, and signs before the others");

    let party: PartyId = format!("wallet::{}", world.owner("alice").namespace()).parse().unwrap();
    let mapping = PartyToParticipant { party: party.clone(), signing_keys: None, ..world.party_mapping() };
    let path = ahead("alice");
    world.state.assume(&build(1, Mapping::PartyToParticipant(mapping)));
    let of_one = HostParty { party, path, ..replicated(&world) };
    assert_eq!(wrong_field(&world, of_one).as_deref(), Some("ahead"));
}

#[test]
fn a_seat_that_the_book_gives_to_somebody_else_is_refused() {
    let world = World::with_party();
    let of_carol = |host: &str| Seat { owner: world.owner("carol").namespace(), participant: world.owner(host).host() };
    let right = replicated(&world);
    let path = HostingPath::Replicated { second: Some(of_carol("bob")), ahead: Vec::new() };
    for (wrong, change) in [
        ("source", HostParty { source: of_carol("alice"), ..right.clone() }),
        ("target", HostParty { target: of_carol("dave"), ..right.clone() }),
        ("second", HostParty { path, ..right.clone() }),
    ] {
        let case = offered(&world, change);
        for name in ["alice", "bob", "carol"] {
            assert!(matches!(world.must_refuse(name, &case), Refusal::UnknownSeat { seat, .. } if seat == wrong));
        }
    }
}
