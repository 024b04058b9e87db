//! Every kind of intent, from its offer to its end: planned, verified, signed by whom it takes, effective.

use protocol::{
    difference::DifferenceClass,
    intent::{
        Change, Delegate, LeaveHost, MigrateKeys, Order, OwnersChange, Revoke, RotateOwnerKey, Scope, Slot, Void,
    },
    life::Status,
    plan::plan,
    reader::Context,
    verify::{Verification, frame, verify},
};

use crate::world::World;

/// A change of each kind, in a world in which it means something, and how many stages it takes.
fn every_kind() -> Vec<(World, Change, usize)> {
    let with_party = |change: &dyn Fn(&World) -> Change, stages| {
        let world = World::with_party();
        let change = change(&world);
        (world, change, stages)
    };
    let bob_to_dave = |world: &World| RotateOwnerKey {
        namespace: world.namespace(),
        old: world.owner("bob").namespace(),
        new: world.owner("dave").namespace_key(),
        revoke_old: true,
    };
    let delegate = |world: &World| {
        let (namespace, key) = (world.owner("alice").namespace(), world.owner("dave").namespace_key());
        Change::Delegate(Delegate { namespace, key, scope: Scope::Owner })
    };
    let leave =
        |world: &World| Change::LeaveHost(LeaveHost { party: world.party(), participant: world.owner("carol").host() });
    let raw = |world: &World| {
        let planned = plan(&world.intent("alice", world.thresholds(Some(3), None, None)), &world.state).unwrap();
        world.raw(&planned.transactions)
    };
    let void = |world: &World| {
        let planned = plan(&world.intent("alice", world.thresholds(Some(3), None, None)), &world.state).unwrap();
        let one = &planned.transactions[0];
        let slot = Slot { unique_key: one.unique_key(), serial: one.serial(), transaction: one.hash() };
        Change::Void(Void { case: protocol::intent::CaseId::from_bytes([9; 16]), slots: vec![slot] })
    };
    let new = World::new();
    let (create, create_with_mapping) = (new.create_party(), Change::CreatePartyWithKeyMapping(new.new_party()));
    let mut delegated = World::with_party();
    delegated.must_change(delegate(&delegated), &["alice"]);
    let (namespace, key) =
        (delegated.owner("alice").namespace(), delegated.owner("dave").namespace_key().fingerprint());
    let mut old = World::new();
    assert_eq!(old.must_change_in_stages(Change::CreatePartyWithKeyMapping(old.new_party())), 1);
    let party = old.party();
    vec![
        (new, create, 1),
        with_party(&|world| world.replace_carol(Order::Staged), 3),
        with_party(&|world| world.replace_carol(Order::Together), 1),
        with_party(&delegate, 1),
        with_party(&raw, 1),
        with_party(&void, 1),
        (delegated, Change::Revoke(Revoke { namespace, key }), 1),
        with_party(&|world| Change::RotateOwnerKey(bob_to_dave(world)), 3),
        with_party(&leave, 1),
        (old, Change::MigrateKeys(MigrateKeys { party }), 2),
        (World::new(), create_with_mapping, 1),
    ]
}

/// A new kind is named here, and then above.
fn number(change: &Change) -> usize {
    match change {
        Change::CreateParty(_) => 0,
        Change::Membership(_) => 1,
        Change::Delegate(_) => 2,
        Change::Raw(_) => 3,
        Change::Void(_) => 4,
        Change::Revoke(_) => 5,
        Change::RotateOwnerKey(_) => 6,
        Change::LeaveHost(_) => 7,
        Change::MigrateKeys(_) => 8,
        Change::CreatePartyWithKeyMapping(_) => 9,
        // Takes more than signatures: its life is in `hosting`.
        Change::HostParty(_) => 10,
        // Begins with a transaction that somebody else made: its life is in `foreign`.
        Change::Adopt(_) => 11,
    }
}

