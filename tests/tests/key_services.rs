//! Key services over the network do what the shared suite asks, and say what is wrong where they cannot.
#![allow(clippy::unwrap_used)]

#[path = "key_services/answering.rs"]
mod answering;
#[path = "key_services/aws.rs"]
mod aws;
#[path = "key_services/gcp.rs"]
mod gcp;
#[path = "key_services/moto.rs"]
mod moto;
#[path = "key_services/transit.rs"]
mod transit;

use canton_topology::Timestamp;
use custody::keys::{
    KeyBackend, KeyError, KeyState, Outcome, PinnedKey, Purpose,
    credential::{AskSecret, CredentialError},
    keyring::Keyring,
    to_sign::ToSign,
};
use protocol::drill::{Drill, WORDS};
use secrecy::SecretString;

const SECTION: &str = "remote";
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// Somebody at the terminal, who answers with one secret.
struct Answers(&'static str);

impl AskSecret for Answers {
    fn ask(&mut self, _: &str, _: &str) -> Result<SecretString, CredentialError> {
        Ok(SecretString::from(self.0.to_owned()))
    }
}

/// The backend of a section, as the shipped agent opens it. Needs a runtime around it.
fn opened(section: &toml::Table) -> Box<dyn KeyBackend> {
    signer_agent::backends::shipped().open(SECTION, section, &mut Answers("")).unwrap()
}

/// Why a section does not open.
fn refused(section: &toml::Table) -> String {
    let opened = signer_agent::backends::shipped().open(SECTION, section, &mut Answers(""));
    opened.err().expect("it opened").to_string()
}

fn pinned(reference: &str, held: &custody::keys::Held, purpose: Purpose) -> PinnedKey {
    PinnedKey {
        name: "tried".to_owned(),
        purpose,
        public: held.public.clone(),
        backend: SECTION.to_owned(),
        reference: reference.to_owned(),
        pinned_at: NOW,
        state: KeyState::Active,
        drilled_at: None,
    }
}

/// A keyring with one key.
fn keyring(key: &PinnedKey, backend: Box<dyn KeyBackend>) -> Keyring {
    Keyring::new(vec![key.clone()], [(SECTION.to_owned(), backend)].into())
}

/// Has a key sign a drill; the keyring verifies it.
fn drilled(ring: &mut Keyring, key: &PinnedKey) -> Result<(), KeyError> {
    let drill = Drill {
        words: WORDS.to_owned(),
        key: key.public.fingerprint(),
        owner: key.public.fingerprint().into(),
        synchronizer: format!("sync::1220{}", "0".repeat(64)).parse().unwrap(),
        at: NOW,
        nonce: [7; 32],
    };
    match ring.sign(&ToSign::drill(&drill))? {
        Outcome::Signed(_) => Ok(()),
        Outcome::Pending { note, .. } => panic!("pending: {note}"),
    }
}
