//! Which keys a node has, and which keys a party had before its keys moved into its own mapping.

use std::collections::BTreeSet;

use super::{KEYS_MAX, identifier, positive, signing_keys, too_many_keys};
use crate::{
    id::{Fingerprint, Member, PartyId},
    key::{EncryptionPublicKey, SigningPublicKey},
    wire::{DecodeError, DecodeErrorKind, Node, Writer},
};

/// A key of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerKey {
    /// It signs.
    Signing(SigningPublicKey),
    /// It decrypts.
    Encryption(EncryptionPublicKey),
}

impl OwnerKey {
    /// Its name.
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Signing(key) => key.fingerprint(),
            Self::Encryption(key) => key.fingerprint(),
        }
    }
}

/// `OwnerToKeyMapping`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerToKeyMapping {
    /// The node.
    pub member: Member,
    /// Its keys, 1 to 20, each once.
    pub keys: Vec<OwnerKey>,
}

impl OwnerToKeyMapping {
    /// The keys that sign.
    pub fn signing_keys(&self) -> impl Iterator<Item = &SigningPublicKey> {
        self.keys.iter().filter_map(|key| match key {
            OwnerKey::Signing(key) => Some(key),
            OwnerKey::Encryption(_) => None,
        })
    }

    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let member = identifier(node, 1)?;
        let mut keys = Vec::new();
        for key in node.children(2) {
            keys.push(match (key.child(1), key.child(2)) {
                (Some(signing), _) => OwnerKey::Signing(SigningPublicKey::from_node(&signing)?),
                (None, Some(encryption)) => OwnerKey::Encryption(EncryptionPublicKey::from_node(&encryption)?),
                (None, None) => return Err(key.own_error(DecodeErrorKind::FieldNotSet)),
            });
        }
        if keys.is_empty() {
            return Err(node.error(2, DecodeErrorKind::FieldNotSet));
        }
        let distinct: BTreeSet<Fingerprint> = keys.iter().map(OwnerKey::fingerprint).collect();
        if distinct.len() < keys.len() {
            let reason = "a key stands there twice; each may stand once".to_owned();
            return Err(node.error(2, DecodeErrorKind::Invariant(reason)));
        }
        if keys.len() > KEYS_MAX {
            return Err(too_many_keys(node, 2, keys.len()));
        }
        Ok(Self { member, keys })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.member.to_string());
        for key in &self.keys {
            let mut inner = Writer::default();
            match key {
                OwnerKey::Signing(key) => inner.bytes(1, &key.encode()),
                OwnerKey::Encryption(key) => inner.bytes(2, &key.encode()),
            }
            writer.bytes(2, &inner.finish());
        }
        writer.finish()
    }
}

/// `PartyToKeyMapping`, deprecated: a party's keys from before they stood in its own mapping. Equality does not look at
/// the keys' order, as Canton's does not.
#[derive(Clone, Debug)]
pub struct PartyToKeyMapping {
    /// The party.
    pub party: PartyId,
    /// How many keys must sign.
    pub threshold: u32,
    /// The keys, without repetitions of equal ones, as they were written.
    pub keys: Vec<SigningPublicKey>,
}

impl PartialEq for PartyToKeyMapping {
    fn eq(&self, other: &Self) -> bool {
        self.party == other.party
            && self.threshold == other.threshold
            && self.keys.len() == other.keys.len()
            && self.keys.iter().all(|key| other.keys.contains(key))
    }
}

impl Eq for PartyToKeyMapping {}

impl PartyToKeyMapping {
    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let party = identifier(node, 1)?;
        let mut keys: Vec<SigningPublicKey> = Vec::new();
        for key in signing_keys(node, 4)? {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let threshold = positive(node, 3)?;
        if keys.len() > KEYS_MAX {
            return Err(too_many_keys(node, 4, keys.len()));
        }
        Ok(Self { party, threshold, keys })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.party.to_string());
        writer.number(3, i64::from(self.threshold));
        for key in &self.keys {
            writer.bytes(4, &key.encode());
        }
        writer.finish()
    }
}
