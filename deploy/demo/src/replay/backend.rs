//! A key backend that gives the signature which the key really gave. Never in a shipped binary.

use std::{collections::HashMap, sync::Arc};

use canton_topology::{
    Timestamp, hash::TransactionHash, id::Fingerprint, key::SigningPublicKey, signature::Signature,
    transaction::Transaction,
};
use custody::keys::{
    Abilities, Held, KeyBackend, KeyError, KeyState, NewKey, Outcome, PinnedKey, Purpose, keyring::Keyring,
    to_sign::ToSign,
};

/// Every recorded signature, by transaction and key.
pub type Signatures = Arc<HashMap<(TransactionHash, Fingerprint), Signature>>;

/// Collects the signatures of a chain.
pub fn recorded(chain: &[(Transaction, Vec<Signature>)]) -> Signatures {
    let all = chain.iter().flat_map(|(transaction, signatures)| {
        signatures.iter().map(|one| ((transaction.hash(), one.signed_by().clone()), one.clone()))
    });
    Arc::new(all.collect())
}

/// A keyring with one owner's key.
pub fn keyring(public: SigningPublicKey, signatures: Signatures) -> Keyring {
    let key = PinnedKey {
        name: "namespace".to_owned(),
        purpose: Purpose::Namespace,
        public,
        backend: "recorded".to_owned(),
        reference: String::new(),
        pinned_at: Timestamp(0),
        state: KeyState::Active,
        drilled_at: None,
    };
    let backend: Box<dyn KeyBackend> = Box::new(Recorded { signatures });
    Keyring::new(vec![key], [("recorded".to_owned(), backend)].into())
}

struct Recorded {
    signatures: Signatures,
}

impl KeyBackend for Recorded {
    fn kind(&self) -> &'static str {
        "recorded"
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: &[], makes: false }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        Ok(Vec::new())
    }

    fn generate(&mut self, _: &NewKey) -> Result<Held, KeyError> {
        Err(KeyError::Unable("history makes no keys".to_owned()))
    }

    fn find(&mut self, reference: &str, _: Purpose) -> Result<Held, KeyError> {
        Err(KeyError::Missing { reference: reference.to_owned(), reason: "nothing is looked for here".to_owned() })
    }

    fn sign(&mut self, _: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        let transaction = wanted.signed_transaction().map(Transaction::hash);
        let given = transaction.and_then(|hash| self.signatures.get(&(hash, wanted.key().clone())).cloned());
        given.map(Outcome::Signed).ok_or_else(|| KeyError::Backend(format!("the key never signed {transaction:?}")))
    }
}
