//! Lies about change sets, delegations, rotations, leaving hosts and moved keys.

use canton_topology::{
    mapping::{DecentralizedNamespaceDefinition, Mapping, PartyToParticipant, Permission, Restriction},
    transaction::Transaction,
};
use protocol::intent::{Change, Delegate, LeaveHost, MigrateKeys, Order, Revoke, RotateOwnerKey, Scope};

use crate::{
    mutant::{Mutant, edit_definition, edit_delegation, edit_party, honest, removing, with},
    world::{Owner, World, build, root},
};

/// Lies about the party of [`World::with_party`].
pub fn mutants(world: &World) -> Vec<Mutant> {
    [of_the_first_stage(world), of_a_set_in_one_offer(world), of_a_delegation(world), of_a_leaving_host(world)].concat()
}

/// The same party when the first stage of its replacement is effective.
pub fn in_the_second_stage() -> (World, Vec<Mutant>) {
    let mut world = World::with_party();
    let change = world.replace_carol(Order::Staged);
    honest(&world, &change).iter().for_each(|one| world.state.assume(one));
    let mutants = of_the_second_stage(&world, &change);
    (world, mutants)
}

/// A party whose keys stand in a mapping of their own.
pub fn with_key_mapping() -> (World, Vec<Mutant>) {
    let mut world = World::new();
    let change = Change::CreatePartyWithKeyMapping(world.new_party());
    honest(&world, &change).iter().for_each(|one| world.state.assume(one));
    let mutants = of_moved_keys(&world);
    (world, mutants)
}

/// An owner whose delegate is to go, and whose key is to be another.
pub fn with_a_delegate() -> (World, Vec<Mutant>) {
    let mut world = World::with_party();
    let (namespace, key) = (world.owner("alice").namespace(), world.owner("dave").namespace_key());
    let delegate = Change::Delegate(Delegate { namespace, key, scope: Scope::Owner });
    honest(&world, &delegate).iter().for_each(|one| world.state.assume(one));
    let mutants = [of_a_revocation(&world), of_a_rotation(&world)].concat();
    (world, mutants)
}

fn of_the_first_stage(world: &World) -> Vec<Mutant> {
    let change = world.replace_carol(Order::Staged);
    let honest = honest(world, &change);
    let together = crate::mutant::honest(world, &world.replace_carol(Order::Together));
    let (bob, dave) = (world.owner("bob"), world.owner("dave"));
    let edit = |name, edit: &dyn Fn(&mut PartyToParticipant)| {
        Mutant::new(name, "PlanMismatch", &change, &with(&honest, 0, edit_party(&honest[0], edit)))
    };
    vec![
        edit("another host goes", &|m| {
            m.participants = world.party_mapping().participants;
            m.participants.retain(|host| host.participant != bob.host());
        }),
        edit("the host that goes stays", &|m| m.participants = world.party_mapping().participants),
        edit("a host more than is named goes", &|m| drop(m.participants.pop())),
        edit("the new host comes with the first stage", &|m| {
            let mut host = m.participants[0].clone();
            host.participant = dave.host();
            m.participants.push(host);
        }),
        edit("another key goes", &|m| {
            m.signing_keys = world.party_mapping().signing_keys;
            m.signing_keys.as_mut().unwrap().keys.retain(|key| *key != bob.party_key());
        }),
        edit("a threshold falls with the host", &|m| m.threshold = 1),
        edit("a key threshold falls with the key", &|m| m.signing_keys.as_mut().unwrap().threshold = 1),
        edit("a host that stays may do more", &|m| m.participants[0].permission = Permission::Submission),
        Mutant::new("all stages at once", "PlanMismatch", &change, &together),
        Mutant::new("the party swaps before the owners", "PlanMismatch", &change, &together[..1]),
        Mutant::new(
            "the owners before the party",
            "PlanMismatch",
            &change,
            &[together[1].clone(), { edit_definition(&together[2], |m| m.threshold = 1) }],
        ),
    ]
}

