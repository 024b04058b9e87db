//! The rules of cases, plans, verification and life, held one by one.
#![allow(clippy::unwrap_used)]

#[path = "../world/mod.rs"]
mod world;

mod case;
mod classes;
mod consequences;
mod dangers;
mod delegation;
mod drills;
mod encoding;
mod finishing;
mod foreign;
mod hosting;
mod introduction;
mod introduction_attacks;
mod lacking;
mod life;
mod lifecycle;
mod membership;
mod naming;
mod parcel;
mod plan;
mod reach;
mod rebase;
mod rivals;
mod stages;
mod succession;
mod verify;
mod witness;
