//! Values that others published: keys, fingerprints, hashes, namespaces and signed transactions, by their ids.
#![allow(clippy::unwrap_used)]

mod fixture;

use std::collections::BTreeMap;

use canton_topology::{
    Timestamp,
    hash::{MultiHash, TransactionHash},
    id::{Fingerprint, Member, MemberKind, Namespace, ParticipantId, PartyId, SynchronizerId, decentralized_namespace},
    key::{KeySpec, KeyUsage, SigningPublicKey},
    mapping::{
        DynamicSequencingParametersState, LsuAnnouncement, Mapping, MediatorSynchronizerState, OwnerKey,
        OwnerToKeyMapping, ParticipantSynchronizerPermission, PartyHostingLimits, PartyToKeyMapping,
        PartyToParticipant, Permission, SequencerSynchronizerState, SynchronizerTrustCertificate, VettedPackages,
    },
    signature::Signature,
    transaction::{Operation, SignedTransaction, Transaction},
};
use fixture::{base64, hex, list, text};
use serde_json::Value;

/// The published vector of that id; `None` where the file is absent.
fn published(id: &str) -> Option<Value> {
    let all = fixture::json("vectors/topology.json")?;
    Some(list(&all, "published").iter().find(|vector| vector["id"] == id).unwrap().clone())
}

fn spec(value: &Value) -> KeySpec {
    text(value, "key_spec").replace("SIGNING_KEY_SPEC_", "").parse().unwrap()
}

fn key(spki: &[u8], spec: KeySpec) -> SigningPublicKey {
    SigningPublicKey::from_spki(spec, spki, &KeyUsage::ALL).unwrap()
}

fn any_key(spki: &[u8]) -> SigningPublicKey {
    let specs = KeySpec::ALL.into_iter();
    specs.filter_map(|spec| SigningPublicKey::from_spki(spec, spki, &KeyUsage::ALL).ok()).next().unwrap()
}

/// Checks a signed transaction as the vectors hold it: hash, content, and every signature.
fn check_transaction(vector: &Value, keys: &BTreeMap<Fingerprint, SigningPublicKey>) {
    let bytes = hex(vector, "transaction_versioned_hex");
    let transaction = Transaction::parse(&bytes).unwrap();
    assert_eq!(transaction.hash().to_string(), text(vector, "transaction_hash_hex"));
    assert_eq!(Value::from(transaction.serial().get()), vector["serial"]);
    let is_removal = vector["operation"] == 2 || vector["operation"] == "REMOVE";
    assert_eq!(transaction.operation() == Operation::Remove, is_removal);
    assert!(transaction.unshown().is_empty(), "{:?}", transaction.unshown());
    if let Some(unique_key) = vector["mapping_unique_key_hex"].as_str() {
        assert_eq!(transaction.unique_key().to_string(), unique_key);
    }
    let wrapped = ["signed_transaction_versioned_hex", "signed_topology_transaction_versioned_hex"];
    if let Some(name) = wrapped.into_iter().find(|name| vector.get(*name).is_some()) {
        let signed = SignedTransaction::parse_wrapped(&hex(vector, name)).unwrap();
        assert_eq!(signed.transaction.bytes(), bytes);
        assert_eq!(signed.encode_wrapped(), hex(vector, name));
    }
    if vector.get("signed_topology_transaction_proto_hex").is_some() {
        let plain = hex(vector, "signed_topology_transaction_proto_hex");
        assert_eq!(SignedTransaction::parse_plain(&plain).unwrap().encode_plain(), plain);
    }
    let signatures = list(vector, "signatures");
    assert!(!signatures.is_empty());
    for signature in signatures {
        check_signature(signature, transaction.hash().as_bytes(), keys);
    }
}

