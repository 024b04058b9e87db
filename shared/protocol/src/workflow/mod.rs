//! One module for each workflow: what its intent means on today's topology.

pub mod add_owner;
pub mod adopt;
pub mod change_thresholds;
pub mod create_party;
pub mod raw;
pub mod void;
