//! Countersign's own rules, pure: intents, cases, statements, plans, verification, the book, limits and API bodies.
//!
//! Everything here is a function of its arguments: no clock, no randomness, no file, no socket. The coordinator and
//! the agents are thin shells around it. It never names a protobuf type: Canton's bytes are `canton_topology`'s.
#![deny(missing_docs)]

pub mod accepted;
pub mod api;
pub mod book;
pub mod cascade;
pub mod case;
pub mod consequence;
pub mod danger;
pub mod difference;
pub mod directory;
pub mod drill;
pub mod encoding;
pub mod foreign;
pub mod hosting;
pub mod hosts;
pub mod identity;
pub mod intent;
pub mod introduction;
pub mod lacking;
pub mod life;
pub mod limits;
pub mod merge;
pub mod naming;
pub mod newcomers;
pub mod offering;
pub mod parcel;
pub mod part_name;
pub mod plan;
pub mod possession;
pub mod principal;
pub mod progress;
pub mod reach;
pub mod reader;
pub mod rebase;
pub mod refusal;
pub mod registry;
pub mod request;
pub mod rival;
pub mod stage;
pub mod statement;
pub mod submission;
pub mod succession;
pub mod todo;
pub mod verify;
pub mod witness;
pub mod workflow;
