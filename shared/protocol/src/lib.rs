//! Countersign's own rules, pure: intents, cases, statements, plans, verification, the book, limits and API bodies.
//!
//! Everything here is a function of its arguments: no clock, no randomness, no file, no socket. The coordinator and
//! the agents are thin shells around it. It never names a protobuf type: Canton's bytes are `canton_topology`'s.
#![deny(missing_docs)]

pub mod api;
pub mod book;
pub mod cascade;
pub mod case;
pub mod consequence;
pub mod danger;
pub mod difference;
pub mod directory;
pub mod encoding;
pub mod hosting;
pub mod identity;
pub mod intent;
pub mod life;
pub mod limits;
pub mod merge;
pub mod parcel;
pub mod plan;
pub mod principal;
pub mod reach;
pub mod refusal;
pub mod registry;
pub mod stage;
pub mod statement;
pub mod todo;
pub mod verify;
pub mod workflow;
