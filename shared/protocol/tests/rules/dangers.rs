//! Changes that Canton accepts and people regret: each is refused by name, unless the intent accepts exactly that.

use canton_topology::{
    id::Namespace,
    mapping::{
        DecentralizedNamespaceDefinition, HostingParticipant, Mapping, NamespaceDelegation, PartyToKeyMapping,
        Permission, Restriction,
    },
    transaction::{Operation, Serial, Transaction},
};
use protocol::{
    accepted::Accepted,
    danger::{Danger, dangers},
    hosting::must_be_unused,
    intent::{Adopt, Change, Host, Intent, Raw},
    refusal::Refusal,
    verify::Verification,
};

use crate::world::{World, build};

/// Refused while the intent does not accept it, and shown where it does.
fn must_need(world: &World, asked: &str, change: Change, danger: &Danger) {
    let rest: Vec<Accepted> =
        Accepted::PLAIN.iter().map(|(one, _)| *one).filter(|one| *one != danger.accepted_as()).collect();
    let case = world.offered_accepting("alice", change.clone(), rest);
    assert_eq!(world.must_refuse(asked, &case), Refusal::Danger { danger: danger.clone() });
    let mut all: Vec<Accepted> = Accepted::PLAIN.iter().map(|(one, _)| *one).collect();
    all.push(danger.accepted_as());
    let case = world.offered_accepting("alice", change, all);
    assert!(world.must_verify(asked, &case).dangers().contains(danger));
}

fn root(world: &World, name: &str, serial: u32, operation: Operation) -> Transaction {
    let root = NamespaceDelegation::root(world.owner(name).namespace_key());
    Transaction::build(operation, Serial::try_from(serial).unwrap(), &Mapping::NamespaceDelegation(root))
}

#[test]
fn thresholds_that_need_everybody_or_let_anybody_alone_are_refused_unless_accepted() {
    let world = World::with_party();
    let (namespace, owners) = (world.namespace(), 3);
    let everybody = Danger::EveryOwnerNeeded { namespace: namespace.clone(), owners };
    must_need(&world, "bob", world.thresholds(Some(3), None, None), &everybody);
    let anybody = Danger::OneOwnerSuffices { namespace, owners };
    must_need(&world, "bob", world.thresholds(Some(1), None, None), &anybody);
    let harmless = world.offered_accepting("alice", world.thresholds(None, Some(3), None), Vec::new());
    assert_eq!(world.must_verify("bob", &harmless).dangers(), []);
}

#[test]
fn thresholds_out_of_reach_are_refused_unless_accepted() {
    let world = World::with_party();
    let party = world.party();
    let mut mapping = world.party_mapping();
    mapping.participants[0].onboarding = true;
    mapping.threshold = 3;
    let raw = world.raw(&[build(2, Mapping::PartyToParticipant(mapping))]);
    let out_of_reach = Danger::ConfirmationOutOfReach { party: party.clone(), threshold: 3, hosts: 2, onboarding: 1 };
    assert!(out_of_reach.to_string().ends_with("it could do nothing until 1 more are through with their onboarding"));
    must_need(&world, "bob", raw, &out_of_reach);

    let mut mapping = world.party_mapping();
    mapping.signing_keys.as_mut().unwrap().threshold = 4;
    let raw = world.raw(&[build(2, Mapping::PartyToParticipant(mapping))]);
    must_need(&world, "bob", raw, &Danger::SignaturesOutOfReach { party, threshold: 4, keys: 3 });
}

#[test]
fn more_signatures_than_a_legacy_partys_keys_can_give_are_a_danger() {
    let world = World::with_party();
    let party = world.party();
    let keys = |threshold| {
        let keys = world.party_mapping().signing_keys.unwrap().keys;
        build(1, Mapping::PartyToKeyMapping(PartyToKeyMapping { party: party.clone(), threshold, keys }))
    };
    let of = |threshold| dangers(&[keys(threshold)], &world.state, &[]);
    assert_eq!(of(4), [Danger::SignaturesOutOfReach { party: party.clone(), threshold: 4, keys: 3 }]);
    assert_eq!(of(3), []);
}

