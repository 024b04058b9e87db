//! Session keys: topology takes the signatures of long-term keys alone.
#![allow(clippy::unwrap_used)]

#[path = "fixture/key.rs"]
mod key;
#[path = "fixture/write.rs"]
mod write;

use canton_topology::{
    judge::Verdict,
    rejection::{Rejection, SignatureRefusal},
    signature::{Signature, SignatureError},
    transaction::Transaction,
};
use key::{Key, empty, judge, signed};
use write::{field, joined, number};

/// The key's signature with its word, which nobody checks, for a session key.
fn delegated(key: &Key, session: &Key, transaction: &Transaction) -> Signature {
    let from = [vec![3 << 3], vec![0xe8, 7]].concat();
    let length = [vec![4 << 3], vec![0x90, 0x1c]].concat();
    let word = joined(&[
        field(1, session.public().spki()),
        number(2, 1),
        from,
        length,
        number(5, 3),
        field(6, &[0; 64]),
        number(7, 1),
    ]);
    Signature::parse(&[key.sign(transaction).encode(), field(5, &word)].concat()).unwrap()
}

#[test]
fn a_session_keys_signature_is_refused_but_where_the_session_key_is_the_signer_itself() {
    let (owner, session) = (Key::new(1), Key::new(2));
    let root = owner.root();
    let verdict = judge(&mut empty(&owner), &signed(&root, &[delegated(&owner, &session, &root)]));
    let reason = SignatureRefusal::Signature(SignatureError::Delegated);
    assert_eq!(verdict, Verdict::Rejected(Rejection::SignatureCheckFailed { key: owner.fingerprint(), reason }));

    let own = delegated(&owner, &owner, &root);
    assert!(!own.is_delegated());
    assert_eq!(Signature::parse(&own.encode()), Ok(own.clone()));
    let verdict = judge(&mut empty(&owner), &signed(&root, &[own]));
    assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
}
