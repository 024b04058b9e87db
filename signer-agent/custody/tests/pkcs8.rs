//! PKCS#8 files: what openssl writes is read, what is written openssl reads, and what is careless is refused.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use canton_topology::key::KeySpec;
use custody::keys::{
    Purpose,
    pkcs8_file::{self, Form, Pkcs8Error},
    secret_key::SecretKey,
};
use secrecy::SecretString;

const PASSPHRASE: &str = "correct horse";

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn openssl(words: &[&str], files: &[&Path]) -> Vec<u8> {
    let output = Command::new("openssl").args(words).args(files).output().expect("openssl runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn make(path: &Path, words: &[&str]) {
    openssl(&[&["genpkey"], words, &["-out"]].concat(), &[path]);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn algorithm(spec: KeySpec) -> Vec<&'static str> {
    match spec {
        KeySpec::Ed25519 => vec!["-algorithm", "ed25519"],
        KeySpec::P256 => vec!["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        KeySpec::P384 => vec!["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        KeySpec::Secp256k1 => vec!["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
    }
}

/// The public half as openssl sees it.
fn public(path: &Path) -> Vec<u8> {
    let pass = format!("pass:{PASSPHRASE}");
    openssl(&["pkey", "-pubout", "-outform", "DER", "-passin", &pass, "-in"], &[path])
}

#[test]
fn what_openssl_writes_is_read_with_every_curve_in_pem_and_der() {
    let folder = tempfile::tempdir().unwrap();
    let pass = format!("pass:{PASSPHRASE}");
    for spec in KeySpec::ALL {
        for form in ["PEM", "DER"] {
            let (plain, path) = (folder.path().join("plain"), folder.path().join(format!("{}.{form}", spec.name())));
            make(&plain, &algorithm(spec));
            let words = ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-outform", form, "-passout", &pass, "-in"];
            fs::write(&path, openssl(&words, &[&plain])).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();

            let read = pkcs8_file::read(&path, Some(&passphrase(PASSPHRASE)), false).unwrap();

            assert_eq!(read.spec(), spec);
            assert_eq!(read.public(Purpose::Party).spki(), public(&plain), "{} {form}", spec.name());
        }
    }
}

#[test]
fn what_openssl_encrypts_with_scrypt_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, sealed) = (folder.path().join("plain"), folder.path().join("sealed"));
    make(&plain, &algorithm(KeySpec::Ed25519));
    let pass = format!("pass:{PASSPHRASE}");
    let words = ["pkcs8", "-topk8", "-scrypt", "-passout", &pass, "-in"];
    fs::write(&sealed, openssl(&words, &[&plain])).unwrap();
    fs::set_permissions(&sealed, fs::Permissions::from_mode(0o600)).unwrap();

    let read = pkcs8_file::read(&sealed, Some(&passphrase(PASSPHRASE)), false).unwrap();

    assert_eq!(read.public(Purpose::Party).spki(), public(&plain));
}

#[test]
fn what_is_written_openssl_reads_and_only_with_the_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    for (spec, form) in KeySpec::ALL.into_iter().flat_map(|spec| [(spec, Form::Pem), (spec, Form::Der)]) {
        let path = folder.path().join(format!("{}-{form:?}", spec.name()));
        let key = SecretKey::generate(spec).unwrap();

        pkcs8_file::write(&path, &key, &passphrase(PASSPHRASE), form).unwrap();

        assert_eq!(key.public(Purpose::Party).spki(), public(&path), "{}", spec.name());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = pkcs8_file::write(&path, &key, &passphrase(PASSPHRASE), form);
        assert!(matches!(again, Err(Pkcs8Error::Io { .. })), "it is never overwritten");
        let wrong = pkcs8_file::read(&path, Some(&passphrase("wrong horse")), false);
        assert!(matches!(wrong, Err(Pkcs8Error::Passphrase { .. })), "{wrong:?}");
        let none = pkcs8_file::read(&path, None, false);
        assert!(matches!(none, Err(Pkcs8Error::NeedsPassphrase { .. })), "{none:?}");
    }
}

#[test]
fn a_key_in_the_clear_is_refused_unless_the_caller_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain");
    make(&path, &algorithm(KeySpec::P256));

    let refused = pkcs8_file::read(&path, None, false);

    assert!(matches!(refused, Err(Pkcs8Error::Plaintext { .. })), "{refused:?}");
    assert!(pkcs8_file::read(&path, None, true).is_ok());
}

#[test]
fn a_file_that_others_may_read_is_refused_however_it_is_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    pkcs8_file::write(&path, &SecretKey::generate(KeySpec::Ed25519).unwrap(), &passphrase(PASSPHRASE), Form::Pem)
        .unwrap();
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = pkcs8_file::read(&path, Some(&passphrase(PASSPHRASE)), false);
        assert!(matches!(refused, Err(Pkcs8Error::Mode { .. })), "{mode:o}: {refused:?}");
    }
}

fn refused(path: &PathBuf) -> String {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    pkcs8_file::read(path, Some(&passphrase(PASSPHRASE)), true).unwrap_err().to_string()
}

#[test]
fn what_is_no_such_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    make(&path, &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    assert!(refused(&path).contains("none that Canton signs with"));
    make(&path, &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]);
    assert!(refused(&path).contains("its curve is none of"));
    fs::write(&path, openssl(&["ecparam", "-genkey", "-noout", "-name", "prime256v1"], &[])).unwrap();
    assert!(refused(&path).contains("openssl pkcs8 -topk8"));
    for garbage in ["", "neither", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        fs::write(&path, garbage).unwrap();
        assert!(!refused(&path).is_empty());
    }
}

/// A file from somebody else could say that opening it takes an hour.
#[test]
fn a_file_whose_cost_is_beyond_bearing_is_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, der) = (folder.path().join("pem"), folder.path().join("der"));
    pkcs8_file::write(&pem, &SecretKey::generate(KeySpec::Ed25519).unwrap(), &passphrase(PASSPHRASE), Form::Pem)
        .unwrap();
    let pass = format!("pass:{PASSPHRASE}");
    let words = ["pkcs8", "-topk8", "-outform", "DER", "-iter", "600000", "-passin", &pass, "-passout", &pass, "-in"];
    let mut bytes = openssl(&words, &[&pem]);
    let cost = [0x02, 0x03, 0x09, 0x27, 0xc0];
    let at = bytes.windows(5).position(|window| window == cost).expect("600000 as DER writes it");
    bytes[at + 2..at + 5].copy_from_slice(&[0x7f, 0xff, 0xff]);
    fs::write(&der, bytes).unwrap();

    assert!(refused(&der).contains("its cost is beyond"));
}
