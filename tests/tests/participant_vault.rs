//! The backend `participant` on an embedded node: what it cannot sign it refuses by name, and a node that lacks a key and
//! answers OK all the same is found out.
#![allow(clippy::unwrap_used)]

use canton_client::participant as client;
use canton_sandbox::network::{Network, Options};
use canton_topology::{
    Timestamp,
    key::{KeySpec, SigningPublicKey},
    mapping::{Mapping, NamespaceDelegation},
    transaction::{Operation, Serial, Transaction},
};
use custody::{
    journal::{Journal, JournalSlot},
    keys::{
        KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
        backends::Kinds,
        credential::{AskSecret, CredentialError},
        keyring::{Keyring, PinError},
        secret_key::SecretKey,
        to_sign::ToSign,
    },
};
use protocol::drill::{Drill, WORDS};
use secrecy::SecretString;
use signer_agent::backends::participant::{KIND, Node, open};
use tests::memory_keys::pinned;
use tokio::runtime::Runtime;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

struct Nobody;

impl AskSecret for Nobody {
    fn ask(&mut self, section: &str, what: &str) -> Result<SecretString, CredentialError> {
        unreachable!("a participant has no secret, and [backends.{section}] was asked for its {what}")
    }
}

struct Stage {
    runtime: Runtime,
    network: Network,
}

impl Stage {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options { participants: vec!["node".to_owned()], ..Options::default() };
        let network = runtime.block_on(Network::start(&options)).unwrap();
        Self { runtime, network }
    }

    fn backend(&self) -> Box<dyn KeyBackend> {
        let _inside = self.runtime.enter();
        let address = format!("http://{}", self.network.participants()[0].address);
        let options = client::Options {
            address,
            timeout: std::time::Duration::from_secs(10),
            access: canton_client::access::Access::default(),
        };
        let participant = client::Participant::new(&options).unwrap();
        let node = Node { participant, synchronizer: self.network.synchronizer().logical.clone() };
        let config: toml::Table = toml::from_str(&format!("kind = {KIND:?}")).unwrap();
        Kinds::default().with(KIND, open).beside(node).open("node", &config, &mut Nobody).unwrap()
    }

    fn ring(&self, keys: Vec<PinnedKey>) -> Keyring {
        Keyring::new(keys, [("node".to_owned(), self.backend())].into())
    }
}

fn drill(key: &SigningPublicKey) -> Drill {
    Drill {
        words: WORDS.to_owned(),
        key: key.fingerprint(),
        owner: key.fingerprint().into(),
        synchronizer: format!("sync::1220{}", "0".repeat(64)).parse().unwrap(),
        at: NOW,
        nonce: [7; 32],
    }
}

#[test]
fn a_key_is_made_and_found_in_the_node_and_signs_no_drill() {
    let stage = Stage::new();
    let mut ring = stage.ring(Vec::new());
    let wanted = NewKey { name: "treasury".to_owned(), purpose: Purpose::Party, spec: KeySpec::Ed25519 };
    let made = ring.generate("node", &wanted, NOW).unwrap().clone();

    assert_eq!(stage.backend().find(&made.reference, Purpose::Party).unwrap().public, made.public);
    let other = stage.backend().find(&made.reference, Purpose::Namespace);
    assert!(matches!(&other, Err(KeyError::Missing { reason, .. }) if reason.contains("something else")), "{other:?}");
    let refused = ring.sign(&ToSign::drill(&drill(&made.public)));
    assert!(matches!(&refused, Err(KeyError::Unable(words)) if words.contains("no drill")), "{refused:?}");
}

#[test]
fn the_first_namespace_key_must_be_able_to_certify() {
    let stage = Stage::new();
    let mut ring = stage.ring(Vec::new());
    let wanted = NewKey { name: "first".to_owned(), purpose: Purpose::Namespace, spec: KeySpec::Ed25519 };

    let refused = ring.generate("node", &wanted, NOW).cloned();

    assert!(matches!(&refused, Err(PinError::Key(KeyError::Unable(_)))), "{refused:?}");
    // Nothing was made.
    let before = stage.backend().probe().unwrap();
    assert!(!before[0].1.contains("(first)"), "{before:?}");
}

#[test]
fn a_node_that_lacks_the_key_adds_nothing_and_nothing_is_released() {
    let stage = Stage::new();
    let root = SecretKey::from_bytes(KeySpec::Ed25519, &[5; 32]).unwrap();
    let elsewhere = SecretKey::from_bytes(KeySpec::Ed25519, &[6; 32]).unwrap().public(Purpose::Namespace);
    let mapping = Mapping::NamespaceDelegation(NamespaceDelegation::root(root.public(Purpose::Namespace)));
    let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal")).unwrap();
    let slot = JournalSlot {
        key: elsewhere.fingerprint(),
        synchronizer: stage.network.synchronizer().logical.clone(),
        unique_key: mapping.unique_key(),
        serial: Serial::FIRST,
    };
    let recorded = journal.reserve(&slot, transaction.hash(), None, NOW).unwrap();
    let by = root.public(Purpose::Namespace).fingerprint();
    let carried = vec![root.sign(transaction.hash().as_bytes(), by)];
    let wanted = ToSign::transaction(&recorded, &transaction).unwrap().carrying(carried);

    let outcome = stage.ring(vec![pinned(Purpose::Namespace, &elsewhere, "node")]).sign(&wanted);

    assert!(!matches!(outcome, Ok(Outcome::Signed(_))), "{outcome:?}");
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("does it hold that key?"), "{error}");
}