fn check_signature(vector: &Value, message: &[u8], keys: &BTreeMap<Fingerprint, SigningPublicKey>) {
    let signed_by: Fingerprint = text(vector, "signed_by").parse().unwrap();
    let own = vector.get("public_key_spki_hex").map(|_| any_key(&hex(vector, "public_key_spki_hex")));
    let key = own.as_ref().unwrap_or_else(|| &keys[&signed_by]);
    assert_eq!(key.fingerprint(), signed_by);
    let bytes = hex(vector, "signature_hex");
    let signature = match key.spec() {
        KeySpec::Ed25519 => Signature::new_ed25519(bytes.try_into().unwrap(), signed_by),
        KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1 => Signature::new_ecdsa_der(bytes, signed_by, key.spec()),
    };
    signature.verify(key, message).unwrap();
    // The same signature over anything else is none.
    assert!(signature.verify(key, &message[2..]).is_err());
}

#[test]
fn pub_ext_party_single_ptp() {
    let Some(vector) = published("pub-ext-party-single-ptp") else { return };
    let key = key(&base64(&vector, "public_key_spki_base64"), spec(&vector));
    assert_eq!(key.fingerprint().to_string(), text(&vector, "fingerprint"));
    let transaction = Transaction::parse(&base64(&vector, "transaction_base64")).unwrap();
    assert_eq!(transaction.hash().to_string(), text(&vector, "transaction_hash_hex"));
    let multi = MultiHash::of([&transaction.hash()]);
    assert_eq!(multi.to_string(), text(&vector, "multi_hash_hex"));
    let signature = base64(&vector, "signature_base64").try_into().unwrap();
    Signature::new_ed25519(signature, key.fingerprint()).verify(&key, multi.as_bytes()).unwrap();
}

#[test]
fn pub_raw_ed25519_multihash_signature() {
    let Some(vector) = published("pub-raw-ed25519-multihash-signature") else { return };
    let raw = base64(&vector, "public_key_raw_base64").try_into().unwrap();
    let key = SigningPublicKey::ed25519(&raw, &KeyUsage::ALL).unwrap();
    assert_eq!(key.fingerprint().to_string(), text(&vector, "fingerprint"));
    let multi: MultiHash = text(&vector, "multi_hash_hex").parse().unwrap();
    assert_eq!(base64(&vector, "multi_hash_base64"), multi.as_bytes());
    let signature = base64(&vector, "signature_base64").try_into().unwrap();
    Signature::new_ed25519(signature, key.fingerprint()).verify(&key, multi.as_bytes()).unwrap();
}

#[test]
fn pub_multihash_three_transactions() {
    let Some(vector) = published("pub-multihash-three-transactions") else { return };
    let transactions = fixture::base64_list(&vector, "transactions_base64");
    let hashes: Vec<TransactionHash> =
        transactions.iter().map(|bytes| Transaction::parse(bytes).unwrap().hash()).collect();
    let texts: Vec<String> = hashes.iter().map(ToString::to_string).collect();
    assert_eq!(Value::from(texts), vector["transaction_hashes_hex"]);
    assert_eq!(MultiHash::of(&hashes).to_string(), text(&vector, "multi_hash_hex"));
    // Order and repetition do not count.
    assert_eq!(MultiHash::of(hashes.iter().rev().chain(&hashes)), MultiHash::of(&hashes));
    for one in list(&vector, "keys") {
        assert_eq!(any_key(&base64(one, "spki_base64")).fingerprint().to_string(), text(one, "fingerprint"));
    }
}

#[test]
fn pub_decentralized_namespace_3_owners() {
    let Some(vector) = published("pub-decentralized-namespace-3-owners") else { return };
    let owners: Vec<Namespace> = fixture::texts(&vector, "owners").iter().map(|owner| owner.parse().unwrap()).collect();
    let namespace = decentralized_namespace(&owners);
    assert_eq!(namespace.to_string(), text(&vector, "decentralized_namespace"));
    assert_eq!(decentralized_namespace(owners.iter().rev().chain(&owners)), namespace);
}

#[test]
fn pub_fingerprint_ed25519_node_root() {
    let Some(vector) = published("pub-fingerprint-ed25519-node-root") else { return };
    let key = key(&base64(&vector, "public_key_spki_base64"), spec(&vector));
    assert_eq!(key.fingerprint().to_string(), text(&vector, "fingerprint"));
}

