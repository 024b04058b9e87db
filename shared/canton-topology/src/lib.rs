//! Canton's topology rule book, pure: the wire, identifiers, keys, hashes, mappings, signatures, who must sign, and
//! the judge that decides as Canton decides.
//!
//! It knows nothing of Countersign: no cases, no owners' policies, no network, clock or disk. Bytes are the truth: a
//! [`transaction::Transaction`] is the bytes as received, plus a view parsed from them, plus the list of what the view
//! does not show.
#![deny(missing_docs)]

pub mod authorization;
pub mod awakening;
mod checks;
pub mod completing;
mod faithful;
pub mod hash;
pub mod id;
pub mod judge;
pub mod key;
pub mod mapping;
pub mod planner;
pub mod rejection;
mod rewind;
pub mod show;
pub mod signature;
pub mod snapshot;
pub mod state;
pub mod transaction;
pub mod wire;

/// Microseconds since the Unix epoch, as Canton counts time. Canton's least is year 1, its greatest year 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The microseconds since the epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// This time and some microseconds more, stopping at the ends of the range.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}
