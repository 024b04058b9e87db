//! The coordinator's tests: its mind alone, its store, its service over TLS, its process.
#![allow(clippy::unwrap_used)]

mod enrolment;
mod mind;
mod power_cut;
mod service;
mod statements;
mod store;
mod support;
mod take_over;
