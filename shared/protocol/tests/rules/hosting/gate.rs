//! What must be seen before anybody signs.

use canton_topology::{
    id::{Fingerprint, PartyId},
    mapping::{Mapping, PackageId, PartyToParticipant, VettedPackage, VettedPackages},
};
use protocol::{
    case::Case,
    hosting::{
        HostingStep,
        gate::{Stop, allowed, may_carry},
        record::Record,
    },
    identity::IdentityPublicKey,
    intent::{Change, HostParty, HostingPath, LeaveHost},
    request::{Holder, SignRequest},
    statement::{Attestation, Claim},
};

use super::{answered, claim, moment, offered, replicated, seat, simple, surveyed, up_to_disconnected, waits_for};
use crate::world::{World, build};

#[test]
fn nobody_signs_a_simple_hosting_before_the_source_has_looked() {
    let world = World::with_party();
    let mut case = offered(&world, simple(&world, &[]));
    for name in ["alice", "bob", "carol", "dave"] {
        assert_eq!(waits_for(&world, name, &case).step, HostingStep::Look);
    }
    // Another owner's word is not the source's.
    claim(&world, &mut case, "bob", Claim::Unused { ledger_end: 3 });
    assert_eq!(waits_for(&world, "carol", &case).step, HostingStep::Look);

    claim(&world, &mut case, "alice", Claim::Unused { ledger_end: 3 });
    for name in ["alice", "bob", "carol", "dave"] {
        world.must_verify(name, &case);
    }
}

#[test]
fn what_the_source_says_of_another_node_is_not_about_its_own() {
    let world = World::with_party();
    let mut case = offered(&world, simple(&world, &[]));
    let (alice, elsewhere) = (world.owner("alice"), world.owner("bob").host());
    let attestation = Attestation {
        case: case.id(),
        intent: case.intent_hash(),
        owner: alice.namespace(),
        participant: elsewhere,
        at: moment(&world, &case),
        human: false,
        claim: Claim::Unused { ledger_end: 3 },
    };
    world.say(&mut case, &attestation, &alice.identity).unwrap();
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Look);
}

#[test]
fn nobody_signs_before_the_packages_are_vetted_on_the_new_host() {
    let mut world = World::with_party();
    let mut case = offered(&world, simple(&world, &["pkg-1"]));
    claim(&world, &mut case, "alice", Claim::Unused { ledger_end: 3 });
    let pending = waits_for(&world, "alice", &case);
    assert_eq!((pending.step, pending.by), (HostingStep::Vet, world.owner("dave").namespace()));
    assert!(pending.detail.contains("pkg-1"), "{}", pending.detail);

    let package: PackageId = "pkg-1".parse().unwrap();
    let package = VettedPackage { package, valid_from: None, valid_until: None, in_old_list: false };
    let vetted = VettedPackages { participant: world.owner("dave").host(), packages: vec![package] };
    world.state.assume(&build(1, Mapping::VettedPackages(vetted)));
    world.must_verify("alice", &case);
}

#[test]
fn nobody_completes_a_replication_before_every_step_that_comes_first() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Survey);
    surveyed(&world, &mut case);
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Prepare);
    claim(&world, &mut case, "alice", Claim::Prepared { begin: 7 });
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::PrepareSecond);
    claim(&world, &mut case, "bob", Claim::Prepared { begin: 5 });
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Consent);
    world.must_approve("dave", &mut case);
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
    claim(&world, &mut case, "dave", Claim::Disconnected { nonce: None });
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
    // An answer to somebody else's question is none.
    answered(&world, &mut case, "carol");
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
    answered(&world, &mut case, "bob");
    world.must_verify("bob", &case);
}

#[test]
fn those_who_sign_ahead_need_no_answer_and_cannot_complete() {
    let world = World::with_party();
    let ahead = vec![world.owner("carol").namespace()];
    let path = HostingPath::Replicated { second: Some(seat(&world, "bob")), ahead };
    let mut case = offered(&world, HostParty { path, ..replicated(&world) });
    surveyed(&world, &mut case);
    world.must_approve("carol", &mut case);
    world.must_approve("dave", &mut case);
    assert!(world.standing(&case).complete.is_none());
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Prepare);
}

#[test]
fn the_new_host_agrees_while_the_owners_still_wait() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    surveyed(&world, &mut case);
    let requests = world.must_verify("dave", &case).requests().len();
    assert_eq!(requests, 1, "the node's own signature, which completes nothing");
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Prepare);
}

#[test]
fn a_new_host_of_an_owner_gives_that_owners_signature_ahead_only_where_it_cannot_complete() {
    for (threshold, expected) in [(2, 2), (1, 1)] {
        let mut world = World::with_party();
        let leave = LeaveHost { party: world.party(), participant: world.owner("carol").host() };
        world.must_change(Change::LeaveHost(leave), &["alice", "bob", "carol"]);
        if threshold == 1 {
            world.must_change(world.thresholds(Some(1), None, None), &["alice", "bob"]);
        }
        let mut case = offered(&world, HostParty { target: seat(&world, "carol"), ..replicated(&world) });
        surveyed(&world, &mut case);
        assert_eq!(world.must_verify("carol", &case).requests().len(), expected, "threshold {threshold}");
    }
}

