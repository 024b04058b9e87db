//! What is decided about parcels, and what their files look like after a crash.

use std::{fs, path::PathBuf};

use canton_topology::{Timestamp, id::Namespace};
use coordinator::{
    data_folder::DataFolder,
    parcels::{
        ParcelError, Parcels,
        ledger::{Key, Ledger, Piece, Quotas, Refused},
    },
};
use protocol::{api::ParcelState, intent::CaseId, limits, parcel::ContentHash};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

const WIDE: Quotas =
    Quotas { owner_and_case: u64::MAX, owner: u64::MAX, total: u64::MAX, keep_free: 0, keep_micros: 100 };

fn owner(number: u8) -> Namespace {
    format!("1220{}", hex::encode([number; 32])).parse().unwrap()
}

fn case(number: u8) -> CaseId {
    CaseId::from_bytes([number; 16])
}

fn piece(bytes: &[u8], offset: u64) -> Piece {
    let parcel = ContentHash::from_bytes(Sha256::digest(bytes).into());
    let key = Key { case: case(1), parcel, from: owner(1) };
    Piece { key, to: owner(2), length: bytes.len() as u64, offset }
}

/// A data folder and the parcels in it.
struct Shelf {
    folder: tempfile::TempDir,
    parcels: Parcels,
    stop: watch::Sender<bool>,
}

impl Shelf {
    fn new(quotas: Quotas) -> Self {
        Self::open(tempfile::tempdir().unwrap(), quotas)
    }

    fn open(folder: tempfile::TempDir, quotas: Quotas) -> Self {
        let (stop, stopped) = watch::channel(false);
        let data = DataFolder::open(&folder.path().join("data")).unwrap();
        Self { parcels: Parcels::open(&data, quotas, stopped).unwrap(), folder, stop }
    }

    /// As after a kill: what is on the disk is all there is.
    fn reopen(self) -> Self {
        Self::open(self.folder, WIDE)
    }

    fn files(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("data/parcels");
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.files().into_iter().find(|path| path.extension().unwrap() == ending).unwrap()
    }

    fn must_receive(&self, bytes: &[u8], from: usize, to: usize) {
        self.parcels.receive(&piece(bytes, from as u64), &bytes[from..to], Timestamp(1)).unwrap();
    }

    fn received(&self, bytes: &[u8]) -> (u64, ParcelState) {
        let key = piece(bytes, 0).key;
        let status = self.parcels.status(key.case, key.parcel, &key.from).unwrap();
        (status.received, status.state)
    }
}

#[test]
fn a_disk_that_would_not_have_room_for_statements_takes_no_parcel() {
    let shelf = Shelf::new(Quotas { keep_free: u64::MAX, ..WIDE });

    let refused = shelf.parcels.receive(&piece(b"parcel", 0), b"parcel", Timestamp(1));

    assert!(matches!(refused, Err(ParcelError::Refused(Refused::NoRoom { wanted: 6, free: 0 }))), "{refused:?}");
    assert!(shelf.files().is_empty());
}

#[test]
fn what_others_have_still_to_send_counts_as_used() {
    let mut ledger = Ledger::new(Quotas { keep_free: 1_000, ..WIDE });
    let (one, other) = (vec![1; 600], vec![2; 500]);
    ledger.admit(&piece(&one, 0), 100, 2_000, Timestamp(1)).unwrap();
    ledger.received(&piece(&one, 0).key, 100, Timestamp(1));

    let refused = ledger.admit(&piece(&other, 0), 1, 1_999, Timestamp(1));
    assert_eq!(refused, Err(Refused::NoRoom { wanted: 1_000, free: 999 }));
    // A disk that filled up since stops what is under way too.
    let refused = ledger.admit(&piece(&one, 100), 1, 1_499, Timestamp(1));
    assert_eq!(refused, Err(Refused::NoRoom { wanted: 500, free: 499 }));
    assert_eq!(ledger.admit(&piece(&other, 0), 1, 2_000, Timestamp(1)), Ok(true));
}

