//! A transaction with its signatures, in a wrapper or plain.

use std::collections::BTreeSet;

use canton_topology::{
    id::Fingerprint,
    transaction::{SignedTransaction, Transaction},
};

use super::transaction;

/// What reads is written back to the same in both forms, and its signatures are counted once for each key.
pub fn run(bytes: &[u8]) {
    let plain = SignedTransaction::parse_plain(bytes);
    let wrapped = SignedTransaction::parse_wrapped(bytes);
    for signed in [plain, wrapped].into_iter().flatten() {
        check(&signed);
    }
}

fn check(signed: &SignedTransaction) {
    transaction::check(&signed.transaction);
    assert_eq!(SignedTransaction::parse_plain(&signed.encode_plain()).as_ref(), Ok(signed));
    assert_eq!(SignedTransaction::parse_wrapped(&signed.encode_wrapped()).as_ref(), Ok(signed));
    let distinct = signed.distinct_signatures();
    let keys: BTreeSet<Fingerprint> = distinct.iter().map(|over| over.signature.signed_by().clone()).collect();
    assert_eq!(keys.len(), distinct.len(), "a key counts twice");
    assert_eq!(keys, signed.signers());
    for over in &distinct {
        let own = over.message == *signed.transaction.hash().as_bytes();
        assert_eq!(own, over.covers.is_empty());
        assert!(own || over.covers.contains(&signed.transaction.hash()), "a signature over others alone");
    }
    let unsigned = Transaction::parse(signed.transaction.bytes());
    assert_eq!(unsigned.as_ref(), Ok(&signed.transaction), "signatures change nothing of what is signed");
}
