//! The backend `participant`: keys that live in the owner's own node. It signs topology transactions alone, so such a key can
//! certify no identity key, prove no possession and sign no drill. Nothing takes a key out of a node.

use std::str::FromStr as _;

use canton_client::{error::NodeError, participant::Participant, vault::VaultKey};
use canton_topology::{
    id::{Fingerprint, SynchronizerId},
    key::KeySpec,
    show::escaped,
    transaction::SignedTransaction,
};
use custody::keys::{
    Abilities, Held, KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
    backends::{OpenError, Opening},
    to_sign::ToSign,
};
use serde::Deserialize;
use tokio::runtime::Handle;

/// Its kind in the configuration.
pub const KIND: &str = "participant";

/// Its section of `agent.toml`: the node is the one that the agent has anyway.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

/// The owner's node, as the program gives it to this kind.
#[derive(Clone)]
pub struct Node {
    /// The node.
    pub participant: Participant,
    /// The synchronizer that the keys are pinned to.
    pub synchronizer: SynchronizerId,
}

/// The backend.
pub struct Vault {
    node: Node,
    runtime: Handle,
}

/// Opens one. Nothing is sent yet.
///
/// # Errors
/// See [`OpenError`].
pub fn open(opening: Opening<'_>) -> Result<Box<dyn KeyBackend>, OpenError> {
    let _: Config = opening.config()?;
    let wrong = |reason: &str| OpenError::Config { section: opening.section.to_owned(), reason: reason.to_owned() };
    let node = opening.beside::<Node>().ok_or_else(|| wrong("this program has no participant"))?.clone();
    let runtime = Handle::try_current().map_err(|error| wrong(&error.to_string()))?;
    Ok(Box::new(Vault { node, runtime }))
}

impl Vault {
    fn held(&self, key: VaultKey, purpose: Purpose) -> Result<Held, KeyError> {
        let reference = key.public.fingerprint().to_string();
        let is_for = purpose.usage().iter().all(|usage| key.public.usage().contains(usage));
        if !is_for {
            let reason = format!("the node has it for something else than {purpose}");
            return Err(KeyError::Missing { reference, reason });
        }
        let facts = vec![
            ("name".to_owned(), escaped(&key.name)),
            ("kept-by".to_owned(), key.kms_key.map_or("the node itself".to_owned(), |id| escaped(&id))),
        ];
        Ok(Held { public: key.public, reference, facts, weaknesses: Vec::new() })
    }
}

fn failed(error: &NodeError) -> KeyError {
    KeyError::Backend(format!("the participant: {error}"))
}

impl KeyBackend for Vault {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: &KeySpec::ALL, makes: true }
    }

    fn signs_topology_alone(&self) -> bool {
        true
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        let keys = self.runtime.block_on(self.node.participant.signing_keys("")).map_err(|error| failed(&error))?;
        let listed = keys.iter().map(|key| format!("{} ({})", key.public.fingerprint(), escaped(&key.name)));
        Ok(vec![("keys".to_owned(), listed.collect::<Vec<_>>().join(", "))])
    }

    fn generate(&mut self, wanted: &NewKey) -> Result<Held, KeyError> {
        let node = &self.node.participant;
        let made = node.generate_signing_key(&wanted.name, wanted.spec, wanted.purpose.usage());
        let made = self.runtime.block_on(made).map_err(|error| failed(&error))?;
        let reference = made.fingerprint().to_string();
        if made.spec() != wanted.spec {
            let words = format!("the node made key {reference} on {}, which was not asked for", made.spec().name());
            return Err(KeyError::Backend(words));
        }
        self.find(&reference, wanted.purpose)
    }

    fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError> {
        let missing = |reason: &str| KeyError::Missing { reference: reference.to_owned(), reason: reason.to_owned() };
        let fingerprint = Fingerprint::from_str(reference).map_err(|error| missing(&error.to_string()))?;
        let found = self.runtime.block_on(self.node.participant.signing_key(&fingerprint));
        let found = found.map_err(|error| failed(&error))?;
        self.held(found.ok_or_else(|| missing("the node holds no signing key with that fingerprint"))?, purpose)
    }

    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        let Some(transaction) = wanted.signed_transaction() else {
            return Err(KeyError::Unable(format!(
                "key {} lives in a participant, which signs topology transactions alone and no {}",
                key.fingerprint(),
                wanted.shape().name()
            )));
        };
        let Node { participant, synchronizer } = &self.node;
        // What carries a signature already, a participant signs and hands back; what carries none, it proposes.
        let signature = match wanted.carried().first() {
            None => self.runtime.block_on(participant.propose(synchronizer, transaction, &key.public)),
            Some(first) => {
                let signed = SignedTransaction::new(transaction.clone(), vec![first.clone()], true);
                self.runtime.block_on(participant.sign(synchronizer, &signed, &key.public))
            }
        };
        signature.map(Outcome::Signed).map_err(|error| failed(&error))
    }
}
