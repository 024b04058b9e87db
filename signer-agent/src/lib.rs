//! One owner's signer agent: verifies for itself, asks its owner, signs, and dials out only.

pub mod actor;
pub mod agent;
pub mod backends;
pub mod cli;
pub mod control;
pub mod coordinator_link;
pub mod custodian;
pub mod explained;
pub mod finish;
pub mod folder;
pub mod hosting;
pub mod introductions;
pub mod lines;
pub mod offering;
pub mod outgoing;
pub mod parcel;
mod posting;
pub mod process;
pub mod transcript;
pub mod waiting;
pub mod wanted;
