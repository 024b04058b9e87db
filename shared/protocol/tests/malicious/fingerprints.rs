//! One fingerprint swapped: at creation, add owner, add host, add key. In the offer, by the coordinator; and in the intent,
//! whose proposer was deceived by a false introduction.

use std::collections::{BTreeMap, BTreeSet};

use canton_topology::{mapping::Permission, transaction::Transaction};
use protocol::{
    case::Case,
    intent::{Change, CreateParty, Host},
    plan::plan,
    reader::Context,
    refusal::Refusal,
    verify::{Verification, verify_with},
};

use crate::{
    mutant::{Mutant, honest},
    world::{Owner, World},
};

/// What an owner can be called in a transaction's bytes: the fingerprints of its keys as text, and the keys themselves.
fn names(owner: &Owner) -> Vec<Vec<u8>> {
    let keys = [owner.namespace_key(), owner.party_key(), owner.node_key()];
    let prints = keys.iter().map(|key| key.fingerprint().to_string().into_bytes());
    let points = [&owner.namespace, &owner.party, &owner.node].map(|key| key.verifying_key().to_bytes().to_vec());
    prints.chain(points).collect()
}

fn add_host(world: &World, owner: &Owner) -> Change {
    let mut party = world.party_change();
    party.add_hosts.push(Host { participant: owner.host(), permission: Permission::Confirmation });
    world.membership(None, Some(party))
}

fn add_key(world: &World, owner: &Owner) -> Change {
    let mut party = world.party_change();
    party.add_keys.push(owner.party_key());
    world.membership(None, Some(party))
}

fn add_owner(world: &World, owner: &Owner) -> Change {
    let mut owners = world.owners_change();
    owners.add.push(owner.namespace_key());
    owners.threshold = Some(3);
    world.membership(Some(owners), None)
}

fn create(world: &World, edit: impl Fn(&mut CreateParty)) -> Change {
    let mut party = world.new_party();
    edit(&mut party);
    Change::CreateParty(party)
}

/// The offer's bytes with one name at one place exchanged for another of the same length.
fn swapped(offer: &[Transaction], from: &[u8], to: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let all: Vec<Vec<u8>> = offer.iter().map(|one| one.bytes().to_vec()).collect();
    let mut mutants = Vec::new();
    for (index, bytes) in all.iter().enumerate() {
        for at in (0..bytes.len()).filter(|at| bytes[*at..].starts_with(from)) {
            let mut mutant = all.clone();
            mutant[index][at..at + to.len()].copy_from_slice(to);
            mutants.push(mutant);
        }
    }
    mutants
}

#[test]
fn t40_an_offer_with_one_fingerprint_swapped_is_refused_by_name_by_everybody() {
    let (new, later) = (World::new(), World::with_party());
    let dave = later.owner("dave");
    let changes = [
        ("creation", &new, new.create_party()),
        ("add owner", &later, add_owner(&later, dave)),
        ("add host", &later, add_host(&later, dave)),
        ("add key", &later, add_key(&later, dave)),
    ];
    let mallory = Owner::new("mallory");
    let mut found = BTreeMap::<(&str, &str), usize>::new();
    for (what, world, change) in &changes {
        let offer = honest(world, change);
        let untouched = Mutant::new("untouched", "", change, &offer).refused_by_everybody(world);
        assert!(untouched.iter().all(|name| ["VERIFIED", "NothingToSign"].contains(name)), "{what}: {untouched:?}");
        // Somebody who is in nobody's book, and everybody who is in all of them.
        for other in world.owners.iter().chain([&mallory]) {
            for owner in &world.owners {
                let pairs = names(owner).into_iter().zip(names(other)).filter(|(from, to)| from != to);
                for offered in pairs.flat_map(|(from, to)| swapped(&offer, &from, &to)) {
                    let mut mutant = Mutant::new("swapped", "", change, &[]);
                    mutant.offered = offered;
                    for name in mutant.refused_by_everybody(world) {
                        assert!(!["VERIFIED", "NOT YET", "NothingToSign"].contains(&name), "{what}: {name}");
                        *found.entry((*what, name)).or_default() += 1;
                    }
                }
            }
        }
    }
    let tried: BTreeSet<&str> = found.keys().map(|(what, _)| *what).collect();
    assert_eq!(tried.len(), changes.len(), "{found:?}");
    println!("{found:?}");
}

/// What an owner makes of a case when dave stands in its book no more.
fn without_dave(world: &World, reader: &str, case: &Case) -> Verification {
    let mut book = world.book_of(reader);
    book.remove("dave");
    let me = world.owner(reader).me(&world.synchronizer);
    let context = Context {
        me: &me,
        book: &book,
        state: &world.state,
        seen: world.now,
        live: &[],
        now: world.now,
        frozen: false,
    };
    verify_with(case, &context, plan)
}

#[test]
fn t40_whom_a_false_introduction_names_is_refused_by_everybody_who_was_not_deceived() {
    let (new, later) = (World::new(), World::with_party());
    let dave = later.owner("dave");
    let host = |owner: &Owner| Host { participant: owner.host(), permission: Permission::Confirmation };
    let changes = [
        ("key", "owner at creation", &new, create(&new, |party| party.owners[1] = dave.namespace_key())),
        ("host", "host at creation", &new, create(&new, |party| party.hosts[1] = host(dave))),
        ("key", "key at creation", &new, create(&new, |party| party.signing_keys[1] = dave.party_key())),
        // A new owner comes with its root, whose key is the first stranger.
        ("key", "add owner", &later, add_owner(&later, dave)),
        ("host", "add host", &later, add_host(&later, dave)),
        ("key", "add key", &later, add_key(&later, dave)),
    ];
    for (expected, what, world, change) in changes {
        // Alice's book was deceived: she believes that these keys are bob's.
        let case = world.offered("alice", change);
        for reader in ["bob", "carol"] {
            let verdict = without_dave(world, reader, &case);
            let Verification::Refused(Refusal::UnknownPrincipal { what: stranger, .. }) = &verdict else {
                panic!("{reader}: {what}: {verdict:?}")
            };
            assert_eq!(stranger, expected, "{reader}: {what}");
        }
    }
}
