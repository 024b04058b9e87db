//! The targets hold of everything that the fuzzer begins with: what `run` finds later is a change.
#![allow(clippy::unwrap_used)]

use std::panic::catch_unwind;

use fuzz::TARGETS;

#[test]
fn every_target_holds_of_its_own_seeds_and_of_all_others() {
    let seeds: Vec<Vec<u8>> = TARGETS.iter().flat_map(|target| (target.seeds)()).collect();
    for target in TARGETS {
        assert!(!(target.seeds)().is_empty(), "{} has nothing to begin with", target.name);
        for bytes in &seeds {
            let held = catch_unwind(|| (target.run)(bytes));
            assert!(held.is_ok(), "{} on {}", target.name, hex::encode(bytes));
        }
    }
    println!("{} targets hold of {} seeds", TARGETS.len(), seeds.len());
}