fn of_the_second_stage(world: &World, change: &Change) -> Vec<Mutant> {
    let honest = honest(world, change);
    let (alice, carol) = (world.owner("alice"), world.owner("carol"));
    let edit = |name, edit: &dyn Fn(&mut DecentralizedNamespaceDefinition)| {
        Mutant::new(name, "PlanMismatch", change, &with(&honest, 1, edit_definition(&honest[1], edit)))
    };
    let party = build(3, {
        let mut mapping = world.party_mapping();
        mapping.threshold = 1;
        Mapping::PartyToParticipant(mapping)
    });
    vec![
        edit("the owner who goes stays", &|m| m.owners.push(carol.namespace())),
        edit("another owner goes", &|m| m.owners.retain(|owner| *owner != alice.namespace())),
        edit("a stranger comes", &|m| m.owners[0] = Owner::new("mallory").namespace()),
        edit("the threshold falls with the owner", &|m| m.threshold = 1),
        Mutant::new(
            "the namespace goes with the owner",
            "PlanMismatch",
            change,
            &with(&honest, 1, removing(&honest[1])),
        ),
        Mutant::new("the party with the owners", "PlanLength", change, &[honest.clone(), vec![party]].concat()),
        Mutant::new("the new owner's root alone in its stage", "PlanLength", change, &honest[..1]),
    ]
}

fn of_a_set_in_one_offer(world: &World) -> Vec<Mutant> {
    let change = world.replace_carol(Order::Together);
    let honest = honest(world, &change);
    vec![
        Mutant::new("only the party of a whole set", "PlanLength", &change, &honest[..1]),
        Mutant::new("only the owners of a whole set", "PlanMismatch", &change, &honest[1..]),
        Mutant::new(
            "the key that goes stays in a whole set",
            "PlanMismatch",
            &change,
            &with(
                &honest,
                0,
                edit_party(&honest[0], |m| {
                    m.signing_keys.as_mut().unwrap().keys.push(world.owner("carol").party_key());
                }),
            ),
        ),
    ]
}

fn of_a_delegation(world: &World) -> Vec<Mutant> {
    let (namespace, key) = (world.owner("alice").namespace(), world.owner("dave").namespace_key());
    let change = Change::Delegate(Delegate { namespace, key, scope: Scope::Parties });
    let honest = honest(world, &change);
    let edit = |name, edit: &dyn Fn(&mut canton_topology::mapping::NamespaceDelegation)| {
        Mutant::new(name, "PlanMismatch", &change, &with(&honest, 0, edit_delegation(&honest[0], edit)))
    };
    let more = |m: &mut canton_topology::mapping::NamespaceDelegation| {
        let Restriction::Specific(codes) = &mut m.restriction else { panic!() };
        codes.insert(canton_topology::mapping::Code::DecentralizedNamespaceDefinition);
    };
    vec![
        edit("a delegate who may sign one kind more", &more),
        edit("a delegate who may sign everything", &|m| m.restriction = Restriction::All),
        edit("a delegate who may sign all but delegations", &|m| {
            m.restriction = Restriction::AllButNamespaceDelegations
        }),
        edit("another delegate", &|m| m.target = Owner::new("mallory").namespace_key()),
        edit("another's namespace delegated", &|m| m.namespace = world.owner("bob").namespace()),
        Mutant::new("a delegation removed instead", "PlanMismatch", &change, &with(&honest, 0, removing(&honest[0]))),
        Mutant::new(
            "two delegations",
            "PlanLength",
            &change,
            &[honest.clone(), vec![edit_delegation(&honest[0], |m| m.namespace = world.owner("bob").namespace())]]
                .concat(),
        ),
    ]
}

fn of_a_revocation(world: &World) -> Vec<Mutant> {
    let (alice, dave) = (world.owner("alice"), world.owner("dave"));
    let (namespace, key) = (alice.namespace(), dave.namespace_key().fingerprint());
    let change = Change::Revoke(Revoke { namespace, key });
    let honest = honest(world, &change);
    let kept = Transaction::build(
        canton_topology::transaction::Operation::AddReplace,
        honest[0].serial(),
        honest[0].mapping(),
    );
    let own_root = build(2, root(alice.namespace_key()).mapping().clone());
    let other = edit_delegation(&honest[0], |m| m.restriction = Restriction::All);
    vec![
        Mutant::new("what is to be revoked said once more", "PlanMismatch", &change, &[kept]),
        Mutant::new("the root revoked instead of the delegate", "PlanMismatch", &change, &[removing(&own_root)]),
        Mutant::new("a revocation of something that never stood", "PlanMismatch", &change, &[other]),
        Mutant::new(
            "the root revoked with the delegate",
            "PlanLength",
            &change,
            &[honest.clone(), vec![removing(&own_root)]].concat(),
        ),
    ]
}

