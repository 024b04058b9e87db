//! What each intent means on today's topology, and why one means nothing.

use canton_topology::{
    hash::TransactionHash,
    mapping::{Code, DecentralizedNamespaceDefinition, Mapping, NamespaceDelegation},
    planner,
    transaction::{Operation, Serial, Transaction},
};
use protocol::{
    intent::{Change, CreateParty, OwnersChange, Slot, Void},
    plan::{Plan, plan},
    workflow::error::PlanError,
};

use crate::world::{Owner, World, build};

fn planned(world: &World, change: Change) -> Result<Plan, PlanError> {
    plan(&world.intent("alice", change), &world.state)
}

fn must_fail(world: &World, change: Change) -> PlanError {
    planned(world, change).unwrap_err()
}

fn field(error: &PlanError) -> &str {
    match error {
        PlanError::OutOfRange { field, .. } | PlanError::Field { field, .. } => field,
        other => panic!("not about a field: {other}"),
    }
}

fn kinds(plan: &Plan) -> Vec<(Code, u32)> {
    plan.transactions.iter().map(|one| (one.mapping().code(), one.serial().get())).collect()
}

#[test]
fn a_new_party_is_roots_then_the_definition_then_the_mapping() {
    let world = World::new();
    let plan = planned(&world, world.create_party()).unwrap();
    use Code::{DecentralizedNamespaceDefinition as Dnd, NamespaceDelegation as Nsd, PartyToParticipant as Ptp};
    assert_eq!(kinds(&plan), [(Nsd, 1), (Nsd, 1), (Nsd, 1), (Dnd, 1), (Ptp, 1)]);
    assert_eq!(plan.base.len(), 5);
    assert!(plan.base.iter().all(|row| row.active.is_none()));
}

#[test]
fn everybody_who_plans_a_new_party_plans_the_same_bytes_in_whatever_order_the_owners_stand() {
    let world = World::new();
    let mut reversed = world.new_party();
    reversed.owners.reverse();
    reversed.signing_keys.reverse();
    let other = planned(&world, Change::CreateParty(reversed)).unwrap();
    assert_eq!(other, planned(&world, world.create_party()).unwrap());
}

#[test]
fn an_owner_with_a_root_gets_no_second_one() {
    let mut world = World::new();
    let root = crate::world::root(world.owner("alice").namespace_key());
    world.state.assume(&root);
    let plan = planned(&world, world.create_party()).unwrap();
    assert_eq!(plan.transactions.len(), 4);
    assert!(plan.transactions.iter().all(|one| one.hash() != root.hash()));
}

