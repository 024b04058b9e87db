//! Topology transactions: the bytes as received, the view parsed from them, and what the view does not show.
//!
//! Nothing is encoded again in order to be hashed: on MainNet's genesis state that would change 926 of 3,565 hashes.

mod signed;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    faithful,
    hash::{TransactionHash, UniqueKey},
    mapping::{
        Mapping,
        schema::{TRANSACTION, WRAPPER},
    },
    wire::{self, DecodeError, DecodeErrorKind, Message, Node, Place, Unshown, UnshownReason, Writer},
};

pub use self::signed::{MultiSignatures, SignatureOver, SignedTransaction, read_list};

/// Longest transaction that is read, in bytes. Canton's synchronizers carry requests of 10 MiB unless told otherwise.
pub const BYTES_MAX: usize = 16 << 20;

/// The version that Canton's wrapper of a transaction has.
pub const WRAPPER_VERSION: i32 = 30;

/// Whether a transaction sets a mapping or takes it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Operation {
    /// `ADD_REPLACE`
    AddReplace = 1,
    /// `REMOVE`
    Remove = 2,
}

impl Operation {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::AddReplace => "add or replace",
            Self::Remove => "remove",
        }
    }
}

/// The place of a transaction in its mapping's chain: 1 to 2147483647.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Serial(u32);

/// The number is not a serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("serial {0}: must be from 1 to 2147483647")]
pub struct NotASerial(pub u32);

impl Serial {
    /// The first.
    pub const FIRST: Self = Self(1);
    /// The last; only a removal may have it.
    pub const LAST: Self = Self(i32::MAX as u32);

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The one behind it; `None` behind the last.
    pub fn next(self) -> Option<Self> {
        (self < Self::LAST).then(|| Self(self.0 + 1))
    }
}

impl TryFrom<u32> for Serial {
    type Error = NotASerial;

    fn try_from(number: u32) -> Result<Self, NotASerial> {
        if (1..=Self::LAST.0).contains(&number) { Ok(Self(number)) } else { Err(NotASerial(number)) }
    }
}

