//! An owner with every key that it has, made from its name.

use canton_topology::{
    id::{Fingerprint, Namespace, ParticipantId, PhysicalSynchronizerId},
    key::{KeyUsage, SigningPublicKey},
    signature::Signature,
};
use ed25519_dalek::SigningKey;
use protocol::{book::Card, parcel::Recipient, reader::Me, statement::SignStatements};

pub struct Owner {
    pub name: &'static str,
    pub namespace: SigningKey,
    pub identity: SigningKey,
    pub party: SigningKey,
    pub node: SigningKey,
}

impl Owner {
    pub fn new(name: &'static str) -> Self {
        Self { name, namespace: key(name, 1), identity: key(name, 2), party: key(name, 3), node: key(name, 4) }
    }

    pub fn namespace_key(&self) -> SigningPublicKey {
        public(&self.namespace, KeyUsage::Namespace)
    }

    pub fn party_key(&self) -> SigningPublicKey {
        public(&self.party, KeyUsage::Protocol)
    }

    pub fn node_key(&self) -> SigningPublicKey {
        public(&self.node, KeyUsage::Namespace)
    }

    pub fn namespace(&self) -> Namespace {
        Namespace::from(self.namespace_key().fingerprint())
    }

    pub fn host(&self) -> ParticipantId {
        format!("{}-node::{}", self.name, self.node_key().fingerprint()).parse().unwrap()
    }

    pub fn card(&self) -> Card {
        Card {
            name: self.name.to_owned(),
            namespace_key: self.namespace_key(),
            identity: SignStatements::identity(&self.identity),
            host: Some(self.host()),
            party_key: Some(self.party_key()),
            parcel_key: Some(Recipient::try_from(self.node.verifying_key().to_montgomery().to_bytes()).unwrap()),
        }
    }

    pub fn me(&self, synchronizer: &PhysicalSynchronizerId) -> Me {
        Me {
            owner: self.namespace(),
            identity: SignStatements::identity(&self.identity),
            keys: vec![self.namespace_key(), self.party_key()],
            host: Some((self.host(), self.node_key())),
            synchronizer: synchronizer.logical.clone(),
        }
    }

    /// The signature of the key with that name, where it is one of this owner's.
    pub fn sign(&self, fingerprint: &Fingerprint, message: &[u8]) -> Option<Signature> {
        let keys =
            [(&self.namespace, self.namespace_key()), (&self.party, self.party_key()), (&self.node, self.node_key())];
        let (key, _) = keys.into_iter().find(|(_, public)| public.fingerprint_ref() == fingerprint)?;
        Some(Signature::new_ed25519(SignStatements::sign(key, message), fingerprint.clone()))
    }
}

fn key(name: &str, purpose: u8) -> SigningKey {
    let mut seed = [purpose; 32];
    seed[1..=name.len()].copy_from_slice(name.as_bytes());
    SigningKey::from_bytes(&seed)
}

fn public(key: &SigningKey, usage: KeyUsage) -> SigningPublicKey {
    SigningPublicKey::ed25519(&key.verifying_key().to_bytes(), &[usage]).unwrap()
}