#[test]
fn a_length_that_no_parcel_has_is_refused() {
    let mut ledger = Ledger::new(WIDE);
    for length in [0, limits::PARCEL_BYTES_MAX + 1, u64::MAX] {
        let piece = Piece { length, ..piece(b"x", 0) };
        let refused = ledger.admit(&piece, 1, u64::MAX, Timestamp(1));
        assert_eq!(refused, Err(Refused::Length { found: length }));
    }
}

#[test]
fn a_parcel_stays_until_its_case_has_ended_and_the_time_after_that() {
    let mut ledger = Ledger::new(WIDE);
    let piece = piece(b"abc", 0);
    ledger.admit(&piece, 3, u64::MAX, Timestamp(1)).unwrap();
    ledger.received(&piece.key, 3, Timestamp(1));
    ledger.checked(&piece.key, ParcelState::Complete, Timestamp(1));

    assert!(ledger.expired(|_| true, Timestamp(10_000)).is_empty(), "its case is open");
    assert!(ledger.expired(|_| false, Timestamp(20_000)).is_empty(), "its case has just ended");
    assert!(ledger.expired(|_| false, Timestamp(20_100)).is_empty());
    assert!(ledger.expired(|_| true, Timestamp(20_101)).is_empty(), "its case goes on");
    assert!(ledger.expired(|_| false, Timestamp(30_000)).is_empty(), "and has ended again");
    ledger.fetch(piece.key.case, piece.key.parcel, &owner(2), 0, Timestamp(30_050)).unwrap();
    assert!(ledger.expired(|_| false, Timestamp(30_101)).is_empty(), "somebody fetches it");

    assert_eq!(ledger.expired(|_| false, Timestamp(30_151)), [(piece.key, "its case has ended")]);
}

#[test]
fn a_parcel_that_nobody_goes_on_with_expires_though_its_case_is_open() {
    let mut ledger = Ledger::new(WIDE);
    let piece = piece(b"abc", 0);
    ledger.admit(&piece, 2, u64::MAX, Timestamp(1)).unwrap();
    ledger.received(&piece.key, 2, Timestamp(5));
    let idle = Timestamp(5).plus_micros(limits::PARCEL_IDLE_MICROS_MAX);

    assert!(ledger.expired(|_| true, idle).is_empty());
    assert_eq!(ledger.expired(|_| true, idle.plus_micros(1)), [(piece.key.clone(), "its sender has not gone on")]);

    ledger.received(&piece.key, 1, Timestamp(5));
    ledger.checked(&piece.key, ParcelState::Complete, Timestamp(5));
    assert!(ledger.expired(|_| true, idle.plus_micros(1)).is_empty(), "it is complete");
    let long = Timestamp(5).plus_micros(limits::PARCEL_KEPT_MICROS_MAX + 1);
    assert_eq!(ledger.expired(|_| true, long), [(piece.key, "nobody has touched it for long")]);
}

#[test]
fn what_has_expired_leaves_no_file() {
    let shelf = Shelf::new(WIDE);
    shelf.must_receive(b"parcel", 0, 6);
    let later = Timestamp(1).plus_micros(limits::PARCEL_IDLE_MICROS_MAX + 1);

    assert_eq!(shelf.parcels.sweep(|_| true, Timestamp(2)).unwrap(), 0);
    assert_eq!(shelf.files().len(), 2);
    assert_eq!(shelf.parcels.sweep(|_| true, later).unwrap(), 1);

    assert!(shelf.files().is_empty());
}

#[test]
fn a_kill_after_any_piece_or_in_the_middle_of_one_loses_nothing_that_was_acknowledged() {
    let bytes: Vec<u8> = (0..100_u8).collect();
    for acknowledged in [1, 40, 99, 100] {
        for torn in [0, 1, 30] {
            let shelf = Shelf::new(WIDE);
            shelf.must_receive(&bytes, 0, acknowledged);
            // The kill came when so much of the next piece was written.
            let there = (acknowledged + torn).min(bytes.len());
            fs::write(shelf.file("bytes"), &bytes[..there]).unwrap();

            let shelf = shelf.reopen();

            assert_eq!(shelf.received(&bytes).0, there as u64);
            if there < bytes.len() {
                shelf.must_receive(&bytes, there, bytes.len());
            }
            let end = shelf.parcels.check(&piece(&bytes, 0).key, Timestamp(2)).unwrap();
            assert_eq!(end, ParcelState::Complete);
        }
    }
}

