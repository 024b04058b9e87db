//! The rules of cases, plans, verification and life, held one by one.
#![allow(clippy::unwrap_used)]

#[path = "../world/mod.rs"]
mod world;

mod case;
mod classes;
mod dangers;
mod encoding;
mod life;
mod parcel;
mod plan;
mod verify;
