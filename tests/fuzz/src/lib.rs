//! Fuzz targets: one function for each door through which bytes come in from outside. Each panics where something that
//! must hold of any bytes does not.
//!
//! The targets know nothing of what drives them. `run` drives them with LLVM's libFuzzer; `cargo test` and the ordinary
//! binary drive them with the seeds, or with a file that crashed one.

pub mod seeds;
pub mod targets;
// The world of protocol's own tests: owners, a coordinator and a topology for statements to be about.
#[path = "../../../shared/protocol/tests/world/mod.rs"]
mod world;

use crate::targets::{api, intent, judge, keys, names, signed, snapshot, statement, transaction, wire};

/// A way in for bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What is done with the bytes.
    pub run: fn(&[u8]),
    /// Bytes to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: [Target; 10] = [
    Target { name: "wire", run: wire::run, seeds: seeds::transactions },
    Target { name: "transaction", run: transaction::run, seeds: seeds::transactions },
    Target { name: "signed", run: signed::run, seeds: seeds::signed },
    Target { name: "snapshot", run: snapshot::run, seeds: seeds::snapshots },
    Target { name: "keys", run: keys::run, seeds: seeds::keys },
    Target { name: "names", run: names::run, seeds: seeds::names },
    Target { name: "judge", run: judge::run, seeds: seeds::histories },
    Target { name: "statement", run: statement::run, seeds: seeds::statements },
    Target { name: "intent", run: intent::run, seeds: seeds::intents },
    Target { name: "api", run: api::run, seeds: seeds::bodies },
];

impl Target {
    /// The target of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}
