//! One module for each target: `run` takes whatever bytes come and panics where a promise is broken.

pub mod api;
pub mod intent;
pub mod judge;
pub mod keys;
pub mod names;
pub mod signed;
pub mod snapshot;
pub mod statement;
pub mod transaction;
pub mod wire;
