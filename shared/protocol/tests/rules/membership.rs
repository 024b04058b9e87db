//! Change sets: what each stage means, in which order, and why one means nothing.

use canton_topology::{
    mapping::{Code, Mapping, PartyToParticipant, Permission},
    transaction::{Operation, Transaction},
};
use protocol::{
    intent::{Change, Host, Membership, Order, OwnersChange, PartyChange},
    plan::plan,
    verify::frame,
    workflow::{error::PlanError, membership::done_already},
};

use proptest::prelude::*;

use crate::world::World;

use Code::{DecentralizedNamespaceDefinition as Dnd, NamespaceDelegation as Nsd, PartyToParticipant as Ptp};

/// Every stage, as the topology of the moment has it; each passes the frame check.
fn stages(world: &World, change: &Change) -> Vec<Vec<Transaction>> {
    let intent = world.intent("alice", change.clone());
    let mut state = world.state.clone();
    let first = plan(&intent, &state).unwrap();
    let announced = [vec![first.transactions], first.later].concat();
    let mut stages = Vec::new();
    loop {
        match plan(&intent, &state) {
            Ok(plan) => {
                assert_eq!(frame::check(&intent, &plan.transactions, &state), Ok(()));
                plan.transactions.iter().for_each(|one| state.assume(one));
                stages.push(plan.transactions);
            }
            Err(PlanError::NoChange { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(stages, announced, "what was announced at first is what comes");
    stages
}

fn kinds(stages: &[Vec<Transaction>]) -> Vec<Vec<Code>> {
    stages.iter().map(|stage| stage.iter().map(|one| one.mapping().code()).collect()).collect()
}

fn party_of(transactions: &[Transaction]) -> &PartyToParticipant {
    match transactions.last().unwrap().mapping() {
        Mapping::PartyToParticipant(party) => party,
        other => panic!("not a party's mapping: {other:?}"),
    }
}

fn confirming(world: &World, name: &str) -> Host {
    Host { participant: world.owner(name).host(), permission: Permission::Confirmation }
}

#[test]
fn a_replaced_owner_loses_host_and_key_first_then_the_seat_and_only_then_the_new_one_gains() {
    let world = World::with_party();
    let stages = stages(&world, &world.replace_carol(Order::Staged));
    assert_eq!(kinds(&stages), [vec![Ptp], vec![Nsd, Dnd], vec![Ptp]]);
    let (carol, dave) = (world.owner("carol"), world.owner("dave"));
    let (first, last) = (party_of(&stages[0]), party_of(&stages[2]));
    assert!(first.host(&carol.host()).is_none() && first.host(&dave.host()).is_none());
    assert_eq!((first.threshold, first.signing_keys.as_ref().unwrap().keys.len()), (2, 2));
    assert!(last.host(&dave.host()).is_some());
    assert!(last.signing_keys.as_ref().unwrap().keys.contains(&dave.party_key()));
    let Mapping::DecentralizedNamespaceDefinition(owners) = stages[1][1].mapping() else { panic!() };
    assert_eq!((owners.owners.len(), owners.threshold), (3, 2), "the seat changes hands in one transaction");
}

#[test]
fn a_party_that_could_not_act_without_the_one_who_goes_swaps_in_one_transaction() {
    let mut world = World::with_party();
    world.must_change(world.thresholds(None, Some(3), None), &["alice", "bob"]);
    let stages = stages(&world, &world.replace_carol(Order::Staged));
    assert_eq!(kinds(&stages), [vec![Ptp], vec![Nsd, Dnd]]);
    assert_eq!(party_of(&stages[0]).participants.len(), 3);
}

#[test]
fn what_is_only_given_comes_after_the_owners_and_what_is_only_taken_before_them() {
    let world = World::with_party();
    let (carol, dave) = (world.owner("carol"), world.owner("dave"));
    let add = OwnersChange { add: vec![dave.namespace_key()], ..world.owners_change() };
    let gives = PartyChange { add_keys: vec![dave.party_key()], ..world.party_change() };
    assert_eq!(kinds(&stages(&world, &world.membership(Some(add), Some(gives)))), [vec![Nsd, Dnd], vec![Ptp]]);
    let remove = OwnersChange { remove: vec![carol.namespace()], ..world.owners_change() };
    let takes = PartyChange { remove_hosts: vec![carol.host()], ..world.party_change() };
    assert_eq!(kinds(&stages(&world, &world.membership(Some(remove), Some(takes)))), [vec![Ptp], vec![Dnd]]);
}

#[test]
fn a_change_of_the_party_alone_is_one_transaction_whatever_it_takes_and_gives() {
    let world = World::with_party();
    let (carol, dave) = (world.owner("carol"), world.owner("dave"));
    let change = PartyChange {
        add_hosts: vec![confirming(&world, "dave")],
        remove_hosts: vec![carol.host()],
        permissions: vec![Host { participant: world.owner("bob").host(), permission: Permission::Submission }],
        confirmation_threshold: Some(3),
        add_keys: vec![dave.party_key()],
        remove_keys: vec![carol.party_key().fingerprint()],
        signing_threshold: Some(3),
        ..world.party_change()
    };
    let stages = stages(&world, &world.membership(None, Some(change)));
    assert_eq!(kinds(&stages), [vec![Ptp]]);
    let after = party_of(&stages[0]);
    assert_eq!((after.threshold, after.participants.len()), (3, 3));
    assert_eq!(after.host(&world.owner("bob").host()).unwrap().permission, Permission::Submission);
}

#[test]
fn what_is_done_already_is_left_out_and_a_set_that_is_done_means_nothing() {
    let mut world = World::with_party();
    let change = world.replace_carol(Order::Staged);
    let first = stages(&world, &change).swap_remove(0);
    first.iter().for_each(|one| world.state.assume(one));
    assert_eq!(kinds(&stages(&world, &change)), [vec![Nsd, Dnd], vec![Ptp]]);
    assert_eq!(world.must_change_in_stages(change.clone()), 2);
    let done = plan(&world.intent("alice", change), &world.state).unwrap_err();
    assert!(matches!(done, PlanError::NoChange { .. }), "{done}");
}

#[test]
fn change_sets_that_make_no_sense_are_refused_by_field() {
    let world = World::with_party();
    let (alice, carol, dave) = (world.owner("alice"), world.owner("carol"), world.owner("dave"));
    let owners = |change: OwnersChange| world.membership(Some(change), None);
    let party = |change: PartyChange| world.membership(None, Some(change));
    let (no_owners, no_party) = (world.owners_change(), world.party_change());
    let everybody = ["alice", "bob", "carol"].map(|name| world.owner(name));
    let (key, print) = (dave.namespace_key(), dave.namespace());
    let observing = Host { participant: dave.host(), permission: Permission::Observation };
    let cases = [
        (owners(OwnersChange { add: vec![key.clone(), key.clone()], ..no_owners.clone() }), "stands there twice"),
        (owners(OwnersChange { add: vec![key], remove: vec![print], ..no_owners.clone() }), "stands there twice"),
        (
            owners(OwnersChange { remove: everybody.map(|one| one.namespace()).to_vec(), ..no_owners.clone() }),
            "owners: 0",
        ),
        (
            owners(OwnersChange { remove: everybody[..2].iter().map(|one| one.namespace()).collect(), ..no_owners }),
            "threshold: 2; expected from 1 to 1 (the number of owners)",
        ),
        (party(PartyChange { remove_hosts: everybody.map(|one| one.host()).to_vec(), ..no_party.clone() }), "hosts: 0"),
        (
            party(PartyChange { remove_hosts: vec![alice.host(), carol.host()], ..no_party.clone() }),
            "confirmation_threshold: 2; expected from 1 to 1",
        ),
        (party(PartyChange { permissions: vec![observing], ..no_party.clone() }), "is not on this synchronizer"),
        (party(PartyChange { add_keys: vec![dave.node_key()], ..no_party.clone() }), "usage PROTOCOL"),
        (
            party(PartyChange {
                remove_keys: everybody.map(|one| one.party_key().fingerprint()).to_vec(),
                signing_threshold: Some(1),
                ..no_party.clone()
            }),
            "any signing key of",
        ),
        (
            party(PartyChange {
                add_hosts: vec![Host { participant: carol.host(), permission: Permission::Submission }],
                ..no_party
            }),
            "hosts it already",
        ),
    ];
    for (change, expected) in cases {
        let error = plan(&world.intent("alice", change), &world.state).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, not {expected}");
    }
}

#[test]
fn who_is_named_and_is_there_or_gone_already_is_found() {
    let world = World::with_party();
    let found = |change: Change| match change {
        Change::Membership(change) => done_already(&change, &world.state),
        other => panic!("{other:?}"),
    };
    assert_eq!(found(world.replace_carol(Order::Staged)), Vec::<String>::new());
    let (bob, dave) = (world.owner("bob"), world.owner("dave"));
    let owners =
        OwnersChange { add: vec![bob.namespace_key()], remove: vec![dave.namespace()], ..world.owners_change() };
    let party = PartyChange {
        add_hosts: vec![confirming(&world, "bob")],
        remove_hosts: vec![dave.host()],
        add_keys: vec![bob.party_key()],
        remove_keys: vec![dave.party_key().fingerprint()],
        ..world.party_change()
    };
    assert_eq!(found(world.membership(Some(owners), Some(party))).len(), 6);
}

#[test]
fn a_stage_that_would_mean_nothing_is_found_before_the_first_one_is_signed() {
    let world = World::with_party();
    let stranger = crate::world::Owner::new("mallory");
    let change = world.replace_carol(Order::Staged);
    let Change::Membership(Membership { owners, party: Some(mut party), order }) = change else { panic!() };
    party.add_hosts[0].participant = stranger.host();
    let change = Change::Membership(Membership { owners, party: Some(party), order });
    let error = plan(&world.intent("alice", change), &world.state).unwrap_err();
    assert!(matches!(&error, PlanError::WouldBeRejected { name, .. } if name == "UnknownMembers"), "{error}");
}

#[test]
fn owners_who_have_no_participant_found_and_change_a_party_by_their_keys_alone() {
    let mut world = World::new();
    let mut party = world.new_party();
    party.hosts.truncate(1);
    party.confirmation_threshold = 1;
    let mut case = world.offered("alice", Change::CreateParty(party));
    for name in ["alice", "bob", "carol"] {
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    let remove = OwnersChange { remove: vec![world.owner("carol").namespace()], ..world.owners_change() };
    world.must_change(world.membership(Some(remove), None), &["alice", "bob"]);
    assert_eq!(world.state.definition(&world.namespace()).unwrap().owners.len(), 2);
}

#[test]
fn a_party_whose_keys_stand_in_a_mapping_of_their_own_is_founded_in_one_batch_and_moves_them_in_later() {
    let mut world = World::new();
    let mut case = world.offered("alice", Change::CreatePartyWithKeyMapping(world.new_party()));
    let kinds: Vec<Code> = case.offer().unwrap().transactions.iter().map(|one| one.mapping().code()).collect();
    assert_eq!(kinds, [Nsd, Nsd, Nsd, Dnd, Ptp, Code::PartyToKeyMapping]);
    for name in ["alice", "bob", "carol"] {
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    assert_eq!(world.party_mapping().signing_keys, None);

    let party = world.party();
    let migrate = Change::MigrateKeys(protocol::intent::MigrateKeys { party });
    let planned = stages(&world, &migrate);
    assert_eq!(planned[1][0].operation(), Operation::Remove);
    assert_eq!(world.must_change_in_stages(migrate.clone()), 2);
    let inline = world.party_mapping().signing_keys.unwrap();
    assert_eq!((inline.keys.len(), inline.threshold), (3, 2));
    assert_eq!(world.state.of_kind(Code::PartyToKeyMapping).count(), 0);
    let done = plan(&world.intent("alice", migrate), &world.state).unwrap_err();
    assert!(matches!(done, PlanError::NoChange { .. }), "{done}");
}

#[test]
fn a_host_leaves_alone_where_those_who_stay_are_enough() {
    let mut world = World::with_party();
    let leave = |world: &World, name: &str| {
        let (party, participant) = (world.party(), world.owner(name).host());
        Change::LeaveHost(protocol::intent::LeaveHost { party, participant })
    };
    let mut case = world.offered("carol", leave(&world, "carol"));
    // Carol's own participant is all that Canton asks for.
    let verified = world.must_verify("carol", &case);
    assert!(verified.requests().iter().any(|one| one.key == world.owner("carol").node_key().fingerprint()));
    world.must_approve("carol", &mut case);
    world.must_submit(&case);
    assert_eq!(world.party_mapping().participants.len(), 2);
    let error = plan(&world.intent("bob", leave(&world, "bob")), &world.state).unwrap_err().to_string();
    assert!(error.contains("the owners must lower it first"), "{error}");
    let gone = plan(&world.intent("carol", leave(&world, "carol")), &world.state).unwrap_err();
    assert!(matches!(gone, PlanError::NotFound { .. }), "{gone}");
}

/// Which of the four owners is named, bit by bit.
fn chosen(world: &World, bits: u8) -> impl Iterator<Item = &crate::world::Owner> {
    world.owners.iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1).map(|(_, owner)| owner)
}

/// Owners, hosts and keys as bits; numbers as they are.
type Drawn = (Option<(u8, u8, Option<u32>)>, Option<(u8, u8, u8, u8, Option<u32>)>, (u8, u8, Option<u32>), bool);

fn any_set() -> impl Strategy<Value = Drawn> {
    let number = || prop::option::of(1..5_u32);
    let owners = prop::option::of((0..16_u8, 0..16_u8, number()));
    let hosts = prop::option::of((0..16_u8, 0..16_u8, 0..16_u8, 0..3_u8, number()));
    (owners, hosts, (0..16_u8, 0..16_u8, number()), any::<bool>())
}

fn set(world: &World, (owners, hosts, keys, together): Drawn) -> Membership {
    let owners = owners.map(|(add, remove, threshold)| OwnersChange {
        add: chosen(world, add).map(|owner| owner.namespace_key()).collect(),
        remove: chosen(world, remove & !add).map(|owner| owner.namespace()).collect(),
        threshold,
        ..world.owners_change()
    });
    let party = hosts.map(|(add, remove, kept, permission, confirmation_threshold)| {
        let all = [Permission::Submission, Permission::Confirmation, Permission::Observation];
        let permission = all[usize::from(permission)];
        let host = |owner: &crate::world::Owner| Host { participant: owner.host(), permission };
        PartyChange {
            add_hosts: chosen(world, add).map(host).collect(),
            remove_hosts: chosen(world, remove & !add).map(|owner| owner.host()).collect(),
            permissions: chosen(world, kept & !add & !remove).map(host).collect(),
            confirmation_threshold,
            add_keys: chosen(world, keys.0).map(|owner| owner.party_key()).collect(),
            remove_keys: chosen(world, keys.1 & !keys.0).map(|owner| owner.party_key().fingerprint()).collect(),
            signing_threshold: keys.2,
            ..world.party_change()
        }
    });
    Membership { owners, party, order: if together { Order::Together } else { Order::Staged } }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is wanted and means anything comes to an end, passes the other check stage by stage, and moves one mapping
    /// at a time.
    #[test]
    fn any_change_set_that_means_something_ends_where_it_says(drawn in any_set()) {
        let world = World::with_party();
        let change = Change::Membership(set(&world, drawn));
        let Ok(first) = plan(&world.intent("alice", change.clone()), &world.state) else { return Ok(()) };
        let Change::Membership(membership) = &change else { panic!() };
        let stages = if membership.order == Order::Staged { stages(&world, &change) } else { vec![first.transactions] };
        let mut state = world.state.clone();
        stages.iter().flatten().for_each(|one| state.assume(one));
        let done = plan(&world.intent("alice", change.clone()), &state);
        prop_assert!(matches!(done, Err(PlanError::NoChange { .. })), "{done:?}");
        if membership.order == Order::Staged {
            let moved = |stage: &Vec<Transaction>| stage.iter().filter(|one| one.mapping().code() != Nsd).count();
            prop_assert!(stages.iter().all(|stage| moved(stage) == 1), "a stage moves one mapping");
            prop_assert!(stages.len() <= 3);
        }
    }
}
