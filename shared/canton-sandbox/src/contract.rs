//! Contracts, as opaque rows: whose they are and their bytes, never what they say.

use std::collections::BTreeSet;

use canton_topology::{Timestamp, id::PartyId, mapping::PackageId};
use sha2::{Digest as _, Sha256};

/// A contract to create.
#[derive(Clone, Debug)]
pub struct NewContract {
    /// The package of its template.
    pub package: PackageId,
    /// Who signed it. At least one.
    pub signatories: BTreeSet<PartyId>,
    /// Who sees it besides.
    pub observers: BTreeSet<PartyId>,
    /// Its content: any bytes.
    pub payload: Vec<u8>,
}

/// A contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Its id, in lower-case hex.
    pub id: ContractId,
    /// The package of its template.
    pub package: PackageId,
    /// The name of that package.
    pub package_name: String,
    /// The module and the name of its template.
    pub template: (String, String),
    /// Who signed it.
    pub signatories: BTreeSet<PartyId>,
    /// Who sees it besides.
    pub observers: BTreeSet<PartyId>,
    /// Its content.
    pub payload: Vec<u8>,
    /// When it was created.
    pub created: Timestamp,
}

/// A contract's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContractId(pub String);

impl std::fmt::Display for ContractId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Contract {
    /// The `number`th contract of a synchronizer. The id says nothing but that: the same network makes the same ids.
    pub(crate) fn create(new: NewContract, number: u64, created: Timestamp) -> Self {
        let mut hash = Sha256::new();
        hash.update(number.to_be_bytes());
        hash.update(new.package.as_bytes());
        for party in new.signatories.iter().chain(&new.observers) {
            hash.update(party.to_string());
        }
        hash.update(&new.payload);
        let digest = hex::encode(hash.finalize());
        Self {
            // A real id has a version, the hash of its content and that of its authentication.
            id: ContractId(format!("00{digest}ca121220{digest}")),
            package: new.package,
            package_name: "sandbox".to_owned(),
            template: ("Sandbox".to_owned(), "Row".to_owned()),
            signatories: new.signatories,
            observers: new.observers,
            payload: new.payload,
            created,
        }
    }

    /// Everybody whose contract it is.
    pub fn stakeholders(&self) -> BTreeSet<&PartyId> {
        self.signatories.iter().chain(&self.observers).collect()
    }
}
