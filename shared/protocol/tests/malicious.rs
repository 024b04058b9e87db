//! A malicious coordinator: whatever it changes in an offer, every agent refuses, by name.
//!
//! Three nets, each alone: the whole verification, the frame check without any planner, and every single byte.
#![allow(clippy::unwrap_used)]

#[path = "malicious/bytes.rs"]
mod bytes;
#[path = "malicious/fingerprints.rs"]
mod fingerprints;
#[path = "malicious/later.rs"]
mod later;
#[path = "malicious/membership.rs"]
mod membership;
#[path = "malicious/mutant.rs"]
mod mutant;
#[path = "malicious/new_party.rs"]
mod new_party;
#[path = "malicious/wire.rs"]
mod wire;
mod world;

use std::collections::BTreeSet;

use canton_topology::{hash::MultiHash, signature::Signature, transaction::Transaction};
use protocol::{
    case::Appended,
    plan::{Plan, plan},
    reader::Context,
    statement::{Contribution, EncodedSignature},
    verify::{Verification, frame, verify_with},
};

use crate::{
    mutant::Mutant,
    world::{Owner, World},
};

/// Every mutant, each with the world that it lives in.
fn all() -> Vec<(World, Vec<Mutant>)> {
    let (new, later) = (World::new(), World::with_party());
    let of_new = [new_party::mutants(&new), wire::mutants(&new)].concat();
    let of_later = [later::mutants(&later), membership::mutants(&later)].concat();
    vec![
        (new, of_new),
        (later, of_later),
        membership::in_the_second_stage(),
        membership::with_key_mapping(),
        membership::with_a_delegate(),
    ]
}

