//! The frame of a new host, without any planner: nothing but the new host, as the intent says.

use canton_topology::{
    mapping::{HostingParticipant, Mapping, PartyToParticipant, Permission},
    transaction::{Operation, Transaction},
};
use protocol::{
    intent::{Change, HostParty},
    refusal::Refusal,
    verify::frame,
};

use super::{replicated, simple};
use crate::world::{World, build};

fn found(world: &World, change: &HostParty, transactions: &[Transaction]) -> Result<(), String> {
    let intent = world.intent("alice", Change::HostParty(change.clone()));
    match frame::check(&intent, transactions, &world.state) {
        Ok(()) => Ok(()),
        Err(Refusal::OutsideFrame { field, .. }) => Err(field),
        Err(other) => panic!("{other:?}"),
    }
}

type Way<'a> = &'a dyn Fn(&mut PartyToParticipant);

/// The party with its new host, changed in some way.
fn changed(world: &World, change: impl FnOnce(&mut PartyToParticipant)) -> PartyToParticipant {
    let mut mapping = world.party_mapping();
    let (participant, permission) = (world.owner("dave").host(), Permission::Confirmation);
    mapping.participants.push(HostingParticipant { participant, permission, onboarding: true });
    change(&mut mapping);
    mapping
}

fn transaction(mapping: PartyToParticipant) -> Transaction {
    build(2, Mapping::PartyToParticipant(mapping))
}

#[test]
fn whatever_is_not_the_new_host_is_outside_the_frame_of_a_hosting() {
    let world = World::with_party();
    let right = replicated(&world);
    assert_eq!(found(&world, &right, &[transaction(changed(&world, |_| {}))]), Ok(()));
    let stranger = world.owner("dave").host();
    let second = format!("host {}", world.party_mapping().participants[1].participant);
    let wrong: [(&str, Way<'_>); 11] = [
        ("number of hosts", &|m| drop(m.participants.pop())),
        ("number of hosts", &|m| m.participants.insert(3, m.participants[0].clone())),
        (&second, &|m| m.participants[1].permission = Permission::Observation),
        (&second, &|m| m.participants[1].onboarding = true),
        (&second, &|m| m.participants[1].participant = stranger.clone()),
        ("new host", &|m| m.participants[3].permission = Permission::Submission),
        ("new host", &|m| m.participants[3].onboarding = false),
        ("new host", &|m| m.participants[3].participant = world.owner("carol").host()),
        ("confirmation threshold", &|m| m.threshold = 1),
        ("signing keys", &|m| m.signing_keys = None),
        ("signing-key threshold", &|m| m.signing_keys.as_mut().unwrap().threshold = 1),
    ];
    for (field, change) in wrong {
        assert_eq!(found(&world, &right, &[transaction(changed(&world, change))]), Err(field.to_owned()));
    }
    let flagged = transaction(changed(&world, |_| {}));
    assert_eq!(found(&world, &simple(&world, &[]), &[flagged]), Err("new host".to_owned()));
}

#[test]
fn a_hosting_names_its_threshold_or_leaves_it() {
    let world = World::with_party();
    let raised = HostParty { confirmation_threshold: Some(3), ..replicated(&world) };
    assert_eq!(found(&world, &raised, &[transaction(changed(&world, |m| m.threshold = 3))]), Ok(()));
    let left = transaction(changed(&world, |_| {}));
    assert_eq!(found(&world, &raised, &[left]), Err("confirmation threshold".to_owned()));
}

#[test]
fn a_hosting_is_of_its_own_party_once_and_removes_nothing() {
    let mut world = World::with_party();
    let other = format!("other::{}", world.namespace()).parse().unwrap();
    let of_another = PartyToParticipant { party: other, ..world.party_mapping() };
    world.state.assume(&build(1, Mapping::PartyToParticipant(of_another.clone())));
    let of_another = changed(&world, |m| m.party = of_another.party);
    assert_eq!(found(&world, &replicated(&world), &[transaction(of_another)]), Err("party".to_owned()));

    let mapping = changed(&world, |_| {});
    let serial = 2.try_into().unwrap();
    let removed = Transaction::build(Operation::Remove, serial, &Mapping::PartyToParticipant(mapping.clone()));
    assert_eq!(found(&world, &replicated(&world), &[removed]), Err("operation".to_owned()));

    let once_more = changed(&world, |m| m.participants.push(m.participants[0].clone()));
    let twice = [transaction(mapping), transaction(once_more)];
    let untouched = format!("PartyToParticipant {}", world.party());
    assert_eq!(found(&world, &replicated(&world), &twice), Err(untouched));
}