#[test]
fn pub_fingerprint_p256_kms_node_root() {
    let Some(vector) = published("pub-fingerprint-p256-kms-node-root") else { return };
    let key = key(&base64(&vector, "public_key_spki_base64"), spec(&vector));
    assert_eq!(key.fingerprint().to_string(), text(&vector, "fingerprint"));
}

#[test]
fn pub_mainnet_dso_decentralized_namespace_history() {
    let Some(vector) = published("pub-mainnet-dso-decentralized-namespace-history") else { return };
    for one in list(&vector, "transactions") {
        check_transaction(one, &BTreeMap::new());
        let transaction = Transaction::parse(&hex(one, "transaction_versioned_hex")).unwrap();
        let Mapping::DecentralizedNamespaceDefinition(definition) = transaction.mapping() else {
            panic!("a definition is expected")
        };
        assert_eq!(definition.namespace.to_string(), text(one, "decentralized_namespace"));
        assert_eq!(Value::from(definition.threshold), one["threshold"]);
        let owners: Vec<String> = definition.owners.iter().map(ToString::to_string).collect();
        assert_eq!(Value::from(owners), one["owners"]);
        if transaction.serial().get() == 1 {
            assert_eq!(decentralized_namespace(&definition.owners), definition.namespace);
        }
    }
}

#[test]
fn pub_mainnet_misc_signed_transactions() {
    let Some(vector) = published("pub-mainnet-misc-signed-transactions") else { return };
    list(&vector, "transactions").iter().for_each(|one| check_transaction(one, &BTreeMap::new()));
}

#[test]
fn pub_p256_two_owner_decentralized_namespace() {
    let Some(vector) = published("pub-p256-two-owner-decentralized-namespace") else { return };
    list(&vector, "transactions").iter().for_each(|one| check_transaction(one, &BTreeMap::new()));
}

#[test]
fn every_published_vector_has_its_test() {
    let Some(all) = fixture::json("vectors/topology.json") else { return };
    let source = include_str!("published_vectors.rs");
    for vector in list(&all, "published") {
        // The whole genesis file is what `genesis.rs` reads.
        let name = text(vector, "id").replace('-', "_");
        assert!(name == "pub_mainnet_genesis_whole_file" || source.contains(&format!("fn {name}(")), "{name}");
    }
}

/// One test for each derived vector of a list, by its id.
macro_rules! derived {
    ($check:ident: $($name:ident = $id:literal),* $(,)?) => {$(
        #[test]
        fn $name() {
            $check($id);
        }
    )*};
}

derived! { check_derived_key:
    derived_key_owner1 = "owner1",
    derived_key_owner2 = "owner2",
    derived_key_owner3 = "owner3",
    derived_key_owner4 = "owner4",
    derived_key_owner5 = "owner5",
    derived_key_owner1_delegate = "owner1-delegate",
    derived_key_participant1_ns = "participant1-ns",
    derived_key_participant2_ns = "participant2-ns",
    derived_key_daml1 = "daml1",
    derived_key_daml2 = "daml2",
}

derived! { check_derived_transaction:
    derived_nsd_root_owner1 = "nsd-root-owner1",
    derived_nsd_root_owner2 = "nsd-root-owner2",
    derived_nsd_root_owner3 = "nsd-root-owner3",
    derived_nsd_root_owner4 = "nsd-root-owner4",
    derived_nsd_root_owner5 = "nsd-root-owner5",
    derived_nsd_root_participant1_ns = "nsd-root-participant1-ns",
    derived_nsd_root_participant2_ns = "nsd-root-participant2-ns",
    derived_nsd_delegate_owner1_restricted = "nsd-delegate-owner1-restricted",
    derived_nsd_delegate_owner1_revoke = "nsd-delegate-owner1-revoke",
    derived_dnd_serial1_3_owners_threshold2 = "dnd-serial1-3-owners-threshold2",
    derived_dnd_serial2_add_owner4 = "dnd-serial2-add-owner4",
    derived_dnd_serial3_remove_owner2_threshold3 = "dnd-serial3-remove-owner2-threshold3",
    derived_ptp_serial1_one_host = "ptp-serial1-one-host",
    derived_ptp_serial2_add_host_onboarding_and_keys = "ptp-serial2-add-host-onboarding-and-keys",
    derived_ptp_serial3_clear_onboarding = "ptp-serial3-clear-onboarding",
    derived_ptp_serial4_threshold2 = "ptp-serial4-threshold2",
    derived_ptp_serial5_participant2_leaves_and_threshold1 = "ptp-serial5-participant2-leaves-and-threshold1",
    derived_ptp_serial6_remove = "ptp-serial6-remove",
}

