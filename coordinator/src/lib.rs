//! The coordinator: carries statements and signatures between owners, and submits what Canton's rule calls complete.
//!
//! It has no power: it cannot forge, hide or alter anything without being caught, and losing it loses nothing. What
//! decides is [`coordinator::Coordinator`], synchronous and pure; everything else here feeds and obeys it.

pub mod api;
pub mod cli;
mod clock;
pub mod config;
pub mod control;
pub mod coordinator;
pub mod data_folder;
pub mod driver;
pub mod enrolment;
pub mod identity;
pub mod mailbox;
pub mod parcels;
pub mod power;
pub mod register;
pub mod run;
pub mod store;
pub mod tls;

pub use self::run::{Options, RunError, Running, run, start};
