//! Drills: where a key stands before it is touched.

use canton_topology::{
    key::{KeyUsage, SigningPublicKey},
    mapping::Code,
};
use protocol::{
    drill::{Standing, standing_of_namespace_key, standing_of_party_key},
    intent::{Change, Delegate, Revoke, Scope},
};

use crate::world::World;

fn standing(world: &World, owner: &str, key: &str) -> Standing {
    standing_of_namespace_key(&world.owner(key).namespace_key(), &world.owner(owner).namespace(), &world.state)
}

#[test]
fn an_owners_own_key_signs_everything_and_a_strangers_nothing() {
    let world = World::with_party();
    let own = standing(&world, "alice", "alice");
    assert_eq!(own, Standing::Namespace { is_root: true, signs: Code::ALL.into() });
    assert_eq!(standing(&world, "alice", "bob"), Standing::Unknown);
}

#[test]
fn a_delegated_key_stands_with_its_restriction_until_it_is_revoked() {
    let mut world = World::with_party();
    let (namespace, key) = (world.owner("alice").namespace(), world.owner("dave").namespace_key());
    let delegate = Delegate { namespace: namespace.clone(), key: key.clone(), scope: Scope::Parties };
    world.must_change(Change::Delegate(delegate), &["alice"]);
    let signs = [Code::PartyToParticipant, Code::PartyToKeyMapping].into();
    let delegated = standing(&world, "alice", "dave");
    assert_eq!(delegated, Standing::Namespace { is_root: false, signs });
    assert!(delegated.is_well() && delegated.to_string().contains("alone"), "{delegated}");

    world.must_change(Change::Revoke(Revoke { namespace, key: key.fingerprint() }), &["alice"]);

    let revoked = standing(&world, "alice", "dave");
    assert_eq!(revoked, Standing::Revoked);
    assert!(!revoked.is_well());
}

#[test]
fn a_party_key_stands_with_its_parties() {
    let world = World::with_party();
    let mapping = world.party_mapping();
    let used = mapping.signing_keys.as_ref().map(|keys| keys.keys[0].clone()).unwrap();
    let parties = Standing::Parties([world.party()].into());
    assert_eq!(standing_of_party_key(&used, &world.state), parties);

    let fresh = ed25519_dalek::SigningKey::from_bytes(&[0x66; 32]);
    let fresh = SigningPublicKey::ed25519(fresh.verifying_key().as_bytes(), &[KeyUsage::Protocol]).unwrap();
    assert_eq!(standing_of_party_key(&fresh, &world.state), Standing::Unknown);
}

#[test]
fn a_key_whose_usages_lack_one_is_not_well() {
    let world = World::with_party();
    let namespace = world.owner("alice").namespace();
    let party_key = world.party_mapping().signing_keys.unwrap().keys[0].clone();
    let lacks = standing_of_namespace_key(&party_key, &namespace, &world.state);
    assert_eq!(lacks, Standing::LacksUsage(KeyUsage::Namespace));
    let lacks = standing_of_party_key(&world.owner("alice").namespace_key(), &world.state);
    assert_eq!(lacks, Standing::LacksUsage(KeyUsage::Protocol));
    assert!(!lacks.is_well());
}
