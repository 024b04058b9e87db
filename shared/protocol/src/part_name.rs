//! What a state is called in which only a part of an offer took effect.

use std::{fmt, str::FromStr};

use canton_topology::hash::UniqueKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The name of a state in which only a part of an offer took effect: SHA-256 over the chains that the part touches. The
/// same whatever the serials, so that it holds when the offer is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartName([u8; 32]);

/// The text is no name of a part.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no name of a part: expected 64 hex digits")]
pub struct NotAPartName(String);

impl PartName {
    /// The name of the part that touches these chains, in whatever order they come.
    pub fn of(chains: impl Iterator<Item = UniqueKey>) -> Self {
        let mut chains: Vec<UniqueKey> = chains.collect();
        chains.sort_unstable_by_key(|chain| *chain.as_bytes());
        let mut hasher = Sha256::new();
        hasher.update(b"countersign/part-name/v1\n");
        chains.iter().for_each(|chain| hasher.update(chain.as_bytes()));
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for PartName {
    type Err = NotAPartName;

    fn from_str(text: &str) -> Result<Self, NotAPartName> {
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| NotAPartName(text.to_owned()))
    }
}
