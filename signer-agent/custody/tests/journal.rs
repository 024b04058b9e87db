//! The journal: never a second hash for one slot in silence, whatever happens around it.
#![allow(clippy::unwrap_used)]

use std::{fs, sync::Arc, thread};

use canton_topology::{
    Timestamp,
    hash::{TransactionHash, UniqueKey},
    id::Fingerprint,
    key::{KeyUsage, SigningPublicKey},
    signature::Signature,
    transaction::Serial,
};
use custody::{
    journal::{Journal, JournalError, JournalSlot},
    ladder::SignError,
};
use ed25519_dalek::{Signer as _, SigningKey};

fn key(seed: u8) -> (SigningKey, SigningPublicKey) {
    let secret = SigningKey::from_bytes(&[seed; 32]);
    let public = SigningPublicKey::ed25519(secret.verifying_key().as_bytes(), &[KeyUsage::Namespace]).unwrap();
    (secret, public)
}

fn hash(seed: u16) -> TransactionHash {
    TransactionHash::of(&seed.to_be_bytes())
}

fn slot(fingerprint: Fingerprint, serial: u32) -> JournalSlot {
    let unique_key: UniqueKey = format!("1220{}", "ab".repeat(32)).parse().unwrap();
    let synchronizer = format!("sync::1220{}", "cd".repeat(32)).parse().unwrap();
    JournalSlot { key: fingerprint, synchronizer, unique_key, serial: Serial::try_from(serial).unwrap() }
}

const NOW: Timestamp = Timestamp(1);

#[test]
fn t14_a_second_transaction_for_one_slot_is_refused_until_a_human_releases_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal")).unwrap();
    let slot = slot(key(1).1.fingerprint(), 1);
    journal.reserve(&slot, hash(1), None, NOW).unwrap();
    journal.reserve(&slot, hash(1), None, NOW).unwrap();
    let second = journal.reserve(&slot, hash(2), None, NOW);
    assert!(matches!(second, Err(JournalError::Conflict { existing, .. }) if existing == hash(1)));
    let unrelated = journal.reserve(&slot, hash(2), Some(hash(3)), NOW);
    assert!(matches!(unrelated, Err(JournalError::Conflict { .. })));

    journal.reserve(&slot, hash(2), Some(hash(1)), NOW).unwrap();

    let (_, entries) = journal.entries().unwrap().pop().unwrap();
    assert_eq!(entries[1].released, Some(hash(1)));
    let third = journal.reserve(&slot, hash(3), Some(hash(1)), NOW);
    assert!(matches!(third, Err(JournalError::Conflict { existing, .. }) if existing == hash(2)));
}

#[test]
fn t14_ten_thousand_attempts_at_once_never_let_two_in() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(Journal::open(&folder.path().join("journal")).unwrap());
    let attempts: u16 = if std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some() { 2_500 } else { 100 };
    let threads: Vec<_> = (0..4u16)
        .map(|thread| {
            let journal = Arc::clone(&journal);
            thread::spawn(move || {
                let slot = slot(key(1).1.fingerprint(), 1);
                (0..attempts).filter(|n| journal.reserve(&slot, hash(thread * attempts + n), None, NOW).is_ok()).count()
            })
        })
        .collect();
    let taken: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(taken, 1);
    assert_eq!(journal.entries().unwrap()[0].1.len(), 1);
}

#[test]
fn t15_what_was_recorded_before_a_crash_still_binds_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (secret, public) = key(1);
    let slot = slot(public.fingerprint(), 1);
    {
        let journal = Journal::open(&path).unwrap();
        journal.reserve(&slot, hash(1), None, NOW).unwrap();
    }
    let journal = Journal::open(&path).unwrap();
    assert!(matches!(journal.reserve(&slot, hash(2), None, NOW), Err(JournalError::Conflict { .. })));

    let recorded = journal.reserve(&slot, hash(1), None, NOW).unwrap();
    assert_eq!(recorded.given(), None);
    let signature = Signature::new_ed25519(secret.sign(hash(1).as_bytes()).to_bytes(), public.fingerprint());
    recorded.signed(&journal, signature.clone(), &public).unwrap();
    drop(journal);

    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.reserve(&slot, hash(1), None, NOW).unwrap().given(), Some(&signature));
}

#[test]
fn t26_another_keys_signature_and_a_signature_of_another_hash_are_never_released() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal")).unwrap();
    let ((secret, public), (stranger, strange)) = (key(1), key(2));
    let sign = |secret: &SigningKey, by: &SigningPublicKey, what: TransactionHash| {
        Signature::new_ed25519(secret.sign(what.as_bytes()).to_bytes(), by.fingerprint())
    };
    for (signature, pinned) in [
        (sign(&stranger, &strange, hash(1)), &public),
        (sign(&stranger, &public, hash(1)), &public),
        (sign(&secret, &public, hash(2)), &public),
        (sign(&stranger, &strange, hash(1)), &strange),
    ] {
        let recorded = journal.reserve(&slot(public.fingerprint(), 1), hash(1), None, NOW).unwrap();
        let refused = recorded.signed(&journal, signature, pinned);
        assert!(matches!(refused, Err(SignError::NotThePinnedKey { .. })));
    }
}

#[test]
fn t41_a_key_signs_for_the_synchronizer_that_it_first_signed_for_and_for_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal")).unwrap();
    let here = slot(key(1).1.fingerprint(), 1);
    journal.reserve(&here, hash(1), None, NOW).unwrap();
    let there = JournalSlot { synchronizer: format!("test::1220{}", "ef".repeat(32)).parse().unwrap(), ..here };
    assert!(matches!(journal.reserve(&there, hash(1), None, NOW), Err(JournalError::Pinned { .. })));
}

#[test]
fn a_row_with_one_flipped_bit_is_noticed_and_nothing_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let slot = slot(key(1).1.fingerprint(), 1);
    {
        let journal = Journal::open(&path).unwrap();
        journal.reserve(&slot, hash(1), None, NOW).unwrap();
    }
    let mut bytes = fs::read(&path).unwrap();
    let signed = hash(1);
    let needle = &signed.as_bytes()[2..];
    let places: Vec<usize> =
        bytes.windows(needle.len()).enumerate().filter(|(_, window)| *window == needle).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the hash stands in the file as it is");
    for place in places {
        bytes[place] ^= 1;
    }
    fs::write(&path, &bytes).unwrap();

    // Either the database itself refuses the page, or our own checksum refuses the row; never is it taken for good.
    let refused = Journal::open(&path).and_then(|journal| journal.reserve(&slot, hash(2), None, NOW).map(|_| ()));
    assert!(matches!(refused, Err(JournalError::Damaged { .. } | JournalError::Store(_))), "{refused:?}");
}

#[test]
fn one_process_holds_a_journal_at_a_time_and_the_other_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let first = Journal::open(&path).unwrap();

    let refused = Journal::open(&path).err().unwrap();

    assert!(matches!(&refused, JournalError::InUse { path: held } if *held == path), "{refused}");
    drop(first);
    Journal::open(&path).unwrap();
}

#[test]
fn nobody_else_may_read_a_journal() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    drop(Journal::open(&path).unwrap());
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(Journal::open(&path).unwrap());
    assert_eq!(mode(), 0o600, "one of an earlier release");
}
