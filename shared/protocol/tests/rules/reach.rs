//! T39: whoever holds the signatures chooses which transactions take effect, and in which order. Brute force with the judge:
//! no choice leads to a state that was neither shown nor accepted.

use std::collections::BTreeSet;

use canton_topology::{
    hash::TransactionHash,
    judge::{Time, Verifier, fold_batch},
    mapping::{definition_key, party_key},
    signature::Signature,
    state::State,
    transaction::{SignedTransaction, Transaction},
};
use protocol::{
    accepted::Accepted,
    danger::Danger,
    intent::{Change, Order},
    plan::plan,
    reach::{Parts, parts},
    refusal::Refusal,
};

use crate::world::{World, root};

/// What stands of the namespace and the party.
type Shape = (Option<TransactionHash>, Option<TransactionHash>);

fn shape(world: &World, state: &State) -> Shape {
    let hash = |key| state.active(&key).map(|row| row.hash());
    (hash(definition_key(&world.namespace())), hash(party_key(&world.party())))
}

/// Everything that anybody could ever have signed of a transaction.
fn signed_by_everybody(world: &World, transaction: &Transaction) -> SignedTransaction {
    let keys = world.owners.iter().flat_map(|one| [one.namespace_key(), one.party_key(), one.node_key()]);
    let signature = |key: canton_topology::key::SigningPublicKey| -> Signature {
        world.sign(&key.fingerprint(), transaction.hash())
    };
    let is_root = *transaction == root(world.owner("dave").namespace_key());
    let dave = world.owner("dave").namespace_key();
    let signatures = if is_root { vec![signature(dave)] } else { keys.map(signature).collect() };
    SignedTransaction::new(transaction.clone(), signatures, false)
}

/// Every shape that any subset of these transactions, handed in one by one in any order, leads to.
fn reached(world: &World, state: &State, signed: &[SignedTransaction], shapes: &mut BTreeSet<Shape>) {
    shapes.insert(shape(world, state));
    for (index, one) in signed.iter().enumerate() {
        let mut next = state.clone();
        let time = Time { sequenced: world.now, effective: world.now };
        fold_batch(&mut next, &mut Verifier::default(), std::slice::from_ref(one), time);
        let rest: Vec<SignedTransaction> =
            signed.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, one)| one.clone()).collect();
        reached(world, &next, &rest, shapes);
    }
}

/// What each part of an offer, and all of it, would leave.
fn shown(world: &World, state: &State, transactions: &[Transaction]) -> BTreeSet<Shape> {
    let mut shown = BTreeSet::from([shape(world, state)]);
    let Parts::Each(parts) = parts(transactions, state) else {
        return shown.into_iter().chain([after(world, state, transactions)]).collect();
    };
    shown.extend(parts.iter().map(|part| after(world, state, &part.transactions)));
    shown.insert(after(world, state, transactions));
    shown
}

fn after(world: &World, state: &State, transactions: &[Transaction]) -> Shape {
    let mut after = state.clone();
    transactions.iter().for_each(|one| after.assume(one));
    shape(world, &after)
}

#[test]
fn t39_no_subset_and_no_order_of_a_staged_replacement_leads_to_a_state_that_was_not_shown() {
    let mut world = World::with_party();
    let intent = world.intent("alice", world.replace_carol(Order::Staged));
    let mut given: Vec<SignedTransaction> = Vec::new();
    for stage in 0..3 {
        let planned = plan(&intent, &world.state).unwrap();
        assert_eq!(parts(&planned.transactions, &world.state), Parts::Whole, "a stage has no parts");
        // Signatures of the stages before are out as well, and stay so.
        given.extend(planned.transactions.iter().map(|one| signed_by_everybody(&world, one)));
        let mut shapes = BTreeSet::new();
        reached(&world, &world.state, &given, &mut shapes);
        assert_eq!(shapes, shown(&world, &world.state, &planned.transactions), "stage {stage}");
        assert_eq!(shapes.len(), 2);
        planned.transactions.iter().for_each(|one| world.state.assume(one));
    }
}

