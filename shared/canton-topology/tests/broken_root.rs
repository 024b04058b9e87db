//! A root delegation on which a delegate signed too is none any more; its own key mends it, and the planner knows.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use canton_topology::{
    Timestamp,
    completing::{Helper, completing_sets},
    id::{Fingerprint, Namespace, PhysicalSynchronizerId},
    judge::{Time, Verdict, Verifier, fold_batch},
    key::{KeyUsage, SigningPublicKey},
    mapping::{Mapping, NamespaceDelegation, Restriction},
    planner,
    signature::Signature,
    state::{State, StaticParameters},
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use ed25519_dalek::Signer as _;

fn secret(seed: u8) -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[seed; 32])
}

fn public(seed: u8) -> SigningPublicKey {
    SigningPublicKey::ed25519(secret(seed).verifying_key().as_bytes(), &[KeyUsage::Namespace]).unwrap()
}

fn delegation(serial: u32, delegation: NamespaceDelegation) -> Transaction {
    let mapping = Mapping::NamespaceDelegation(delegation);
    Transaction::build(Operation::AddReplace, Serial::try_from(serial).unwrap(), &mapping)
}

fn must_be_active(state: &mut State, transaction: &Transaction, seed: u8) {
    let bytes = secret(seed).sign(transaction.hash().as_bytes()).to_bytes();
    let signature = Signature::new_ed25519(bytes, public(seed).fingerprint());
    let signed = SignedTransaction::new(transaction.clone(), vec![signature], false);
    let time = Timestamp(state.rows().count() as i64);
    let time = Time { sequenced: time, effective: time };
    let verdict = fold_batch(state, &mut Verifier::default(), &[signed], time).remove(0);
    assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
}

#[test]
fn a_root_that_a_delegate_replaced_is_mended_by_the_root_key_alone() {
    let (root, delegate) = (public(1), public(2));
    let namespace = Namespace::from(root.fingerprint());
    let synchronizer: PhysicalSynchronizerId = format!("sync::{namespace}::34-0").parse().unwrap();
    let mut state = State::new(synchronizer, StaticParameters::default());
    let publish = |serial| delegation(serial, NamespaceDelegation::root(root.clone()));
    must_be_active(&mut state, &publish(1), 1);
    let to =
        NamespaceDelegation { namespace: namespace.clone(), target: delegate.clone(), restriction: Restriction::All };
    must_be_active(&mut state, &delegation(1, to), 1);
    must_be_active(&mut state, &publish(2), 2);
    assert!(!state.has_root(&namespace), "nobody can sign for the namespace any more");

    let mending = publish(3);
    let both: BTreeSet<Fingerprint> = [root.fingerprint(), delegate.fingerprint()].into();
    let alone: BTreeSet<Fingerprint> = [root.fingerprint()].into();
    let counting: BTreeSet<Fingerprint> = planner::permissible(&state, &mending, &both).into_keys().collect();
    assert_eq!(counting, alone);
    let sets = completing_sets(&state, &mending, &BTreeSet::new()).sets;
    assert_eq!(sets, [[Helper::Key(root.fingerprint())].into()].into());
    assert!(planner::assess(&state, &mending, &alone).satisfied);
    assert!(!planner::assess(&state, &mending, &both).satisfied, "with the delegate beside it, it counts for nothing");

    must_be_active(&mut state, &mending, 1);
    assert!(state.has_root(&namespace));
}
