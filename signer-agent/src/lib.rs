//! One owner's signer agent: verifies for itself, asks its owner, signs, and dials out only.

pub mod agent;
