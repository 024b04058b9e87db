//! A synchronizer with participants in this process: the embedded default of a first run, and the world of the tests.
//!
//! It speaks Canton's own gRPC on loopback sockets and decides with `canton-topology`'s judge, so that a client cannot
//! tell it from a node. Its keys live in memory only. NEVER a production component: nothing here is durable, and nobody
//! authenticates unless a test asks for it.
#![deny(missing_docs)]

pub mod access;
mod acs;
mod clock;
mod connection;
pub mod contract;
pub mod faults;
pub mod genesis;
mod hosting;
pub mod ledger;
pub mod network;
mod node;
mod options;
mod packages;
mod participant;
mod refused;
mod serve;
mod standing;
mod synchronizer;
