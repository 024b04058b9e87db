//! Parcels: a file goes sealed from this agent to another owner's, and comes sealed from one.
//!
//! [`seal`] and [`open`] work on files and block; they belong on a thread that may. [`courier`] carries a sealed file
//! through the coordinator, piece by piece, from wherever it was broken off. A sealed file carried by hand needs no
//! courier: it is the same file. Nothing here decides whom to believe: the recipient comes from the owner's own book,
//! and what a parcel must hash to from a statement that its sender signed.

pub mod courier;
pub mod measure;
pub mod new_file;
pub mod open;
pub mod patience;
pub mod seal;
mod wire;
