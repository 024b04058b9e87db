//! Who may speak in a case: the coordinator's key and the identity keys of enrolled owners.
//!
//! A mailbox list, not an authority: what counts for a signature is an agent's own book.

use std::collections::BTreeMap;

use canton_topology::id::Namespace;

use crate::identity::{IdentityCertificate, IdentityPublicKey};

/// The speakers that a reader of cases knows.
#[derive(Clone, Debug)]
pub struct Directory {
    coordinator: IdentityPublicKey,
    owners: BTreeMap<IdentityPublicKey, Namespace>,
}

impl Directory {
    /// A directory with the coordinator alone.
    pub fn new(coordinator: IdentityPublicKey) -> Self {
        Self { coordinator, owners: BTreeMap::new() }
    }

    /// Enters an owner whose namespace key certified its identity key.
    pub fn enroll(&mut self, certificate: &IdentityCertificate) {
        self.admit(certificate.identity(), certificate.owner());
    }

    /// Enters an identity key that the caller believes for a reason of its own, such as its book.
    pub fn admit(&mut self, identity: IdentityPublicKey, owner: Namespace) {
        self.owners.insert(identity, owner);
    }

    /// The key with which the coordinator signs offers and outcomes.
    pub fn coordinator(&self) -> IdentityPublicKey {
        self.coordinator
    }

    /// The owner whose identity key this is.
    pub fn owner(&self, identity: &IdentityPublicKey) -> Option<&Namespace> {
        self.owners.get(identity)
    }
}
