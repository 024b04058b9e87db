//! A coordinator that offers something else than the intent means: refused, by name, whatever it is.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::BTreeMap;

use canton_topology::{
    id::{Namespace, ParticipantId, PartyId, UniqueIdentifier},
    key::{KeyUsage, SigningPublicKey},
    mapping::{
        Code, DecentralizedNamespaceDefinition, HostingParticipant, Mapping, NamespaceDelegation, PartyToParticipant,
        Permission, Restriction,
    },
    transaction::{Operation, Serial, Transaction},
};
use protocol::statement::Statement;
use world::World;

/// A mutant: the offer's transactions as bytes.
type Mutants = Vec<(&'static str, Vec<Vec<u8>>)>;

fn stranger(usage: &[KeyUsage]) -> SigningPublicKey {
    let secret = ed25519_dalek::SigningKey::from_bytes(&[0x77; 32]);
    SigningPublicKey::ed25519(secret.verifying_key().as_bytes(), usage).unwrap()
}

fn bytes(transactions: &[Transaction]) -> Vec<Vec<u8>> {
    transactions.iter().map(|transaction| transaction.bytes().to_vec()).collect()
}

/// The offer with one transaction's mapping changed.
fn with(offer: &[Transaction], index: usize, change: impl FnOnce(&mut Mapping)) -> Vec<Vec<u8>> {
    let mut mapping = offer[index].mapping().clone();
    change(&mut mapping);
    replaced(offer, index, Transaction::build(offer[index].operation(), offer[index].serial(), &mapping))
}

fn replaced(offer: &[Transaction], index: usize, transaction: Transaction) -> Vec<Vec<u8>> {
    let mut offer = offer.to_vec();
    offer[index] = transaction;
    bytes(&offer)
}

fn again(transaction: &Transaction, operation: Operation, serial: u32) -> Transaction {
    Transaction::build(operation, Serial::try_from(serial).unwrap(), transaction.mapping())
}

fn party(mapping: &mut Mapping) -> &mut PartyToParticipant {
    match mapping {
        Mapping::PartyToParticipant(party) => party,
        other => panic!("{other:?}"),
    }
}

fn definition(mapping: &mut Mapping) -> &mut DecentralizedNamespaceDefinition {
    match mapping {
        Mapping::DecentralizedNamespaceDefinition(definition) => definition,
        other => panic!("{other:?}"),
    }
}

fn root(mapping: &mut Mapping) -> &mut NamespaceDelegation {
    match mapping {
        Mapping::NamespaceDelegation(delegation) => delegation,
        other => panic!("{other:?}"),
    }
}

fn strange_host() -> ParticipantId {
    let uid = UniqueIdentifier::new("node0", Namespace::from(stranger(&[KeyUsage::Namespace]).fingerprint())).unwrap();
    ParticipantId::from(uid)
}

fn renamed(party: &PartyId, hint: &str) -> PartyId {
    PartyId::from(UniqueIdentifier::new(hint, party.namespace().clone()).unwrap())
}

/// Well-formed mutants of a founding: three roots, the definition, the party.
fn foundings(offer: &[Transaction]) -> Mutants {
    let (d, p) = (3, 4);
    let mut all = hosts_and_keys(offer, p);
    all.extend(owners(offer, d));
    all.extend(envelopes(offer, d, p));
    all
}

fn hosts_and_keys(offer: &[Transaction], p: usize) -> Mutants {
    let key = |usage: &[KeyUsage]| stranger(usage);
    let m = |change: fn(&mut PartyToParticipant)| with(offer, p, |mapping| change(party(mapping)));
    vec![
        ("host swapped", m(|party| party.participants[0].participant = strange_host())),
        ("host dropped", m(|party| drop(party.participants.pop()))),
        (
            "host added",
            m(|party| {
                let permission = Permission::Observation;
                party.participants.push(HostingParticipant {
                    participant: strange_host(),
                    permission,
                    onboarding: false,
                });
            }),
        ),
        ("hosts reordered", m(|party| party.participants.reverse())),
        ("permission raised", m(|party| party.participants[1].permission = Permission::Submission)),
        ("permission lowered", m(|party| party.participants[1].permission = Permission::Observation)),
        (
            "every host may submit",
            m(|party| {
                party.participants.iter_mut().for_each(|host| host.permission = Permission::Submission);
            }),
        ),
        ("onboarding flag added", m(|party| party.participants[2].onboarding = true)),
        ("confirmations + 1", m(|party| party.threshold += 1)),
        ("confirmations above the hosts", m(|party| party.threshold = 9)),
        ("twin party id, capital letter", m(|party| party.party = renamed(&party.party, "Treasury"))),
        ("twin party id, blank behind", m(|party| party.party = renamed(&party.party, "treasury "))),
        (
            "party of another namespace",
            m(|party| {
                let namespace = Namespace::from(stranger(&[KeyUsage::Namespace]).fingerprint());
                party.party = PartyId::from(UniqueIdentifier::new("treasury", namespace).unwrap());
            }),
        ),
        ("all keys dropped", m(|party| party.signing_keys = None)),
        ("key threshold + 1", m(|party| party.signing_keys.as_mut().unwrap().threshold += 1)),
        ("key threshold above the keys", m(|party| party.signing_keys.as_mut().unwrap().threshold = 9)),
        ("key dropped", m(|party| drop(party.signing_keys.as_mut().unwrap().keys.pop()))),
        (
            "key added",
            with(offer, p, |mapping| {
                party(mapping).signing_keys.as_mut().unwrap().keys.push(key(&[KeyUsage::Protocol]));
            }),
        ),
        (
            "key swapped",
            with(offer, p, |mapping| {
                party(mapping).signing_keys.as_mut().unwrap().keys[0] = key(&[KeyUsage::Protocol]);
            }),
        ),
        (
            "key usage widened",
            m(|party| {
                let key = &mut party.signing_keys.as_mut().unwrap().keys[0];
                *key = SigningPublicKey::from_spki(key.spec(), key.spki(), &KeyUsage::ALL).unwrap();
            }),
        ),
    ]
}

fn owners(offer: &[Transaction], d: usize) -> Mutants {
    let m = |change: fn(&mut DecentralizedNamespaceDefinition)| with(offer, d, |mapping| change(definition(mapping)));
    let r = |change: fn(&mut NamespaceDelegation)| with(offer, 0, |mapping| change(root(mapping)));
    vec![
        ("threshold + 1", m(|definition| definition.threshold += 1)),
        ("threshold - 1", m(|definition| definition.threshold -= 1)),
        ("owner dropped", m(|definition| drop(definition.owners.pop()))),
        (
            "owner swapped",
            m(|definition| {
                definition.owners[0] = Namespace::from(stranger(&[KeyUsage::Namespace]).fingerprint());
            }),
        ),
        (
            "owner added",
            m(|definition| {
                definition.owners.push(Namespace::from(stranger(&[KeyUsage::Namespace]).fingerprint()));
            }),
        ),
        (
            "another namespace",
            m(|definition| {
                definition.namespace = Namespace::from(stranger(&[KeyUsage::Namespace]).fingerprint());
            }),
        ),
        ("root delegates to a stranger", r(|delegation| delegation.target = stranger(&[KeyUsage::Namespace]))),
        (
            "root restricted",
            r(|delegation| {
                delegation.restriction =
                    Restriction::Specific([Code::NamespaceDelegation, Code::PartyToParticipant].into());
            }),
        ),
        (
            "root's usage widened",
            r(|delegation| {
                let key = &delegation.target;
                delegation.target = SigningPublicKey::from_spki(key.spec(), key.spki(), &KeyUsage::ALL).unwrap();
            }),
        ),
        (
            "root of a stranger",
            r(|delegation| {
                *delegation = NamespaceDelegation::root(stranger(&[KeyUsage::Namespace]));
            }),
        ),
    ]
}

fn envelopes(offer: &[Transaction], d: usize, p: usize) -> Mutants {
    let mut all: Mutants = Vec::new();
    for (index, name) in [(0, "root"), (d, "definition"), (p, "party")] {
        let names: [&'static str; 2] = match name {
            "root" => ["root with serial 2", "root removed"],
            "definition" => ["definition with serial 2", "definition removed"],
            _ => ["party with serial 2", "party removed"],
        };
        all.push((names[0], replaced(offer, index, again(&offer[index], Operation::AddReplace, 2))));
        all.push((names[1], replaced(offer, index, again(&offer[index], Operation::Remove, 1))));
    }
    let list = |change: fn(&mut Vec<Transaction>)| {
        let mut offer = offer.to_vec();
        change(&mut offer);
        bytes(&offer)
    };
    all.push(("party before its namespace", list(|offer| offer.swap(3, 4))));
    all.push(("party left out", list(|offer| drop(offer.pop()))));
    all.push(("a root left out", list(|offer| drop(offer.remove(0)))));
    all.push(("a transaction twice", list(|offer| offer.push(offer[4].clone()))));
    all.push((
        "a stranger's root beside it",
        list(|offer| {
            let root = Mapping::NamespaceDelegation(NamespaceDelegation::root(stranger(&[KeyUsage::Namespace])));
            offer.push(Transaction::build(Operation::AddReplace, Serial::FIRST, &root));
        }),
    ));
    all.extend(hidden(offer, p));
    all
}

/// Bytes that Canton reads as the same transaction and that say something that nobody is shown.
fn hidden(offer: &[Transaction], p: usize) -> Mutants {
    let honest = offer[p].bytes().to_vec();
    let swap = |changed: Vec<u8>| {
        let mut all = bytes(offer);
        all[p] = changed;
        all
    };
    let appended = |tail: &[u8]| swap([honest.as_slice(), tail].concat());
    let mut version = honest.clone();
    let last = version.len() - 1;
    version[last] = 31;
    let mut overlong = honest.clone();
    overlong.truncate(last);
    overlong.extend_from_slice(&[0x9e, 0x00]);
    vec![
        ("wrapper of version 31", swap(version)),
        ("version as an overlong number", swap(overlong)),
        ("an unknown field behind", appended(&[0x9a, 0x06, 0x01, 0x41])),
        ("an unknown number behind", appended(&[0x98, 0x06, 0x01])),
        ("a group behind", appended(&[0x9b, 0x06, 0x9c, 0x06])),
        ("the version twice", appended(&[0x10, 0x1e])),
    ]
}

/// Well-formed mutants of a change of the owners' threshold.
fn thresholds(offer: &[Transaction]) -> Mutants {
    let m = |change: fn(&mut DecentralizedNamespaceDefinition)| with(offer, 0, |mapping| change(definition(mapping)));
    vec![
        ("another threshold", m(|definition| definition.threshold = 1)),
        ("nothing changed", m(|definition| definition.threshold = 2)),
        ("an owner dropped with it", m(|definition| drop(definition.owners.pop()))),
        (
            "an owner added with it",
            m(|definition| {
                definition.owners.push(Namespace::from(stranger(&[KeyUsage::Namespace]).fingerprint()));
            }),
        ),
        (
            "an owner swapped with it",
            m(|definition| {
                definition.owners[1] = Namespace::from(stranger(&[KeyUsage::Namespace]).fingerprint());
            }),
        ),
        ("the namespace removed", replaced(offer, 0, again(&offer[0], Operation::Remove, 2))),
        ("a serial ahead", replaced(offer, 0, again(&offer[0], Operation::AddReplace, 3))),
        ("the serial again", replaced(offer, 0, again(&offer[0], Operation::AddReplace, 1))),
    ]
}

fn founding(world: &mut World) -> (Statement, Vec<Transaction>) {
    world.show_coordinator();
    let founding = world.founding(3, 2);
    let case = world.propose(0, founding).unwrap();
    (world.coordinator.case(&case).unwrap().intent_statement().clone(), world.offered(&case))
}

fn refuse_all(world: &World, intent: &Statement, mutants: &Mutants) -> BTreeMap<String, usize> {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (mutant, transactions) in mutants {
        for owner in 0..3 {
            let verdict = world.verdict_on(owner, intent, transactions.clone());
            let name = verdict.expect_err(&format!("owner {owner} would sign: {mutant}"));
            assert!(!name.is_empty() && name != "NothingToSign", "{mutant}: {name}");
            *names.entry(name).or_default() += 1;
        }
    }
    names
}

#[test]
fn t01_every_well_formed_mutant_of_a_founding_is_refused_by_name() {
    let mut world = World::new(1, 3);
    let (intent, offer) = founding(&mut world);
    world.verdict_on(0, &intent, bytes(&offer)).expect("the honest offer is signed");
    let mutants = foundings(&offer);
    assert!(mutants.len() >= 40, "{} mutants", mutants.len());
    let names = refuse_all(&world, &intent, &mutants);
    println!("{} mutants: {names:?}", mutants.len());
}

#[test]
fn t01_every_well_formed_mutant_of_a_threshold_change_is_refused_by_name() {
    let mut world = World::new(2, 3);
    let (intent, _) = founding(&mut world);
    world.settle(&intent.case().unwrap());
    let change = world.threshold(3, 3);
    let case = world.propose(1, change).unwrap();
    let intent = world.coordinator.case(&case).unwrap().intent_statement().clone();
    let offer = world.offered(&case);
    world.verdict_on(0, &intent, bytes(&offer)).expect("the honest offer is signed");
    refuse_all(&world, &intent, &thresholds(&offer));
}

#[test]
fn t01_no_offer_with_one_flipped_byte_is_signed() {
    let mut world = World::new(3, 3);
    let (intent, offer) = founding(&mut world);
    let honest = bytes(&offer);
    let stride = if std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some() { 1 } else { 3 };
    for index in 0..honest.len() {
        for at in (0..honest[index].len()).step_by(stride) {
            let mut flipped = honest.clone();
            flipped[index][at] ^= 1 << (at % 8);
            let verdict = world.verdict_on(0, &intent, flipped);
            assert!(verdict.is_err(), "transaction {index}, byte {at}: signed");
        }
    }
}

#[test]
fn t40_an_owner_who_is_in_nobodys_book_is_refused_by_everybody_else() {
    let mut world = World::new(4, 4);
    for owner in 0..3 {
        let mut book = world.owners[owner].agent.book().clone();
        book.remove("owner3");
        world.owners[owner].agent.set_book(book);
    }
    world.show_coordinator();
    let founding = world.founding(4, 2);
    let case = world.propose(0, founding).unwrap();
    let intent = world.coordinator.case(&case).unwrap().intent_statement().clone();
    let offer = bytes(&world.offered(&case));
    for owner in 0..3 {
        assert_eq!(world.verdict_on(owner, &intent, offer.clone()), Err("UnknownPrincipal".to_owned()));
    }
    world.verdict_on(3, &intent, offer).expect("the fourth owner knows the others");
}

#[test]
fn t02_a_coordinator_that_tells_another_story_after_a_signature_is_refused() {
    let mut world = World::new(5, 3);
    let (intent, _) = founding(&mut world);
    let case = intent.case().unwrap();
    for owner in 0..3 {
        world.show_owner(owner);
        while world.deliver(owner) {}
    }
    let declined = world.owners[2].agent.decline(&case, "no").unwrap();
    let first = world.approve(0, &case).unwrap();
    world.post(first).unwrap();
    while world.deliver(1) {}
    world.approve(1, &case).unwrap();

    // The same beginning, and then another owner's decline where an approval stood.
    world.stored.truncate(2);
    world.stored.push(declined);
    world.crash_agent_without_its_statements(1);
    world.show_owner(1);
    while world.deliver(1) {}
    let refused = world.approve(1, &case).unwrap_err();
    assert!(refused.to_string().contains("contradicts"), "{refused}");
}
