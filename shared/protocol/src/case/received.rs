//! The Canton signatures that a case received. Kept as they came: whether one verifies and counts depends on topology,
//! which changes.

use std::collections::BTreeMap;

use canton_topology::{
    hash::TransactionHash,
    id::{Fingerprint, Namespace},
    signature::Signature,
};

use super::CaseError;
use crate::{limits, registry::Kind, statement::EncodedSignature};

/// Signatures by transaction and key, with who brought each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Received(BTreeMap<TransactionHash, BTreeMap<Fingerprint, Vec<(Signature, Namespace)>>>);

impl Received {
    /// Every signature for a transaction: by key, those of one key in the order in which they came.
    pub(super) fn of(&self, transaction: &TransactionHash) -> impl Iterator<Item = &Signature> {
        self.0.get(transaction).into_iter().flat_map(BTreeMap::values).flatten().map(|(signature, _)| signature)
    }

    /// Reads the signatures that a statement brings.
    ///
    /// Nothing that was received is ever forgotten: a second, other signature of a key stays beside the first, because
    /// the first may turn out not to verify. So what one owner may bring is bounded.
    ///
    /// # Errors
    /// Where one does not decode, is for another transaction, or is one too many.
    pub(super) fn read(
        &self,
        kind: Kind,
        carrier: &Namespace,
        encoded: &[EncodedSignature],
        transactions: &[TransactionHash],
    ) -> Result<Vec<(TransactionHash, Signature)>, CaseError> {
        let field = |reason: String| CaseError::Field { kind, field: "signatures", reason };
        let max = limits::SIGNATURES_PER_STATEMENT_MAX;
        if encoded.len() > max {
            return Err(field(format!("{}; at most {max} are taken", encoded.len())));
        }
        let mut signatures: Vec<(TransactionHash, Signature)> = Vec::new();
        for (index, one) in encoded.iter().enumerate() {
            if !transactions.contains(&one.transaction) {
                return Err(field(format!("number {index} is for {}, which the offer does not have", one.transaction)));
            }
            let signature =
                Signature::parse(&one.signature).map_err(|error| field(format!("number {index}: {error}")))?;
            let brought = signatures
                .iter()
                .filter(|(hash, other)| *hash == one.transaction && other.signed_by() == signature.signed_by())
                .count();
            let max = limits::SIGNATURES_PER_KEY_AND_CARRIER_MAX;
            if self.brought_by(carrier, &one.transaction, signature.signed_by()) + brought >= max {
                let key = signature.signed_by();
                return Err(field(format!("number {index}: {max} others of key {key} came from the same owner")));
            }
            if !self.holds(&one.transaction, &signature) {
                signatures.push((one.transaction, signature));
            }
        }
        Ok(signatures)
    }

    pub(super) fn add(&mut self, carrier: &Namespace, signatures: Vec<(TransactionHash, Signature)>) {
        for (transaction, signature) in signatures {
            if !self.holds(&transaction, &signature) {
                let of_key = self.0.entry(transaction).or_default().entry(signature.signed_by().clone()).or_default();
                of_key.push((signature, carrier.clone()));
            }
        }
    }

    fn of_key(&self, transaction: &TransactionHash, key: &Fingerprint) -> &[(Signature, Namespace)] {
        self.0.get(transaction).and_then(|keys| keys.get(key)).map_or(&[], Vec::as_slice)
    }

    fn holds(&self, transaction: &TransactionHash, signature: &Signature) -> bool {
        self.of_key(transaction, signature.signed_by()).iter().any(|(known, _)| known == signature)
    }

    fn brought_by(&self, carrier: &Namespace, transaction: &TransactionHash, key: &Fingerprint) -> usize {
        self.of_key(transaction, key).iter().filter(|(_, by)| by == carrier).count()
    }
}
