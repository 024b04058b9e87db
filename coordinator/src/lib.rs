//! The coordinator: carries statements and signatures between owners, and submits what Canton's rule calls complete.
//!
//! It has no power: it cannot forge, hide or alter anything without being caught, and losing it loses nothing.

pub mod coordinator;
pub mod data_folder;
pub mod store;
pub mod tls;
