//! Key files: what opens, what does not, and what never leaks.
#![allow(clippy::unwrap_used)]

use std::{fs, os::unix::fs::PermissionsExt as _};

use canton_topology::key::KeySpec;
use custody::keys::{
    KeyBackend as _, NewKey, Purpose,
    encrypted_file::EncryptedFile,
    key_file::{KeyFile, KeyFileError},
};
use protocol::statement::SignStatements as _;
use secrecy::{ExposeSecret as _, SecretString};

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

#[test]
fn a_key_file_opens_with_its_passphrase_and_holds_the_same_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let made = KeyFile::create(&path, &passphrase("correct horse")).unwrap();
    let (identity, recipient) = (made.identity().identity(), made.parcel_key().recipient());
    let mut backend = EncryptedFile::new(made);
    let wanted = |purpose, spec| NewKey { name: "one".to_owned(), purpose, spec };
    let made = KeySpec::ALL.map(|spec| backend.generate(&wanted(Purpose::Party, spec)).unwrap());
    drop(backend);

    let opened = KeyFile::open(&path, &passphrase("correct horse")).unwrap();

    assert_eq!(opened.identity().identity(), identity);
    assert_eq!(opened.parcel_key().recipient(), recipient);
    assert_eq!(recipient.to_string(), opened.parcel_key().identity().to_public().to_string());
    let mut backend = EncryptedFile::new(opened);
    for held in made {
        assert_eq!(backend.find(&held.reference, Purpose::Party), Ok(held.clone()));
        assert!(backend.find(&held.reference, Purpose::Namespace).is_err(), "it is for parties");
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_wrong_passphrase_a_changed_file_and_a_short_passphrase_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let short = KeyFile::create(&path, &passphrase("short"));
    assert!(matches!(short, Err(KeyFileError::TooShort { found: 5, .. })));
    KeyFile::create(&path, &passphrase("correct horse")).unwrap();
    let again = KeyFile::create(&path, &passphrase("correct horse"));
    assert!(matches!(again, Err(KeyFileError::Exists { .. })));
    let wrong = KeyFile::open(&path, &passphrase("wrong horse"));
    assert!(matches!(wrong, Err(KeyFileError::Passphrase { .. })));

    let good = fs::read(&path).unwrap();
    // One byte of the salt, the nonce, the ciphertext and the tag each; the cost parameters have a bound of their own.
    for index in [20, 40, 70, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[index] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let changed = KeyFile::open(&path, &passphrase("correct horse"));
        assert!(matches!(changed, Err(KeyFileError::Passphrase { .. })), "byte {index}");
    }
}

#[test]
fn a_file_that_is_cut_short_or_asks_for_too_much_memory_is_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    KeyFile::create(&path, &passphrase("correct horse")).unwrap();
    let good = fs::read(&path).unwrap();
    for length in [0, 7, 8, 30, 59] {
        fs::write(&path, &good[..length]).unwrap();
        let cut = KeyFile::open(&path, &passphrase("correct horse"));
        assert!(matches!(cut, Err(KeyFileError::Format { .. })), "length {length}");
    }
    for cost in [u32::MAX, 1] {
        let mut bytes = good.clone();
        bytes[8..12].copy_from_slice(&cost.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let other = KeyFile::open(&path, &passphrase("correct horse"));
        assert!(matches!(other, Err(KeyFileError::Format { .. })), "cost {cost}");
    }
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    KeyFile::create(&path, &passphrase("correct horse")).unwrap();
    for mode in [0o640, 0o604, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = KeyFile::open(&path, &passphrase("correct horse"));
        assert!(matches!(refused, Err(KeyFileError::Mode { .. })), "mode {mode:o}");
    }
}

#[test]
fn neither_a_key_file_nor_its_errors_show_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let canary = "canary-passphrase-1f3a";
    let opened = KeyFile::create(&path, &passphrase(canary)).unwrap();
    let wrong = KeyFile::open(&path, &passphrase("another-canary-77")).unwrap_err();
    let shown = format!("{opened:?} {:?} {:?} {wrong} {wrong:?}", opened.identity(), opened.parcel_key());
    let secret = opened.parcel_key().identity().to_string();
    assert!(!shown.contains("canary") && !shown.contains(secret.expose_secret()), "{shown}");
    let written = fs::read(&path).unwrap();
    assert!(!written.windows(canary.len()).any(|window| window == canary.as_bytes()));
}