#[test]
fn t39_a_replacement_in_one_offer_leads_to_exactly_the_states_that_must_be_accepted_by_name() {
    let world = World::with_party();
    let change = world.replace_carol(Order::Together);
    let planned = plan(&world.intent("alice", change.clone()), &world.state).unwrap();
    let given: Vec<SignedTransaction> =
        planned.transactions.iter().map(|one| signed_by_everybody(&world, one)).collect();
    let mut shapes = BTreeSet::new();
    reached(&world, &world.state, &given, &mut shapes);
    assert_eq!(shapes, shown(&world, &world.state, &planned.transactions));
    assert_eq!(shapes.len(), 4, "nothing, either half, all");

    let plain = || Accepted::PLAIN.map(|(danger, _)| danger).to_vec();
    let case = world.offered_accepting("alice", change.clone(), plain());
    let Refusal::Danger { danger: Danger::Part { name: first, .. } } = world.must_refuse("bob", &case) else {
        panic!()
    };
    let case = world.offered_accepting("alice", change.clone(), [plain(), vec![Accepted::Part(first)]].concat());
    let Refusal::Danger { danger: Danger::Part { name: second, .. } } = world.must_refuse("bob", &case) else {
        panic!()
    };
    let both = [plain(), vec![Accepted::Part(first), Accepted::Part(second)]].concat();
    world.must_verify("bob", &world.offered_accepting("alice", change, both));
    let name = Accepted::Part(first).to_string();
    assert_eq!(name.parse(), Ok(Accepted::Part(first)));
    assert!("part:12".parse::<Accepted>().is_err());
}

#[test]
fn a_part_keeps_its_name_when_the_offer_is_made_again_on_another_base() {
    let mut world = World::with_party();
    let names = |world: &World| {
        let intent = world.intent("alice", world.replace_carol(Order::Together));
        let planned = plan(&intent, &world.state).unwrap();
        let Parts::Each(parts) = parts(&planned.transactions, &world.state) else { panic!() };
        parts.into_iter().map(|part| part.name).collect::<Vec<_>>()
    };
    let before = names(&world);
    world.must_change(world.thresholds(None, Some(1), None), &["alice", "bob"]);
    assert_eq!(names(&world), before);
}

#[test]
fn a_new_party_and_a_void_have_no_parts_and_raw_bytes_have() {
    let new = World::new();
    let planned = plan(&new.intent("alice", new.create_party()), &new.state).unwrap();
    assert_eq!(parts(&planned.transactions, &new.state), Parts::Whole);
    let world = World::with_party();
    let both = plan(&world.intent("alice", world.thresholds(Some(3), Some(3), None)), &world.state).unwrap();
    let raw = plan(&world.intent("alice", world.raw(&both.transactions)), &world.state).unwrap();
    assert!(matches!(parts(&raw.transactions, &world.state), Parts::Each(parts) if parts.len() == 2));
    let slots = both.transactions.iter().map(|one| protocol::intent::Slot {
        unique_key: one.unique_key(),
        serial: one.serial(),
        transaction: one.hash(),
    });
    let case = protocol::intent::CaseId::from_bytes([9; 16]);
    let void = Change::Void(protocol::intent::Void { case, slots: slots.collect() });
    let void = plan(&world.intent("alice", void), &world.state).unwrap();
    assert_eq!(void.transactions.len(), 2);
    assert_eq!(parts(&void.transactions, &world.state), Parts::Whole);
}

#[test]
fn more_parts_than_can_be_named_are_one_danger_and_a_serial_stands_only_on_the_one_before_it() {
    let world = World::with_party();
    let definition = world.definition();
    let chain: Vec<Transaction> = (2..=9)
        .map(|serial| {
            let canton_topology::mapping::Mapping::DecentralizedNamespaceDefinition(mut owners) =
                definition.mapping().clone()
            else {
                panic!()
            };
            owners.threshold = 1 + serial % 2;
            let mapping = canton_topology::mapping::Mapping::DecentralizedNamespaceDefinition(owners);
            crate::world::build(serial, mapping)
        })
        .collect();
    let two: Vec<Transaction> = chain[1..3].to_vec();
    let mut state = world.state.clone();
    state.assume(&chain[0]);
    let Parts::Each(found) = parts(&two, &state) else { panic!() };
    assert_eq!(found.len(), 1, "only the first of the two can stand alone");
    assert!(matches!(parts(&chain, &world.state), Parts::TooMany(_)));
}
