//! Signing keys of every format, and signatures of every curve.

use std::sync::OnceLock;

use canton_topology::{
    key::{KeyFormat, KeySpec, KeyUsage, SigningPublicKey},
    signature::Signature,
};

/// A key or a signature that reads is written back to the same, as bytes and as text, and nothing that is made of
/// arbitrary bytes verifies.
pub fn run(bytes: &[u8]) {
    if let Ok(key) = SigningPublicKey::parse(bytes) {
        check_key(&key);
    }
    for spec in KeySpec::ALL {
        if let Ok(key) = SigningPublicKey::from_spki(spec, bytes, &[KeyUsage::Namespace]) {
            assert_eq!(key.spki(), bytes);
            check_key(&key);
        }
    }
    if let Ok(signature) = Signature::parse(bytes) {
        assert_eq!(Signature::parse(&signature.encode()).as_ref(), Ok(&signature));
        assert_eq!(signature.to_string().parse(), Ok(signature.clone()));
        let _ = (signature.format(), signature.algorithm(), signature.is_delegated());
    }
    for key in real_keys() {
        nothing_verifies(key, bytes);
    }
}

fn check_key(key: &SigningPublicKey) {
    let again = SigningPublicKey::parse(&key.encode()).expect("what we write reads");
    assert_eq!((&again, again.as_written()), (key, key.as_written()));
    assert_eq!(key.to_string().parse::<SigningPublicKey>().as_ref(), Ok(key));
    let canton = key.normalised();
    assert_eq!(canton, *key, "Canton's own form is the same key");
    assert_eq!(canton.fingerprint(), key.fingerprint());
    assert_eq!(canton.normalised().as_written(), canton.as_written());
    let read = SigningPublicKey::parse(&canton.encode()).expect("Canton's form reads");
    assert_eq!((&read, read.as_written()), (key, canton.as_written()));
    if key.format() == KeyFormat::Symbolic {
        nothing_verifies(key, key.spki());
    }
}

/// A message that nobody ever signed: no signature over it exists.
fn nothing_verifies(key: &SigningPublicKey, bytes: &[u8]) {
    let message = [0x5a; 34];
    let der = Signature::new_ecdsa_der(bytes.to_vec(), key.fingerprint(), key.spec());
    assert!(der.verify(key, &message).is_err());
    if let Ok(bytes) = bytes.try_into() {
        assert!(Signature::new_ed25519(bytes, key.fingerprint()).verify(key, &message).is_err());
    }
}

/// A key of each curve.
fn real_keys() -> &'static [SigningPublicKey] {
    static KEYS: OnceLock<Vec<SigningPublicKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        REAL_KEYS
            .into_iter()
            .map(|(spec, spki)| {
                let spki = hex::decode(spki).expect("hex digits");
                SigningPublicKey::from_spki(spec, &spki, &[KeyUsage::Namespace]).expect("it is a key of its curve")
            })
            .collect()
    })
}

const REAL_KEYS: [(KeySpec, &str); 4] = [
    (KeySpec::Ed25519, "302a300506032b6570032100ed1dbc6da4f4a7be1bbfdc814fbf275cb74a2c230235c5a93eb00e746c1a49ab"),
    (
        KeySpec::P256,
        "3059301306072a8648ce3d020106082a8648ce3d030107034200044c483aa9f25758d96720458a38b34639782f\
         161b60466748df15543111bdc6debb174de31969e34b7c438ec91804e876d2b93c431a3918eade9df65472f5a9\
         02",
    ),
    (
        KeySpec::P384,
        "3076301006072a8648ce3d020106052b8104002203620004a7d9429935228e2f73c2a8d65b09760c85881c597a\
         af39eb5aff06e7d401769f94e8e1cb1ca00d5eb53f91fba7a7903d8b6fcb593f93c9ee6f567b872229d7801e0b\
         bd51010540ab794b86fe9f3982fb1031a436a1a27e63b551a928050b5931",
    ),
    (
        KeySpec::Secp256k1,
        "3056301006072a8648ce3d020106052b8104000a034200046c57b2159f375892524fc716d723b426b3021b4c87\
         3c7e61ac5e9486942b1d1427c9366d53bec185ac5c2a598d355fbd97543559f55a9fd918d520147f0044df",
    ),
];
