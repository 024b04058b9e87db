//! What Canton's own classes made of single transactions, keys, hashes and signatures.
#![allow(clippy::unwrap_used)]

mod fixture;

use canton_topology::{
    hash::{MultiHash, TransactionHash},
    id::{Namespace, decentralized_namespace},
    key::{KeySpec, KeyUsage, SigningPublicKey},
    mapping::Code,
    signature::Signature,
    transaction::{Operation, Transaction},
};
use fixture::{base64, text, texts};
use serde_json::{Value, json};

#[test]
fn every_recorded_mapping_has_cantons_hash_unique_key_and_ids() {
    for vector in fixture::lines("verdicts/vectors.jsonl.gz").unwrap_or_default() {
        let transaction = Transaction::parse(&base64(&vector, "tx_bytes")).unwrap();
        let mapping = transaction.mapping();
        let operation = match transaction.operation() {
            Operation::AddReplace => "add_replace",
            Operation::Remove => "remove",
        };
        let referenced: Vec<String> = mapping.referenced().into_iter().map(ToString::to_string).collect();
        let ours = json!({
            "tx_hash": transaction.hash().to_string(),
            "unique_key": transaction.unique_key().to_string(),
            "mapping": mapping.code().letters(),
            "code": mapping.code() as u32,
            "operation": operation,
            "serial": transaction.serial().get(),
            "namespace": mapping.namespace().to_string(),
            "uid": mapping.uid().map(ToString::to_string),
            "restricted_to_synchronizer": mapping.restricted_to().map(ToString::to_string),
            "referenced_uids": referenced,
        });
        for (name, value) in ours.as_object().unwrap() {
            assert_eq!(*value, vector[name], "{} {name}", vector["id"]);
        }
    }
}

#[test]
fn every_recorded_mapping_is_written_as_canton_itself_would_write_it() {
    let mut seen = std::collections::BTreeSet::new();
    for vector in fixture::lines("verdicts/vectors.jsonl.gz").unwrap_or_default() {
        let bytes = base64(&vector, "tx_bytes");
        let read = Transaction::parse(&bytes).unwrap();
        let canton = match text(&vector, "canton_reencodes_to") {
            "same" => bytes,
            _ => base64(&vector, "canton_reencodes_to"),
        };
        let mapping = read.mapping().as_canton_writes();
        assert_eq!(mapping, *read.mapping(), "{}: the meaning stays", vector["id"]);
        let built = Transaction::build(read.operation(), read.serial(), &mapping);
        assert_eq!(hex::encode(built.bytes()), hex::encode(canton), "{}", vector["id"]);
        seen.insert(mapping.code());
    }
    assert!(seen.is_empty() || seen.len() == Code::ALL.len(), "{seen:?}");
}

#[test]
fn every_recorded_key_reads_as_canton_reads_it() {
    for vector in crypto("signing_public_key") {
        let read = SigningPublicKey::parse(&base64(&vector, "proto"));
        let note = text(&vector, "note");
        if vector["ok"] == true {
            let key = read.unwrap_or_else(|error| panic!("{note}: {error}"));
            assert_eq!(key.fingerprint().to_string(), text(&vector, "fingerprint"), "{note}");
            assert_eq!(key.spki(), base64(&vector, "normalized_key"), "{note}");
            assert_eq!(key.normalised().encode(), base64(&vector, "normalized_proto"), "{note}");
            assert_eq!(key.normalised(), key, "{note}");
            assert_eq!(SigningPublicKey::parse(&key.encode()).unwrap().encode(), key.encode(), "{note}");
        } else {
            assert!(read.is_err(), "{note}: Canton says {}", vector.get("error").unwrap_or(&vector["thrown"]));
        }
    }
}

#[test]
fn every_recorded_namespace_is_the_hash_of_its_owners() {
    for vector in crypto("decentralized_namespace") {
        let owners: Vec<Namespace> = texts(&vector, "owners").iter().map(|owner| owner.parse().unwrap()).collect();
        assert_eq!(decentralized_namespace(&owners).to_string(), text(&vector, "namespace"));
    }
}

#[test]
fn every_recorded_multi_hash_combines_its_hashes() {
    for vector in crypto("multi_hash") {
        let hashes: Vec<TransactionHash> = texts(&vector, "hashes").iter().map(|hash| hash.parse().unwrap()).collect();
        assert_eq!(MultiHash::of(&hashes).to_string(), text(&vector, "combined"));
    }
}

#[test]
fn every_recorded_signature_verifies_and_no_other() {
    for vector in crypto("signature") {
        let spec = KeySpec::ALL.into_iter().find(|spec| vector["key_spec"] == *spec as u32).unwrap();
        let key = SigningPublicKey::from_spki(spec, &base64(&vector, "public_key_spki"), &KeyUsage::ALL).unwrap();
        assert_eq!(key.fingerprint().to_string(), text(&vector, "fingerprint"));
        let (message, bytes) = (fixture::hex(&vector, "message"), base64(&vector, "signature"));
        let signature = |bytes: Vec<u8>| match spec {
            KeySpec::Ed25519 => Signature::new_ed25519(bytes.try_into().unwrap(), key.fingerprint()),
            KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1 => {
                Signature::new_ecdsa_der(bytes, key.fingerprint(), spec)
            }
        };
        signature(bytes.clone()).verify(&key, &message).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(signature(flipped).verify(&key, &message).is_err(), "{} byte {at}", vector["note"]);
        }
        for at in 0..message.len() {
            let mut flipped = message.clone();
            flipped[at] ^= 1;
            assert!(signature(bytes.clone()).verify(&key, &flipped).is_err(), "{} byte {at}", vector["note"]);
        }
    }
}

/// The recorded values of that kind.
fn crypto(kind: &str) -> Vec<Value> {
    let lines = fixture::lines("verdicts/vectors-crypto.jsonl.gz").unwrap_or_default();
    let found: Vec<Value> = lines.iter().filter(|line| line["kind"] == kind).cloned().collect();
    assert!(lines.is_empty() || !found.is_empty(), "no {kind}");
    found
}
