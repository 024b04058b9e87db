//! Who may speak in a case: the coordinator's key and the identity keys of enrolled owners.
//!
//! A mailbox list, not an authority: what counts for a signature is an agent's own book.

use std::collections::{BTreeMap, BTreeSet};

use canton_topology::id::Namespace;

use crate::identity::{IdentityCertificate, IdentityPublicKey};

/// The speakers that a reader of cases knows.
#[derive(Clone, Debug)]
pub struct Directory {
    coordinator: IdentityPublicKey,
    former: BTreeSet<IdentityPublicKey>,
    owners: BTreeMap<IdentityPublicKey, Namespace>,
}

impl Directory {
    /// A directory with the coordinator alone.
    pub fn new(coordinator: IdentityPublicKey) -> Self {
        Self { coordinator, former: BTreeSet::new(), owners: BTreeMap::new() }
    }

    /// Enters an owner whose namespace key certified its identity key. `false` where the key speaks for another owner.
    pub fn enroll(&mut self, certificate: &IdentityCertificate) -> bool {
        self.admit(certificate.identity(), certificate.owner())
    }

    /// Enters an identity key that the caller believes for a reason of its own, such as its book.
    ///
    /// A key that speaks for one owner never comes to speak for another, nor the coordinator's for any: `false` then,
    /// and nothing changes. Otherwise an owner could certify somebody else's key as its own, and so silence it.
    pub fn admit(&mut self, identity: IdentityPublicKey, owner: Namespace) -> bool {
        identity != self.coordinator
            && !self.former.contains(&identity)
            && *self.owners.entry(identity).or_insert_with(|| owner.clone()) == owner
    }

    /// The key with which the coordinator signs offers and outcomes.
    pub fn coordinator(&self) -> IdentityPublicKey {
        self.coordinator
    }

    /// Takes over from another coordinator: what it said in a case stands, up to the first word of this one there. Nobody
    /// believes an offer, so this lets no owner's key do anything; it lets the case go on. `false` for an owner's key.
    pub fn succeed(&mut self, former: IdentityPublicKey) -> bool {
        let is_free = former != self.coordinator && !self.owners.contains_key(&former);
        if is_free {
            self.former.insert(former);
        }
        is_free
    }

    /// Whether this is the key of a coordinator from which this one took over.
    pub fn is_former(&self, identity: &IdentityPublicKey) -> bool {
        self.former.contains(identity)
    }

    /// The owner whose identity key this is.
    pub fn owner(&self, identity: &IdentityPublicKey) -> Option<&Namespace> {
        self.owners.get(identity)
    }
}
