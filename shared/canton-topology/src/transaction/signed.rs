//! A transaction with its signatures: over its own hash, and over the hashes of several at once.

use std::collections::BTreeSet;

use super::{Transaction, unwrap, wrap};
use crate::{
    hash::{MultiHash, NotAHash, TransactionHash},
    id::Fingerprint,
    signature::{SIGNATURE, Signature},
    wire::{
        self, DecodeError, DecodeErrorKind, Located, Node, Place, Writer,
        schema::{Field, Kind, Schema},
    },
};

static MULTI_TRANSACTION_SIGNATURES: Schema = Schema {
    name: "MultiTransactionSignatures",
    fields: &[
        Field::many(1, "transaction_hashes", Kind::Bytes),
        Field::many(2, "signatures", Kind::Message(&SIGNATURE)),
    ],
};

static SIGNED_TRANSACTION: Schema = Schema {
    name: "SignedTopologyTransaction",
    fields: &[
        Field::one(1, "transaction", Kind::Bytes),
        Field::many(2, "signatures", Kind::Message(&SIGNATURE)),
        Field::one(3, "proposal", Kind::Bool),
        Field::many(4, "multi_transaction_signatures", Kind::Message(&MULTI_TRANSACTION_SIGNATURES)),
    ],
};

/// Each transaction stands there in its version wrapper.
static SIGNED_TRANSACTIONS: Schema =
    Schema { name: "SignedTopologyTransactions", fields: &[Field::many(1, "signed_transaction", Kind::Bytes)] };

/// Reads the message `SignedTopologyTransactions`: a list of wrapped transactions, itself in a version wrapper or not.
///
/// # Errors
/// Where Canton refuses, by Canton's name, with the place.
pub fn read_list(bytes: &[u8]) -> Result<Vec<SignedTransaction>, DecodeError> {
    match unwrap(bytes, 0, "list") {
        Ok((data, offset)) => read_list_at(data, offset).or_else(|error| read_list_at(bytes, 0).map_err(|_| error)),
        Err(_) => read_list_at(bytes, 0),
    }
}

fn read_list_at(data: &[u8], offset: usize) -> Result<Vec<SignedTransaction>, DecodeError> {
    let message = wire::skim(&SIGNED_TRANSACTIONS, data, offset, "list")?;
    let read = |(index, one): (usize, &Located<'_>)| {
        let place = Place { offset: one.offset(), path: format!("list.signed_transaction[{index}]") };
        SignedTransaction::parse_wrapped(one.bytes()).map_err(|error| error.within(&place))
    };
    message.values(1).iter().enumerate().map(read).collect()
}

/// Signatures over a set of transactions, of which the enclosing one is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiSignatures {
    /// The hashes, as they were written.
    pub hashes: Vec<TransactionHash>,
    /// The signatures over [`MultiHash::of`] them.
    pub signatures: Vec<Signature>,
}

/// A transaction with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Signatures over its own hash.
    pub signatures: Vec<Signature>,
    /// Signatures over sets of hashes.
    pub multi: Vec<MultiSignatures>,
    /// Whether the sender bears it that signatures are missing.
    pub proposal: bool,
}

/// One signature and the message that it is over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignatureOver {
    /// The signature.
    pub signature: Signature,
    /// The 34 bytes that were signed.
    pub message: [u8; 34],
    /// The transactions that a multi-hash signature covers; empty for a signature over one transaction's own hash.
    pub covers: Vec<TransactionHash>,
}

impl SignedTransaction {
    /// Joins a transaction and signatures over its own hash.
    pub fn new(transaction: Transaction, signatures: Vec<Signature>, proposal: bool) -> Self {
        Self { transaction, signatures, multi: Vec::new(), proposal }
    }

