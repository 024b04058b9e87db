//! What Canton forgives to the rows with which a network is born, and what it does not.
#![allow(clippy::unwrap_used)]

#[path = "fixture/key.rs"]
mod key;

use canton_topology::{
    authorization::Rules,
    completing::completing_sets,
    id::{Member, MemberKind, PartyId, UniqueIdentifier},
    judge::{INITIAL, Verdict},
    key::KeyUsage,
    mapping::{
        HostingParticipant, Mapping, NamespaceDelegation, OwnerKey, OwnerToKeyMapping, PartyToParticipant, Permission,
        SequencerSynchronizerState,
    },
    planner::assess,
    rejection::{Rejection, SignatureRefusal},
    signature::{Signature, SignatureError},
    state::State,
    transaction::{SignedTransaction, Transaction},
};
use key::{Key, add, empty, judge, judge_at, remove, signed};

/// A sequencer's keys: one of the namespace, one of its own.
fn keys_of_a_sequencer(owner: &Key, node: &Key) -> Transaction {
    let uid = UniqueIdentifier::new("sequencer", owner.namespace()).unwrap();
    let key = node.with_usage(&[KeyUsage::Protocol]);
    let member = Member { kind: MemberKind::Sequencer, uid };
    add(1, Mapping::OwnerToKeyMapping(OwnerToKeyMapping { member, keys: vec![OwnerKey::Signing(key)] }))
}

fn born(owner: &Key) -> State {
    let mut state = empty(owner);
    let root = owner.root();
    let verdict = judge_at(&mut state, &signed(&root, &[owner.sign(&root)]), INITIAL);
    assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
    state
}

fn verdict_at_birth(state: &State, transaction: &Transaction, signatures: &[Signature]) -> Verdict {
    judge_at(&mut state.clone(), &signed(transaction, signatures), INITIAL)
}

#[test]
fn a_members_key_need_not_sign_but_where_it_does_its_signature_is_verified() {
    let (owner, node) = (Key::new(1), Key::new(2));
    let state = born(&owner);
    let keys = keys_of_a_sequencer(&owner, &node);
    let alone = verdict_at_birth(&state, &keys, &[owner.sign(&keys)]);
    assert!(matches!(&alone, Verdict::Active { signers } if signers.len() == 1), "{alone:?}");
    let both = verdict_at_birth(&state, &keys, &[owner.sign(&keys), node.sign(&keys)]);
    assert!(matches!(&both, Verdict::Active { signers } if signers.len() == 2), "{both:?}");
    let forged = verdict_at_birth(&state, &keys, &[owner.sign(&keys), node.forged()]);
    let reason = SignatureRefusal::Signature(SignatureError::Invalid);
    assert_eq!(forged, Verdict::Rejected(Rejection::SignatureCheckFailed { key: node.fingerprint(), reason }));
}

#[test]
fn the_planner_forgives_a_members_key_as_the_judge_does() {
    let (owner, node) = (Key::new(1), Key::new(2));
    let mut state = born(&owner);
    let keys = keys_of_a_sequencer(&owner, &node);
    let signers = [owner.fingerprint()].into();
    assert!(!assess(&state, &keys, &signers).satisfied);
    state.set_rules(Rules::InitialSnapshot);
    assert!(assess(&state, &keys, &signers).satisfied);
    assert!(completing_sets(&state, &keys, &signers).sets.contains(&std::collections::BTreeSet::new()));
}

#[test]
fn a_sequencer_may_be_named_before_its_keys_and_a_host_may_not() {
    let owner = Key::new(1);
    let state = born(&owner);
    let uid = UniqueIdentifier::new("node", owner.namespace()).unwrap();
    let sequencers = add(
        1,
        Mapping::SequencerSynchronizerState(SequencerSynchronizerState {
            synchronizer: state.synchronizer().logical.clone(),
            threshold: 1,
            active: vec![Member { kind: MemberKind::Sequencer, uid: uid.clone() }],
            observers: Vec::new(),
        }),
    );
    let verdict = verdict_at_birth(&state, &sequencers, &[owner.sign(&sequencers)]);
    assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
    let verdict = judge(&mut state.clone(), &signed(&sequencers, &[owner.sign(&sequencers)]));
    assert!(matches!(verdict, Verdict::Rejected(Rejection::InsufficientKeys { .. })), "{verdict:?}");

    // What no rule lets stand without keys: a certificate that was put into the state, and a party on that participant.
    let mut state = state;
    state.assume(&certificate(&state, &uid));
    let party = PartyId::from(UniqueIdentifier::new("party", owner.namespace()).unwrap());
    let host = HostingParticipant { participant: uid.into(), permission: Permission::Confirmation, onboarding: false };
    let mapping = PartyToParticipant { party, threshold: 1, participants: vec![host], signing_keys: None };
    let hosted = add(1, Mapping::PartyToParticipant(mapping));
    let verdict = verdict_at_birth(&state, &hosted, &[owner.sign(&hosted)]);
    assert!(matches!(verdict, Verdict::Rejected(Rejection::InsufficientKeys { .. })), "{verdict:?}");
}

fn certificate(state: &State, uid: &UniqueIdentifier) -> Transaction {
    use canton_topology::mapping::SynchronizerTrustCertificate;
    let synchronizer = state.synchronizer().logical.clone();
    let participant = uid.clone().into();
    let mapping = SynchronizerTrustCertificate { participant, synchronizer, feature_flags: Vec::new() };
    add(1, Mapping::SynchronizerTrustCertificate(mapping))
}

#[test]
fn a_revoked_delegation_returns_at_birth_and_never_after() {
    let (owner, delegate) = (Key::new(1), Key::new(2));
    let mut state = born(&owner);
    let mapping = Mapping::NamespaceDelegation(NamespaceDelegation {
        namespace: owner.namespace(),
        target: delegate.public(),
        restriction: canton_topology::mapping::Restriction::All,
    });
    for transaction in [add(1, mapping.clone()), remove(2, mapping.clone())] {
        let sent: SignedTransaction = signed(&transaction, &[owner.sign(&transaction)]);
        let verdict = judge_at(&mut state, &sent, INITIAL);
        assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
    }
    let again = add(3, mapping);
    let verdict = verdict_at_birth(&state, &again, &[owner.sign(&again)]);
    assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
    let verdict = judge(&mut state, &signed(&again, &[owner.sign(&again)]));
    assert!(matches!(verdict, Verdict::Rejected(Rejection::NamespaceHasBeenRevoked { .. })), "{verdict:?}");
}