#[test]
fn every_derived_vector_has_its_test() {
    let Some(derived) = derived() else { return };
    let source = include_str!("published_vectors.rs");
    let names = list(&derived, "keys").iter().map(|one| text(one, "name"));
    for id in names.chain(list(&derived, "transactions").iter().map(|one| text(one, "id"))) {
        assert!(source.contains(&format!(" = \"{id}\",")), "{id}");
    }
}

fn derived() -> Option<Value> {
    Some(fixture::json("vectors/topology.json")?["derived_with_official_protos"].clone())
}

fn derived_keys(derived: &Value) -> BTreeMap<Fingerprint, SigningPublicKey> {
    let keys = list(derived, "keys").iter().map(|one| {
        let key = key(&hex(one, "public_key_spki_hex"), spec(one));
        assert_eq!(key.fingerprint().to_string(), text(one, "fingerprint"), "{}", one["name"]);
        (key.fingerprint(), key)
    });
    keys.collect()
}

fn check_derived_key(name: &str) {
    let Some(derived) = derived() else { return };
    let one = list(&derived, "keys").iter().find(|one| one["name"] == name).unwrap();
    let key = key(&hex(one, "public_key_spki_hex"), spec(one));
    assert_eq!(key.fingerprint().to_string(), text(one, "fingerprint"));
}

fn check_derived_transaction(id: &str) {
    let Some(derived) = derived() else { return };
    let keys = derived_keys(&derived);
    let one = list(&derived, "transactions").iter().find(|one| one["id"] == id).unwrap();
    check_transaction(one, &keys);
    // These were written by Canton's own definitions, so that building them again gives the same bytes.
    let read = Transaction::parse(&hex(one, "transaction_versioned_hex")).unwrap();
    let built = Transaction::build(read.operation(), read.serial(), read.mapping());
    assert_eq!(built.bytes(), read.bytes());
}

#[test]
fn derived_namespace_is_the_hash_of_its_owners() {
    let Some(derived) = derived() else { return };
    let owners: Vec<Namespace> = fixture::texts(&derived["decentralized_namespace"], "owners")
        .iter()
        .map(|owner| owner.parse().unwrap())
        .collect();
    assert_eq!(decentralized_namespace(&owners).to_string(), text(&derived["decentralized_namespace"], "namespace"));
}

#[test]
fn derived_owner_order_changes_the_hash_and_not_the_meaning() {
    let Some(derived) = derived() else { return };
    let other = Transaction::parse(&hex(&list(&derived, "negative")[0], "transaction_versioned_hex")).unwrap();
    assert_eq!(other.hash().to_string(), text(&list(&derived, "negative")[0], "transaction_hash_hex"));
    let is_first = |one: &&Value| one["id"] == "dnd-serial1-3-owners-threshold2";
    let first = list(&derived, "transactions").iter().find(is_first).unwrap();
    let first = Transaction::parse(&hex(first, "transaction_versioned_hex")).unwrap();
    assert_eq!(first.mapping(), other.mapping());
    assert_ne!(first.hash(), other.hash());
}