impl From<Serial> for u32 {
    fn from(serial: Serial) -> Self {
        serial.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A topology transaction. Cloning costs a pointer.
#[derive(Clone, PartialEq, Eq)]
pub struct Transaction(Arc<Parsed>);

#[derive(PartialEq, Eq)]
struct Parsed {
    bytes: Vec<u8>,
    hash: TransactionHash,
    unique_key: UniqueKey,
    operation: Operation,
    serial: Serial,
    mapping: Mapping,
    unshown: Vec<Unshown>,
}

impl Transaction {
    /// Reads a wrapped transaction, as leniently as Canton does.
    ///
    /// # Errors
    /// Where Canton refuses, by Canton's name, with the place.
    pub fn parse(wrapped: &[u8]) -> Result<Self, DecodeError> {
        if wrapped.len() > BYTES_MAX {
            let place = Place { offset: BYTES_MAX, path: "transaction".to_owned() };
            return Err(DecodeError { place, kind: DecodeErrorKind::Buffer("longer than 16 MiB") });
        }
        let mut unshown = Vec::new();
        let (wrapper, message) = read(wrapped, &mut unshown)?;
        let node = Node::root(&message, "transaction");
        // In Canton's order, so that of several faults the same one is named.
        let mapping_node = node.child(3).ok_or_else(|| node.error(3, DecodeErrorKind::FieldNotSet))?;
        let mapping = Mapping::from_node(&mapping_node)?;
        let serial = u32::try_from(node.int(2)).ok().and_then(|serial| Serial::try_from(serial).ok());
        let serial = serial.ok_or_else(|| {
            let reason = format!("{}: must be from 1 to {}", node.int(2), Serial::LAST);
            node.error(2, DecodeErrorKind::Invariant(reason))
        })?;
        let operation = match node.int(1) {
            0 => return Err(node.error(1, DecodeErrorKind::FieldNotSet)),
            1 => Operation::AddReplace,
            2 => Operation::Remove,
            other => return Err(node.error(1, DecodeErrorKind::UnrecognizedEnum(other))),
        };
        // What is written as we would write it says nothing beyond the view; most transactions are.
        if unshown.is_empty() && written(operation, serial, &mapping) != wrapped {
            unshown.extend(not_canonical(&wrapper, wrapped, &message));
            if unshown.is_empty() {
                unshown.extend(faithful::first_unfaithful(&mapping, &mapping_node));
            }
        }
        Ok(Self(Arc::new(Parsed {
            hash: TransactionHash::of(wrapped),
            unique_key: mapping.unique_key(),
            bytes: wrapped.to_vec(),
            operation,
            serial,
            mapping,
            unshown,
        })))
    }

    /// Builds a transaction in the canonical form.
    pub fn build(operation: Operation, serial: Serial, mapping: &Mapping) -> Self {
        let bytes = written(operation, serial, mapping);
        Self(Arc::new(Parsed {
            hash: TransactionHash::of(&bytes),
            unique_key: mapping.unique_key(),
            bytes,
            operation,
            serial,
            mapping: mapping.clone(),
            unshown: Vec::new(),
        }))
    }

    /// The wrapped bytes: what is hashed and sent.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// What its signers sign.
    pub fn hash(&self) -> TransactionHash {
        self.0.hash
    }

    /// The chain that it belongs to.
    pub fn unique_key(&self) -> UniqueKey {
        self.0.unique_key
    }

    /// Whether it sets or removes.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// Its place in the chain.
    pub fn serial(&self) -> Serial {
        self.0.serial
    }

    /// What it says.
    pub fn mapping(&self) -> &Mapping {
        &self.0.mapping
    }

    /// What its bytes hold beyond the view. A signer signs only where this is empty.
    pub fn unshown(&self) -> &[Unshown] {
        &self.0.unshown
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.mapping().code().letters();
        write!(f, "Transaction({} {code} serial {} {:?})", self.hash().short(), self.serial(), self.operation())
    }
}

/// The bytes of a transaction as Canton writes it today.
fn written(operation: Operation, serial: Serial, mapping: &Mapping) -> Vec<u8> {
    let mut inner = Writer::default();
    inner.number(1, operation as i64);
    inner.number(2, i64::from(serial.0));
    inner.bytes(3, &mapping.encode());
    wrap(&inner.finish())
}

const NAME: &str = "transaction";

/// The message in the wrapper, and what neither shows.
pub(crate) fn read_transaction(wrapped: &[u8]) -> Result<(Message<'_>, Vec<Unshown>), DecodeError> {
    let mut unshown = Vec::new();
    let (wrapper, message) = read(wrapped, &mut unshown)?;
    if unshown.is_empty() {
        unshown.extend(not_canonical(&wrapper, wrapped, &message));
    }
    Ok((message, unshown))
}

fn read<'a>(wrapped: &'a [u8], unshown: &mut Vec<Unshown>) -> Result<(Message<'a>, Message<'a>), DecodeError> {
    let wrapper = wire::read(&WRAPPER, wrapped, 0, NAME, unshown)?;
    if wrapper.number(2) != i64::from(WRAPPER_VERSION) {
        let place = Node::root(&wrapper, NAME).place(2);
        unshown.push(Unshown { place, reason: UnshownReason::WrapperVersion });
    }
    let (data, offset) = content(&wrapper, NAME)?;
    let message = wire::read(&TRANSACTION, data, offset, NAME, unshown)?;
    Ok((wrapper, message))
}

/// The net under the finer rules: whatever the messages would not write back as it stood is not in the view.
fn not_canonical(wrapper: &Message<'_>, wrapped: &[u8], message: &Message<'_>) -> Option<Unshown> {
    let is_canonical = wrapper.encode() == wrapped && message.encode() == wrapper.bytes(1);
    let place = Place { offset: message.offset(), path: NAME.to_owned() };
    (!is_canonical).then_some(Unshown { place, reason: UnshownReason::NotCanonical })
}

/// Puts a message into Canton's version wrapper.
pub(crate) fn wrap(data: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(1, data);
    writer.number(2, i64::from(WRAPPER_VERSION));
    writer.finish()
}

/// Takes a message out of its wrapper, with its offset. Any version is taken, as Canton takes it.
pub(crate) fn unwrap<'a>(wrapped: &'a [u8], base: usize, name: &str) -> Result<(&'a [u8], usize), DecodeError> {
    content(&wire::skim(&WRAPPER, wrapped, base, name)?, name)
}

fn content<'a>(wrapper: &Message<'a>, name: &str) -> Result<(&'a [u8], usize), DecodeError> {
    let node = Node::root(wrapper, name);
    if node.has(1) { Ok((wrapper.bytes(1), node.offset(1))) } else { Err(node.error(1, DecodeErrorKind::FieldNotSet)) }
}
