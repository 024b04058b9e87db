//! The coordinator's tests: its mind alone, its store, its service over TLS, its process.
#![allow(clippy::unwrap_used)]

mod command_line;
mod enrolment;
mod introductions;
mod mind;
mod parcel_rules;
mod parcels;
mod power_cut;
mod service;
mod statements;
mod store;
mod support;
mod take_over;
