//! Whatever the bytes are: nothing panics, what is signable is shown without loss, and one flipped bit of a real
//! transaction never passes.
#![allow(clippy::unwrap_used)]

mod fixture;

use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

use canton_topology::{
    id::Fingerprint,
    key::SigningPublicKey,
    mapping::{Code, Mapping},
    show, snapshot,
    transaction::{SignatureOver, SignedTransaction, Transaction},
};
use proptest::prelude::*;

/// The shortest real transactions of each kind, wrapped and signed, from the recordings that lie beside the project.
fn samples() -> &'static [Vec<u8>] {
    static SAMPLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let mut by_kind: BTreeMap<Code, Vec<Vec<u8>>> = BTreeMap::new();
        for name in fixture::must_list_histories().iter().filter(|name| name.contains("hand-")) {
            for history in fixture::lines(name).unwrap() {
                for step in fixture::list(&history, "steps") {
                    for recorded in fixture::list(step, "transactions") {
                        let bytes = fixture::base64(recorded, "bytes");
                        let Ok(signed) = SignedTransaction::parse_wrapped(&bytes) else { continue };
                        by_kind.entry(signed.transaction.mapping().code()).or_default().push(bytes);
                    }
                }
            }
        }
        let shortest = |mut all: Vec<Vec<u8>>| {
            all.sort_by_key(Vec::len);
            all.dedup();
            all.truncate(12);
            all
        };
        by_kind.into_values().flat_map(shortest).collect()
    })
}