    /// Joins a transaction and signatures of both kinds.
    pub fn signed_over<'a>(
        transaction: Transaction,
        signatures: impl IntoIterator<Item = &'a SignatureOver>,
        proposal: bool,
    ) -> Self {
        let mut signed = Self::new(transaction, Vec::new(), proposal);
        for over in signatures {
            let signature = over.signature.clone();
            if over.covers.is_empty() {
                signed.signatures.push(signature);
                continue;
            }
            match signed.multi.iter_mut().find(|entry| entry.hashes == over.covers) {
                Some(entry) => entry.signatures.push(signature),
                None => signed.multi.push(MultiSignatures { hashes: over.covers.clone(), signatures: vec![signature] }),
            }
        }
        signed
    }

    /// Reads the message in its version wrapper: the form of broadcasts, snapshots and `ListAll`.
    ///
    /// # Errors
    /// Where Canton refuses, by Canton's name, with the place.
    pub fn parse_wrapped(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (data, offset) = unwrap(bytes, 0, "signed")?;
        Self::parse_at(data, offset)
    }

    /// Reads the plain message: the form of `AddTransactions`.
    ///
    /// # Errors
    /// Where Canton refuses, by Canton's name, with the place.
    pub fn parse_plain(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::parse_at(bytes, 0)
    }

    fn parse_at(bytes: &[u8], offset: usize) -> Result<Self, DecodeError> {
        let message = wire::skim(&SIGNED_TRANSACTION, bytes, offset, "signed")?;
        let node = Node::root(&message, "signed");
        let place = Place { offset: node.offset(1), path: node.to_string() };
        let transaction = Transaction::parse(node.bytes(1)).map_err(|error| error.within(&place))?;
        let signatures =
            node.children(2).map(|signature| Signature::from_node(&signature)).collect::<Result<Vec<_>, _>>()?;
        let multi = node
            .children(4)
            .map(|entry| MultiSignatures::from_node(&entry, transaction.hash()))
            .collect::<Result<Vec<_>, _>>()?;
        if signatures.is_empty() && multi.is_empty() {
            let reason = "no signature; at least one is needed".to_owned();
            return Err(node.error(2, DecodeErrorKind::Invariant(reason)));
        }
        Ok(Self { transaction, signatures, multi, proposal: node.number(3) != 0 })
    }

    /// Writes the plain message.
    pub fn encode_plain(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(1, self.transaction.bytes());
        for signature in &self.signatures {
            writer.bytes(2, &signature.encode());
        }
        writer.number(3, i64::from(self.proposal));
        for entry in &self.multi {
            let mut inner = Writer::default();
            for hash in &entry.hashes {
                inner.bytes(1, hash.as_bytes());
            }
            for signature in &entry.signatures {
                inner.bytes(2, &signature.encode());
            }
            writer.bytes(4, &inner.finish());
        }
        writer.finish()
    }

    /// Writes the message in its version wrapper.
    pub fn encode_wrapped(&self) -> Vec<u8> {
        wrap(&self.encode_plain())
    }

    /// All signatures, each with its message, one for each key: the first one, single signatures before the others.
    pub fn distinct_signatures(&self) -> Vec<SignatureOver> {
        let mut distinct: Vec<SignatureOver> = Vec::new();
        let mut add = |signature: &Signature, message: [u8; 34], covers: &[TransactionHash]| {
            if !distinct.iter().any(|other| other.signature.signed_by() == signature.signed_by()) {
                distinct.push(SignatureOver { signature: signature.clone(), message, covers: covers.to_vec() });
            }
        };
        for signature in &self.signatures {
            add(signature, *self.transaction.hash().as_bytes(), &[]);
        }
        for entry in &self.multi {
            let message = *MultiHash::of(&entry.hashes).as_bytes();
            for signature in &entry.signatures {
                add(signature, message, &entry.hashes);
            }
        }
        distinct
    }

    /// The keys that signed, sorted.
    pub fn signers(&self) -> BTreeSet<Fingerprint> {
        let multi = self.multi.iter().flat_map(|entry| &entry.signatures);
        self.signatures.iter().chain(multi).map(|signature| signature.signed_by().clone()).collect()
    }
}

impl MultiSignatures {
    fn from_node(node: &Node<'_>, own: TransactionHash) -> Result<Self, DecodeError> {
        let mut hashes = Vec::new();
        for bytes in node.all_bytes(1) {
            let not_a_hash = |error: NotAHash| node.error(1, DecodeErrorKind::Crypto(error.to_string()));
            hashes.push(TransactionHash::try_from(bytes).map_err(not_a_hash)?);
        }
        if hashes.is_empty() {
            return Err(node.error(1, DecodeErrorKind::FieldNotSet));
        }
        let signatures =
            node.children(2).map(|signature| Signature::from_node(&signature)).collect::<Result<Vec<_>, _>>()?;
        if signatures.is_empty() {
            return Err(node.error(2, DecodeErrorKind::FieldNotSet));
        }
        if !hashes.contains(&own) {
            let reason = "the transaction's own hash is not among them".to_owned();
            return Err(node.error(1, DecodeErrorKind::Invariant(reason)));
        }
        Ok(Self { hashes, signatures })
    }
}
