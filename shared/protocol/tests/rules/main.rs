//! The rules of cases, plans, verification and life, held one by one.
#![allow(clippy::unwrap_used)]

#[path = "../world/mod.rs"]
mod world;

mod case;
mod classes;
mod dangers;
mod encoding;
mod finishing;
mod foreign;
mod life;
mod plan;
mod rivals;
mod verify;
