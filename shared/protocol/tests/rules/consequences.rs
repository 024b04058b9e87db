//! What a change means for whoever reads it: shown, and refused by nobody.

use protocol::{
    consequence::Consequence,
    intent::{Change, OwnersChange, PartyChange, Revoke},
};

use crate::world::World;

fn shown(world: &World, reader: &str, change: Change) -> Vec<Consequence> {
    let case = world.offered("alice", change);
    world.must_verify(reader, &case).consequences().to_vec()
}

#[test]
fn who_loses_a_seat_a_host_or_a_key_is_told_and_nobody_else() {
    let world = World::with_party();
    let carol = world.owner("carol");
    let owners = || OwnersChange { remove: vec![carol.namespace()], ..world.owners_change() };
    let seat = Consequence::OwnSeatLost { namespace: world.namespace() };
    assert!(shown(&world, "carol", world.membership(Some(owners()), None)).contains(&seat));
    assert!(!shown(&world, "bob", world.membership(Some(owners()), None)).contains(&seat));
    let party = || PartyChange {
        remove_hosts: vec![carol.host()],
        remove_keys: vec![carol.party_key().fingerprint()],
        ..world.party_change()
    };
    let found = shown(&world, "carol", world.membership(None, Some(party())));
    assert!(found.contains(&Consequence::OwnHostLeaves { party: world.party() }));
    let key = carol.party_key().fingerprint();
    assert!(found.contains(&Consequence::OwnKeyLeaves { party: world.party(), key }));
    let others = shown(&world, "bob", world.membership(None, Some(party())));
    assert!(others.iter().all(|one| matches!(one, Consequence::NoneCanBeLost { .. })), "{others:?}");
}

#[test]
fn a_threshold_that_spares_nobody_is_shown_for_owners_hosts_and_keys() {
    let world = World::with_party();
    let of = |change| {
        let found = shown(&world, "bob", change).into_iter();
        let what = found.filter_map(|one| match one {
            Consequence::NoneCanBeLost { what, threshold, count, .. } => Some((what, threshold, count)),
            _ => None,
        });
        what.collect::<Vec<_>>()
    };
    let three = |what: &str| (what.to_owned(), 3, 3);
    assert_eq!(of(world.thresholds(Some(3), None, None)), [three("owners")]);
    assert_eq!(of(world.thresholds(None, Some(3), Some(3))), [three("confirming hosts"), three("signing keys")]);
    assert_eq!(of(world.thresholds(None, Some(1), None)), []);
}

#[test]
fn what_never_comes_back_is_said_so_and_whose_key_it_was() {
    let world = World::with_party();
    let (namespace, key) = (world.owner("alice").namespace(), world.owner("alice").namespace_key().fingerprint());
    let found = shown(&world, "alice", Change::Revoke(Revoke { namespace: namespace.clone(), key: key.clone() }));
    assert!(found.contains(&Consequence::OwnKeyRevoked { namespace, key }));
    assert!(found.iter().any(|one| matches!(one, Consequence::Irreversible { .. })), "{found:?}");
    assert!(found[0].to_string().contains("for good"), "{}", found[0]);
}
