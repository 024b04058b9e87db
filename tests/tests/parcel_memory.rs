//! Memory and speed of a snapshot's way: 64 MiB here, 1 GiB in the full run. Alone in its process, whose memory it measures.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "each test file uses its own part of the road")]
#[path = "parcels/road.rs"]
mod road;

use std::{fs, time::Instant};

use road::{ALICE, BOB, Road, addressee, secret_key};
use signer_agent::parcel::{courier::Courier, measure::content_of, open::open, seal::seal};

/// The child of [`Road`]: a coordinator in a process of its own.
#[test]
fn this_process_is_a_coordinator_where_it_is_told_so() {
    road::be_a_coordinator_where_told();
}

/// Most memory that this process ever had, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn report(what: &str, bytes: u64, since: Instant) {
    let took = since.elapsed().as_secs_f64();
    println!(
        "{what}: {:.0} MiB in {took:.2} s, {:.0} MiB/s",
        bytes as f64 / 1048576.0,
        bytes as f64 / 1048576.0 / took
    );
}

#[tokio::test]
async fn memory_stays_flat_however_long_the_snapshot() {
    let length: u64 = if std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some() { 1 << 30 } else { 64 << 20 };
    let road = Road::begin().await;
    let plain = road.path("plain");
    road::write_noise(&plain, length);
    let start = Instant::now();
    fs::copy(&plain, road.path("copy")).and_then(|_| fs::File::open(road.path("copy"))?.sync_all()).unwrap();
    report("plain copy", length, start);
    let before = peak_kib();

    let start = Instant::now();
    let sealed = seal(fs::File::open(&plain).unwrap(), &addressee(BOB), &road.path("sealed"), |_| {}).unwrap();
    report("seal", length, start);
    let start = Instant::now();
    let courier = Courier::new(road.link(ALICE), road.case);
    courier.send(&addressee(BOB), &road.path("sealed"), &mut |_| {}).await.unwrap();
    report("send", length, start);
    let start = Instant::now();
    let courier = Courier::new(road.link(BOB), road.case);
    courier.fetch(sealed.sealed, &road.path("fetched"), &mut |_| {}).await.unwrap();
    report("fetch", length, start);
    let start = Instant::now();
    open(&road.path("fetched"), &secret_key(BOB), &sealed, &road.path("opened"), |_| {}).unwrap();
    report("open", length, start);

    assert_eq!(content_of(&road.path("opened")).unwrap(), content_of(&plain).unwrap());

    let (ours, theirs) = (peak_kib() - before, road.coordinators_peak_kib());
    println!("memory beyond the start: agents {ours} KiB; the coordinator's most {theirs} KiB");
    assert!(ours < 48 << 10, "the agents grew by {ours} KiB");
    assert!(theirs < 256 << 10, "the coordinator has {theirs} KiB");
}
