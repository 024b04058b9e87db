//! Which kinds of backends a program has. `main` registers them: what is for tests and the demo is never in a shipped one.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use thiserror::Error;

use super::{
    KeyBackend, KeyError,
    credential::{AskSecret, CredentialError},
};

/// What a backend is opened with.
pub struct Opening<'a> {
    /// The name of its section.
    pub section: &'a str,
    /// The section without its `kind`.
    pub config: toml::Table,
    /// Whoever can be asked for its secret.
    pub ask: &'a mut dyn AskSecret,
    beside: &'a [Beside],
}

/// Something of the program's that a kind needs and this crate does not know, such as the owner's participant.
type Beside = Arc<dyn Any + Send + Sync>;

impl Opening<'_> {
    /// What the program has beside its keys, of that type.
    pub fn beside<T: Any>(&self) -> Option<&T> {
        self.beside.iter().find_map(|one| one.downcast_ref())
    }

    /// Reads the section as a backend's own configuration.
    ///
    /// # Errors
    /// Names the field.
    pub fn config<T: serde::de::DeserializeOwned>(&self) -> Result<T, OpenError> {
        let read = toml::Value::Table(self.config.clone()).try_into();
        read.map_err(|error| OpenError::Config { section: self.section.to_owned(), reason: error.to_string() })
    }
}

/// Why a backend does not open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The section does not say which kind it is.
    #[error("[backends.{section}]: `kind` is missing; this program has {known}")]
    NoKind {
        /// The section.
        section: String,
        /// The kinds that there are.
        known: String,
    },
    /// There is no such kind.
    #[error("[backends.{section}]: kind {kind:?} is none of this program's: {known}")]
    UnknownKind {
        /// The section.
        section: String,
        /// What it says.
        kind: String,
        /// The kinds that there are.
        known: String,
    },
    /// The section does not read.
    #[error("[backends.{section}]: {reason}")]
    Config {
        /// The section.
        section: String,
        /// Which field, and what is wrong.
        reason: String,
    },
    /// The secret.
    #[error("[backends.{section}]: {error}")]
    Credential {
        /// The section.
        section: String,
        /// Why there is none.
        error: CredentialError,
    },
    /// The backend itself.
    #[error("[backends.{section}]: {error}")]
    Key {
        /// The section.
        section: String,
        /// Why.
        error: KeyError,
    },
}

/// Opens a backend of one kind.
pub type Open = fn(Opening<'_>) -> Result<Box<dyn KeyBackend>, OpenError>;

/// The kinds of a program.
#[derive(Clone, Default)]
pub struct Kinds {
    kinds: BTreeMap<&'static str, Open>,
    beside: Vec<Beside>,
}

impl Kinds {
    /// With one kind more.
    #[must_use]
    pub fn with(mut self, kind: &'static str, open: Open) -> Self {
        self.kinds.insert(kind, open);
        self
    }

    /// The same kinds, in a program that has this beside its keys.
    #[must_use]
    pub fn beside<T: Any + Send + Sync>(mut self, what: T) -> Self {
        self.beside.push(Arc::new(what));
        self
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.keys().copied()
    }

    /// Opens the backend of one section.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        &self,
        section: &str,
        config: &toml::Table,
        ask: &mut dyn AskSecret,
    ) -> Result<Box<dyn KeyBackend>, OpenError> {
        let known = || self.names().collect::<Vec<_>>().join(", ");
        let mut config = config.clone();
        let Some(toml::Value::String(kind)) = config.remove("kind") else {
            return Err(OpenError::NoKind { section: section.to_owned(), known: known() });
        };
        let Some(open) = self.kinds.get(kind.as_str()) else {
            return Err(OpenError::UnknownKind { section: section.to_owned(), kind, known: known() });
        };
        open(Opening { section, config, ask, beside: &self.beside })
    }
}
