//! A command that is asked for something.

use canton_topology::{Timestamp, key::SigningPublicKey};
use custody::keys::{
    KeyBackend, KeyError, Outcome, Purpose,
    backends::Kinds,
    credential::{AskSecret, CredentialError},
    external_command,
    keyring::Keyring,
    secret_key::SecretKey,
    to_sign::ToSign,
};
use protocol::drill::{Drill, WORDS};
use secrecy::SecretString;
use tests::memory_keys::pinned;

struct Nobody;

impl AskSecret for Nobody {
    fn ask(&mut self, section: &str, what: &str) -> Result<SecretString, CredentialError> {
        unreachable!("a command has no secret, and [backends.{section}] was asked for its {what}")
    }
}

/// The backend as a section of `agent.toml` opens it.
pub fn opened(program: &str, arguments: &[&str], more: &str) -> Box<dyn KeyBackend> {
    let text = format!("kind = \"command\"\nprogram = {program:?}\narguments = {arguments:?}\n{more}");
    let config: toml::Table = toml::from_str(&text).unwrap();
    let kinds = Kinds::default().with(external_command::KIND, external_command::open);
    kinds.open("office", &config, &mut Nobody).unwrap()
}

/// The key of every test here.
pub fn secret() -> SecretKey {
    SecretKey::from_bytes(canton_topology::key::KeySpec::Ed25519, &[7; 32]).unwrap()
}

/// What it is asked to sign.
pub fn drill(key: &SigningPublicKey) -> Drill {
    Drill {
        words: WORDS.to_owned(),
        key: key.fingerprint(),
        owner: key.fingerprint().into(),
        synchronizer: format!("sync::1220{}", "0".repeat(64)).parse().unwrap(),
        at: Timestamp(1_700_000_000_000_000),
        nonce: [7; 32],
    }
}

/// A keyring with that key in that backend.
pub fn ring(backend: Box<dyn KeyBackend>) -> Keyring {
    let mut key = pinned(Purpose::Namespace, &secret().public(Purpose::Namespace), "office");
    key.reference = "treasury".to_owned();
    Keyring::new(vec![key], [("office".to_owned(), backend)].into())
}

/// What comes of a drill.
pub fn drilled(backend: Box<dyn KeyBackend>) -> Result<Outcome, KeyError> {
    ring(backend).sign(&ToSign::drill(&drill(&secret().public(Purpose::Namespace))))
}
