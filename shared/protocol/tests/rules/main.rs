//! The rules of cases, plans, verification and life, held one by one.
#![allow(clippy::unwrap_used)]

#[path = "../world/mod.rs"]
mod world;

mod case;
mod classes;
mod consequences;
mod dangers;
mod delegation;
mod encoding;
mod hosting;
mod life;
mod membership;
mod parcel;
mod plan;
mod reach;
mod stages;
mod verify;
