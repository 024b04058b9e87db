//! Lies about changes of a party that stands: thresholds, owners, voids, raw bytes.

use canton_topology::{
    mapping::{DecentralizedNamespaceDefinition, Mapping, PartyToParticipant, Permission},
    transaction::{Serial, Transaction},
};
use protocol::intent::{Adopt, CaseId, Change, Slot, Void};

use crate::{
    mutant::{Mutant, at_serial, edit_definition, edit_party, honest, removing, with},
    world::{Owner, World, build, root},
};

pub fn mutants(world: &World) -> Vec<Mutant> {
    [of_thresholds(world), of_a_new_owner(world), of_a_void(world), of_raw_bytes(world), of_adopted_bytes(world)]
        .concat()
}

fn of_thresholds(world: &World) -> Vec<Mutant> {
    let change = world.thresholds(Some(3), Some(3), Some(3));
    let honest = honest(world, &change);
    let dave = world.owner("dave");
    let party = |name, edit: &dyn Fn(&mut PartyToParticipant)| {
        Mutant::new(name, "PlanMismatch", &change, &with(&honest, 0, edit_party(&honest[0], edit)))
    };
    let namespace = |name, edit: &dyn Fn(&mut DecentralizedNamespaceDefinition)| {
        Mutant::new(name, "PlanMismatch", &change, &with(&honest, 1, edit_definition(&honest[1], edit)))
    };
    let swapped = [honest[1].clone(), honest[0].clone()];
    let other_party = edit_party(&honest[0], |m| m.party = format!("second::{}", m.party.namespace()).parse().unwrap());
    vec![
        party("beside a threshold, a host swapped", &|m| m.participants[0].participant = dave.host()),
        party("beside a threshold, a host left out", &|m| drop(m.participants.pop())),
        party("beside a threshold, hosts in another order", &|m| m.participants.reverse()),
        party("beside a threshold, a permission raised", &|m| m.participants[1].permission = Permission::Submission),
        party("beside a threshold, a host marked as onboarding", &|m| m.participants[1].onboarding = true),
        party("beside a threshold, a key swapped", &|m| {
            m.signing_keys.as_mut().unwrap().keys[1] = dave.party_key();
        }),
        party("beside a threshold, all keys gone", &|m| m.signing_keys = None),
        party("another confirmation threshold", &|m| m.threshold = 1),
        party("another key threshold", &|m| m.signing_keys.as_mut().unwrap().threshold = 1),
        party("the confirmation threshold left as it was", &|m| m.threshold = 2),
        namespace("beside a threshold, an owner swapped", &|m| m.owners[0] = dave.namespace()),
        namespace("beside a threshold, an owner left out", &|m| {
            m.owners.pop();
            m.threshold = 2;
        }),
        namespace("another namespace threshold", &|m| m.threshold = 1),
        Mutant::new("the party removed instead", "PlanMismatch", &change, &with(&honest, 0, removing(&honest[0]))),
        Mutant::new("the namespace removed instead", "PlanMismatch", &change, &with(&honest, 1, removing(&honest[1]))),
        Mutant::new("only the first half", "PlanLength", &change, &honest[..1]),
        Mutant::new("only the second half", "PlanMismatch", &change, &honest[1..]),
        Mutant::new("the namespace first", "PlanMismatch", &change, &swapped).same_meaning(),
        Mutant::new("a serial skipped", "SerialNotNext", &change, &with(&honest, 0, at_serial(&honest[0], 3)))
            .same_meaning(),
        Mutant::new("a serial of the past", "SerialNotNext", &change, &with(&honest, 1, at_serial(&honest[1], 1)))
            .same_meaning(),
        Mutant::new("another party", "SerialNotNext", &change, &with(&honest, 0, other_party)),
        Mutant::new(
            "the same change once more at the serial behind it",
            "PlanLength",
            &change,
            &[honest.clone(), vec![at_serial(&honest[0], 3)]].concat(),
        ),
    ]
}