#[test]
fn every_mutant_is_refused_by_name_by_every_owner() {
    let mut names = BTreeSet::new();
    let mut wrong = Vec::new();
    for (world, mutants) in all() {
        for mutant in mutants {
            assert!(names.insert(mutant.name), "{} stands twice", mutant.name);
            let found = mutant.refused_by_everybody(&world);
            if found != [mutant.expected] {
                wrong.push(format!("{}: expected {}, found {found:?}", mutant.name, mutant.expected));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(names.len() >= 150, "{}", names.len());
}

#[test]
fn the_frame_check_alone_catches_every_mutant_that_means_something_else() {
    let (mut caught, mut missed) = (0, Vec::new());
    for (world, mutants) in all() {
        for mutant in mutants.iter().filter(|mutant| mutant.is_shown()) {
            let case = world.proposed("alice", mutant.change.clone());
            match frame::check(case.intent(), &mutant.transactions(), &world.state) {
                Err(_) => caught += 1,
                Ok(()) if mutant.same_meaning => {}
                Ok(()) => missed.push(mutant.name),
            }
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
    assert!(caught >= 130, "{caught}");
}

#[test]
fn the_frame_check_alone_passes_every_honest_offer() {
    for (world, mutants) in all() {
        for mutant in mutants {
            let case = world.proposed("alice", mutant.change);
            let honest = plan(case.intent(), &world.state).unwrap();
            assert_eq!(frame::check(case.intent(), &honest.transactions, &world.state), Ok(()), "{}", mutant.name);
        }
    }
}

#[test]
fn an_agent_whose_planner_conspires_still_refuses() {
    // A planner that hands every party to mallory's host, in the coordinator and in the agent alike.
    fn hostile(intent: &protocol::intent::Intent, state: &canton_topology::state::State) -> PlanResult {
        let mut planned = plan(intent, state)?;
        let index = planned.transactions.len() - 1;
        planned.transactions[index] = mutant::edit_party(&planned.transactions[index], |party| {
            party.participants[0].participant = Owner::new("dave").host();
        });
        Ok(planned)
    }
    type PlanResult = Result<Plan, protocol::workflow::error::PlanError>;

    let world = World::new();
    let mut case = world.proposed("alice", world.create_party());
    let planned = hostile(case.intent(), &world.state).unwrap();
    world.offer(&mut case, &planned.transactions, planned.base);
    let (me, book) = (world.owner("bob").me(&world.synchronizer), world.book_of("bob"));
    let context = Context {
        me: &me,
        book: &book,
        state: &world.state,
        seen: world.now,
        live: &[],
        now: world.now,
        frozen: false,
    };
    match verify_with(&case, &context, hostile) {
        Verification::Refused(refusal) => assert_eq!(refusal.name(), "OutsideFrame", "{refusal}"),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn every_byte_of_every_offer_changed_in_any_way_is_refused() {
    let (new, later) = (World::new(), World::with_party());
    let offers = [
        (&new, new.create_party()),
        (&new, new_party::with_p256_key(&new)),
        (&later, later.add_dave()),
        (&later, later.thresholds(Some(3), Some(3), Some(3))),
        (&later, later.replace_carol(protocol::intent::Order::Staged)),
    ];
    let (mut unreadable, mut refused) = (0, 0);
    for (world, change) in offers {
        let honest = plan(&world.intent("alice", change.clone()), &world.state).unwrap();
        let all: Vec<Vec<u8>> = honest.transactions.iter().map(|one| one.bytes().to_vec()).collect();
        for (number, bytes) in all.iter().enumerate() {
            // The lowest bit of each byte, and one of three other changes in turn.
            let masks = |index: usize| [0x01, [0x06, 0x80, 0xff][index % 3]].map(|mask| (index, mask));
            for (index, mask) in (0..bytes.len()).flat_map(masks) {
                let mut offered = all.clone();
                offered[number][index] ^= mask;
                match bytes::verdict(world, &change, offered) {
                    bytes::Verdict::Unreadable => unreadable += 1,
                    bytes::Verdict::Refused => refused += 1,
                    bytes::Verdict::Verified => panic!("transaction {number}, byte {index}, mask {mask:#x}"),
                }
            }
        }
    }
    assert!(unreadable > 1_000 && refused > 1_000, "{unreadable} unreadable, {refused} refused");
}

#[test]
fn a_signature_over_many_transactions_at_once_is_no_signature_of_one() {
    let world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    let (offer, transaction) = (case.offer().unwrap().hash, case.offer().unwrap().transactions[0].hash());
    let unseen = Transaction::hash(&world.definition());
    let bob = world.owner("bob").namespace_key().fingerprint();
    let over_both = MultiHash::of(&[transaction, unseen]);
    let signature = world.owner("bob").sign(&bob, over_both.as_bytes()).unwrap();
    let signatures = vec![EncodedSignature { transaction, signature: signature.encode() }];
    let contribution = Contribution { case: case.id(), offer, signatures };
    assert_eq!(world.say(&mut case, &contribution, &world.owner("carol").identity), Ok(Appended::New));
    assert!(world.standing(&case).live.is_empty());
}

#[test]
fn junk_signatures_neither_count_nor_stand_in_the_way() {
    let world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    let (offer, transaction) = (case.offer().unwrap().hash, case.offer().unwrap().transactions[0].hash());
    let stranger = Owner::new("mallory");
    let key = stranger.namespace_key().fingerprint();
    let good_of_stranger = stranger.sign(&key, transaction.as_bytes()).unwrap();
    let host = world.owner("bob").node_key().fingerprint();
    let signatures = [good_of_stranger, Signature::new_ed25519([1; 64], host)]
        .map(|signature| EncodedSignature { transaction, signature: signature.encode() })
        .to_vec();
    let contribution = Contribution { case: case.id(), offer, signatures };
    world.say(&mut case, &contribution, &world.owner("carol").identity).unwrap();
    world.must_approve("alice", &mut case);
    assert!(world.standing(&case).complete.is_none());
    world.must_approve("bob", &mut case);
    let complete = world.standing(&case).complete.unwrap();
    assert_eq!(complete[0].signers().len(), 2);
}
