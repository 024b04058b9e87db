//! Delegations: given under a scope, taken back for good, and an owner who goes over to another key.

use canton_topology::mapping::{Code, Mapping, Restriction};
use protocol::{
    accepted::Accepted,
    danger::Danger,
    intent::{Change, Delegate, Revoke, RotateOwnerKey, Scope},
    plan::plan,
    refusal::Refusal,
    verify::frame,
    workflow::error::PlanError,
};

use crate::world::World;

fn delegate(world: &World, from: &str, to: &str, scope: Scope) -> Change {
    let (namespace, key) = (world.owner(from).namespace(), world.owner(to).namespace_key());
    Change::Delegate(Delegate { namespace, key, scope })
}

fn revoke(world: &World, namespace: &str, key: &str) -> Change {
    let (namespace, key) = (world.owner(namespace).namespace(), world.owner(key).namespace_key().fingerprint());
    Change::Revoke(Revoke { namespace, key })
}

fn rotate(world: &World) -> Change {
    let (old, new) = (world.owner("bob").namespace(), world.owner("dave").namespace_key());
    Change::RotateOwnerKey(RotateOwnerKey { namespace: world.namespace(), old, new, revoke_old: true })
}

fn must_fail(world: &World, change: Change) -> PlanError {
    plan(&world.intent("alice", change), &world.state).unwrap_err()
}

#[test]
fn a_scope_lets_a_key_sign_what_its_name_says_and_nothing_else() {
    let expected: [(Scope, &[Code]); 7] = [
        (Scope::All, &Code::ALL),
        (Scope::AllButDelegations, &Code::ALL[1..]),
        (Scope::Owner, &[Code::DecentralizedNamespaceDefinition, Code::PartyToParticipant, Code::PartyToKeyMapping]),
        (Scope::Parties, &[Code::PartyToParticipant, Code::PartyToKeyMapping]),
        (Scope::Namespaces, &[Code::DecentralizedNamespaceDefinition]),
        (Scope::Vetting, &[Code::VettedPackages]),
        (Scope::Node, &[Code::OwnerToKeyMapping, Code::SynchronizerTrustCertificate, Code::VettedPackages]),
    ];
    assert_eq!(expected.map(|(scope, _)| scope), Scope::ALL);
    for (scope, allowed) in expected {
        let mut world = World::with_party();
        world.must_change(delegate(&world, "alice", "dave", scope), &["alice"]);
        let (alice, dave) = (world.owner("alice").namespace(), world.owner("dave").namespace_key().fingerprint());
        for code in Code::ALL {
            let may = world.state.keys_of(&alice, code).contains_key(&dave);
            assert_eq!(may, allowed.contains(&code), "{} {code}", scope.name());
        }
    }
}

#[test]
fn an_owners_delegate_signs_in_its_place_and_no_more_than_its_scope() {
    let mut world = World::with_party();
    world.must_change(delegate(&world, "bob", "dave", Scope::Parties), &["bob"]);
    let party = world.offered("alice", world.thresholds(None, Some(3), None));
    world.must_verify("dave", &party);
    let owners = world.offered("alice", world.thresholds(Some(3), None, None));
    assert_eq!(world.must_refuse("dave", &owners), Refusal::NothingToSign);
}

