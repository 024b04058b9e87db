//! What the whole-system tests share.

pub mod conformance;
pub mod naive_count;
pub mod recorded;
