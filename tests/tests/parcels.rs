//! A contract snapshot on its way from one owner's agent to another's: sealed, through a real coordinator that dies, by
//! agents that die, and through one that lies.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "each test file uses its own part of the road")]
#[path = "parcels/road.rs"]
mod road;

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use protocol::parcel::{Content, ContentHash, Sealed};
use road::{ALICE, BOB, CAROL, Road, addressee, secret_key};
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
        seal(plain.as_slice(), &addressee(BOB), &self.path("sealed"), |_| {}).unwrap()
    }

    async fn must_send(&self) {
        let to = addressee(BOB);
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

    let sent = road.courier(ALICE).send(&addressee(BOB), &road.path("sealed"), &mut tell).await.unwrap();
    assert_eq!(sent, sealed.sealed);
    road.courier(BOB).fetch(sent, &road.path("fetched"), &mut tell).await.unwrap();
    road.must_open(&sealed);

    let told = told.into_inner().unwrap();
    assert_eq!(told.iter().filter(|bytes| **bytes == sent.length).count(), 2, "sent and fetched: {told:?}");
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
    let (to, path) = (addressee(BOB), road.path("sealed"));
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
    let (to, path, courier) = (addressee(BOB), road.path("sealed"), road.courier(ALICE));
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

    let sent = courier(ALICE).send(&addressee(BOB), &road.path("sealed"), &mut |_| {}).await;
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
    let (courier, to, path) = (road.courier(ALICE), addressee(BOB), road.path("sealed"));
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
async fn t01_a_coordinator_that_gives_other_bytes_is_named() {
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
    fs::write(road.path("fetched.part"), vec![0; PIECE + 17]).unwrap();
    let first = road.fetch(BOB, sealed.sealed).await;
    assert!(matches!(first, Err(FetchError::OtherBytes { .. })), "{first:?}");
    road.fetch(BOB, sealed.sealed).await.unwrap();
    road.must_open(&sealed);
    fs::remove_file(road.path("fetched")).unwrap();
    // More than the whole is plainly of something else.
    fs::write(road.path("fetched.part"), vec![0; 10 << 20]).unwrap();
    road.fetch(BOB, sealed.sealed).await.unwrap();
    road.must_open(&sealed);
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
    let other = seal(vec![9; sealed.plain.length as usize].as_slice(), &addressee(BOB), &road.path("fetched"), |_| {});
    let length = other.unwrap().sealed.length;
    let expected = Sealed { sealed: Content { length, ..sealed.sealed }, ..sealed };

    assert!(matches!(road.opened(&expected), Err(OpenError::OtherParcel { .. })));
    let hash = ContentHash::from_bytes([1; 32]);
    assert!(matches!(road.fetch(BOB, Content { hash, length }).await, Err(FetchError::NotYet { .. })));
}
