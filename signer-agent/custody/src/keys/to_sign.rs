//! What a key may be asked to sign: one constructor for each row of the registry of kinds, and no other way.

use canton_topology::{id::Fingerprint, signature::Signature, transaction::Transaction};
use protocol::{
    drill::Drill,
    identity::IdentityClaim,
    possession::Possession,
    registry::{Kind, Shape},
};

use super::Purpose;
use crate::ladder::Recorded;

/// One message for one key.
#[derive(Clone, Debug)]
pub struct ToSign<'a> {
    key: Fingerprint,
    shape: Shape,
    message: Vec<u8>,
    transaction: Option<&'a Transaction>,
    carried: Vec<Signature>,
}

impl<'a> ToSign<'a> {
    /// A topology transaction that the journal has recorded. `None` where the transaction is another one.
    pub fn transaction(recorded: &Recorded, transaction: &'a Transaction) -> Option<Self> {
        let is_it = transaction.hash() == recorded.transaction();
        is_it.then(|| Self {
            key: recorded.key().clone(),
            shape: Shape::TopologyTransaction,
            message: recorded.transaction().as_bytes().to_vec(),
            transaction: Some(transaction),
            carried: Vec::new(),
        })
    }

    /// The same, with signatures that others have given already.
    #[must_use]
    pub fn carrying(mut self, signatures: Vec<Signature>) -> Self {
        self.carried = signatures;
        self
    }

    /// A namespace key's word for an identity key.
    pub fn certificate(claim: &IdentityClaim) -> Self {
        Self::ours(claim.namespace_key.fingerprint(), Kind::Identity, claim.message())
    }

    /// A proof that its holder holds the key.
    pub fn possession(possession: &Possession) -> Self {
        Self::ours(possession.key.fingerprint(), Kind::Possession, possession.message())
    }

    /// A drill: inert, whoever gets hold of it.
    pub fn drill(drill: &Drill) -> Self {
        Self::ours(drill.key.clone(), Kind::Drill, drill.message())
    }

    fn ours(key: Fingerprint, kind: Kind, message: Vec<u8>) -> Self {
        Self { key, shape: Shape::Ours(kind), message, transaction: None, carried: Vec::new() }
    }

    /// The key that is to sign.
    pub fn key(&self) -> &Fingerprint {
        &self.key
    }

    /// Its row in the registry of kinds.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The bytes to be signed, as they are: Ed25519 over them, ECDSA over their SHA-256 or SHA-384.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The topology transaction whose hash is signed, where it is one.
    pub fn signed_transaction(&self) -> Option<&'a Transaction> {
        self.transaction
    }

    /// What others have signed of it already, for a backend that wants to see it.
    pub fn carried(&self) -> &[Signature] {
        &self.carried
    }

    /// Something that is not what it says: only a mistake in this file makes one.
    #[cfg(test)]
    pub fn misshapen(key: Fingerprint, shape: Shape, message: Vec<u8>) -> Self {
        Self { key, shape, message, transaction: None, carried: Vec::new() }
    }

    /// Whether a key of that purpose signs this.
    pub(super) fn is_for(&self, purpose: Purpose) -> bool {
        match (self.shape, purpose) {
            (_, Purpose::Identity | Purpose::Parcel) => false,
            (Shape::TopologyTransaction | Shape::Ours(Kind::Possession | Kind::Drill), _) => true,
            (Shape::Ours(Kind::Identity), Purpose::Namespace) => true,
            (Shape::Ours(Kind::Identity), Purpose::Party) => false,
            (Shape::PreparedTransaction, Purpose::Namespace | Purpose::Party) => false,
            // Statements are the identity key's, which is in no keyring.
            (Shape::Ours(_), Purpose::Namespace | Purpose::Party) => false,
        }
    }
}
