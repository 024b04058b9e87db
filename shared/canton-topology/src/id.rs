//! Canton's identifiers: fingerprints, namespaces, unique identifiers and what is built of them.
//!
//! Limits and characters are Canton's (`topology-protocol` 6): a party-like text is at most 255 ASCII letters, digits,
//! spaces, `:`, `-` or `_`; a fingerprint at most 68 of them without `::`.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::hash::{Purpose, canton_hash, length_prefixed};

/// Longest fingerprint, in characters.
pub const FINGERPRINT_CHARS_MAX: usize = 68;
/// Longest part of a unique identifier before `::`, in characters.
pub const IDENTIFIER_CHARS_MAX: usize = 185;
/// Longest party-like text, in characters.
pub const PARTY_CHARS_MAX: usize = 255;

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// Nothing there.
    #[error("empty; expected {expected}")]
    Empty {
        /// What was expected.
        expected: &'static str,
    },
    /// A character that Canton does not take.
    #[error("{text:?} has the character {found:?}; only ASCII letters, digits, space, ':', '-' and '_' are taken")]
    Character {
        /// The text.
        text: String,
        /// The first such character.
        found: char,
    },
    /// Longer than Canton takes.
    #[error("{text:?} has {found} characters; at most {max} are taken")]
    TooLong {
        /// The text.
        text: String,
        /// Its length.
        found: usize,
        /// The greatest length.
        max: usize,
    },
    /// `::` where it may not stand.
    #[error("{text:?} has '::', which separates an identifier from its namespace")]
    Delimiter {
        /// The text.
        text: String,
    },
    /// No `::` at all.
    #[error("{text:?} has no namespace; expected NAME::FINGERPRINT")]
    NoNamespace {
        /// The text.
        text: String,
    },
    /// Not a member's prefix.
    #[error("{text:?} is not a member; expected PAR::, MED:: or SEQ:: and NAME::FINGERPRINT")]
    Member {
        /// The text.
        text: String,
    },
    /// Not a physical synchronizer.
    #[error("{text:?} is not a physical synchronizer id; expected NAME::FINGERPRINT::VERSION-SERIAL such as ::34-0")]
    Physical {
        /// The text.
        text: String,
    },
}

fn check_characters(text: &str, expected: &'static str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { expected });
    }
    let found = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, ' ' | ':' | '-' | '_')));
    if let Some(found) = found {
        return Err(IdError::Character { text: text.to_owned(), found });
    }
    Ok(())
}

fn check_length(text: &str, max: usize) -> Result<(), IdError> {
    let found = text.len();
    if found > max { Err(IdError::TooLong { text: text.to_owned(), found, max }) } else { Ok(()) }
}

/// A key's fingerprint, or whatever stands in its place: 1 to 68 characters. Real ones are `1220` and 64 hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(Arc<str>);

impl Fingerprint {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of a key's bytes as Canton hashes them: see `topology-protocol` 2.4.
    pub(crate) fn of_key_bytes(bytes: &[u8]) -> Self {
        Self(hex::encode(canton_hash(Purpose::PublicKeyFingerprint, bytes)).into())
    }

    /// The first eight hex digits after `1220`, for people.
    pub fn short(&self) -> &str {
        self.0.get(4..12).unwrap_or(&self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check_characters(text, "a fingerprint")?;
        if text.contains("::") {
            return Err(IdError::Delimiter { text: text.to_owned() });
        }
        check_length(text, FINGERPRINT_CHARS_MAX)?;
        Ok(Self(text.into()))
    }
}

/// The namespace of a key, or of a decentralized set of owners: a fingerprint that owns identifiers.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Namespace(Fingerprint);

impl Namespace {
    /// The fingerprint.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.0
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The first eight hex digits after `1220`, for people.
    pub fn short(&self) -> &str {
        self.0.short()
    }
}

impl From<Fingerprint> for Namespace {
    fn from(fingerprint: Fingerprint) -> Self {
        Self(fingerprint)
    }
}

impl FromStr for Namespace {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self)
    }
}

/// The namespace that a set of first owners founds. Order and repetition do not count; the threshold is not part of it.
pub fn decentralized_namespace<'a>(owners: impl IntoIterator<Item = &'a Namespace>) -> Namespace {
    let distinct: std::collections::BTreeSet<&Namespace> = owners.into_iter().collect();
    let mut content = Vec::new();
    for owner in distinct {
        length_prefixed(&mut content, owner.as_str().as_bytes());
    }
    Namespace(Fingerprint(hex::encode(canton_hash(Purpose::DecentralizedNamespace, &content)).into()))
}

/// `NAME::NAMESPACE`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UniqueIdentifier {
    identifier: String,
    namespace: Namespace,
}

impl UniqueIdentifier {
    /// Joins a name and a namespace.
    ///
    /// # Errors
    /// Where the name is empty, too long or has a character or a `::` that Canton refuses.
    pub fn new(identifier: &str, namespace: Namespace) -> Result<Self, IdError> {
        check_characters(identifier, "a name before '::'")?;
        check_length(identifier, IDENTIFIER_CHARS_MAX)?;
        if identifier.contains("::") {
            return Err(IdError::Delimiter { text: identifier.to_owned() });
        }
        let whole = Self { identifier: identifier.to_owned(), namespace };
        check_length(&whole.to_string(), PARTY_CHARS_MAX)?;
        // What is printed must be read back as the same: a name that ends in ':' would move the separator.
        let text = whole.to_string();
        if text.split_once("::").map(|(name, _)| name) != Some(identifier) {
            return Err(IdError::Delimiter { text });
        }
        Ok(whole)
    }

