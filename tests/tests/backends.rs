//! Every key backend does what the shared suite asks.
#![allow(clippy::unwrap_used)]

use custody::keys::{KeyBackend, encrypted_file::EncryptedFile, key_file::KeyFile};
use secrecy::SecretString;
use tests::backend_conformance::conforms;

#[test]
fn the_encrypted_file_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let passphrase = SecretString::from("correct horse".to_owned());
    KeyFile::create(&path, &passphrase).unwrap();

    conforms(&mut || -> Box<dyn KeyBackend> {
        Box::new(EncryptedFile::new(KeyFile::open(&path, &passphrase).unwrap()))
    });
}
