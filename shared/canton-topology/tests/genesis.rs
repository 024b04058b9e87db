//! MainNet's real topology at genesis: every transaction reads, every signature verifies, nothing is encoded again.
#![allow(clippy::unwrap_used)]

use std::{collections::HashMap, io::Read as _, path::PathBuf};

use canton_topology::{
    id::Fingerprint,
    key::SigningPublicKey,
    mapping::Mapping,
    snapshot::{self, Format},
    transaction::Transaction,
};

fn fixture(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/canton/fixtures").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: fixtures/{name} is not beside the project");
        return None;
    };
    if !name.ends_with(".gz") {
        return Some(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
    Some(plain)
}

#[test]
fn every_transaction_of_mainnets_genesis_reads_and_every_signature_verifies() {
    let Some(bytes) = fixture("CN-genesis-state-20250410.gz") else { return };
    let (format, items) = snapshot::read(&bytes).unwrap();
    assert_eq!((format, items.len()), (Format::V1, 3565));

    let mut keys: HashMap<Fingerprint, SigningPublicKey> = HashMap::new();
    for item in &items {
        let mapping = item.transaction.transaction.mapping();
        if let Mapping::NamespaceDelegation(delegation) = mapping {
            keys.insert(delegation.target.fingerprint(), delegation.target.clone());
        }
        for key in mapping.mapped_signing_keys() {
            keys.insert(key.fingerprint(), key.clone());
        }
    }
    let mut verified = 0;
    for item in &items {
        for signed in item.transaction.distinct_signatures() {
            let key = &keys[signed.signature.signed_by()];
            signed.signature.verify(key, &signed.message).unwrap();
            verified += 1;
        }
    }
    assert_eq!(verified, 4238);
}

#[test]
fn both_snapshot_formats_are_written_as_they_were_read() {
    for (name, expected) in [
        ("CN-genesis-state-20250410.gz", Format::V1),
        ("topology-snapshot-duplicate-signatures", Format::V2),
        ("topology-snapshot-duplicate-signatures-3.4", Format::V1),
    ] {
        let Some(bytes) = fixture(name) else { return };
        let (format, items) = snapshot::read(&bytes).unwrap();
        assert_eq!(format, expected, "{name}");
        assert!(snapshot::write(format, &items) == bytes, "{name} is written differently");
    }
}

#[test]
fn every_byte_of_mainnets_genesis_is_shown() {
    let Some(bytes) = fixture("CN-genesis-state-20250410.gz") else { return };
    let (_, items) = snapshot::read(&bytes).unwrap();
    let mut reasons: HashMap<String, usize> = HashMap::new();
    for item in &items {
        for unshown in item.transaction.transaction.unshown() {
            *reasons.entry(unshown.to_string()).or_default() += 1;
        }
    }
    assert!(reasons.is_empty(), "{reasons:#?}");
}

#[test]
fn a_transaction_that_was_read_is_built_again_with_the_same_meaning() {
    let Some(bytes) = fixture("CN-genesis-state-20250410.gz") else { return };
    let (_, items) = snapshot::read(&bytes).unwrap();
    let mut same = 0;
    for item in &items {
        let read = &item.transaction.transaction;
        let built = Transaction::build(read.operation(), read.serial(), read.mapping());
        assert_eq!(Transaction::parse(built.bytes()).unwrap().mapping(), read.mapping());
        same += usize::from(built.hash() == read.hash());
    }
    println!("{same} of {} have the same bytes", items.len());
}
