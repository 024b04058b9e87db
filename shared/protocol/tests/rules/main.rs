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
mod finishing;
mod foreign;
mod hosting;
mod life;
mod lifecycle;
mod membership;
mod parcel;
mod plan;
mod reach;
mod rivals;
mod stages;
mod verify;