/// A real transaction with a few bytes changed, put in or taken out.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0..4u8, any::<u8>());
    (any::<prop::sample::Index>(), prop::collection::vec(edit, 1..4)).prop_map(|(sample, edits)| {
        let samples = samples();
        let mut bytes = if samples.is_empty() { vec![0x0a, 0] } else { sample.get(samples).clone() };
        for (at, what, byte) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

/// What must hold of any transaction that reads.
fn check(transaction: &Transaction) {
    assert_eq!(*transaction, Transaction::parse(transaction.bytes()).unwrap());
    let _ = show::transaction(transaction);
    let _ = show::transaction_tree(transaction);
    let mapping = transaction.mapping();
    let canton = mapping.as_canton_writes();
    assert_eq!(canton, *mapping);
    assert_eq!(canton.as_canton_writes().encode(), canton.encode());
    let built = Transaction::build(transaction.operation(), transaction.serial(), mapping);
    let again = match Transaction::parse(built.bytes()) {
        Ok(again) => again,
        // Canton counts a mediator that stands there twice as two, and writes it once: what it writes it cannot read.
        Err(error) => return assert!(!transaction.unshown().is_empty(), "{error}"),
    };
    assert_eq!(again.mapping(), mapping);
    assert_eq!(again.unique_key(), transaction.unique_key());
    assert!(again.unshown().is_empty(), "what we write is shown whole: {:?}", again.unshown());
    assert_eq!(again.mapping().encode(), mapping.encode());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Transaction::parse(&bytes);
        let _ = SignedTransaction::parse_wrapped(&bytes);
        let _ = SignedTransaction::parse_plain(&bytes);
        let _ = snapshot::read(&bytes);
        let _ = SigningPublicKey::parse(&bytes);
        let _ = canton_topology::signature::Signature::parse(&bytes);
    }

    #[test]
    fn no_change_to_real_bytes_makes_a_parser_panic(bytes in mutated()) {
        let _ = snapshot::read(&bytes);
        let _ = SignedTransaction::parse_plain(&bytes);
        if let Ok(signed) = SignedTransaction::parse_wrapped(&bytes) {
            check(&signed.transaction);
            let written = SignedTransaction::parse_wrapped(&signed.encode_wrapped()).expect("what we write reads");
            prop_assert_eq!(written, signed);
        }
    }

    #[test]
    fn signable_transactions_of_different_bytes_never_show_alike(one in mutated(), other in any::<prop::sample::Index>()) {
        let Ok(one) = SignedTransaction::parse_wrapped(&one) else { return Ok(()) };
        let samples: &[Vec<u8>] = samples();
        if samples.is_empty() {
            return Ok(());
        }
        let other = SignedTransaction::parse_wrapped(other.get::<Vec<u8>>(samples)).unwrap();
        let (one, other) = (one.transaction, other.transaction);
        if one.unshown().is_empty() && other.unshown().is_empty() && one.bytes() != other.bytes() {
            prop_assert_ne!(show::transaction(&one), show::transaction(&other));
            prop_assert_ne!(show::transaction_tree(&one), show::transaction_tree(&other));
        }
    }
}

#[test]
fn all_recorded_and_real_transactions_that_are_signable_are_told_apart_by_what_is_shown() {
    let mut shown: HashMap<String, Vec<u8>> = HashMap::new();
    let mut transactions: Vec<Transaction> =
        samples().iter().map(|bytes| SignedTransaction::parse_wrapped(bytes).unwrap().transaction).collect();
    transactions.extend(fixture::genesis().unwrap_or_default().into_iter().map(|item| item.transaction.transaction));
    for transaction in &transactions {
        check(transaction);
        if transaction.unshown().is_empty() {
            let lines = format!("{:?}", show::transaction(transaction));
            let before = shown.insert(lines, transaction.bytes().to_vec());
            assert!(before.is_none_or(|bytes| bytes == transaction.bytes()));
        }
    }
}

#[test]
fn every_sample_with_one_bit_flipped_differs_in_hash_or_does_not_read() {
    for bytes in samples() {
        let signed = SignedTransaction::parse_wrapped(bytes).unwrap();
        let original = signed.transaction.bytes();
        for at in 0..original.len() {
            let mut flipped = original.to_vec();
            flipped[at] ^= 1 << (at % 8);
            if let Ok(read) = Transaction::parse(&flipped) {
                assert_ne!(read.hash(), signed.transaction.hash());
                if read.unshown().is_empty() {
                    assert_ne!(show::transaction(&read), show::transaction(&signed.transaction));
                }
            }
        }
    }
}

#[test]
fn no_flipped_bit_of_a_real_signed_transaction_makes_another_one_pass() {
    let Some(items) = fixture::genesis() else { return };
    let mut keys: HashMap<Fingerprint, SigningPublicKey> = HashMap::new();
    for item in &items {
        let mapping = item.transaction.transaction.mapping();
        if let Mapping::NamespaceDelegation(delegation) = mapping {
            keys.insert(delegation.target.fingerprint(), delegation.target.clone());
        }
        keys.extend(mapping.mapped_signing_keys().into_iter().map(|key| (key.fingerprint(), key.clone())));
    }
    let mut tried = 0;
    // A short transaction of each kind, every byte of it.
    let mut by_kind: BTreeMap<Code, &SignedTransaction> = BTreeMap::new();
    for item in &items {
        let signed = &item.transaction;
        let shortest = by_kind.entry(signed.transaction.mapping().code()).or_insert(signed);
        if signed.transaction.bytes().len() < shortest.transaction.bytes().len() {
            *shortest = signed;
        }
    }
    for signed in by_kind.values() {
        let bytes = signed.encode_wrapped();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            tried += 1;
            assert!(is_harmless(&flipped, signed, &keys), "byte {at} of {:?}", signed.transaction);
        }
    }
    println!("{tried} flipped bits of {} transactions are harmless", by_kind.len());
}

/// Whether the bytes do not read, hold a signature that does not verify, or hold the same transaction with signatures that
/// it had before. The envelope's version, the proposal flag and how many signatures stand there nobody signs.
fn is_harmless(flipped: &[u8], original: &SignedTransaction, keys: &HashMap<Fingerprint, SigningPublicKey>) -> bool {
    let Ok(read) = SignedTransaction::parse_wrapped(flipped) else { return true };
    let found = read.distinct_signatures();
    let verify = found.iter().all(|over| {
        keys.get(over.signature.signed_by()).is_some_and(|key| over.signature.verify(key, &over.message).is_ok())
    });
    let before = original.distinct_signatures();
    let is_one_of_them = |over: &SignatureOver| {
        let mut same = before.iter().filter(|other| other.message == over.message);
        same.any(|other| {
            other.signature.bytes() == over.signature.bytes()
                && other.signature.signed_by() == over.signature.signed_by()
        })
    };
    !verify || (read.transaction == original.transaction && found.iter().all(is_one_of_them))
}
