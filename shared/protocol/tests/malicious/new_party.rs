//! Lies about a new party.

use canton_topology::{
    id::decentralized_namespace,
    key::{KeySpec, KeyUsage, SigningPublicKey},
    mapping::{Code, HostingParticipant, Mapping, NamespaceDelegation, PartyToParticipant, Permission, Restriction},
    transaction::Transaction,
};
use protocol::intent::Change;

use crate::{
    mutant::{Mutant, at_serial, edit_definition, edit_delegation, edit_party, honest, removing, with},
    world::{Owner, World, build, root},
};

type PartyEdit<'a> = &'a dyn Fn(&mut PartyToParticipant);

/// The same party with a signing key on P-256, whose old label means the same to Canton.
pub fn with_p256_key(world: &World) -> Change {
    use p256::pkcs8::EncodePublicKey as _;
    let secret = p256::SecretKey::from_slice(&[9; 32]).unwrap();
    let der = secret.public_key().to_public_key_der().unwrap();
    let mut party = world.new_party();
    party.signing_keys[0] = SigningPublicKey::from_spki(KeySpec::P256, der.as_bytes(), &[KeyUsage::Protocol]).unwrap();
    Change::CreateParty(party)
}

pub fn mutants(world: &World) -> Vec<Mutant> {
    [of_the_party(world), of_the_namespace(world), of_the_roots(world), of_the_batch(world)].concat()
}

fn of_the_party(world: &World) -> Vec<Mutant> {
    let change = world.create_party();
    let honest = honest(world, &change);
    let dave = world.owner("dave");
    let edits: [(&'static str, PartyEdit<'_>); 22] = [
        ("a host swapped for another", &|m| m.participants[1].participant = dave.host()),
        ("two hosts swapped", &|m| m.participants.swap(0, 1)),
        ("a host left out", &|m| drop(m.participants.pop())),
        ("a host more", &|m| {
            let (participant, permission) = (dave.host(), Permission::Confirmation);
            m.participants.push(HostingParticipant { participant, permission, onboarding: false });
        }),
        ("an observing host more", &|m| {
            let (participant, permission) = (dave.host(), Permission::Observation);
            m.participants.push(HostingParticipant { participant, permission, onboarding: false });
        }),
        ("a host's permission raised", &|m| m.participants[0].permission = Permission::Submission),
        ("a host's permission lowered", &|m| m.participants[0].permission = Permission::Observation),
        ("an onboarding marker added", &|m| m.participants[2].onboarding = true),
        ("one confirmation more", &|m| m.threshold += 1),
        ("one confirmation less", &|m| m.threshold -= 1),
        ("confirmations out of reach", &|m| m.threshold = 9),
        ("a party key swapped for another", &|m| keys(m)[0] = dave.party_key()),
        ("a party key left out", &|m| drop(keys(m).pop())),
        ("a party key more", &|m| keys(m).push(dave.party_key())),
        ("a party key with the namespace usage too", &|m| {
            keys(m)[0] = used(&m.clone(), 0, &[KeyUsage::Protocol, KeyUsage::Namespace])
        }),
        ("a party key with every usage", &|m| keys(m)[1] = used(&m.clone(), 1, &KeyUsage::ALL)),
        ("a party key with its implied usage written out", &|m| {
            keys(m)[2] = used(&m.clone(), 2, &[KeyUsage::Protocol, KeyUsage::ProofOfOwnership]);
        }),
        ("two party keys swapped", &|m| keys(m).swap(0, 1)),
        ("one party signature more", &|m| m.signing_keys.as_mut().unwrap().threshold += 1),
        ("one party signature less", &|m| m.signing_keys.as_mut().unwrap().threshold -= 1),
        ("no party keys at all", &|m| m.signing_keys = None),
        ("a twin of the party's name", &|m| {
            m.party = format!("treasury-::{}", m.party.namespace()).parse().unwrap();
        }),
    ];
    let mut all: Vec<Mutant> = edits
        .into_iter()
        .map(|(name, edit)| {
            let offered = with(&honest, 4, edit_party(&honest[4], edit));
            let mutant = Mutant::new(name, "PlanMismatch", &change, &offered);
            // The order of a party's keys says nothing; only the plan's own bytes hold it.
            if name == "two party keys swapped" { mutant.same_meaning() } else { mutant }
        })
        .collect();
    let elsewhere = |m: &mut PartyToParticipant| {
        m.party = format!("treasury::{}", world.owner("alice").namespace()).parse().unwrap();
    };
    all.extend([
        Mutant::new(
            "the party in an owner's own namespace",
            "PlanMismatch",
            &change,
            &with(&honest, 4, edit_party(&honest[4], elsewhere)),
        ),
        Mutant::new("the party removed", "PlanMismatch", &change, &with(&honest, 4, removing(&honest[4]))),
        Mutant::new("the party at serial 2", "SerialNotNext", &change, &with(&honest, 4, at_serial(&honest[4], 2)))
            .same_meaning(),
    ]);
    let labelled = with_p256_key(world);
    let honest = crate::mutant::honest(world, &labelled);
    let legacy = edit_party(&honest[4], |m| {
        let at = keys(m).iter().position(|key| key.spec() == KeySpec::P256).unwrap();
        let bytes = crate::bytes::edit_at(&keys(m)[at].encode(), &[], &|bytes| {
            let relabel = |field| match field {
                crate::bytes::Field::Number(2, _) => crate::bytes::Field::Number(2, 2),
                other => other,
            };
            crate::bytes::write(&crate::bytes::fields(&bytes).into_iter().map(relabel).collect::<Vec<_>>())
        });
        keys(m)[at] = SigningPublicKey::parse(&bytes).unwrap();
    });
    all.push(Mutant::new("a party key under its old label", "PlanMismatch", &labelled, &with(&honest, 4, legacy)));
    all
}

