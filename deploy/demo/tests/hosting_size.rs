//! Many contracts are carried over by processes whose memory stays as it was: 32 MiB here, 1 GiB in the full run.
#![allow(clippy::unwrap_used)]

mod stage;

use std::time::{Duration, Instant};

use canton_sandbox::{contract::NewContract, network::Options};
use canton_topology::id::PartyId;
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use self::stage::{PACKAGE, Stage, text};

/// A contract's content, in bytes.
const CONTRACT_BYTES: usize = 64 << 10;
/// Contracts of one transaction.
const AT_ONCE: usize = 512;
/// Most that a process may grow by, in KiB, while it exports, carries, counts or imports.
const GROWTH_KIB_MAX: u64 = 64 << 10;

const PROCESSES: [&str; 4] = ["alice", "bob", "dave", "coordinator"];

#[test]
fn a_large_party_is_carried_over_in_flat_memory() {
    let is_full = std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some();
    let bytes: usize = if is_full { 1 << 30 } else { 32 << 20 };
    let options = Options { protocol_version: 35, decision_timeout: Duration::from_secs(1), ..Options::default() };
    let mut stage = Stage::new(&["alice", "bob", "carol", "dave"], options);
    stage.patience = Duration::from_secs(30 * 60);
    let party = stage.party();
    let count = bytes / CONTRACT_BYTES;
    create_noise(&stage, &party, count);

    let made = stage.propose("alice", &["host", &party.to_string(), "--on", "dave"]);
    let case = text(&made, "case");
    stage.step("dave", &case, "vet", "due");
    stage.ask("dave", &["workflow", "run", &case, "--archive", &stage.archive()]);
    stage.step("dave", &case, "vet", "done");
    stage.confirm("alice", &case, "prepare");
    stage.approve("dave", &case);
    stage.confirm("dave", &case, "disconnect");
    let before = PROCESSES.map(|process| stage.peak_kib(process));
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    let start = Instant::now();
    stage.step("dave", &case, "export", "done");
    stage.step("dave", &case, "count", "done");
    let exported = start.elapsed();
    stage.back_up("dave", &case);
    stage.confirm("dave", &case, "import");
    for owner in ["alice", "dave"] {
        stage.step(owner, &case, "verify-target", "done");
    }

    let (mib, imported) = (bytes >> 20, start.elapsed() - exported);
    println!("{mib} MiB in {count} contracts: out and there in {exported:.0?}, in after {imported:.0?} more");
    assert_eq!(stage.network.contracts(&stage.node("dave").id).len(), count);
    for (process, before) in PROCESSES.into_iter().zip(before) {
        let after = stage.peak_kib(process);
        println!("{process}: at most {before} KiB before, {after} KiB after");
        assert!(after <= before + GROWTH_KIB_MAX, "{process} grew from {before} to {after} KiB");
    }
}

/// Contracts that do not compress.
fn create_noise(stage: &Stage, party: &PartyId, count: usize) {
    let mut noise = ChaCha8Rng::seed_from_u64(5);
    let mut contract = |_| {
        let mut payload = vec![0; CONTRACT_BYTES];
        noise.fill_bytes(&mut payload);
        let (signatories, observers) = ([party.clone()].into(), [].into());
        NewContract { package: PACKAGE.parse().unwrap(), signatories, observers, payload }
    };
    for first in (0..count).step_by(AT_ONCE) {
        let some = (first..count.min(first + AT_ONCE)).map(&mut contract).collect();
        stage.runtime.block_on(stage.network.transact(some, Vec::new()));
    }
}
