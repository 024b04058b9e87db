//! Merging signatures: of distinct signers in any order and any grouping the same row comes out; where one signer
//! appears twice, order decides, as Canton lets it decide.
#![allow(clippy::unwrap_used)]

use canton_topology::{
    Timestamp,
    id::{Namespace, PartyId, PhysicalSynchronizerId, UniqueIdentifier, decentralized_namespace},
    judge::{Time, Verdict, Verifier, fold_batch},
    key::{KeyUsage, SigningPublicKey},
    mapping::{DecentralizedNamespaceDefinition, Mapping, NamespaceDelegation, PartyHostingLimits},
    rejection::Rejection,
    signature::Signature,
    state::{Row, State, StaticParameters},
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use ed25519_dalek::Signer as _;
use proptest::prelude::*;

const OWNERS: u8 = 5;

fn secret(owner: u8) -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[owner + 1; 32])
}

fn public(owner: u8) -> SigningPublicKey {
    SigningPublicKey::ed25519(secret(owner).verifying_key().as_bytes(), &[KeyUsage::Namespace]).unwrap()
}

fn sign(owner: u8, transaction: &Transaction) -> Signature {
    let bytes = secret(owner).sign(transaction.hash().as_bytes()).to_bytes();
    Signature::new_ed25519(bytes, public(owner).fingerprint())
}

/// A signature in an owner's name that is not the owner's.
fn forged(owner: u8) -> Signature {
    Signature::new_ed25519([7; 64], public(owner).fingerprint())
}

/// Five owners, a namespace that takes `threshold` of them, and what only that namespace has to sign.
fn world(threshold: u32) -> (State, Transaction) {
    let owners: Vec<Namespace> = (0..OWNERS).map(|owner| Namespace::from(public(owner).fingerprint())).collect();
    let namespace = decentralized_namespace(&owners);
    let synchronizer: PhysicalSynchronizerId = format!("sync::{namespace}::34-0").parse().unwrap();
    let party = PartyId::from(UniqueIdentifier::new("merged", namespace.clone()).unwrap());
    let limits = PartyHostingLimits { synchronizer: synchronizer.logical.clone(), party };
    let mut state = State::new(synchronizer, StaticParameters::default());
    let first = |mapping| Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
    for owner in 0..OWNERS {
        let root = first(Mapping::NamespaceDelegation(NamespaceDelegation::root(public(owner))));
        let signature = sign(owner, &root);
        must_be_active(&mut state, &SignedTransaction::new(root, vec![signature], false));
    }
    let definition = DecentralizedNamespaceDefinition { namespace, threshold, owners };
    let definition = first(Mapping::DecentralizedNamespaceDefinition(definition));
    let signatures = (0..OWNERS).map(|owner| sign(owner, &definition)).collect();
    must_be_active(&mut state, &SignedTransaction::new(definition, signatures, false));
    (state, first(Mapping::PartyHostingLimits(limits)))
}

fn send(state: &mut State, signed: &SignedTransaction) -> Verdict {
    let time = Timestamp(state.rows().count() as i64);
    let time = Time { sequenced: time, effective: time };
    fold_batch(state, &mut Verifier::default(), std::slice::from_ref(signed), time).remove(0)
}

fn must_be_active(state: &mut State, signed: &SignedTransaction) {
    let verdict = send(state, signed);
    assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
}

/// What is stored of the transaction, without its times: whether it waits, and every signature.
fn stored(state: &State, transaction: &Transaction) -> Option<(bool, Vec<Signature>)> {
    let (key, hash) = (transaction.unique_key(), transaction.hash());
    let active = state.active(&key).filter(|row| row.hash() == hash);
    let signatures = |row: &Row| row.signatures.values().map(|over| over.signature.clone()).collect();
    active.or_else(|| state.proposal(&key, &hash)).map(|row| (row.proposal, signatures(row)))
}