#[test]
fn derived_multi_hash_covers_five_transactions() {
    let Some(derived) = derived() else { return };
    let bundle = &derived["multi_hash"];
    let hashes: Vec<TransactionHash> =
        fixture::texts(bundle, "transaction_hashes_hex").iter().map(|hash| hash.parse().unwrap()).collect();
    let multi = MultiHash::of(&hashes);
    assert_eq!(multi.to_string(), text(bundle, "multi_hash_hex"));
    let keys = derived_keys(&derived);
    list(bundle, "signatures").iter().for_each(|one| check_signature(one, multi.as_bytes(), &keys));

    let bytes = hex(bundle, "signed_topology_transaction_proto_hex");
    let signed = SignedTransaction::parse_plain(&bytes).unwrap();
    assert_eq!(signed.encode_plain(), bytes);
    let over = signed.distinct_signatures();
    assert!(over.iter().any(|one| one.message == *multi.as_bytes()));
    over.iter().for_each(|one| {
        one.signature.verify(&keys[one.signature.signed_by()], &one.message).unwrap();
    });
}

#[test]
fn derived_unique_keys_hash_what_identifies_a_mapping() {
    let Some(derived) = derived() else { return };
    let block = &derived["mapping_unique_keys"];
    let synchronizer: SynchronizerId = text(block, "synchronizer").parse().unwrap();
    let participant: ParticipantId = text(block, "participant_uid").parse().unwrap();
    let party: PartyId = text(block, "party").parse().unwrap();
    let member = |kind| Member { kind, uid: participant.uid().clone() };
    let signing = derived_keys(&derived).into_values().next().unwrap();
    let nobody = || (Vec::new(), Vec::new());
    let ((active, observers), (sequencers, more)) = (nobody(), nobody());
    let mappings = [
        Mapping::OwnerToKeyMapping(OwnerToKeyMapping {
            member: member(MemberKind::Participant),
            keys: vec![OwnerKey::Signing(signing.clone())],
        }),
        Mapping::SynchronizerTrustCertificate(SynchronizerTrustCertificate {
            participant: participant.clone(),
            synchronizer: synchronizer.clone(),
            feature_flags: Vec::new(),
        }),
        Mapping::ParticipantSynchronizerPermission(ParticipantSynchronizerPermission {
            synchronizer: synchronizer.clone(),
            participant: participant.clone(),
            permission: Permission::Submission,
            confirmation_requests_max_rate: None,
            login_after: None,
        }),
        Mapping::PartyHostingLimits(PartyHostingLimits { synchronizer: synchronizer.clone(), party: party.clone() }),
        Mapping::VettedPackages(VettedPackages { participant, packages: Vec::new() }),
        Mapping::PartyToParticipant(PartyToParticipant {
            party: party.clone(),
            threshold: 1,
            participants: Vec::new(),
            signing_keys: None,
        }),
        Mapping::MediatorSynchronizerState(MediatorSynchronizerState {
            synchronizer: synchronizer.clone(),
            group: 0,
            threshold: 1,
            active,
            observers,
        }),
        Mapping::SequencerSynchronizerState(SequencerSynchronizerState {
            synchronizer: synchronizer.clone(),
            threshold: 1,
            active: sequencers,
            observers: more,
        }),
        Mapping::DynamicSequencingParametersState(DynamicSequencingParametersState {
            synchronizer: synchronizer.clone(),
            payload: Vec::new(),
        }),
        Mapping::PartyToKeyMapping(PartyToKeyMapping { party, threshold: 1, keys: vec![signing] }),
        Mapping::LsuAnnouncement(LsuAnnouncement {
            successor: format!("{synchronizer}::35-1").parse().unwrap(),
            upgrade_time: Timestamp(0),
        }),
    ];
    let recorded = block["keys"].as_object().unwrap();
    for mapping in &mappings {
        // Canton's own class for it has a shorter name.
        let name = mapping.code().name().replace("DynamicSequencing", "Sequencing");
        let (_, expected) = recorded.iter().find(|(label, _)| label.split('(').next() == Some(&name)).unwrap();
        assert_eq!(mapping.unique_key().to_string(), *expected, "{name}");
    }
    // The one left, whose fields are many, has its unique key among Canton's recorded vectors.
    assert_eq!(mappings.len() + 1, recorded.len());
}