#[test]
fn a_delegation_that_makes_no_sense_is_refused_by_name() {
    let mut world = World::with_party();
    let own = must_fail(&world, delegate(&world, "alice", "alice", Scope::Owner)).to_string();
    assert!(own.contains("namespace's own key"), "{own}");
    let unknown = must_fail(&world, delegate(&world, "dave", "alice", Scope::Owner));
    assert!(matches!(unknown, PlanError::NotFound { .. }), "{unknown}");
    let namespace = world.namespace();
    let key = world.owner("dave").namespace_key();
    let decentralized = Change::Delegate(Delegate { namespace, key, scope: Scope::Owner });
    assert!(must_fail(&world, decentralized).to_string().contains("decentralized"));
    let (namespace, key) = (world.owner("alice").namespace(), world.owner("dave").party_key());
    let usage = must_fail(&world, Change::Delegate(Delegate { namespace, key, scope: Scope::Owner })).to_string();
    assert!(usage.contains("NAMESPACE"), "{usage}");
    world.must_change(delegate(&world, "alice", "dave", Scope::Owner), &["alice"]);
    let again = must_fail(&world, delegate(&world, "alice", "dave", Scope::Owner));
    assert!(matches!(again, PlanError::NoChange { .. }), "{again}");
    world.must_change(delegate(&world, "alice", "dave", Scope::Vetting), &["alice"]);
}

#[test]
fn a_delegate_who_is_as_good_as_the_root_must_be_accepted() {
    let world = World::with_party();
    let case = world.offered_accepting("alice", delegate(&world, "alice", "dave", Scope::All), Vec::new());
    let refusal = world.must_refuse("alice", &case);
    assert!(matches!(refusal, Refusal::Danger { danger: Danger::UnlimitedDelegate { .. } }), "{refusal}");
    let limited = world.offered_accepting("alice", delegate(&world, "alice", "dave", Scope::Owner), Vec::new());
    assert_eq!(world.must_verify("alice", &limited).dangers(), []);
}

#[test]
fn a_revocation_shows_what_goes_with_it_and_must_be_accepted_by_each_name() {
    let mut world = World::with_party();
    world.must_change(delegate(&world, "alice", "dave", Scope::All), &["alice"]);
    // Dave's key, as alice's delegate, lets carol's sign for alice.
    let onward = delegate(&world, "alice", "carol", Scope::Owner);
    let mut case = world.offered("alice", onward);
    let approval = world.approval("dave", &case);
    world.say(&mut case, &approval, &world.owner("dave").identity).unwrap();
    world.must_submit(&case);
    let sleeping = {
        let mut case = world.offered("bob", world.thresholds(None, Some(1), None));
        world.must_approve("dave", &mut case);
        world.signed_in(&case)
    };
    world.live = sleeping;

    let accepting =
        |accepts: &[Accepted]| world.offered_accepting("alice", revoke(&world, "alice", "dave"), accepts.to_vec());
    let refused = |accepts| match world.must_refuse("alice", &accepting(accepts)) {
        Refusal::Danger { danger } => danger.accepted_as(),
        other => panic!("{other}"),
    };
    assert_eq!(refused(&[]), Accepted::DelegationLost);
    assert_eq!(refused(&[Accepted::DelegationLost]), Accepted::KeysDangle);
    let verified = world.must_verify("alice", &accepting(&[Accepted::DelegationLost, Accepted::KeysDangle]));
    let key = |name: &str| world.owner(name).namespace_key().fingerprint();
    let lost: Vec<_> = verified.cascade().keys.iter().map(|lost| (lost.key.clone(), lost.named)).collect();
    let mut expected = vec![(key("dave"), true), (key("carol"), false)];
    expected.sort();
    assert_eq!(lost, expected);
    assert_eq!(verified.cascade().signatures.len(), 1);
    assert_eq!(verified.cascade().signatures[0].keys, [key("dave")]);
    assert!(verified.cascade().lines().iter().any(|line| line.contains("would count no more")));
}

#[test]
fn what_was_revoked_is_never_delegated_again() {
    let mut world = World::with_party();
    world.must_change(delegate(&world, "alice", "dave", Scope::Owner), &["alice"]);
    world.must_change(revoke(&world, "alice", "dave"), &["alice"]);
    let error = must_fail(&world, delegate(&world, "alice", "dave", Scope::Owner));
    assert!(matches!(&error, PlanError::WouldBeRejected { name, .. } if name == "NamespaceHasBeenRevoked"), "{error}");
    let twice = must_fail(&world, revoke(&world, "alice", "dave"));
    assert!(matches!(twice, PlanError::NotFound { .. }), "{twice}");
}

