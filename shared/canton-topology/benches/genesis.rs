//! MainNet's whole genesis state: read, verified and authorized, beside the bare verification of the same signatures.
//!
//! The limit is what nobody can go below: each of the 4,238 signatures verified once, by its own algorithm, strictly, over
//! keys and messages that are there already. Rounds alternate, so that a busy machine slows both.
#![allow(clippy::unwrap_used)]

use std::{
    collections::HashMap,
    io::Read as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use canton_topology::{
    id::{Fingerprint, PhysicalSynchronizerId},
    judge::{Verdict, Verifier, replay},
    key::SigningPublicKey,
    mapping::Mapping,
    snapshot::{self, Item},
    state::{State, StaticParameters},
    transaction::SignatureOver,
};

const ROUNDS: usize = 9;

fn main() {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/canton/fixtures/CN-genesis-state-20250410.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: {} is not beside the project", path.display());
        return;
    };
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    let (_, items) = snapshot::read(&bytes).unwrap();
    let signatures = signatures(&items);
    let (transactions, count) = (items.len(), signatures.len());
    println!("{transactions} transactions, {count} signatures, {:.1} MB", bytes.len() as f64 / 1e6);

    let mut parts: HashMap<&str, Vec<Duration>> = HashMap::new();
    for _ in 0..ROUNDS {
        for (name, work) in [
            ("bare", &(|| bare(&signatures)) as &dyn Fn()),
            ("one", &|| one_thread(&bytes)),
            ("two", &|| two_threads(&bytes)),
            ("read", &|| drop(std::hint::black_box(snapshot::read(&bytes).unwrap()))),
        ] {
            let before = Instant::now();
            work();
            parts.entry(name).or_default().push(before.elapsed());
        }
    }
    let median = |name: &str| {
        let mut all = parts[name].clone();
        all.sort();
        all[all.len() / 2].as_secs_f64()
    };
    // Rounds are paired: the ratio of each, and the median of those.
    let ratio = |name: &str| {
        let mut all: Vec<f64> = parts[name]
            .iter()
            .zip(&parts["bare"])
            .map(|(ours, bare)| ours.as_secs_f64() / bare.as_secs_f64())
            .collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let (bare, one, two) = (median("bare"), median("one"), median("two"));
    println!("bare verification          {:8.1} ms  {:7.0} signatures/s", bare * 1e3, count as f64 / bare);
    println!("reading alone              {:8.1} ms", median("read") * 1e3);
    for (name, took, limit) in [("one", one, 1.3), ("two", two, 0.7)] {
        let found = ratio(name);
        let met = if found <= limit { "met" } else { "NOT met" };
        println!("everything, {name} thread(s)   {:8.1} ms  {found:.2} x bare; limit {limit} x: {met}", took * 1e3);
    }
    match peak() {
        Some(kib) => println!("peak of memory             {:8.1} MB", kib as f64 / 1024.0),
        None => println!("peak of memory: this system does not say"),
    }
}

fn replayed(items: &[Item], mut verifier: Verifier) {
    let mut state = State::new(synchronizer(items), StaticParameters::default());
    let verdicts = replay(&mut state, &mut verifier, items);
    let is_active = |verdict: &Verdict| matches!(verdict, Verdict::Active { .. });
    assert!(verdicts.iter().all(is_active));
}

fn one_thread(bytes: &[u8]) {
    let (_, items) = snapshot::read(bytes).unwrap();
    replayed(&items, Verifier::ahead(&items, 1));
}

fn two_threads(bytes: &[u8]) {
    let (_, items) = snapshot::read_on(2, bytes).unwrap();
    replayed(&items, Verifier::ahead(&items, 2));
}

/// Each signature with its key, found once.
fn signatures(items: &[Item]) -> Vec<(SignatureOver, SigningPublicKey)> {
    let named = items.iter().flat_map(|item| item.transaction.transaction.mapping().signing_keys());
    let keys: HashMap<Fingerprint, SigningPublicKey> = named.map(|key| (key.fingerprint(), key.clone())).collect();
    let all = items.iter().flat_map(|item| item.transaction.distinct_signatures());
    all.map(|over| {
        let key = keys[over.signature.signed_by()].clone();
        (over, key)
    })
    .collect()
}

fn bare(signatures: &[(SignatureOver, SigningPublicKey)]) {
    for (over, key) in signatures {
        over.signature.verify(key, &over.message).unwrap();
    }
}

fn synchronizer(items: &[Item]) -> PhysicalSynchronizerId {
    let found = items.iter().find_map(|item| match item.transaction.transaction.mapping() {
        Mapping::SynchronizerParametersState(parameters) => Some(parameters.synchronizer.clone()),
        _ => None,
    });
    PhysicalSynchronizerId { logical: found.unwrap(), serial: 0, protocol_version: 34 }
}

/// The most memory that the process ever held, in KiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}
