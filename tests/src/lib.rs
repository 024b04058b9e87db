//! What the whole-system tests share.

pub mod backend_conformance;
pub mod bao;
pub mod conformance;
pub mod memory_keys;
pub mod naive_count;
pub mod recorded;
pub mod softhsm;
