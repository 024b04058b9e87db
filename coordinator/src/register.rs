//! Who is enrolled: which TLS key speaks on the wire for whom, and which identity keys belong to which owner.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, RwLock},
};

use canton_topology::id::Namespace;
use protocol::identity::{CertificateError, IdentityCertificate, IdentityPublicKey};

use crate::store::Enrolment;

/// One who may use the routes for owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name of the invitation.
    pub name: String,
    /// The owner.
    pub owner: Namespace,
    /// The owner's identity key.
    pub identity: IdentityPublicKey,
    /// The owner's identity certificate.
    pub certificate: Vec<u8>,
}

/// Everybody who is enrolled. Filled from the store at start.
#[derive(Debug, Default)]
pub struct Register(RwLock<Tables>);

#[derive(Debug, Default)]
struct Tables {
    by_tls_key: BTreeMap<[u8; 32], Member>,
    /// Identity keys that ever were somebody's.
    identities: BTreeMap<IdentityPublicKey, Namespace>,
    /// Names that ever were somebody's.
    names: BTreeMap<String, Namespace>,
}

impl Register {
    /// Enters an enrolment.
    ///
    /// # Errors
    /// Where its certificate does not verify: nobody could have stored such a one.
    pub fn enter(&self, enrolment: &Enrolment) -> Result<(IdentityPublicKey, Namespace), CertificateError> {
        let certificate = IdentityCertificate::parse(&enrolment.certificate)?;
        let (identity, owner) = (certificate.identity(), certificate.owner());
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tables.identities.insert(identity, owner.clone());
        tables.names.insert(enrolment.name.clone(), owner.clone());
        if enrolment.replaced {
            tables.by_tls_key.remove(&enrolment.tls_key_hash);
        } else {
            let member = Member {
                name: enrolment.name.clone(),
                owner: owner.clone(),
                identity,
                certificate: enrolment.certificate.clone(),
            };
            tables.by_tls_key.insert(enrolment.tls_key_hash, member);
        }
        Ok((identity, owner))
    }

    /// Whose TLS key this is.
    pub fn member(&self, tls_key_hash: &[u8; 32]) -> Option<Member> {
        self.read(|tables| tables.by_tls_key.get(tls_key_hash).cloned())
    }

    /// Everybody who is enrolled now, one row for each owner and identity key, by name.
    pub fn members(&self) -> Vec<Member> {
        let mut members: Vec<Member> = self.read(|tables| tables.by_tls_key.values().cloned().collect());
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members.dedup();
        members
    }

    /// Whether an identity key may make new statements.
    pub fn is_current(&self, identity: &IdentityPublicKey) -> bool {
        self.read(|tables| tables.by_tls_key.values().any(|member| member.identity == *identity))
    }

    /// The owner who ever had this identity key.
    pub fn owner_of(&self, identity: &IdentityPublicKey) -> Option<Namespace> {
        self.read(|tables| tables.identities.get(identity).cloned())
    }

    /// Every identity key that ever was an owner's.
    pub fn identities(&self) -> BTreeMap<IdentityPublicKey, Namespace> {
        self.read(|tables| tables.identities.clone())
    }

    /// The owner who ever had this name.
    pub fn owner_named(&self, name: &str) -> Option<Namespace> {
        self.read(|tables| tables.names.get(name).cloned())
    }

    /// The TLS keys that speak under a name.
    pub fn tls_keys_of(&self, name: &str) -> BTreeSet<[u8; 32]> {
        let of_name = |tables: &Tables| {
            let members = tables.by_tls_key.iter().filter(|(_, member)| member.name == name);
            members.map(|(key, _)| *key).collect()
        };
        self.read(of_name)
    }

    fn read<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        // Each change is one insertion or removal, so a panic in between leaves nothing half done.
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
