//! Proof of possession: a key's answer to a nonce, bound to its purpose, its owner, the owner's card and one coordinator.

use canton_topology::{id::Namespace, key::SigningPublicKey};
use serde::{Deserialize, Serialize};

use crate::{encoding, identity::IdentityPublicKey, registry::Kind};

/// What a key signs to prove that its holder holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Possession {
    /// The key.
    pub key: SigningPublicKey,
    /// What it is for: `namespace` or `party`.
    pub purpose: String,
    /// Whose it is.
    pub owner: Namespace,
    /// The [digest](crate::book::Card::digest) of the owner's card: the answer is worth nothing beside another identity.
    pub card: [u8; 32],
    /// The coordinator whose nonce is answered.
    pub coordinator: IdentityPublicKey,
    /// The nonce.
    pub nonce: [u8; 32],
}

impl Possession {
    /// The bytes that the key signs.
    ///
    /// # Panics
    /// Never: a key and a nonce are longer than one of Canton's messages.
    pub fn message(&self) -> Vec<u8> {
        Kind::Possession.message(&encoding::encode(self)).expect("a key and a nonce are longer than 34 bytes")
    }
}