#[test]
fn a_party_that_only_observes_needs_no_confirmations() {
    let world = World::with_party();
    let of = |permissions: [Permission; 3]| {
        let mut mapping = world.party_mapping();
        mapping.threshold = 3;
        mapping.participants.iter_mut().zip(permissions).for_each(|(host, one)| host.permission = one);
        dangers(&[build(2, Mapping::PartyToParticipant(mapping))], &world.state, &[])
    };
    assert_eq!(of([Permission::Observation; 3]), []);
    let one = of([Permission::Confirmation, Permission::Observation, Permission::Observation]);
    assert_eq!(one, [Danger::ConfirmationOutOfReach { party: world.party(), threshold: 3, hosts: 1, onboarding: 0 }]);
    assert!(one[0].to_string().ends_with("it could do nothing any more"));
}

#[test]
fn a_namespace_of_one_owner_needs_everybody() {
    let world = World::with_party();
    let mapping = DecentralizedNamespaceDefinition {
        namespace: world.namespace(),
        threshold: 1,
        owners: vec![world.owner("alice").namespace()],
    };
    let alone = dangers(&[build(2, Mapping::DecentralizedNamespaceDefinition(mapping))], &world.state, &[]);
    assert_eq!(alone, [Danger::EveryOwnerNeeded { namespace: world.namespace(), owners: 1 }]);
}

#[test]
fn what_can_never_be_undone_is_refused_unless_accepted() {
    let world = World::with_party();
    let removal = Transaction::build(Operation::Remove, Serial::try_from(2).unwrap(), world.definition().mapping());
    let raw = world.raw(&[removal]);
    must_need(&world, "bob", raw, &Danger::NamespaceLost { namespace: world.namespace() });

    let own = world.owner("bob").namespace();
    let raw = || world.raw(&[root(&world, "bob", 2, Operation::Remove)]);
    must_need(&world, "bob", raw(), &Danger::DelegationLost { namespace: own.clone() });
    // The same change leaves the decentralized namespace with an owner who is none.
    must_need(&world, "bob", raw(), &Danger::OwnerWithoutRoot { namespace: world.namespace(), owner: own });
}

#[test]
fn a_delegates_signature_on_a_root_is_refused_unless_accepted() {
    let mut world = World::with_party();
    let alice = world.owner("alice").namespace_key();
    let delegate = world.owner("bob").namespace_key();
    let namespace = Namespace::from(alice.fingerprint());
    let delegation =
        NamespaceDelegation { namespace: namespace.clone(), target: delegate, restriction: Restriction::All };
    let delegated = world.raw(&[build(1, Mapping::NamespaceDelegation(delegation))]);
    world.must_change(delegated, &["alice"]);

    let again = || world.raw(&[root(&world, "alice", 2, Operation::AddReplace)]);
    // The root key itself may; Bob, whose key is a delegate, would break it.
    let case = world.offered_accepting("alice", again(), Vec::new());
    assert_eq!(world.must_verify("alice", &case).dangers(), []);
    let key = world.owner("bob").namespace_key().fingerprint();
    must_need(&world, "bob", again(), &Danger::DelegateOnRoot { namespace, key });
}

#[test]
fn a_sleeper_that_a_change_would_wake_is_refused_unless_accepted_by_its_hash() {
    let mut world = World::with_party();
    world.must_change(world.thresholds(Some(3), None, None), &["alice", "bob"]);
    // Two of three have signed another threshold of the party; the namespace's own is about to fall to two.
    let mut sleeping = world.offered("carol", world.thresholds(None, Some(1), None));
    world.must_approve("alice", &mut sleeping);
    world.must_approve("carol", &mut sleeping);
    let transaction = sleeping.offer().unwrap().transactions[0].hash();
    world.live = world.signed_in(&sleeping);

    let lower = || world.thresholds(Some(2), None, None);
    must_need(&world, "bob", lower(), &Danger::Awakens { transaction, more: 0 });
    let name = Accepted::Awakens(transaction).to_string();
    assert_eq!(name, format!("awakens:{transaction}"));
    assert_eq!(name.parse(), Ok(Accepted::Awakens(transaction)));
    assert!("awakens:1220".parse::<Accepted>().is_err());
}

