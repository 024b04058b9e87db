//! What topology says of hosts, and of the packages that they have vetted.

use canton_topology::{
    mapping::{Mapping, PackageId, VettedPackage, VettedPackages},
    transaction::{Operation, Transaction},
};
use protocol::hosts::{host_of, hosts_of, vetted};

use crate::world::{World, build};

#[test]
fn who_is_still_onboarding_has_the_party_and_is_no_host_of_it_yet() {
    let mut world = World::with_party();
    let mut mapping = world.party_mapping();
    mapping.participants[0].onboarding = true;
    let newest = mapping.participants[0].participant.clone();
    world.state.assume(&build(2, Mapping::PartyToParticipant(mapping)));
    assert!(host_of(&world.state, &world.party(), &newest).unwrap().onboarding);
    let hosts = hosts_of(&world.state, &world.party());
    assert_eq!((hosts.len(), hosts.contains(&newest)), (2, false));
}

#[test]
fn a_party_that_was_removed_has_no_host() {
    let mut world = World::with_party();
    let mapping = world.party_mapping();
    let host = mapping.participants[0].participant.clone();
    let serial = 2.try_into().unwrap();
    world.state.assume(&Transaction::build(Operation::Remove, serial, &Mapping::PartyToParticipant(mapping)));
    assert!(hosts_of(&world.state, &world.party()).is_empty());
    assert!(host_of(&world.state, &world.party(), &host).is_none());
}

#[test]
fn a_package_is_vetted_by_its_own_participant_from_its_first_moment_until_its_last() {
    let mut world = World::with_party();
    let now = world.now;
    let (dave, bob) = (world.owner("dave").host(), world.owner("bob").host());
    let package = |name: &str, from: Option<i64>, until: Option<i64>| {
        let at = |micros| now.plus_micros(micros);
        let package: PackageId = name.parse().unwrap();
        VettedPackage { package, valid_from: from.map(at), valid_until: until.map(at), in_old_list: false }
    };
    let packages = vec![
        package("always", None, None),
        package("just-now", Some(0), None),
        package("soon", Some(1), None),
        package("to-the-last", None, Some(1)),
        package("over", None, Some(0)),
    ];
    world.state.assume(&build(1, Mapping::VettedPackages(VettedPackages { participant: dave.clone(), packages })));
    let found: Vec<&str> = vetted(&world.state, &dave, now).into_iter().collect();
    assert_eq!(found, ["always", "just-now", "to-the-last"]);
    assert!(vetted(&world.state, &bob, now).is_empty());
}
