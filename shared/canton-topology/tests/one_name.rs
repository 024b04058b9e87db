//! Two keys with one name: which of them a signature is verified by.
#![allow(clippy::unwrap_used)]

#[path = "fixture/key.rs"]
mod key;

use canton_topology::{
    id::{ParticipantId, PartyId, UniqueIdentifier},
    judge::Verdict,
    key::KeyUsage,
    mapping::{
        HostingParticipant, Mapping, NamespaceDelegation, PartyToParticipant, Permission, Restriction,
        SigningKeysWithThreshold,
    },
    rejection::{Rejection, SignatureRefusal},
    state::State,
    transaction::Transaction,
};
use key::{Key, add, empty, judge, must_stand, signed};

/// A party that signs for itself with a key that has not the usage that this takes. The same key is also a delegate of
/// `host`, with that usage.
fn world(host: &Key, party: &Key) -> (State, Transaction) {
    let mut state = empty(host);
    let root = host.root();
    must_stand(&mut state, &signed(&root, &[host.sign(&root)]));
    let delegation = add(
        1,
        Mapping::NamespaceDelegation(NamespaceDelegation {
            namespace: host.namespace(),
            target: party.public(),
            restriction: Restriction::All,
        }),
    );
    must_stand(&mut state, &signed(&delegation, &[host.sign(&delegation)]));
    let node = ParticipantId::from(UniqueIdentifier::new("node", host.namespace()).unwrap());
    let hosted = PartyToParticipant {
        party: PartyId::from(UniqueIdentifier::new("party", party.namespace()).unwrap()),
        threshold: 1,
        participants: vec![HostingParticipant {
            participant: node.clone(),
            permission: Permission::Confirmation,
            onboarding: false,
        }],
        signing_keys: Some(SigningKeysWithThreshold {
            keys: vec![party.with_usage(&[KeyUsage::Protocol])],
            threshold: 1,
        }),
    };
    // As a host whose certificate and keys are there already, so that the party's signatures alone decide.
    let mut before = hosted.clone();
    before.threshold = 2;
    before.signing_keys = None;
    state.assume(&add(1, Mapping::PartyToParticipant(before)));
    (state, add(2, Mapping::PartyToParticipant(hosted)))
}

#[test]
fn the_key_of_the_host_asked_last_counts_before_the_partys_own_of_the_same_name() {
    // Whichever of the two namespaces comes first by its text.
    for (host, party) in [(1, 2), (2, 1), (3, 4), (4, 3)] {
        let (host, party) = (Key::new(host), Key::new(party));
        let (mut state, hosted) = world(&host, &party);
        let verdict = judge(&mut state, &signed(&hosted, &[party.sign(&hosted)]));
        assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
    }
}

#[test]
fn where_nobody_else_names_the_key_the_partys_own_counts_with_its_usage() {
    let (host, party) = (Key::new(1), Key::new(2));
    let (_, hosted) = world(&host, &party);
    let mut state = empty(&host);
    let mut before = hosted.mapping().clone();
    if let Mapping::PartyToParticipant(party) = &mut before {
        (party.threshold, party.signing_keys) = (2, None);
    }
    state.assume(&add(1, before));
    let verdict = judge(&mut state, &signed(&hosted, &[party.sign(&hosted)]));
    let reason = SignatureRefusal::KeyUsage;
    assert_eq!(verdict, Verdict::Rejected(Rejection::SignatureCheckFailed { key: party.fingerprint(), reason }));
}