#[test]
fn a_new_party_whose_numbers_make_no_sense_is_refused_by_field() {
    let world = World::new();
    let good = world.new_party();
    type Edit<'a> = &'a dyn Fn(&mut CreateParty);
    let cases: [(&str, Edit<'_>); 17] = [
        ("owners", &|party| party.owners.clear()),
        ("owners", &|party| party.owners.push(party.owners[0].clone())),
        ("owners", &|party| party.owners[0] = Owner::new("mallory").party_key()),
        ("namespace_threshold", &|party| party.namespace_threshold = 0),
        ("namespace_threshold", &|party| party.namespace_threshold = 4),
        ("hosts", &|party| party.hosts.clear()),
        ("hosts", &|party| party.hosts.push(party.hosts[0].clone())),
        ("confirmation_threshold", &|party| party.confirmation_threshold = 0),
        ("confirmation_threshold", &|party| party.confirmation_threshold = 4),
        ("confirmation_threshold", &|party| {
            party.confirmation_threshold = 3;
            party.hosts[0].permission = canton_topology::mapping::Permission::Observation;
        }),
        ("signing_threshold", &|party| party.signing_threshold = 0),
        ("signing_threshold", &|party| party.signing_threshold = 4),
        ("signing_threshold", &|party| party.signing_keys.clear()),
        ("signing_keys", &|party| party.signing_keys.push(party.signing_keys[0].clone())),
        ("signing_keys", &|party| party.signing_keys[0] = Owner::new("mallory").node_key()),
        ("hint", &|party| party.hint = String::new()),
        ("hint", &|party| party.hint = "a::b".to_owned()),
    ];
    for (name, edit) in cases {
        let mut party = good.clone();
        edit(&mut party);
        let error = must_fail(&world, Change::CreateParty(party));
        assert_eq!(field(&error), name, "{error}");
    }
}

#[test]
fn a_party_without_signing_keys_is_planned_without_them() {
    let world = World::new();
    let mut party = world.new_party();
    party.signing_keys.clear();
    party.signing_threshold = 0;
    let plan = planned(&world, Change::CreateParty(party)).unwrap();
    let Mapping::PartyToParticipant(mapping) = plan.transactions.last().unwrap().mapping() else { panic!() };
    assert_eq!(mapping.signing_keys, None);
}

#[test]
fn the_same_first_owners_cannot_found_a_second_namespace() {
    let world = World::with_party();
    let error = must_fail(&world, world.create_party());
    assert!(matches!(error, PlanError::AlreadyThere { .. }), "{error}");
}

#[test]
fn a_host_that_is_not_on_the_synchronizer_is_refused_before_anybody_signs() {
    let world = World::new();
    let mut party = world.new_party();
    party.hosts[2].participant = Owner::new("mallory").host();
    let error = must_fail(&world, Change::CreateParty(party));
    assert!(matches!(&error, PlanError::WouldBeRejected { index: 4, name, .. } if name == "UnknownMembers"), "{error}");
}

#[test]
fn an_owner_whose_root_was_revoked_is_refused_before_anybody_signs() {
    let mut world = World::with_party();
    let delegation = Mapping::NamespaceDelegation(NamespaceDelegation::root(world.owner("dave").namespace_key()));
    world.state.assume(&build(1, delegation.clone()));
    world.state.assume(&Transaction::build(Operation::Remove, Serial::try_from(2).unwrap(), &delegation));
    let error = must_fail(&world, world.add_dave());
    assert!(
        matches!(&error, PlanError::WouldBeRejected { index: 0, name, .. } if name == "NamespaceHasBeenRevoked"),
        "{error}"
    );
}

#[test]
fn one_more_owner_is_its_root_and_the_next_definition() {
    let world = World::with_party();
    let plan = planned(&world, world.add_dave()).unwrap();
    assert_eq!(kinds(&plan), [(Code::NamespaceDelegation, 1), (Code::DecentralizedNamespaceDefinition, 2)]);
    let Mapping::DecentralizedNamespaceDefinition(after) = plan.transactions[1].mapping() else { panic!() };
    let mut owners = ["alice", "bob", "carol", "dave"].map(|name| world.owner(name).namespace()).to_vec();
    owners.sort();
    assert_eq!((after.threshold, &after.owners), (3, &owners));
    assert_eq!(plan.base[1].active, Some((Serial::FIRST, world.definition().hash())));
}

#[test]
fn an_owner_that_cannot_be_added_is_refused_by_name() {
    let world = World::with_party();
    let add = |owner, threshold| {
        let change = OwnersChange { add: vec![owner], threshold: Some(threshold), ..world.owners_change() };
        world.membership(Some(change), None)
    };
    let dave = world.owner("dave");
    let unknown = OwnersChange {
        namespace: dave.namespace(),
        add: vec![Owner::new("mallory").namespace_key()],
        ..world.owners_change()
    };
    let cases = [
        (add(world.owner("bob").namespace_key(), 2), "nothing would change"),
        (add(dave.party_key(), 3), "owners: key"),
        (add(dave.namespace_key(), 0), "threshold: 0; expected from 1 to 4"),
        (add(dave.namespace_key(), 5), "threshold: 5; expected from 1 to 4"),
        (world.membership(Some(unknown), None), "is not on this synchronizer"),
    ];
    for (change, expected) in cases {
        let error = must_fail(&world, change).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn thresholds_change_the_party_first_so_that_both_are_judged_by_the_old_owners_threshold() {
    let world = World::with_party();
    let plan = planned(&world, world.thresholds(Some(3), Some(3), Some(3))).unwrap();
    assert_eq!(kinds(&plan), [(Code::PartyToParticipant, 2), (Code::DecentralizedNamespaceDefinition, 2)]);
    // Two owners suffice for both, one after the other; the other way round the second would take three.
    let two = ["alice", "bob"].map(|name| world.owner(name).namespace_key().fingerprint()).into();
    let mut scratch = world.state.clone();
    for transaction in &plan.transactions {
        assert!(planner::assess(&scratch, transaction, &two).satisfied);
        scratch.assume(transaction);
    }
    let mut scratch = world.state.clone();
    scratch.assume(&plan.transactions[1]);
    assert!(!planner::assess(&scratch, &plan.transactions[0], &two).satisfied);
}

#[test]
fn thresholds_that_make_no_sense_are_refused_by_name() {
    let world = World::with_party();
    let elsewhere = OwnersChange { namespace: world.owner("dave").namespace(), ..world.owners_change() };
    let both = world.membership(Some(elsewhere.clone()), Some(world.party_change()));
    let unknown = world.membership(Some(OwnersChange { threshold: Some(1), ..elsewhere }), None);
    let cases = [
        (world.thresholds(None, None, None), "nothing would change"),
        (world.thresholds(Some(0), None, None), "threshold: 0; expected from 1 to 3"),
        (world.thresholds(Some(4), None, None), "threshold: 4; expected from 1 to 3"),
        (world.thresholds(Some(2), None, None), "nothing would change"),
        (world.thresholds(None, Some(0), None), "confirmation_threshold: 0; expected from 1 to 3"),
        (world.thresholds(None, Some(4), None), "confirmation_threshold: 4; expected from 1 to 3"),
        (world.thresholds(None, Some(2), None), "nothing would change"),
        (world.thresholds(None, None, Some(0)), "signing_threshold: 0; expected from 1 to 3"),
        (world.thresholds(None, None, Some(4)), "signing_threshold: 4; expected from 1 to 3"),
        (both, "is not in the namespace"),
        (unknown, "is not on this synchronizer"),
    ];
    for (change, expected) in cases {
        let error = must_fail(&world, change).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn raw_transactions_stay_the_bytes_that_they_are() {
    let world = World::with_party();
    let mut mapping = world.party_mapping();
    mapping.threshold = 1;
    let transaction = build(2, Mapping::PartyToParticipant(mapping));
    let plan = planned(&world, world.raw(std::slice::from_ref(&transaction))).unwrap();
    assert_eq!(plan.transactions, [transaction]);
}

#[test]
fn raw_bytes_that_do_not_read_or_could_never_be_accepted_are_refused_by_place() {
    let world = World::with_party();
    let unreadable = Change::Raw(protocol::intent::Raw { transactions: vec![vec![0xff; 4]] });
    assert_eq!(field(&must_fail(&world, unreadable)), "transactions[0]");
    let empty = Change::Raw(protocol::intent::Raw { transactions: vec![] });
    assert_eq!(field(&must_fail(&world, empty)), "transactions");
    let stale = must_fail(&world, world.raw(&[build(5, world.definition().mapping().clone())]));
    assert!(matches!(&stale, PlanError::WouldBeRejected { name, .. } if name == "SerialMismatch"), "{stale}");
}

#[test]
fn a_raw_revocation_of_a_root_that_was_never_published_is_planned() {
    let world = World::new();
    let delegation = Mapping::NamespaceDelegation(NamespaceDelegation::root(world.owner("dave").namespace_key()));
    let revoked = Transaction::build(Operation::Remove, Serial::FIRST, &delegation);
    assert!(planned(&world, world.raw(&[revoked])).is_ok());
}

#[test]
fn an_intent_for_another_synchronizer_means_nothing() {
    let world = World::new();
    let mut intent = world.intent("alice", world.create_party());
    intent.synchronizer = "other::1220bb".parse().unwrap();
    assert_eq!(plan(&intent, &world.state), Err(PlanError::OtherSynchronizer));
}

#[test]
fn a_void_repeats_what_is_active_at_the_serial_that_a_live_signature_waits_for() {
    let world = World::with_party();
    let active = world.definition();
    let slot = |serial: u32, byte: u8| Slot {
        unique_key: active.unique_key(),
        serial: Serial::try_from(serial).unwrap(),
        transaction: TransactionHash::of(&[byte]),
    };
    let void = |slots| Change::Void(Void { case: protocol::intent::CaseId::from_bytes([9; 16]), slots });
    let plan = planned(&world, void(vec![slot(2, 1), slot(2, 2)])).unwrap();
    assert_eq!(plan.transactions.len(), 1, "two that wait for one place die of one transaction");
    assert_eq!(plan.transactions[0].serial().get(), 2);
    assert_eq!(plan.transactions[0].mapping(), active.mapping());

    let free = Slot { unique_key: crate::world::root(Owner::new("mallory").node_key()).unique_key(), ..slot(1, 1) };
    let repeated = Slot { transaction: plan.transactions[0].hash(), ..slot(2, 1) };
    for (slot, expected) in [
        (slot(1, 1), "consumed"),
        (slot(3, 1), "the next serial there is 2"),
        (free, "nothing is active there"),
        (repeated, "it would change nothing"),
    ] {
        let error = must_fail(&world, void(vec![slot]));
        assert!(matches!(error, PlanError::CannotVoid { .. }));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn what_is_removed_cannot_be_voided() {
    let mut world = World::with_party();
    let party = Mapping::PartyToParticipant(world.party_mapping());
    let removal = Transaction::build(Operation::Remove, Serial::try_from(2).unwrap(), &party);
    world.state.assume(&removal);
    let slot = Slot {
        unique_key: removal.unique_key(),
        serial: Serial::try_from(3).unwrap(),
        transaction: TransactionHash::of(b"x"),
    };
    let case = protocol::intent::CaseId::from_bytes([9; 16]);
    let error = must_fail(&world, Change::Void(Void { case, slots: vec![slot] }));
    assert!(error.to_string().contains("a removal cannot be said again"), "{error}");
    let changed = must_fail(&world, world.thresholds(None, Some(1), None));
    assert!(matches!(changed, PlanError::NotFound { .. }), "{changed}");
}

#[test]
fn more_transactions_than_one_broadcast_holds_are_refused() {
    let world = World::new();
    let many: Vec<Transaction> = (0..101)
        .map(|index| {
            let owner = world.owner("alice").namespace();
            let namespace = format!("1220{index:064x}").parse().unwrap();
            build(
                1,
                Mapping::DecentralizedNamespaceDefinition(DecentralizedNamespaceDefinition {
                    namespace,
                    threshold: 1,
                    owners: vec![owner],
                }),
            )
        })
        .collect();
    assert_eq!(field(&must_fail(&world, world.raw(&many))), "transactions");
}
