//! A key backend that gives the signature which the key really gave. Never in a shipped binary.

use std::{collections::HashMap, sync::Arc};

use canton_topology::{
    hash::TransactionHash, id::Fingerprint, key::SigningPublicKey, signature::Signature, transaction::Transaction,
};
use custody::{
    keys::{KeyBackend, KeyError, KeyInfo, Purpose},
    ladder::Recorded as RecordedRequest,
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

/// One owner's key.
pub struct Recorded {
    public: SigningPublicKey,
    signatures: Signatures,
}

impl Recorded {
    /// The key whose signatures were recorded.
    pub fn new(public: SigningPublicKey, signatures: Signatures) -> Self {
        Self { public, signatures }
    }
}

impl KeyBackend for Recorded {
    fn name(&self) -> &'static str {
        "recorded"
    }

    fn keys(&self) -> Vec<KeyInfo> {
        vec![KeyInfo { public: self.public.clone(), purpose: Purpose::Namespace }]
    }

    fn sign(&mut self, recorded: &RecordedRequest) -> Result<Signature, KeyError> {
        let wanted = (recorded.transaction(), recorded.key().clone());
        let given = self.signatures.get(&wanted).cloned();
        given.ok_or_else(|| KeyError::Backend(format!("the key never signed {}", recorded.transaction())))
    }
}
