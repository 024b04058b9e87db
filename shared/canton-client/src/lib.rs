//! A Canton participant behind a few calls: read topology, sign with the node's keys, submit, read back.
//!
//! It knows nothing of cases. Bytes go in and come out as they are; whatever a node answers is checked where it can be.
#![deny(missing_docs)]

pub mod access;
pub mod answer;
pub mod check;
mod connection;
pub mod connectivity;
pub mod error;
pub mod explain;
pub mod ledger;
pub mod packages;
pub mod participant;
pub mod parties;
pub mod pruning;
pub mod snapshot_file;
pub mod status;
pub mod vault;
mod wire;