fn keys(party: &mut PartyToParticipant) -> &mut Vec<SigningPublicKey> {
    &mut party.signing_keys.as_mut().unwrap().keys
}

fn used(party: &PartyToParticipant, index: usize, usage: &[KeyUsage]) -> SigningPublicKey {
    let key = &party.signing_keys.as_ref().unwrap().keys[index];
    SigningPublicKey::from_spki(key.spec(), key.spki(), usage).unwrap()
}

fn of_the_namespace(world: &World) -> Vec<Mutant> {
    let change = world.create_party();
    let honest = honest(world, &change);
    let dave = world.owner("dave").namespace();
    let edit = |name, edit: &dyn Fn(&mut canton_topology::mapping::DecentralizedNamespaceDefinition)| {
        let offered = with(&honest, 3, edit_definition(&honest[3], edit));
        Mutant::new(name, "PlanMismatch", &change, &offered)
    };
    vec![
        edit("an owner swapped for another", &|m| m.owners[0] = dave.clone()),
        edit("an owner swapped, the namespace computed again", &|m| {
            m.owners[0] = dave.clone();
            m.namespace = decentralized_namespace(&m.owners);
        }),
        edit("an owner left out", &|m| drop(m.owners.pop())),
        edit("an owner more", &|m| m.owners.push(dave.clone())),
        edit("two owners swapped", &|m| m.owners.swap(0, 1)).same_meaning(),
        edit("one owner more must sign", &|m| m.threshold += 1),
        edit("one owner less must sign", &|m| m.threshold -= 1),
        edit("another namespace", &|m| m.namespace = dave.clone()),
        Mutant::new("the namespace removed", "PlanMismatch", &change, &with(&honest, 3, removing(&honest[3]))),
    ]
}

fn of_the_roots(world: &World) -> Vec<Mutant> {
    let change = world.create_party();
    let honest = honest(world, &change);
    let dave = world.owner("dave");
    let edit = |name, edit: &dyn Fn(&mut NamespaceDelegation)| {
        let offered = with(&honest, 0, edit_delegation(&honest[0], edit));
        Mutant::new(name, "PlanMismatch", &change, &offered)
    };
    let of_wider_key = |m: &mut NamespaceDelegation| {
        let usage = [KeyUsage::Namespace, KeyUsage::Protocol];
        m.target = SigningPublicKey::from_spki(m.target.spec(), m.target.spki(), &usage).unwrap();
    };
    vec![
        edit("an owner's namespace delegated to another key", &|m| m.target = dave.namespace_key()),
        edit("the root of somebody else", &|m| *m = NamespaceDelegation::root(dave.namespace_key())),
        edit("a root of another namespace", &|m| m.namespace = dave.namespace()),
        edit("a root that may sign less", &|m| {
            m.restriction = Restriction::Specific([Code::NamespaceDelegation, Code::PartyToParticipant].into());
        }),
        edit("a root key that may be used for more", &of_wider_key),
        Mutant::new("a root revoked", "PlanMismatch", &change, &with(&honest, 0, removing(&honest[0]))),
    ]
}

fn of_the_batch(world: &World) -> Vec<Mutant> {
    let change = world.create_party();
    let honest = honest(world, &change);
    let reordered =
        |order: &[usize]| -> Vec<Transaction> { order.iter().map(|index| honest[*index].clone()).collect() };
    let second_party = edit_party(&honest[4], |m| {
        m.party = format!("second::{}", m.party.namespace()).parse().unwrap();
    });
    let takeover = build(
        1,
        Mapping::NamespaceDelegation(NamespaceDelegation {
            target: Owner::new("mallory").namespace_key(),
            ..NamespaceDelegation::root(world.owner("bob").namespace_key())
        }),
    );
    let extra = |one: Transaction| [honest.clone(), vec![one]].concat();
    let first = |one: Transaction| [vec![one], honest.clone()].concat();
    let stranger = root(world.owner("dave").namespace_key());
    vec![
        Mutant::new("a second party behind the first", "PlanLength", &change, &extra(second_party)),
        Mutant::new("a delegation to a stranger behind it all", "PlanLength", &change, &extra(takeover.clone())),
        Mutant::new("a delegation to a stranger before it all", "PlanMismatch", &change, &first(takeover)),
        Mutant::new("a root more", "PlanMismatch", &change, &first(stranger)),
        Mutant::new("a root left out", "PlanMismatch", &change, &reordered(&[1, 2, 3, 4])),
        Mutant::new("the party left out", "PlanLength", &change, &reordered(&[0, 1, 2, 3])),
        Mutant::new("the namespace before its roots", "PlanMismatch", &change, &reordered(&[3, 0, 1, 2, 4])),
        Mutant::new("the party before its namespace", "PlanMismatch", &change, &reordered(&[0, 1, 2, 4, 3])),
        Mutant::new("two roots swapped", "PlanMismatch", &change, &reordered(&[1, 0, 2, 3, 4])).same_meaning(),
        Mutant::new("a transaction twice", "Unreadable", &change, &reordered(&[0, 1, 2, 3, 3])),
    ]
}
