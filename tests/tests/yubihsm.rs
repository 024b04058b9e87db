//! The backend `yubihsm` on the device in software of its own crate: Ed25519, P-256 and secp256k1, without an audit log.
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use canton_topology::{Timestamp, key::KeySpec};
use custody::keys::{
    Abilities, Held, KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
    backends::{Kinds, OpenError},
    credential::{AskSecret, CredentialError},
    keyring::{Keyring, PinError},
    to_sign::ToSign,
};
use secrecy::SecretString;
use signer_agent::backends::yubihsm::{
    KIND, YubiHsm, open,
    session::{Access, Device},
};
use tests::backend_conformance::conforms;
use yubihsm::{Capability, Client, Connector, Credentials, Domain, asymmetric, object};

/// The device as it is delivered: authentication key 1, and this password.
const PASSWORD: &str = "password";
/// Nothing here is meant to hang.
const TIME_LIMIT: Duration = Duration::from_secs(60);
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

fn device(connector: &Connector) -> Arc<Device> {
    let (connector, password) = (connector.clone(), SecretString::from(PASSWORD.to_owned()));
    let access = Access { auth_key: 1, password, audit_log: None, time_limit: TIME_LIMIT };
    Arc::new(Device::new(move || connector.clone(), access))
}

fn backend(connector: &Connector) -> YubiHsm {
    YubiHsm::new(device(connector), Domain::DOM1)
}

/// The same, for a device that lacks P-384.
struct WithoutP384(YubiHsm);

impl KeyBackend for WithoutP384 {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: &[KeySpec::Ed25519, KeySpec::P256, KeySpec::Secp256k1], ..self.0.abilities() }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        self.0.probe()
    }

    fn generate(&mut self, wanted: &NewKey) -> Result<Held, KeyError> {
        self.0.generate(wanted)
    }

    fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError> {
        self.0.find(reference, purpose)
    }

    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        self.0.sign(key, wanted)
    }
}

fn made_with(connector: &Connector, id: object::Id, capabilities: Capability, algorithm: asymmetric::Algorithm) {
    let credentials = Credentials::from_password(1, PASSWORD.as_bytes());
    let client = Client::open(connector.clone(), credentials, true).unwrap();
    let label = object::Label::from_bytes(b"treasury").unwrap();
    client.generate_asymmetric_key(id, label, Domain::DOM1, capabilities, algorithm).unwrap();
}

#[test]
fn the_device_conforms() {
    // The device has 16 sessions and frees none: what opens it more often than that shares one.
    let device = device(&Connector::mockhsm());

    conforms(&mut || Box::new(WithoutP384(YubiHsm::new(device.clone(), Domain::DOM1))));
}

#[test]
fn a_key_is_made_to_sign_and_for_nothing_else() {
    let connector = Connector::mockhsm();
    for (spec, capability) in [(KeySpec::Ed25519, "sign-eddsa"), (KeySpec::P256, "sign-ecdsa")] {
        let wanted =
            NewKey { name: "a name of more than the forty bytes of a label".to_owned(), purpose: Purpose::Party, spec };
        let held = backend(&connector).generate(&wanted).unwrap();

        assert!(held.facts.contains(&("capabilities".to_owned(), capability.to_owned())), "{:?}", held.facts);
        assert!(held.facts.contains(&("origin".to_owned(), "generated".to_owned())), "{:?}", held.facts);
        assert_eq!(held.weaknesses, Vec::<String>::new());
    }
}

#[test]
fn a_key_that_can_leave_the_device_or_does_more_than_sign_is_not_taken() {
    let connector = Connector::mockhsm();
    let ed25519 = asymmetric::Algorithm::Ed25519;
    for (id, capabilities, words) in [
        (1, Capability::SIGN_EDDSA | Capability::EXPORTABLE_UNDER_WRAP, "exportable-under-wrap"),
        (2, Capability::SIGN_EDDSA | Capability::SIGN_ATTESTATION_CERTIFICATE, "sign-attestation-certificate"),
        (3, Capability::SIGN_ECDSA, "it lacks sign-eddsa"),
    ] {
        made_with(&connector, id, capabilities, ed25519);
        let mut ring = Keyring::new(Vec::new(), [("hsm".to_owned(), Box::new(backend(&connector)) as _)].into());

        let refused = ring.take("hsm", &format!("0x{id:04x}"), "treasury", Purpose::Party, NOW).cloned();

        let named = refused.as_ref().unwrap_err().to_string();
        assert!(named.contains(&format!("which is \"0x{id:04x}\" of [backends.hsm]")), "{named}");
        let Err(PinError::Weak { weaknesses, .. }) = refused else { panic!("{refused:?}") };
        assert!(weaknesses.iter().any(|weakness| weakness.contains(words)), "{weaknesses:?}");
    }
    made_with(&connector, 4, Capability::SIGN_ECDSA, asymmetric::Algorithm::EcP256);
    let mut ring = Keyring::new(Vec::new(), [("hsm".to_owned(), Box::new(backend(&connector)) as _)].into());
    ring.take("hsm", "0x0004", "treasury", Purpose::Party, NOW).unwrap();
}

#[test]
fn a_session_that_somebody_ended_is_opened_again() {
    let connector = Connector::mockhsm();
    let mut backend = backend(&connector);
    backend.probe().unwrap();
    let credentials = Credentials::from_password(1, PASSWORD.as_bytes());
    let other = Client::open(connector, credentials, true).unwrap();
    other.reset_device().unwrap();

    backend.probe().unwrap();
}

#[test]
fn a_device_that_is_not_there_is_said_not_to_be_reached() {
    let text = "connector = \"127.0.0.1:1\"\nauth_key = 1";
    let mut backend = opened(text).unwrap_or_else(|error| panic!("{error}"));

    let error = backend.probe().unwrap_err().to_string();

    assert!(error.contains("not reached by its connector"), "{error}");
    assert!(!error.contains(PASSWORD), "{error}");
}

struct Told;

impl AskSecret for Told {
    fn ask(&mut self, _: &str, _: &str) -> Result<SecretString, CredentialError> {
        Ok(SecretString::from(PASSWORD.to_owned()))
    }
}

fn opened(text: &str) -> Result<Box<dyn KeyBackend>, OpenError> {
    let config: toml::Table = toml::from_str(&format!("kind = {KIND:?}\n{text}")).unwrap();
    Kinds::default().with(KIND, open).open("hsm", &config, &mut Told)
}

#[test]
fn a_section_that_is_wrong_names_the_field() {
    for (text, words) in [
        ("connector = \"127.0.0.1\"\nauth_key = 1", "`connector`: write HOST:PORT"),
        ("connector = \"127.0.0.1:1\"\nauth_key = 1\ndomains = [17]", "`domains`: 17 is none"),
        ("connector = \"127.0.0.1:1\"\nauth_key = 1\ndomains = []", "`domains`: name at least one"),
        ("connector = \"127.0.0.1:1\"\nauth_key = 1\ntime_limit_ms = 0", "`time_limit_ms`: at least 1"),
        ("connector = \"127.0.0.1:1\"", "auth_key"),
        ("connector = \"127.0.0.1:1\"\nauth_key = 1\npin = \"1\"", "pin"),
    ] {
        let Err(error) = opened(text) else { panic!("{text} was taken") };
        assert!(error.to_string().contains(words), "{error}");
    }
}