#[test]
fn every_kind_of_intent_lives_to_its_end() {
    let mut kinds: Vec<usize> = every_kind().iter().map(|(_, change, _)| number(change)).collect();
    kinds.dedup();
    assert_eq!(kinds, (0..10).collect::<Vec<_>>());
    for (mut world, change, stages) in every_kind() {
        let name = change.name();
        assert_eq!(change.is_staged(), stages > 1, "{name}");
        let planned = plan(&world.intent("alice", change.clone()), &world.state).unwrap();
        assert_eq!(planned.later.len() + 1, stages, "{name}");
        assert_eq!(world.must_change_in_stages(change.clone()), stages, "{name}");
        // Canton takes the same bytes again, and so does whoever wants just these.
        let is_raw = matches!(change, Change::Raw(_));
        let again = plan(&world.intent("alice", change), &world.state);
        assert_eq!(again.is_ok(), is_raw, "{name} would do something again");
    }
}

#[test]
fn every_kind_that_changes_who_may_act_is_for_humans_alone() {
    for (world, change, _) in every_kind() {
        let is_void = matches!(change, Change::Void(_));
        let case = world.offered("alice", change);
        let readers = world.owners.iter().filter_map(|owner| match world.verify(owner.name, &case) {
            Verification::Verified(verified) => Some(verified.class()),
            Verification::Refused(_) | Verification::NotYet(_) => None,
        });
        let classes: Vec<DifferenceClass> = readers.collect();
        let expected = if is_void { DifferenceClass::Unchanged } else { DifferenceClass::Other };
        assert!(!classes.is_empty() && classes.iter().all(|class| *class == expected), "{classes:?}");
    }
}

#[test]
fn no_kind_passes_the_frame_of_another() {
    for (world, change, _) in every_kind() {
        let intent = world.intent("alice", change);
        let planned = plan(&intent, &world.state).unwrap();
        for (_, other, _) in every_kind() {
            if number(&other) == number(&intent.change) {
                continue;
            }
            let found = frame::check(&world.intent("alice", other.clone()), &planned.transactions, &world.state);
            // A set in one offer and raw bytes of it are the same transactions; nothing else is.
            assert!(found.is_err(), "{} passes as {}", intent.change.name(), other.name());
        }
    }
}

#[test]
fn whoever_comes_with_any_stage_of_any_kind_must_be_in_the_book_before_the_first_is_signed() {
    for (world, change, _) in every_kind() {
        let case = world.offered("alice", change.clone());
        let comes = match &change {
            Change::Membership(_) | Change::Delegate(_) | Change::RotateOwnerKey(_) => "dave",
            Change::CreateParty(_) | Change::CreatePartyWithKeyMapping(_) | Change::MigrateKeys(_) => "carol",
            Change::Raw(_)
            | Change::Void(_)
            | Change::Revoke(_)
            | Change::LeaveHost(_)
            | Change::HostParty(_)
            | Change::Adopt(_) => {
                continue;
            }
        };
        let me = world.owner("alice").me(&world.synchronizer);
        let mut book = world.book_of("alice");
        let verdict = |book: &protocol::book::Book| {
            let context = Context {
                me: &me,
                book,
                state: &world.state,
                seen: world.now,
                live: &[],
                now: world.now,
                frozen: false,
            };
            match verify(&case, &context) {
                Verification::Verified(_) => "Verified",
                Verification::Refused(refusal) => refusal.name(),
                Verification::NotYet(_) => "NotYet",
            }
        };
        assert_ne!(verdict(&book), "UnknownPrincipal", "{}", change.name());
        assert!(book.remove(comes));
        assert_eq!(verdict(&book), "UnknownPrincipal", "{}", change.name());
    }
}

#[test]
fn a_set_of_thresholds_in_stages_is_for_humans_and_one_alone_for_a_rule() {
    let mut world = World::with_party();
    world.must_change(world.add_dave(), &["alice", "bob", "dave"]);
    world.must_change(world.thresholds(Some(2), Some(1), None), &["alice", "bob", "carol"]);
    let owners = OwnersChange { threshold: Some(3), ..world.owners_change() };
    let party = protocol::intent::PartyChange { confirmation_threshold: Some(2), ..world.party_change() };
    let both = world.offered("alice", world.membership(Some(owners), Some(party.clone())));
    let verified = world.must_verify("bob", &both);
    assert_eq!((verified.dangers(), verified.class()), (&[][..], DifferenceClass::Other));
    let one = world.offered("alice", world.membership(None, Some(party)));
    assert_eq!(world.must_verify("bob", &one).class(), DifferenceClass::ThresholdRaise);
    assert_eq!(world.standing(&one).status, Status::Collecting);
}
