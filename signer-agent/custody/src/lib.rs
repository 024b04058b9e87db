//! Custody: an owner's keys, the journal of what was signed, and the ladder from a verified offer to a released
//! signature. Synchronous, without any network: the offline signer links it too.
#![deny(missing_docs)]

pub mod hardening;
pub mod journal;
pub mod keys;
pub mod ladder;
pub mod locked;
pub mod random;
