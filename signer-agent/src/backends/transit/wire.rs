//! What a transit engine says of keys, and how we name them.

use std::collections::BTreeMap;

use canton_topology::key::KeySpec;
use custody::keys::KeyError;
use serde::Deserialize;
use serde_json::Value;

use crate::backends::service::said;

/// The types of keys that are used.
pub(super) const SPECS: [KeySpec; 3] = [KeySpec::Ed25519, KeySpec::P256, KeySpec::P384];

/// A key's name and version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    pub name: &'a str,
    pub version: u64,
}

#[derive(Deserialize)]
pub(super) struct Answer<T> {
    pub data: T,
}

#[derive(Deserialize)]
pub(super) struct KeyRead {
    #[serde(rename = "type")]
    pub kind: String,
    pub exportable: bool,
    pub allow_plaintext_backup: bool,
    pub deletion_allowed: bool,
    pub derived: bool,
    #[serde(default)]
    pub imported_key: bool,
    #[serde(default)]
    pub soft_deleted: bool,
    pub latest_version: u64,
    #[serde(default)]
    pub min_available_version: u64,
    /// What it says of each version; a mere number for keys that sign nothing.
    pub keys: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct Signed {
    pub signature: String,
}

#[derive(Deserialize)]
pub(super) struct Complaint {
    #[serde(default)]
    pub errors: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Health {
    pub sealed: bool,
    pub version: String,
}

#[derive(Deserialize)]
pub(super) struct Lookup {
    pub ttl: i64,
    pub policies: Vec<String>,
}

impl KeyRead {
    /// The first version that there still is.
    pub fn least_version(&self) -> u64 {
        self.min_available_version.max(1)
    }

    pub fn facts(&self) -> Vec<(String, String)> {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        [
            ("type", said(&self.kind)),
            ("exportable", yes(self.exportable)),
            ("allow_plaintext_backup", yes(self.allow_plaintext_backup)),
            ("deletion_allowed", yes(self.deletion_allowed)),
            ("imported", yes(self.imported_key)),
            ("min_version", self.least_version().to_string()),
            ("latest_version", self.latest_version.to_string()),
        ]
        .map(|(name, fact)| (name.to_owned(), fact))
        .into()
    }

    pub fn weaknesses(&self) -> Vec<String> {
        let weak = [
            (
                self.exportable,
                "it is exportable: whoever has the right to it can take it out; make one with exportable=false",
            ),
            (
                self.allow_plaintext_backup,
                "its plaintext backup is allowed: whoever has the right to it can take it out",
            ),
        ];
        weak.into_iter().filter(|(is_weak, _)| *is_weak).map(|(_, why)| why.to_owned()).collect()
    }
}

impl<'a> Reference<'a> {
    pub fn parse(text: &'a str) -> Result<Self, KeyError> {
        let read = text.rsplit_once('@').filter(|(name, _)| is_name(name));
        let read = read.and_then(|(name, version)| Some(Self { name, version: version.parse().ok()? }));
        read.ok_or_else(|| KeyError::Missing {
            reference: text.to_owned(),
            reason: "write it as NAME@VERSION, such as treasury@1: each version is a key of its own".to_owned(),
        })
    }

    pub fn missing(&self, reason: &str) -> KeyError {
        KeyError::Missing { reference: self.to_string(), reason: reason.to_owned() }
    }
}

impl std::fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// What may stand in a path without being more than a name.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || matches!(one, '-' | '_' | '.');
    !text.is_empty() && !text.starts_with('.') && text.chars().all(is_plain)
}

pub(super) fn kind(spec: KeySpec) -> &'static str {
    match spec {
        KeySpec::Ed25519 => "ed25519",
        KeySpec::P256 => "ecdsa-p256",
        KeySpec::P384 => "ecdsa-p384",
        // Not among what this backend can do; the server has no such type and says so.
        KeySpec::Secp256k1 => "ecdsa-secp256k1",
    }
}

pub(super) fn spec(text: &str) -> Option<KeySpec> {
    SPECS.into_iter().find(|spec| kind(*spec) == text)
}