    /// The part before `::`.
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// The part behind `::`.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }
}

impl fmt::Display for UniqueIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.identifier, self.namespace)
    }
}

impl FromStr for UniqueIdentifier {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check_characters(text, "NAME::FINGERPRINT")?;
        check_length(text, PARTY_CHARS_MAX)?;
        let (identifier, namespace) =
            text.split_once("::").ok_or_else(|| IdError::NoNamespace { text: text.to_owned() })?;
        Self::new(identifier, namespace.parse()?)
    }
}

macro_rules! text_type {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

macro_rules! display_inner {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

macro_rules! identifier_type {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(UniqueIdentifier);

        impl $name {
            /// The unique identifier.
            pub fn uid(&self) -> &UniqueIdentifier {
                &self.0
            }

            /// Its namespace.
            pub fn namespace(&self) -> &Namespace {
                &self.0.namespace
            }
        }

        impl From<UniqueIdentifier> for $name {
            fn from(uid: UniqueIdentifier) -> Self {
                Self(uid)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.parse().map(Self)
            }
        }
    )*};
}

identifier_type! {
    /// A party.
    PartyId,
    /// A participant, printed without the prefix `PAR::`.
    ParticipantId,
    /// A logical synchronizer.
    SynchronizerId
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

display_inner!(Namespace, PartyId, ParticipantId, SynchronizerId);
text_type!(Fingerprint, Namespace, UniqueIdentifier, PartyId, ParticipantId, SynchronizerId, Member);
text_type!(PhysicalSynchronizerId);

impl ParticipantId {
    /// Reads a participant with or without `PAR::` in front, as Canton does.
    ///
    /// # Errors
    /// See [`IdError`].
    pub fn parse_lenient(text: &str) -> Result<Self, IdError> {
        // `PAR::abc` is no participant with a prefix, but it is the unique identifier `PAR` of the namespace `abc`.
        let with_prefix = text.strip_prefix("PAR::").map(str::parse);
        with_prefix.and_then(Result::ok).map_or_else(|| text.parse(), Ok)
    }
}

/// What kind of node a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    /// `PAR`
    Participant,
    /// `MED`
    Mediator,
    /// `SEQ`
    Sequencer,
}

impl MemberKind {
    /// The three-letter code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Participant => "PAR",
            Self::Mediator => "MED",
            Self::Sequencer => "SEQ",
        }
    }
}

/// A node of the network: `PAR::NAME::NAMESPACE`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Member {
    /// What it is.
    pub kind: MemberKind,
    /// Who it is.
    pub uid: UniqueIdentifier,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.kind.code(), self.uid)
    }
}

impl FromStr for Member {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::Member { text: text.to_owned() };
        let (code, uid) = text.split_once("::").ok_or_else(error)?;
        let kind = match code {
            "PAR" => MemberKind::Participant,
            "MED" => MemberKind::Mediator,
            "SEQ" => MemberKind::Sequencer,
            _ => return Err(error()),
        };
        if uid.is_empty() {
            return Err(error());
        }
        Ok(Self { kind, uid: uid.parse()? })
    }
}

/// A synchronizer of one protocol version: `NAME::NAMESPACE::VERSION-SERIAL`. Ordered as Canton orders successors: by
/// the logical id, then serial, then version.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhysicalSynchronizerId {
    /// The logical synchronizer.
    pub logical: SynchronizerId,
    /// How often it was upgraded.
    pub serial: u32,
    /// Its protocol version.
    pub protocol_version: u32,
}

/// The protocol version of Canton's development, written `dev`.
pub const DEVELOPMENT_VERSION: u32 = i32::MAX as u32;
/// Protocol versions that this release knows.
pub const PROTOCOL_VERSIONS: [u32; 3] = [34, 35, DEVELOPMENT_VERSION];

impl fmt::Display for PhysicalSynchronizerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol_version {
            DEVELOPMENT_VERSION => write!(f, "{}::dev-{}", self.logical, self.serial),
            version => write!(f, "{}::{version}-{}", self.logical, self.serial),
        }
    }
}

impl FromStr for PhysicalSynchronizerId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::Physical { text: text.to_owned() };
        let [identifier, namespace, suffix] = parts(text, "::").ok_or_else(error)?;
        let [version, serial] = parts(suffix, "-").ok_or_else(error)?;
        let is_development = version.eq_ignore_ascii_case("dev");
        let protocol_version = if is_development { Some(DEVELOPMENT_VERSION) } else { number(version) };
        let protocol_version = protocol_version.filter(|version| PROTOCOL_VERSIONS.contains(version));
        Ok(Self {
            logical: format!("{identifier}::{namespace}").parse()?,
            serial: number(serial).ok_or_else(error)?,
            protocol_version: protocol_version.ok_or_else(error)?,
        })
    }
}

/// Exactly so many parts of a text; empty parts at its end do not count, as they do not count for Canton.
fn parts<'a, const COUNT: usize>(text: &'a str, separator: &str) -> Option<[&'a str; COUNT]> {
    let mut parts: Vec<&str> = text.split(separator).collect();
    while parts.pop_if(|part| part.is_empty()).is_some() {}
    parts.try_into().ok()
}

/// A number from 0 to 2147483647 in decimal digits.
fn number(text: &str) -> Option<u32> {
    text.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok())
}
