//! Owners, a small world of topology, and a client for the service.

pub mod client;
pub mod world;

use canton_topology::{
    Timestamp,
    id::{Namespace, SynchronizerId},
    key::{KeyUsage, SigningPublicKey},
    signature::Signature,
    transaction::{SignedTransaction, Transaction},
};
use ed25519_dalek::SigningKey;
use protocol::{
    identity::{IdentityCertificate, IdentityClaim},
    intent::{CaseId, Change, Intent},
    statement::{Approval, EncodedSignature, SignStatements, Statement},
};

pub const MINUTE: i64 = 60 * 1_000_000;

/// An owner with both of its keys.
#[derive(Clone)]
pub struct Owner {
    secret: SigningKey,
    pub key: SigningPublicKey,
    pub identity: SigningKey,
}

impl Owner {
    pub fn new(seed: u8) -> Self {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let key = SigningPublicKey::ed25519(secret.verifying_key().as_bytes(), &[KeyUsage::Namespace]).unwrap();
        Self { secret, key, identity: SigningKey::from_bytes(&[seed ^ 0x80; 32]) }
    }

    pub fn namespace(&self) -> Namespace {
        Namespace::from(self.key.fingerprint())
    }

    pub fn certificate(&self, synchronizer: &SynchronizerId) -> IdentityCertificate {
        let claim = IdentityClaim {
            namespace_key: self.key.clone(),
            identity: self.identity.identity(),
            synchronizer: synchronizer.clone(),
            issued_at: Timestamp(1),
        };
        let signature = self.sign_bytes(&claim.message());
        IdentityCertificate::new(claim, signature).unwrap()
    }

    pub fn sign_bytes(&self, message: &[u8]) -> Signature {
        Signature::new_ed25519(SignStatements::sign(&self.secret, message), self.key.fingerprint())
    }

    pub fn sign(&self, transaction: &Transaction) -> Signature {
        self.sign_bytes(transaction.hash().as_bytes())
    }

    pub fn intent(&self, number: u8, synchronizer: &SynchronizerId, now: Timestamp, change: Change) -> Statement {
        let intent = Intent {
            case: CaseId::from_bytes([number; 16]),
            synchronizer: synchronizer.clone(),
            proposer: self.namespace(),
            created_at: now,
            deadline: now.plus_micros(60 * MINUTE),
            reason: "because".to_owned(),
            change,
            accepts: Vec::new(),
            after: None,
        };
        Statement::sign(&intent, &self.identity)
    }

    /// A yes to the newest offer of a case.
    pub fn approval(&self, case: &protocol::case::Case) -> Statement {
        let offered = case.offer().unwrap();
        let signatures = offered.transactions.iter().map(|transaction| EncodedSignature {
            transaction: transaction.hash(),
            signature: self.sign(transaction).encode(),
        });
        let approval = Approval {
            case: case.id(),
            offer: offered.hash,
            owner: self.namespace(),
            synchronizer: case.intent().synchronizer.clone(),
            transactions: offered.transactions.iter().map(Transaction::hash).collect(),
            base: offered.offer.base.clone(),
            policy: None,
            checkpoint: None,
            signatures: signatures.collect(),
        };
        Statement::sign(&approval, &self.identity)
    }
}

/// A transaction that these owners have signed.
pub fn signed(transaction: Transaction, owners: &[&Owner]) -> SignedTransaction {
    let signatures = owners.iter().map(|owner| owner.sign(&transaction)).collect();
    SignedTransaction::new(transaction, signatures, false)
}
