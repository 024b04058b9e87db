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
pub mod revalidation;
mod rewind;
pub mod show;
pub mod signature;
pub mod snapshot;
pub mod state;
mod time;
pub mod transaction;
mod verifier;
pub mod wire;

pub use self::time::Timestamp;