fn of_a_rotation(world: &World) -> Vec<Mutant> {
    let (bob, dave) = (world.owner("bob"), world.owner("dave"));
    let (old, new) = (bob.namespace(), dave.namespace_key());
    let change = Change::RotateOwnerKey(RotateOwnerKey { namespace: world.namespace(), old, new, revoke_old: true });
    let honest = honest(world, &change);
    let swap = edit_definition(&build(2, world.definition().mapping().clone()), |m| {
        m.owners.retain(|owner| *owner != bob.namespace());
        m.owners.push(dave.namespace());
        m.threshold = 1;
    });
    let bobs_root = removing(&build(2, root(bob.namespace_key()).mapping().clone()));
    vec![
        Mutant::new(
            "the root of another new key",
            "PlanMismatch",
            &change,
            &[root(Owner::new("mallory").namespace_key())],
        ),
        Mutant::new("the old root revoked before the swap", "NOT YET", &change, std::slice::from_ref(&bobs_root)),
        Mutant::new("the swap with another threshold", "PlanLength", &change, &[honest[0].clone(), swap]),
        Mutant::new("the revocation with the first stage", "PlanLength", &change, &[honest[0].clone(), bobs_root]),
    ]
}

fn of_a_leaving_host(world: &World) -> Vec<Mutant> {
    let (party, participant) = (world.party(), world.owner("carol").host());
    let change = Change::LeaveHost(LeaveHost { party, participant });
    let honest = honest(world, &change);
    let bob = world.owner("bob");
    let edit = |name, edit: &dyn Fn(&mut PartyToParticipant)| {
        Mutant::new(name, "PlanMismatch", &change, &with(&honest, 0, edit_party(&honest[0], edit)))
    };
    vec![
        edit("another host leaves", &|m| {
            m.participants = world.party_mapping().participants;
            m.participants.retain(|host| host.participant != bob.host());
        }),
        edit("no host leaves", &|m| m.participants = world.party_mapping().participants),
        edit("a threshold falls as the host leaves", &|m| m.threshold = 1),
        edit("a key goes with the host", &|m| drop(m.signing_keys.as_mut().unwrap().keys.pop())),
        edit("a host that stays is marked as onboarding", &|m| m.participants[0].onboarding = true),
        Mutant::new("the party goes with the host", "PlanMismatch", &change, &with(&honest, 0, removing(&honest[0]))),
    ]
}

fn of_moved_keys(world: &World) -> Vec<Mutant> {
    let change = Change::MigrateKeys(MigrateKeys { party: world.party() });
    let honest = honest(world, &change);
    let dave = world.owner("dave");
    let edit = |name, edit: &dyn Fn(&mut PartyToParticipant)| {
        Mutant::new(name, "PlanMismatch", &change, &with(&honest, 0, edit_party(&honest[0], edit)))
    };
    let old = world
        .state
        .of_kind(canton_topology::mapping::Code::PartyToKeyMapping)
        .map(|row| row.transaction.mapping().clone())
        .next();
    let gone = removing(&build(2, old.unwrap()));
    vec![
        edit("another key moves in", &|m| m.signing_keys.as_mut().unwrap().keys[0] = dave.party_key()),
        edit("a key is lost on the way", &|m| drop(m.signing_keys.as_mut().unwrap().keys.pop())),
        edit("a threshold falls on the way", &|m| m.signing_keys.as_mut().unwrap().threshold = 1),
        edit("a host goes as the keys move", &|m| drop(m.participants.pop())),
        Mutant::new("the old mapping goes with the move", "PlanLength", &change, &[honest[0].clone(), gone]),
    ]
}
