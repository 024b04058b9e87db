//! The owner's keys, opened: the file of secrets, the keyring, and the backends that `agent.toml` names.

use std::collections::BTreeMap;

use canton_topology::{
    Timestamp,
    id::SynchronizerId,
    key::{KeySpec, SigningPublicKey},
};
use custody::keys::{
    KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
    backends::Kinds,
    credential::AskSecret,
    encrypted_file::{self, EncryptedFile},
    key_file::{Identity, KeyFile, KeyFileError},
    keyring::{Keyring, PinError},
    parcel_key::ParcelKey,
    to_sign::ToSign,
};
use protocol::{
    identity::{IdentityCertificate, IdentityClaim},
    statement::SignStatements as _,
};
use secrecy::SecretString;
use thiserror::Error;

use crate::{
    backends::{participant::Node, unopened::Unopened},
    folder::{Folder, FolderError},
};

/// Why the keys are not opened, or not used.
#[derive(Debug, Error)]
pub enum CustodianError {
    /// The file of secrets.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A section has the name of the one that is always there.
    #[error("[backends.{SECTION}]: the name {SECTION:?} is the encrypted file's; call the section otherwise", SECTION = encrypted_file::SECTION)]
    Section,
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key is not pinned.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// A key is there, and what was pinned does not say so.
    #[error(
        "key {reference:?} of [backends.{section}] is there, and is not pinned: {error}; when that is mended, `keys import --from {section} --reference {reference}` takes it"
    )]
    NotKept {
        /// The section whose backend holds it.
        section: String,
        /// How that backend finds it.
        reference: String,
        /// Why.
        error: FolderError,
    },
    /// There is no key for a purpose.
    #[error("there is no {0} key; make one with `keys generate --purpose {0}`")]
    NoKey(Purpose),
    /// Whoever holds the namespace key needs time.
    #[error("the namespace key has not certified the identity key yet: {0}; run the same command again later")]
    Pending(String),
}

/// The owner's opened keys.
pub struct Custodian {
    /// The identity key.
    pub identity: Identity,
    /// The parcel key.
    pub parcel: ParcelKey,
    /// Every other key.
    pub keyring: Keyring,
    /// Why sections did not open. Their keys say so when they are asked to sign; those of the other sections sign.
    pub unopened: Vec<String>,
    folder: Folder,
}

/// What opens them.
pub struct Opener<'a> {
    /// The owner's folder.
    pub folder: &'a Folder,
    /// The kinds of backends that this program has.
    pub kinds: &'a Kinds,
    /// Whoever can be asked for a secret.
    pub ask: &'a mut dyn AskSecret,
    /// The owner's participant, whose own keys a backend may use.
    pub node: Node,
}

impl Opener<'_> {
    /// Makes the file of secrets.
    ///
    /// # Errors
    /// See [`CustodianError`].
    pub fn create(
        self,
        passphrase: &SecretString,
        sections: &BTreeMap<String, toml::Table>,
    ) -> Result<Custodian, CustodianError> {
        let file = KeyFile::create(&self.folder.keys(), passphrase)?;
        self.join(file, sections)
    }

    /// Opens the file of secrets and every backend.
    ///
    /// # Errors
    /// See [`CustodianError`].
    pub fn open(
        self,
        passphrase: &SecretString,
        sections: &BTreeMap<String, toml::Table>,
    ) -> Result<Custodian, CustodianError> {
        let file = KeyFile::open(&self.folder.keys(), passphrase)?;
        self.join(file, sections)
    }

    /// Joins an opened file of secrets with the backends of some sections. One that does not open stops no other one.
    ///
    /// # Errors
    /// See [`CustodianError`].
    pub fn join(self, file: KeyFile, sections: &BTreeMap<String, toml::Table>) -> Result<Custodian, CustodianError> {
        let (identity, parcel) = (file.identity(), file.parcel_key().clone());
        let mut backends: BTreeMap<String, Box<dyn KeyBackend>> = BTreeMap::new();
        backends.insert(encrypted_file::SECTION.to_owned(), Box::new(EncryptedFile::new(file)));
        let kinds = self.kinds.clone().beside(self.node);
        let mut unopened = Vec::new();
        for (section, config) in sections {
            let opened = kinds.open(section, config, self.ask).unwrap_or_else(|error| {
                let reason = error.to_string();
                unopened.push(reason.clone());
                Box::new(Unopened(reason))
            });
            if backends.insert(section.clone(), opened).is_some() {
                return Err(CustodianError::Section);
            }
        }
        let keyring = Keyring::new(self.folder.pinned_keys()?, backends);
        Ok(Custodian { identity, parcel, keyring, unopened, folder: self.folder.clone() })
    }
}

/// Where a key is, or is to be made: `hsm`, or `hsm:REFERENCE` for one that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The section of the backend.
    pub section: String,
    /// How the backend finds it; absent where it is to be made.
    pub reference: Option<String>,
}

impl std::str::FromStr for Place {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once(':') {
            Some((section, reference)) => Self { section: section.to_owned(), reference: Some(reference.to_owned()) },
            None => Self { section: text.to_owned(), reference: None },
        })
    }
}

impl Custodian {
    /// The owner's namespace key.
    ///
    /// # Errors
    /// [`CustodianError::NoKey`].
    pub fn namespace_key(&self) -> Result<SigningPublicKey, CustodianError> {
        self.first(Purpose::Namespace)
    }

    /// The active key of that purpose that was pinned first.
    ///
    /// # Errors
    /// [`CustodianError::NoKey`].
    pub fn first(&self, purpose: Purpose) -> Result<SigningPublicKey, CustodianError> {
        self.keyring.first(purpose).cloned().ok_or(CustodianError::NoKey(purpose))
    }

    /// Makes a key, or takes one that is there, and pins it durably.
    ///
    /// # Errors
    /// See [`CustodianError`].
    pub fn pin(
        &mut self,
        place: &Place,
        name: &str,
        purpose: Purpose,
        spec: KeySpec,
        now: Timestamp,
    ) -> Result<PinnedKey, CustodianError> {
        let pinned = match &place.reference {
            Some(reference) => self.keyring.take(&place.section, reference, name, purpose, now)?,
            None => self.keyring.generate(&place.section, &NewKey { name: name.to_owned(), purpose, spec }, now)?,
        };
        let pinned = pinned.clone();
        let not_kept = |error| CustodianError::NotKept {
            section: pinned.backend.clone(),
            reference: pinned.reference.clone(),
            error,
        };
        self.folder.set_pinned_keys(self.keyring.keys()).map_err(not_kept)?;
        Ok(pinned)
    }

    /// The namespace key's word for the identity key.
    ///
    /// # Errors
    /// See [`CustodianError`].
    ///
    /// # Panics
    /// Never: the keyring gives out only signatures that verify.
    pub fn certify(
        &mut self,
        synchronizer: SynchronizerId,
        issued_at: Timestamp,
    ) -> Result<IdentityCertificate, CustodianError> {
        let namespace_key = self.namespace_key()?;
        let claim = IdentityClaim { namespace_key, identity: self.identity.identity(), synchronizer, issued_at };
        match self.keyring.sign(&ToSign::certificate(&claim))? {
            Outcome::Signed(signature) => {
                Ok(IdentityCertificate::new(claim, signature).expect("the keyring verified the signature"))
            }
            Outcome::Pending { note, .. } => Err(CustodianError::Pending(note)),
        }
    }
}
