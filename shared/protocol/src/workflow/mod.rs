//! One module for each workflow: what its intent means on today's topology.

pub mod create_party;
pub mod delegation;
pub mod host_party;
pub mod leave_host;
pub mod membership;
pub mod migrate_keys;
pub mod raw;
pub mod rotate_owner_key;
pub mod void;
