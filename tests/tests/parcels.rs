//! A contract snapshot on its way from one owner's agent to another's: sealed, through a real coordinator that dies, by
//! agents that die, and through one that lies.
#![allow(clippy::unwrap_used)]

#[path = "parcels/road.rs"]
mod road;

use std::{
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use protocol::parcel::{Content, ContentHash, Sealed};
use road::{ALICE, BOB, CAROL, Road, recipient, secret_key};
use signer_agent::{
    coordinator_link::LinkError,
    parcel::{
        courier::{Courier, FetchError, Progress, SendError},
        measure::content_of,
        open::{OpenError, open},
        patience::Patience,
        seal::seal,
    },
};

const PIECE: usize = 64 << 10;
const PIECES: u64 = 5;

fn patience() -> Patience {
    let short = Duration::from_millis(20);
    Patience { pause: short, pause_max: short, without_progress: Duration::from_secs(60) }
}

fn impatience() -> Patience {
    Patience { without_progress: Duration::from_millis(200), ..patience() }
}

impl Road {
    fn courier(&self, owner: usize) -> Courier {
        Courier::new(self.link(owner), self.case).with(patience(), PIECE)
    }

    /// A snapshot of some pieces, sealed for Bob.
    fn sealed(&self) -> Sealed {
        let plain: Vec<u8> =
            (0..PIECE * PIECES as usize - 1_000).map(|index| (index * 7 + index / 251) as u8).collect();
        fs::write(self.path("plain"), &plain).unwrap();
        seal(plain.as_slice(), &recipient(BOB), &self.path("sealed"), |_| {}).unwrap()
    }

    async fn must_send(&self) {
        let to = self.namespace(BOB);
        self.courier(ALICE).send(&to, &self.path("sealed"), &mut |_| {}).await.unwrap();
    }

    async fn fetch(&self, owner: usize, parcel: Content) -> Result<(), FetchError> {
        self.courier(owner).fetch(parcel, &self.path("fetched"), &mut |_| {}).await
    }

    fn opened(&self, sealed: &Sealed) -> Result<(), OpenError> {
        open(&self.path("fetched"), &secret_key(BOB), sealed, &self.path("opened"), |_| {})
    }

    fn must_open(&self, sealed: &Sealed) {
        self.opened(sealed).unwrap();
        assert_eq!(content_of(&self.path("opened")).unwrap(), sealed.plain);
    }
}

/// The child of [`Road`]: a coordinator in a process of its own, which can be killed.
#[test]
fn this_process_is_a_coordinator_where_it_is_told_so() {
    road::be_a_coordinator_where_told();
}

#[tokio::test]
async fn a_snapshot_goes_sealed_from_one_agent_to_the_other() {
    let road = Road::begin().await;
    let sealed = road.sealed();
    let told = Mutex::new(Vec::new());
    let mut tell = |progress: Progress| told.lock().unwrap().push(progress.bytes);

    let sent = road.courier(ALICE).send(&road.namespace(BOB), &road.path("sealed"), &mut tell).await.unwrap();
    assert_eq!(sent, sealed.sealed);
    road.courier(BOB).fetch(sent, &road.path("fetched"), &mut tell).await.unwrap();
    road.must_open(&sealed);

    let told = told.into_inner().unwrap();
    assert_eq!(told.iter().filter(|bytes| **bytes == sent.length).count(), 3, "sent, checked, fetched: {told:?}");
    // Nothing in the coordinator's folder shows a piece of the snapshot.
    let plain = fs::read(road.path("plain")).unwrap();
    for (path, content) in road.coordinators_files() {
        assert!(!content.windows(64).any(|window| window == &plain[..64]), "{}", path.display());
    }
    // Again is nothing to do, and by hand is the same file.
    road.must_send().await;
    road.fetch(BOB, sent).await.unwrap();
    assert_eq!(fs::read(road.path("sealed")).unwrap(), fs::read(road.path("fetched")).unwrap());
}

#[tokio::test]
async fn the_coordinator_and_the_sender_die_after_each_piece() {
    let mut road = Road::begin().await;
    let sealed = road.sealed();
    let (to, path) = (road.namespace(BOB), road.path("sealed"));
    for border in 1..PIECES {
        let stop_at = border * PIECE as u64;
        let (courier, reached) = (road.courier(ALICE), Arc::new(tokio::sync::Notify::new()));
        let told = Arc::clone(&reached);
        let mut tell = move |progress: Progress| {
            assert!(progress.bytes <= stop_at && progress.bytes + PIECE as u64 >= stop_at, "nothing is sent twice");
            if progress.bytes == stop_at {
                told.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = reached.notified() => {}
            sent = courier.send(&to, &path, &mut tell) => panic!("{sent:?}"),
        }
        road.kill_coordinator();
        road.start_coordinator().await;
    }
    road.must_send().await;
    road.fetch(BOB, sealed.sealed).await.unwrap();
    road.must_open(&sealed);
}

#[tokio::test]
async fn the_coordinator_and_the_receiver_die_after_each_piece() {
    let mut road = Road::begin().await;
    let sealed = road.sealed();
    road.must_send().await;
    for border in 1..PIECES {
        let stop_at = border * PIECE as u64;
        let (courier, reached) = (road.courier(BOB), Arc::new(tokio::sync::Notify::new()));
        let told = Arc::clone(&reached);
        let mut tell = move |progress: Progress| {
            assert!(progress.bytes > stop_at - PIECE as u64, "nothing is fetched twice");
            if progress.bytes == stop_at {
                told.notify_one();
            }
        };
        let into = road.path("fetched");
        tokio::select! {
            biased;
            () = reached.notified() => {}
            fetched = courier.fetch(sealed.sealed, &into, &mut tell) => panic!("{fetched:?}"),
        }
        assert!(!into.exists());
        road.kill_coordinator();
        road.start_coordinator().await;
    }
    road.fetch(BOB, sealed.sealed).await.unwrap();
    road.must_open(&sealed);
}

#[tokio::test]
async fn sender_and_receiver_wait_for_a_coordinator_that_is_away() {
    let mut road = Road::begin().await;
    let sealed = road.sealed();
    let (to, path, courier) = (road.namespace(BOB), road.path("sealed"), road.courier(ALICE));
    road.kill_coordinator();
    let sending = tokio::spawn(async move { courier.send(&to, &path, &mut |_| {}).await });
    road.start_coordinator().await;
    sending.await.unwrap().unwrap();

    let (courier, into) = (road.courier(BOB), road.path("fetched"));
    road.kill_coordinator();
    let fetching = tokio::spawn(async move { courier.fetch(sealed.sealed, &into, &mut |_| {}).await });
    road.start_coordinator().await;
    fetching.await.unwrap().unwrap();
    road.must_open(&sealed);
}

#[tokio::test]
async fn whoever_waits_for_nothing_gives_up_by_name() {
    let mut road = Road::begin().await;
    let sealed = road.sealed();
    road.kill_coordinator();
    let courier = |owner| Courier::new(road.link(owner), road.case).with(impatience(), PIECE);

    let sent = courier(ALICE).send(&road.namespace(BOB), &road.path("sealed"), &mut |_| {}).await;
    assert!(matches!(sent, Err(SendError::GaveUp(_))), "{sent:?}");
    let fetched = courier(BOB).fetch(sealed.sealed, &road.path("fetched"), &mut |_| {}).await;
    assert!(matches!(fetched, Err(FetchError::GaveUp(_))), "{fetched:?}");
}

#[tokio::test]
async fn what_is_not_all_there_is_not_fetched_yet() {
    let road = Road::begin().await;
    let sealed = road.sealed();

    let nothing = road.fetch(BOB, sealed.sealed).await;
    assert!(matches!(nothing, Err(FetchError::NotYet { received: 0, .. })), "{nothing:?}");
    let (courier, to, path) = (road.courier(ALICE), road.namespace(BOB), road.path("sealed"));
    let reached = tokio::sync::Notify::new();
    let mut tell = |progress: Progress| {
        if progress.bytes == PIECE as u64 {
            reached.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = reached.notified() => {}
        sent = courier.send(&to, &path, &mut tell) => panic!("{sent:?}"),
    }
    let part = road.fetch(BOB, sealed.sealed).await;
    assert!(matches!(part, Err(FetchError::NotYet { received, .. }) if received == PIECE as u64), "{part:?}");
}

#[tokio::test]
async fn another_owner_neither_fetches_nor_opens_it() {
    let road = Road::begin().await;
    let sealed = road.sealed();
    road.must_send().await;

    let fetched = road.fetch(CAROL, sealed.sealed).await;
    let is_refused = |error: &FetchError| match error {
        FetchError::Link(LinkError::Refused(problem)) => problem.kind.ends_with("parcel-not-yours"),
        _ => false,
    };
    assert!(is_refused(fetched.as_ref().unwrap_err()), "{fetched:?}");
    assert!(!road.path("fetched").exists());
    // And with the file in its hands it has nothing.
    let opened = open(&road.path("sealed"), &secret_key(CAROL), &sealed, &road.path("opened"), |_| {});
    assert!(matches!(opened, Err(OpenError::OtherRecipient { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_coordinator_that_gives_other_bytes_is_named() {
    let mut road = Road::begin().await;
    let sealed = road.sealed();
    road.must_send().await;
    road.kill_coordinator();
    road.coordinator_flips_a_bit();
    road.start_coordinator().await;

    let fetched = road.fetch(BOB, sealed.sealed).await;

    assert!(matches!(&fetched, Err(FetchError::OtherBytes { expected, .. }) if *expected == sealed.sealed));
    assert!(!road.path("fetched").exists() && !road.path("fetched.part").exists(), "nothing of it is kept");
}

#[tokio::test]
async fn a_coordinator_with_another_length_does_not_fill_our_disk() {
    let road = Road::begin().await;
    let sealed = road.sealed();
    road.must_send().await;
    let shorter = Content { length: sealed.sealed.length - 1, ..sealed.sealed };

    let fetched = road.fetch(BOB, shorter).await;

    assert!(matches!(fetched, Err(FetchError::OtherLength { .. })), "{fetched:?}");
}

#[tokio::test]
async fn what_was_fetched_in_part_from_a_liar_does_not_spoil_the_next_try() {
    let road = Road::begin().await;
    let sealed = road.sealed();
    road.must_send().await;
    for start in [vec![0; PIECE + 17], vec![0; 10 << 20]] {
        fs::write(road.path("fetched.part"), start).unwrap();
        if let Err(error) = road.fetch(BOB, sealed.sealed).await {
            assert!(matches!(error, FetchError::OtherBytes { .. }), "{error:?}");
            road.fetch(BOB, sealed.sealed).await.unwrap();
        }
        road.must_open(&sealed);
        fs::remove_file(road.path("fetched")).unwrap();
    }
}

#[tokio::test]
async fn two_who_fetch_into_one_file_do_not_mix() {
    let road = Road::begin().await;
    let sealed = road.sealed();
    let part = fs::File::create(road.path("fetched.part")).unwrap();
    part.lock().unwrap();

    let fetched = road.fetch(BOB, sealed.sealed).await;

    assert!(matches!(fetched, Err(FetchError::InUse { .. })), "{fetched:?}");
}

#[tokio::test]
async fn a_parcel_that_the_coordinator_swaps_for_another_is_not_taken() {
    let road = Road::begin().await;
    let sealed = road.sealed();
    road.must_send().await;
    road.fetch(BOB, sealed.sealed).await.unwrap();
    // Another snapshot, as long, sealed to Bob too, in the other's place.
    let other = seal(vec![9; sealed.plain.length as usize].as_slice(), &recipient(BOB), &road.path("fetched"), |_| {});
    let length = other.unwrap().sealed.length;
    let expected = Sealed { sealed: Content { length, ..sealed.sealed }, ..sealed };

    assert!(matches!(road.opened(&expected), Err(OpenError::OtherParcel { .. })));
    let hash = ContentHash::from_bytes([1; 32]);
    assert!(matches!(road.fetch(BOB, Content { hash, length }).await, Err(FetchError::NotYet { .. })));
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
    let sealed = seal(fs::File::open(&plain).unwrap(), &recipient(BOB), &road.path("sealed"), |_| {}).unwrap();
    report("seal", length, start);
    let start = Instant::now();
    let courier = Courier::new(road.link(ALICE), road.case);
    courier.send(&road.namespace(BOB), &road.path("sealed"), &mut |_| {}).await.unwrap();
    report("send", length, start);
    let start = Instant::now();
    let courier = Courier::new(road.link(BOB), road.case);
    courier.fetch(sealed.sealed, &road.path("fetched"), &mut |_| {}).await.unwrap();
    report("fetch", length, start);
    let start = Instant::now();
    road.must_open(&sealed);
    report("open", length, start);

    let (ours, theirs) = (peak_kib() - before, road.coordinators_peak_kib());
    println!("memory beyond the start: agents {ours} KiB; the coordinator's most {theirs} KiB");
    assert!(ours < 48 << 10, "the agents grew by {ours} KiB");
    assert!(theirs < 256 << 10, "the coordinator has {theirs} KiB");
}
