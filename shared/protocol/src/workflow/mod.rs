//! One module for each workflow: what its intent means on today's topology.

pub mod adopt;
pub mod after;
pub(crate) mod building;
pub mod create_party;
pub mod delegation;
pub mod error;
pub mod host_party;
pub mod leave_host;
pub mod membership;
pub mod migrate_keys;
pub mod raw;
pub mod rotate_owner_key;
pub mod void;
