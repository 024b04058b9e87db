//! MainNet's real topology at genesis: every transaction reads, every signature verifies, nothing is encoded again.
#![allow(clippy::unwrap_used)]

mod fixture;

use std::collections::{BTreeMap, HashMap};

use canton_topology::{
    id::Fingerprint,
    key::SigningPublicKey,
    mapping::Code,
    snapshot::{self, Format},
    transaction::Transaction,
};

const FILES: [(&str, Format); 7] = [
    ("fixtures/CN-genesis-state-20250410.gz", Format::V1),
    ("fixtures/topology-snapshot-duplicate-signatures", Format::V2),
    ("fixtures/topology-snapshot-duplicate-signatures-3.4", Format::V1),
    ("recordings/pv34/snapshot.v1", Format::V1),
    ("recordings/pv34/snapshot.v2", Format::V2),
    ("recordings/pv34/genesis.v2", Format::V2),
    ("recordings/pv35/genesis.v2", Format::V2),
];

#[test]
fn every_transaction_of_mainnets_genesis_reads_and_every_signature_verifies() {
    let Some(items) = fixture::genesis() else { return };
    assert_eq!(items.len(), 3565);
    let named = items.iter().flat_map(|item| item.transaction.transaction.mapping().signing_keys());
    let keys: HashMap<Fingerprint, SigningPublicKey> = named.map(|key| (key.fingerprint(), key.clone())).collect();
    let mut verified = 0;
    for item in &items {
        for signed in item.transaction.distinct_signatures() {
            signed.signature.verify(&keys[signed.signature.signed_by()], &signed.message).unwrap();
            verified += 1;
        }
    }
    assert_eq!(verified, 4238);
}

#[test]
fn every_snapshot_is_written_as_it_was_read_in_its_own_format_and_through_the_other() {
    for (name, expected) in FILES {
        let Some(bytes) = fixture::file(name) else { continue };
        let (format, items) = snapshot::read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(format, expected, "{name}");
        assert!(snapshot::write(format, &items) == bytes, "{name} is written differently");
        let other = if format == Format::V1 { Format::V2 } else { Format::V1 };
        let (found, through) = snapshot::read(&snapshot::write(other, &items)).unwrap();
        assert_eq!(found, other, "{name}");
        assert!(through == items, "{name} changes on the way through the other format");
        assert!(snapshot::write(format, &through) == bytes, "{name} comes back differently");
    }
}

#[test]
fn a_snapshot_that_is_cut_short_is_refused_with_its_place() {
    let Some(bytes) = fixture::file("fixtures/topology-snapshot-duplicate-signatures") else { return };
    let mut read = 0;
    for length in 0..bytes.len() {
        match snapshot::read(&bytes[..length]) {
            // Between two items a V2 file may end.
            Ok((_, items)) => {
                assert!(items.len() >= read);
                read = items.len();
            }
            Err(error) => assert!(error.place.offset <= length, "{length}: {error}"),
        }
    }
}

#[test]
fn every_byte_of_mainnets_genesis_is_shown() {
    let Some(items) = fixture::genesis() else { return };
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for unshown in items.iter().flat_map(|item| item.transaction.transaction.unshown()) {
        *reasons.entry(unshown.to_string()).or_default() += 1;
    }
    assert!(reasons.is_empty(), "{reasons:#?}");
}

#[test]
fn building_again_would_change_hashes_which_is_why_nothing_is_encoded_to_be_hashed() {
    let Some(items) = fixture::genesis() else { return };
    let mut changed: BTreeMap<Code, usize> = BTreeMap::new();
    for item in &items {
        let read = &item.transaction.transaction;
        let built = Transaction::build(read.operation(), read.serial(), read.mapping());
        assert_eq!(Transaction::parse(built.bytes()).unwrap().mapping(), read.mapping());
        assert_eq!(built.unique_key(), read.unique_key());
        if built.hash() != read.hash() {
            *changed.entry(read.mapping().code()).or_default() += 1;
        }
    }
    println!("building again would change {changed:?} of {} hashes", items.len());
    assert!(!changed.is_empty());
}