#[test]
fn what_the_reader_does_not_believe_was_never_said() {
    let world = World::with_party();
    let mut case = offered(&world, simple(&world, &[]));
    claim(&world, &mut case, "alice", Claim::Unused { ledger_end: 3 });
    // A coordinator's directory may give any key to anybody; the reader has a book of its own.
    assert!(Record::of(&case, &world.state, &|_, _| false).unwrap().unused().is_none());
}

#[test]
fn a_holder_who_takes_its_own_party_in_signs_for_the_party_last() {
    let mut world = World::with_party();
    let party: PartyId = format!("wallet::{}", world.owner("alice").namespace()).parse().unwrap();
    let mut mapping = PartyToParticipant { party: party.clone(), signing_keys: None, ..world.party_mapping() };
    mapping.participants.remove(0);
    world.state.assume(&build(1, Mapping::PartyToParticipant(mapping)));
    let (source, target) = (seat(&world, "bob"), seat(&world, "alice"));
    let path = HostingPath::Replicated { second: Some(seat(&world, "carol")), ahead: Vec::new() };
    let mut case = offered(&world, HostParty { party, source, target, path, ..replicated(&world) });
    claim(&world, &mut case, "bob", Claim::Surveyed { contracts: 2, packages: Vec::new() });
    let verified = world.must_verify("alice", &case);
    let holders: Vec<_> = verified.requests().iter().map(|request| request.holder).collect();
    assert_eq!(holders, [Holder::Participant], "the holder's own signature completes the change");
}

/// Whether an owner may give such a signature now.
fn may_give(world: &World, case: &Case, name: &str, key: Fingerprint, holder: Holder) -> Result<usize, Stop> {
    let speaks = |signer: &IdentityPublicKey, owner: &_| world.directory.owner(signer) == Some(owner);
    let record = Record::of(case, &world.state, &speaks).unwrap();
    let one = &case.offer().unwrap().transactions[0];
    let request = SignRequest {
        index: 0,
        transaction: one.hash(),
        unique_key: one.unique_key(),
        serial: one.serial(),
        key,
        holder,
    };
    let merged = world.standing(case).merged;
    let allowed = world.as_owner(name, |context| allowed(&record, &merged, context.me, vec![request], world.now));
    allowed.map(|requests| requests.len())
}

#[test]
fn a_nodes_signature_is_the_consent_of_the_new_host_alone_and_not_where_it_signs_for_the_party() {
    let mut world = World::with_party();
    let leave = LeaveHost { party: world.party(), participant: world.owner("carol").host() };
    world.must_change(Change::LeaveHost(leave), &["alice", "bob", "carol"]);
    world.must_change(world.thresholds(Some(1), None, None), &["alice", "bob"]);
    let mut case = offered(&world, HostParty { target: seat(&world, "carol"), ..replicated(&world) });
    surveyed(&world, &mut case);
    let node_of = |name: &str| world.owner(name).host().namespace().fingerprint().clone();
    let may = |name: &str, key: Fingerprint, holder| may_give(&world, &case, name, key, holder);
    assert_eq!(may("carol", node_of("carol"), Holder::Participant), Ok(1));
    assert!(matches!(may("bob", node_of("bob"), Holder::Participant), Err(Stop::NotYet(_))));
    // A node whose key is an owner's as well would complete the change while it is connected.
    let owners = world.owner("carol").namespace().fingerprint().clone();
    assert!(matches!(may("carol", owners, Holder::Participant), Err(Stop::NotYet(_))));
    // And so would any other key of the new host's owner.
    assert!(matches!(may("carol", node_of("dave"), Holder::Agent), Err(Stop::NotYet(_))));
}

#[test]
fn a_signature_that_is_carried_waits_for_everything_that_comes_first() {
    let world = World::with_party();
    let carried = |case: &Case| {
        let speaks = |signer: &IdentityPublicKey, owner: &_| world.directory.owner(signer) == Some(owner);
        let record = Record::of(case, &world.state, &speaks).unwrap();
        let merged = world.standing(case).merged;
        match world.as_owner("bob", |context| may_carry(&record, &merged, context.me, world.now)) {
            Err(Stop::NotYet(pending)) => Some(pending.step),
            Ok(()) => None,
            other => panic!("{other:?}"),
        }
    };
    let mut case = offered(&world, simple(&world, &[]));
    assert_eq!(carried(&case), Some(HostingStep::Look));
    claim(&world, &mut case, "alice", Claim::Unused { ledger_end: 3 });
    assert_eq!(carried(&case), None);
    let mut case = offered(&world, replicated(&world));
    assert_eq!(carried(&case), Some(HostingStep::Survey));
    surveyed(&world, &mut case);
    assert_eq!(carried(&case), Some(HostingStep::Prepare));
    up_to_disconnected(&world, &mut case);
    assert_eq!(carried(&case), Some(HostingStep::Disconnect));
    answered(&world, &mut case, "bob");
    assert_eq!(carried(&case), None);
}
