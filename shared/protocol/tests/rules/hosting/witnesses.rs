//! On whose nodes a hosting is verified.

use protocol::{case::Case, reader::Context, statement::Claim, witness::witnesses};

use super::{claim, offered, simple};
use crate::world::World;

/// The names of those on whose nodes a hosting was verified, as carol knows it, and of the others.
fn seen(world: &World, case: &Case) -> (Vec<&'static str>, Vec<&'static str>) {
    let all = world.as_owner("carol", |context| witnesses(case, context));
    let named = |is_seen| {
        let of = |owner: &_| world.owners.iter().find(|one| one.namespace() == *owner).unwrap().name;
        let some = all.iter().filter(|one| one.since.is_some() == is_seen);
        let mut names: Vec<&'static str> = some.map(|one| of(&one.owner)).collect();
        names.sort_unstable();
        names
    };
    (named(true), named(false))
}

#[test]
fn a_hosting_is_verified_on_the_node_of_every_owner_and_not_of_the_source_and_the_target_alone() {
    let mut world = World::with_party();
    let mut case = offered(&world, simple(&world, &[]));
    claim(&world, &mut case, "alice", Claim::Unused { ledger_end: 4 });
    for name in ["dave", "alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    assert_eq!(seen(&world, &case).1.len(), 4, "who will look is known before");
    world.must_submit(&case);
    assert_eq!(seen(&world, &case), (vec![], vec!["alice", "bob", "carol", "dave"]));

    // What one says is not what another says, and not what the source says.
    let offer = case.offer().unwrap().hash;
    claim(&world, &mut case, "carol", Claim::SeenHosted);
    claim(&world, &mut case, "alice", Claim::Verified { offer, on_ledger: true });
    assert_eq!(seen(&world, &case).0, [""; 0]);
    let other = case.intent_hash();
    claim(&world, &mut case, "carol", Claim::Verified { offer: other, on_ledger: true });
    assert_eq!(seen(&world, &case).0, [""; 0], "another offer");

    for name in ["alice", "dave"] {
        claim(&world, &mut case, name, Claim::SeenHosted);
    }
    for name in ["bob", "carol"] {
        claim(&world, &mut case, name, Claim::Verified { offer, on_ledger: true });
    }
    assert_eq!(seen(&world, &case), (vec!["alice", "bob", "carol", "dave"], vec![]));
}

#[test]
fn nobody_waits_in_a_hosting_for_an_owner_without_a_node() {
    let world = World::with_party();
    let case = offered(&world, simple(&world, &[]));
    let mut book = world.book_of("alice");
    let mut bob = book.entries().iter().find(|entry| entry.name == "bob").unwrap().clone();
    assert!(book.remove("bob"));
    bob.card.host = None;
    book.add(bob).unwrap();
    let owners = world.as_owner("alice", |context| {
        let context = Context { book: &book, ..*context };
        witnesses(&case, &context).into_iter().map(|one| one.owner).collect::<Vec<_>>()
    });
    assert!(!owners.contains(&world.owner("bob").namespace()), "{owners:?}");
    assert_eq!(owners.len(), 3);
}