#[test]
fn what_a_power_cut_garbled_is_found_by_the_check_and_sent_anew() {
    let bytes: Vec<u8> = (0..100_u8).collect();
    let shelf = Shelf::new(WIDE);
    shelf.must_receive(&bytes, 0, 60);
    fs::write(shelf.file("bytes"), [&bytes[..30], &[0; 40]].concat()).unwrap();
    let shelf = shelf.reopen();
    shelf.must_receive(&bytes, 70, 100);
    let key = piece(&bytes, 0).key;

    assert_eq!(shelf.parcels.check(&key, Timestamp(2)).unwrap(), ParcelState::Refused);

    assert_eq!(shelf.received(&bytes), (0, ParcelState::Refused));
    let shelf = shelf.reopen();
    assert_eq!(shelf.received(&bytes), (0, ParcelState::Refused), "a restart remembers it");
    shelf.must_receive(&bytes, 0, 100);
    assert_eq!(shelf.parcels.check(&key, Timestamp(3)).unwrap(), ParcelState::Complete);
}

#[test]
fn a_check_that_a_stop_breaks_off_is_done_after_the_next_start() {
    let shelf = Shelf::new(WIDE);
    shelf.must_receive(b"parcel", 0, 6);
    let key = piece(b"parcel", 0).key;
    shelf.stop.send_replace(true);

    assert_eq!(shelf.parcels.check(&key, Timestamp(2)).unwrap(), ParcelState::Checking);

    let shelf = shelf.reopen();
    assert_eq!(shelf.parcels.unchecked().as_slice(), std::slice::from_ref(&key));
    assert_eq!(shelf.parcels.check(&key, Timestamp(3)).unwrap(), ParcelState::Complete);
    let shelf = shelf.reopen();
    assert_eq!(shelf.received(b"parcel"), (6, ParcelState::Complete));
}

#[test]
fn damaged_files_are_removed_and_those_of_a_newer_release_left_alone() {
    let good = Shelf::new(WIDE);
    good.must_receive(b"parcel", 0, 6);
    good.parcels.check(&piece(b"parcel", 0).key, Timestamp(2)).unwrap();
    let files: Vec<(PathBuf, Vec<u8>)> =
        good.files().iter().map(|path| (path.file_name().unwrap().into(), fs::read(path).unwrap())).collect();
    let changed = |ending: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let shelf = Shelf::new(WIDE);
        for (name, content) in &files {
            let mut content = content.clone();
            if name.extension().unwrap() == ending {
                change(&mut content);
            }
            fs::write(shelf.folder.path().join("data/parcels").join(name), content).unwrap();
        }
        let shelf = shelf.reopen();
        let key = piece(b"parcel", 0).key;
        (shelf.files().len(), shelf.parcels.status(key.case, key.parcel, &key.from).is_ok())
    };
    let length = fs::metadata(good.file("about")).unwrap().len() as usize;
    assert_eq!(changed("about", &|_| {}), (2, true));
    for byte in 0..length {
        // The first byte is the format; with another one nothing is known of the rest.
        let kept = if byte == 0 { 2 } else { 0 };
        assert_eq!(changed("about", &|about| about[byte] ^= 1 << (byte % 8)), (kept, false), "byte {byte}");
    }
    // A complete parcel that has lost bytes is none.
    assert_eq!(changed("bytes", &|bytes| bytes.truncate(5)), (0, false));
}

#[test]
fn no_file_of_a_parcel_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let shelf = Shelf::new(WIDE);
    shelf.must_receive(b"parcel", 0, 6);

    for path in shelf.files() {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn the_layout_of_the_file_about_a_parcel_is_stable() {
    let shelf = Shelf::new(WIDE);
    shelf.must_receive(b"parcel", 0, 6);
    let about = fs::read(shelf.file("about")).unwrap();

    assert_eq!(hex::encode(&Sha256::digest(&about)[..8]), "2e2e1683724ce4d2");
}