#[test]
fn an_owner_goes_over_to_another_key_in_three_stages_and_is_an_owner_at_every_moment() {
    let mut world = World::with_party();
    let change = rotate(&world);
    let mut case = world.offered("alice", change);
    let (bob, dave) = (world.owner("bob").namespace(), world.owner("dave").namespace());
    let is_owner = |world: &World| {
        let owners = &world.state.definition(&world.namespace()).unwrap().owners;
        (owners.contains(&bob), owners.contains(&dave))
    };
    let expected: [(&[&str], (bool, bool)); 3] =
        [(&["dave"], (true, false)), (&["alice", "carol", "dave"], (false, true)), (&["bob"], (false, true))];
    for (stage, (names, owners)) in expected.into_iter().enumerate() {
        let standing = world.standing(&case);
        assert_eq!(standing.stage.map(|stage| (stage.number, stage.of)), Some((stage + 1, 3)));
        for name in names {
            world.must_approve(name, &mut case);
        }
        world.must_submit(&case);
        assert_eq!(is_owner(&world), owners);
        assert!(
            world.state.keys_of(&dave, Code::PartyToParticipant).len() == 1,
            "the new key counts from the first stage on"
        );
        assert_eq!(world.must_offer_next(&mut case), stage < 2);
    }
    assert!(!world.state.has_root(&bob));
    let done = must_fail(&world, rotate(&world));
    assert!(matches!(done, PlanError::NoChange { .. }), "{done}");
}

#[test]
fn a_rotation_that_would_wake_what_the_new_key_signed_before_is_refused_until_that_is_named() {
    let mut world = World::with_party();
    let sleeping = world.offered("carol", world.thresholds(None, Some(1), None));
    let transaction = sleeping.offer().unwrap().transactions[0].clone();
    let signature = |name: &str| world.sign(&world.owner(name).namespace_key().fingerprint(), transaction.hash());
    let signatures = vec![signature("alice"), signature("dave")];
    world.live = vec![canton_topology::transaction::SignedTransaction::new(transaction.clone(), signatures, true)];
    // The first stage is dave's root alone; what the second would wake is named at once.
    let refusal = world.must_refuse("dave", &world.offered("alice", rotate(&world)));
    let danger = Danger::Awakens { transaction: transaction.hash(), more: 0 };
    assert_eq!(refusal, Refusal::Danger { danger });
}

#[test]
fn a_rotation_that_would_lose_an_owner_is_refused() {
    let world = World::with_party();
    let with = |old: &str, new: &str| {
        let (old, new) = (world.owner(old).namespace(), world.owner(new).namespace_key());
        Change::RotateOwnerKey(RotateOwnerKey { namespace: world.namespace(), old, new, revoke_old: false })
    };
    assert!(must_fail(&world, with("bob", "bob")).to_string().contains("the key that the owner has"));
    assert!(must_fail(&world, with("bob", "alice")).to_string().contains("another owner's key"));
    let stranger = must_fail(&world, with("dave", "dave"));
    assert!(stranger.to_string().contains("the key that the owner has"));
}

#[test]
fn the_frame_knows_each_scope_by_its_own_list() {
    let world = World::with_party();
    for scope in Scope::ALL {
        let intent = world.intent("alice", delegate(&world, "alice", "dave", scope));
        for other in Scope::ALL {
            let offered = plan(&world.intent("alice", delegate(&world, "alice", "dave", other)), &world.state).unwrap();
            let found = frame::check(&intent, &offered.transactions, &world.state);
            assert_eq!(found.is_ok(), scope == other, "{} {}", scope.name(), other.name());
        }
        let Mapping::NamespaceDelegation(planned) =
            plan(&intent, &world.state).unwrap().transactions[0].mapping().clone()
        else {
            panic!()
        };
        assert_eq!(planned.restriction == Restriction::All, scope == Scope::All);
    }
}