/// Sends the signatures in groups, one group after the other.
fn merged(threshold: u32, groups: &[Vec<u8>]) -> Option<(bool, Vec<Signature>)> {
    let (mut state, transaction) = world(threshold);
    for group in groups.iter().filter(|group| !group.is_empty()) {
        let signatures = group.iter().map(|owner| sign(*owner, &transaction)).collect();
        send(&mut state, &SignedTransaction::new(transaction.clone(), signatures, true));
    }
    stored(&state, &transaction)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn distinct_signers_merge_alike_in_any_order_grouping_and_repetition(
        threshold in 1..=u32::from(OWNERS),
        order in Just((0..OWNERS).collect::<Vec<u8>>()).prop_shuffle(),
        taken in 1..=usize::from(OWNERS),
        cuts in prop::collection::vec(any::<bool>(), usize::from(OWNERS)),
        again in prop::collection::vec(0..usize::from(OWNERS), 0..4),
    ) {
        let signers = &order[..taken];
        let mut at_once = signers.to_vec();
        at_once.sort_unstable();
        let expected = merged(threshold, &[at_once]);
        let (is_proposal, signatures) = expected.clone().unwrap();
        prop_assert_eq!(is_proposal, (taken as u32) < threshold);
        prop_assert_eq!(signatures.len(), taken);

        // One by one, in groups, and some of them again.
        let one_by_one: Vec<Vec<u8>> = signers.iter().map(|owner| vec![*owner]).collect();
        prop_assert_eq!(&merged(threshold, &one_by_one), &expected);
        let mut groups = vec![Vec::new()];
        for (owner, cut) in signers.iter().zip(&cuts) {
            if *cut {
                groups.push(Vec::new());
            }
            groups.last_mut().unwrap().push(*owner);
        }
        prop_assert_eq!(&merged(threshold, &groups), &expected);
        groups.extend(again.iter().map(|index| vec![signers[index % taken]]));
        prop_assert_eq!(&merged(threshold, &groups), &expected);
    }
}

#[test]
fn within_one_list_the_first_of_a_signer_stays_and_alone_is_verified() {
    let (state, transaction) = world(3);
    let good = sign(0, &transaction);
    for (signatures, taken) in [(vec![good.clone(), forged(0)], true), (vec![forged(0), good.clone()], false)] {
        let mut state = state.clone();
        let verdict = send(&mut state, &SignedTransaction::new(transaction.clone(), signatures, true));
        assert_eq!(matches!(verdict, Verdict::Proposal { .. }), taken, "{verdict:?}");
        assert_eq!(stored(&state, &transaction), taken.then(|| (true, vec![good.clone()])));
    }
}

#[test]
fn against_a_pending_proposal_the_incoming_signature_wins_and_a_forged_one_is_refused() {
    let (mut state, transaction) = world(3);
    let with = |signatures| SignedTransaction::new(transaction.clone(), signatures, true);
    send(&mut state, &with(vec![sign(0, &transaction)]));
    let before = stored(&state, &transaction);
    let verdict = send(&mut state, &with(vec![forged(0), sign(1, &transaction)]));
    assert!(matches!(verdict, Verdict::Rejected(Rejection::SignatureCheckFailed { .. })), "{verdict:?}");
    assert_eq!(stored(&state, &transaction), before, "what was pending stays");
}

#[test]
fn against_the_active_transaction_the_stored_signature_wins_and_a_forged_one_is_ignored() {
    let (mut state, transaction) = world(1);
    let with = |signatures| SignedTransaction::new(transaction.clone(), signatures, true);
    must_be_active(&mut state, &with(vec![sign(0, &transaction)]));
    must_be_active(&mut state, &with(vec![forged(0), sign(1, &transaction)]));
    let mut expected = vec![sign(0, &transaction), sign(1, &transaction)];
    expected.sort_by(|one, other| one.signed_by().cmp(other.signed_by()));
    assert_eq!(stored(&state, &transaction), Some((false, expected)));
}