#[test]
fn a_host_without_contracts_is_accepted_for_good_or_while_the_party_is_unused_and_nothing_else_is() {
    let world = World::with_party();
    let mut party = world.party_change();
    party.add_hosts.push(Host { participant: world.owner("dave").host(), permission: Permission::Observation });
    let change = world.membership(None, Some(party));
    let verified = |accepts: Vec<Accepted>| {
        let case = world.offered_accepting("alice", change.clone(), accepts);
        (world.verify("bob", &case), must_be_unused(case.intent(), &world.state))
    };
    let danger = |one: &Danger| matches!(one, Danger::HostWithoutContracts { .. });

    let (refused, _) = verified(vec![Accepted::PartyKeysGone]);
    assert!(matches!(refused, Verification::Refused(Refusal::Danger { danger: found }) if danger(&found)));
    for (accepts, must_be_unused) in [
        (vec![Accepted::HostOfUnusedParty], vec![world.party()]),
        (vec![Accepted::HostWithoutContracts], vec![]),
        (vec![Accepted::HostOfUnusedParty, Accepted::HostWithoutContracts], vec![]),
    ] {
        let (verified, found) = verified(accepts);
        let Verification::Verified(verified) = verified else { panic!("{verified:?}") };
        assert!(verified.dangers().iter().any(danger), "it is shown");
        assert_eq!(found, must_be_unused);
    }

    // No other danger is accepted with it.
    let lower =
        world.offered_accepting("alice", world.thresholds(Some(1), None, None), vec![Accepted::HostOfUnusedParty]);
    assert!(matches!(world.must_refuse("bob", &lower), Refusal::Danger { .. }));
}

#[test]
fn whether_the_party_was_used_does_not_matter_once_the_host_is_there() {
    let mut world = World::with_party();
    let mut party = world.party_change();
    party.add_hosts.push(Host { participant: world.owner("dave").host(), permission: Permission::Observation });
    let change = world.membership(None, Some(party));
    let intent = Intent { accepts: vec![Accepted::HostOfUnusedParty], ..world.intent("alice", change.clone()) };
    assert_eq!(must_be_unused(&intent, &world.state), [world.party()]);

    world.must_change(change, &["alice", "bob", "dave"]);

    assert_eq!(must_be_unused(&intent, &world.state), []);
}

#[test]
fn a_host_that_comes_with_bytes_made_elsewhere_passes_no_gate_and_is_a_danger_whatever_its_flag() {
    let world = World::with_party();
    for onboarding in [false, true] {
        let mut mapping = world.party_mapping();
        let participant = world.owner("dave").host();
        mapping.participants.push(HostingParticipant { participant, permission: Permission::Observation, onboarding });
        let bytes = build(2, Mapping::PartyToParticipant(mapping)).bytes().to_vec();
        for change in [
            Change::Adopt(Adopt { transaction: bytes.clone() }),
            Change::Raw(Raw { transactions: vec![bytes.clone()] }),
        ] {
            let refused = world.must_refuse("bob", &world.offered_accepting("alice", change.clone(), vec![]));
            let Refusal::Danger { danger } = &refused else { panic!("{refused:?}") };
            assert!(matches!(danger, Danger::HostWithoutContracts { .. }), "{danger}");

            let case = world.offered_accepting("alice", change.clone(), vec![Accepted::HostOfUnusedParty]);
            assert!(matches!(world.verify("bob", &case), Verification::Verified(_)));
            assert_eq!(must_be_unused(case.intent(), &world.state), [world.party()], "and is looked at again");
        }
    }
}

#[test]
fn a_host_that_one_transaction_takes_away_and_the_next_one_brings_back_has_missed_something() {
    let mut world = World::with_party();
    let (there, mut away) = (world.party_mapping(), world.party_mapping());
    away.participants.pop();
    let all = [away, there].map(Mapping::PartyToParticipant);
    let all: Vec<Transaction> = all.into_iter().zip(2..).map(|(mapping, serial)| build(serial, mapping)).collect();

    let dangers = world.dangers(&world.intent("alice", world.raw(&all)));
    assert!(dangers.iter().any(|one| matches!(one, Danger::HostWithoutContracts { .. })), "{dangers:?}");
    let intent = Intent { accepts: vec![Accepted::HostOfUnusedParty], ..world.intent("alice", world.raw(&all)) };
    assert_eq!(must_be_unused(&intent, &world.state), [world.party()]);
    all.iter().for_each(|one| world.state.assume(one));
    assert_eq!(must_be_unused(&intent, &world.state), []);
}

#[test]
fn every_danger_has_a_name_that_reads_back() {
    for (danger, name) in Accepted::PLAIN {
        assert_eq!((danger.to_string().as_str(), name.parse()), (name, Ok(danger)));
    }
    let conditional = Accepted::HostOfUnusedParty;
    assert_eq!(
        (conditional.to_string().as_str(), "host-of-unused-party".parse()),
        ("host-of-unused-party", Ok(conditional))
    );
    assert!("everything".parse::<Accepted>().is_err());
}
