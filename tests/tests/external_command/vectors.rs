//! The vectors of the protocol: what is written to a program, byte for byte, and what its answers mean.

use std::{fs, path::PathBuf, time::Duration};

use canton_topology::{
    Timestamp,
    hash::UniqueKey,
    key::KeySpec,
    mapping::{Mapping, NamespaceDelegation},
    transaction::{Operation, Serial, Transaction},
};
use custody::{
    journal::{Journal, JournalSlot},
    keys::{
        KeyBackend, KeyError, Outcome, PinnedKey, Purpose, keyring::Keyring, secret_key::SecretKey, to_sign::ToSign,
    },
};
use protocol::possession::Possession;
use tests::memory_keys::pinned;

use super::asking::{drilled, opened, ring, secret};

fn vector(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/custody/vectors").join(name)
}

/// A program that keeps what it is asked, and answers what stands in a vector.
fn playing(name: &str, folder: &tempfile::TempDir) -> Box<dyn KeyBackend> {
    let answer = vector(&format!("{name}.answer.json"));
    let body = "cat > \"$0\"; cat \"$1\"";
    let asked = folder.path().join("asked");
    opened("/bin/sh", &["-c", body, asked.to_str().unwrap(), answer.to_str().unwrap()], "")
}

fn must_have_asked(name: &str, folder: &tempfile::TempDir) {
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    let path = vector(&format!("{name}.request.json"));
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(asked, expected, "{}", path.display());
}

/// Plays a vector against what is done with the backend.
fn played<T>(name: &str, with: impl FnOnce(Box<dyn KeyBackend>) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let outcome = with(playing(name, &folder));
    must_have_asked(name, &folder);
    outcome
}

#[test]
fn probe_is_answered_with_ready() {
    let facts = played("probe", |mut backend| backend.probe()).unwrap();
    assert!(facts.contains(&("says".to_owned(), "two of three officers, weekdays".to_owned())), "{facts:?}");
}

#[test]
fn describe_is_answered_with_the_public_key() {
    let held = played("describe", |mut backend| backend.find("treasury \"1\"", Purpose::Namespace)).unwrap();
    assert_eq!(held.public, secret().public(Purpose::Namespace));
}

#[test]
fn describe_of_a_key_that_is_not_there_is_refused() {
    let refused = played("describe-refused", |mut backend| backend.find("nobody", Purpose::Party));
    assert!(matches!(&refused, Err(KeyError::Missing { reason, .. }) if reason == "no such key"), "{refused:?}");
}

#[test]
fn a_drill_is_signed() {
    assert!(matches!(played("sign-drill", drilled), Ok(Outcome::Signed(_))));
}

#[test]
fn a_drill_is_refused() {
    let refused = played("sign-drill-refused", drilled);
    assert!(matches!(&refused, Err(KeyError::Refused { reason, .. }) if reason == "not on a holiday"), "{refused:?}");
}

#[test]
fn a_possession_waits() {
    let public = secret().public(Purpose::Namespace);
    let possession = Possession {
        key: public.clone(),
        purpose: "namespace".to_owned(),
        owner: public.fingerprint().into(),
        coordinator: protocol::statement::SignStatements::identity(&ed25519_dalek::SigningKey::from_bytes(&[3; 32])),
        card: [4; 32],
        nonce: [9; 32],
    };

    let outcome = played("sign-possession-pending", |backend| ring(backend).sign(&ToSign::possession(&possession)));

    let note = "1 of 2 officers have signed".to_owned();
    assert_eq!(outcome, Ok(Outcome::Pending { note, retry_after: Duration::from_secs(600) }));
}

#[test]
fn a_topology_transaction_is_shown_and_signed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal")).unwrap();
    let secret = SecretKey::from_bytes(KeySpec::P256, &[5; 32]).unwrap();
    let public = secret.public(Purpose::Namespace);
    let mapping = Mapping::NamespaceDelegation(NamespaceDelegation::root(public.clone()));
    let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
    let unique_key: UniqueKey = mapping.unique_key();
    let synchronizer = format!("sync::1220{}", "0".repeat(64)).parse().unwrap();
    let slot = JournalSlot { key: public.fingerprint(), synchronizer, unique_key, serial: Serial::FIRST };
    let recorded = journal.reserve(&slot, transaction.hash(), None, Timestamp(1)).unwrap();
    let wanted = ToSign::transaction(&recorded, &transaction).unwrap();
    let key = PinnedKey { reference: "treasury".to_owned(), ..pinned(Purpose::Namespace, &public, "office") };

    let outcome = played("sign-transaction", |backend| {
        Keyring::new(vec![key], [("office".to_owned(), backend)].into()).sign(&wanted)
    });

    assert!(matches!(outcome, Ok(Outcome::Signed(_))), "{outcome:?}");
    // What stands in it comes from others: whoever looks for the first field of a name finds ours.
    let asked = fs::read_to_string(vector("sign-transaction.request.json")).unwrap();
    assert!(asked.find("\"transaction\":").unwrap() > asked.find("\"message\":").unwrap());
}
