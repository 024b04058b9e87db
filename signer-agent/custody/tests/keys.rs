//! Key files: what opens, what does not, and what never leaks.
#![allow(clippy::unwrap_used)]

use std::{fs, os::unix::fs::PermissionsExt as _};

use custody::keys::{
    KeyBackend as _, Purpose,
    encrypted_file::{EncryptedFile, KeyFileError},
};
use secrecy::{ExposeSecret as _, SecretString};

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

#[test]
fn a_key_file_opens_with_its_passphrase_and_holds_the_same_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let made = EncryptedFile::create(&path, &passphrase("correct horse")).unwrap();
    let opened = EncryptedFile::open(&path, &passphrase("correct horse")).unwrap();
    assert_eq!(made.namespace_key(), opened.namespace_key());
    assert_eq!(made.party_key(), opened.party_key());
    assert!(opened.keys().iter().all(|info| matches!(info.purpose, Purpose::Namespace | Purpose::Party)));
    assert_eq!(made.parcel_key().recipient(), opened.parcel_key().recipient());
    assert_eq!(opened.parcel_key().recipient().to_string(), opened.parcel_key().identity().to_public().to_string());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_wrong_passphrase_a_changed_file_and_a_short_passphrase_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let short = EncryptedFile::create(&path, &passphrase("short"));
    assert!(matches!(short, Err(KeyFileError::TooShort { found: 5, .. })));
    EncryptedFile::create(&path, &passphrase("correct horse")).unwrap();
    let again = EncryptedFile::create(&path, &passphrase("correct horse"));
    assert!(matches!(again, Err(KeyFileError::Exists { .. })));
    let wrong = EncryptedFile::open(&path, &passphrase("wrong horse"));
    assert!(matches!(wrong, Err(KeyFileError::Passphrase { .. })));

    let good = fs::read(&path).unwrap();
    // One byte of the salt, the nonce, the ciphertext and the tag each; the cost parameters have a bound of their own.
    for index in [20, 40, 70, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[index] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let changed = EncryptedFile::open(&path, &passphrase("correct horse"));
        assert!(matches!(changed, Err(KeyFileError::Passphrase { .. })), "byte {index}");
    }
}

#[test]
fn a_file_that_is_cut_short_or_asks_for_too_much_memory_is_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    EncryptedFile::create(&path, &passphrase("correct horse")).unwrap();
    let good = fs::read(&path).unwrap();
    for length in [0, 7, 8, 30, 59] {
        fs::write(&path, &good[..length]).unwrap();
        let cut = EncryptedFile::open(&path, &passphrase("correct horse"));
        assert!(matches!(cut, Err(KeyFileError::Format { .. })), "length {length}");
    }
    for cost in [u32::MAX, 1] {
        let mut bytes = good.clone();
        bytes[8..12].copy_from_slice(&cost.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        let other = EncryptedFile::open(&path, &passphrase("correct horse"));
        assert!(matches!(other, Err(KeyFileError::Format { .. })), "cost {cost}");
    }
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    EncryptedFile::create(&path, &passphrase("correct horse")).unwrap();
    for mode in [0o640, 0o604, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = EncryptedFile::open(&path, &passphrase("correct horse"));
        assert!(matches!(refused, Err(KeyFileError::Mode { .. })), "mode {mode:o}");
    }
}

#[test]
fn neither_a_key_file_nor_its_errors_show_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let canary = "canary-passphrase-1f3a";
    let opened = EncryptedFile::create(&path, &passphrase(canary)).unwrap();
    let wrong = EncryptedFile::open(&path, &passphrase("another-canary-77")).unwrap_err();
    let shown = format!("{opened:?} {:?} {:?} {wrong} {wrong:?}", opened.identity(), opened.parcel_key());
    let secret = opened.parcel_key().identity().to_string();
    assert!(!shown.contains("canary") && !shown.contains(secret.expose_secret()), "{shown}");
    let written = fs::read(&path).unwrap();
    assert!(!written.windows(canary.len()).any(|window| window == canary.as_bytes()));
}