fn of_a_new_owner(world: &World) -> Vec<Mutant> {
    let change = world.add_dave();
    let honest = honest(world, &change);
    let mallory = Owner::new("mallory");
    let dave = world.owner("dave");
    let edit = |name, edit: &dyn Fn(&mut DecentralizedNamespaceDefinition)| {
        Mutant::new(name, "PlanMismatch", &change, &with(&honest, 1, edit_definition(&honest[1], edit)))
    };
    let is_dave = |owner: &canton_topology::id::Namespace| *owner == dave.namespace();
    let host_too = build(
        2,
        Mapping::PartyToParticipant({
            let mut mapping = world.party_mapping();
            mapping.participants[0].participant = dave.host();
            mapping
        }),
    );
    vec![
        edit("another owner added", &|m| {
            m.owners.retain(|owner| !is_dave(owner));
            m.owners.push(mallory.namespace());
        }),
        edit("two owners added", &|m| m.owners.push(mallory.namespace())),
        edit("the new owner instead of an old one", &|m| {
            let old = m.owners.iter().position(|owner| !is_dave(owner)).unwrap();
            m.owners.remove(old);
        }),
        edit("no owner added", &|m| m.owners.retain(|owner| !is_dave(owner))),
        edit("another threshold with the new owner", &|m| m.threshold = 2),
        Mutant::new(
            "another's root for the new owner's",
            "PlanMismatch",
            &change,
            &with(&honest, 0, root(mallory.namespace_key())),
        ),
        Mutant::new("the new owner without a root", "PlanMismatch", &change, &honest[1..]),
        Mutant::new("the new owner's root alone", "PlanLength", &change, &honest[..1]),
        Mutant::new("a host with the new owner", "PlanLength", &change, &[honest.clone(), vec![host_too]].concat()),
        Mutant::new("the new owner removed", "PlanMismatch", &change, &with(&honest, 1, removing(&honest[1]))),
    ]
}

fn of_a_void(world: &World) -> Vec<Mutant> {
    let live = honest(world, &world.thresholds(Some(3), Some(3), None));
    let slots =
        live.iter().map(|one| Slot { unique_key: one.unique_key(), serial: one.serial(), transaction: one.hash() });
    let change = Change::Void(Void { case: CaseId::from_bytes([77; 16]), slots: slots.collect() });
    let honest = honest(world, &change);
    let raised = edit_party(&honest[0], |m| m.threshold = 1);
    vec![
        Mutant::new("a void that completes what it should kill", "PlanMismatch", &change, &live),
        Mutant::new("a void that changes a threshold", "PlanMismatch", &change, &with(&honest, 0, raised)),
        Mutant::new("a void that removes", "PlanMismatch", &change, &with(&honest, 0, removing(&honest[0]))),
        Mutant::new("a void of one place only", "PlanLength", &change, &honest[..1]),
        Mutant::new("a void of the other place only", "PlanMismatch", &change, &honest[1..]),
        Mutant::new(
            "a void of a place that was not named",
            "PlanLength",
            &change,
            &[honest.clone(), vec![root(world.owner("dave").namespace_key())]].concat(),
        ),
        Mutant::new(
            "a void that consumes the next place too",
            "PlanLength",
            &change,
            &[honest.clone(), vec![next(&honest[0])]].concat(),
        ),
    ]
}

fn next(transaction: &Transaction) -> Transaction {
    at_serial(transaction, transaction.serial().next().map_or(1, Serial::get))
}

fn of_raw_bytes(world: &World) -> Vec<Mutant> {
    let meant = honest(world, &world.thresholds(Some(3), Some(3), None));
    let change = world.raw(&meant);
    let other = edit_party(&meant[0], |m| m.threshold = 1);
    let twin = edit_definition(&meant[1], |m| m.owners.reverse());
    vec![
        Mutant::new("other bytes than the raw ones", "PlanMismatch", &change, &with(&meant, 0, other)),
        Mutant::new("a twin of the raw bytes", "PlanMismatch", &change, &with(&meant, 1, twin)),
        Mutant::new("a raw transaction left out", "PlanLength", &change, &meant[..1]),
        Mutant::new("raw transactions swapped", "PlanMismatch", &change, &[meant[1].clone(), meant[0].clone()]),
    ]
}

fn of_adopted_bytes(world: &World) -> Vec<Mutant> {
    let meant = honest(world, &world.thresholds(Some(3), Some(3), None));
    let change = Change::Adopt(Adopt { transaction: meant[1].bytes().to_vec() });
    let adopted = &meant[1..];
    let other = edit_definition(&meant[1], |m| m.threshold = 1);
    let twin = edit_definition(&meant[1], |m| m.owners.reverse());
    vec![
        Mutant::new("other bytes than the adopted ones", "PlanMismatch", &change, &with(adopted, 0, other)),
        Mutant::new("a twin of the adopted bytes", "PlanMismatch", &change, &with(adopted, 0, twin)),
        Mutant::new("something beside the adopted bytes", "PlanLength", &change, &[meant[1].clone(), meant[0].clone()]),
        Mutant::new("something in front of the adopted bytes", "PlanMismatch", &change, &meant),
    ]
}
