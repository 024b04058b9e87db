//! Sealing and opening: what is opened is what was sealed, or there is an error that says what is wrong, and no file.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use canton_topology::key::{KeyUsage, SigningPublicKey};
use custody::keys::parcel_key::ParcelKey;
use protocol::{
    book::{Addressee, Book, Card, Entry},
    limits,
    parcel::{Content, ContentHash, Sealed},
    statement::SignStatements as _,
};
use signer_agent::parcel::{
    new_file::NewFileError,
    open::{OpenError, open},
    seal::{SealError, Sealer, seal},
};
use zeroize::Zeroizing;

/// A private folder with one sealed file in it.
struct Bench {
    folder: tempfile::TempDir,
    sealed: Sealed,
}

fn key(number: u8) -> ParcelKey {
    ParcelKey::from_secret(Zeroizing::new([number; 32])).unwrap()
}

/// The owner of that key, as somebody of our book.
fn addressee(number: u8) -> Addressee {
    let signing = ed25519_dalek::SigningKey::from_bytes(&[number; 32]);
    let card = Card {
        name: "bob".to_owned(),
        namespace_key: SigningPublicKey::ed25519(signing.verifying_key().as_bytes(), &[KeyUsage::Namespace]).unwrap(),
        identity: signing.identity(),
        host: None,
        party_key: None,
        parcel_key: Some(key(number).recipient()),
    };
    let mut book = Book::default();
    let owner = card.owner();
    book.add(Entry { name: card.name.clone(), card, more_keys: Vec::new() }).unwrap();
    book.addressee(&owner).unwrap()
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 7 + index / 251) as u8).collect()
}

impl Bench {
    fn sealed(plain: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let sealed = seal(plain, &addressee(1), &folder.path().join("sealed"), |_| {}).unwrap();
        Self { folder, sealed }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open_with(&self, key: &ParcelKey, expected: &Sealed) -> Result<Vec<u8>, OpenError> {
        let into = self.path("opened");
        let result = open(&self.path("sealed"), key, expected, &into, |_| {});
        let is_there = into.exists();
        assert_eq!(result.is_ok(), is_there, "a file is there exactly where it was opened");
        assert!(!self.path("opened.new").exists(), "no half file is left");
        result.map(|()| {
            assert_eq!(fs::metadata(&into).unwrap().permissions().mode() & 0o777, 0o600);
            let opened = fs::read(&into).unwrap();
            fs::remove_file(&into).unwrap();
            opened
        })
    }

    fn open(&self) -> Result<Vec<u8>, OpenError> {
        self.open_with(&key(1), &self.sealed)
    }

    /// The sealed file as somebody in between has changed it, who also lies about what it should be.
    fn open_changed(&self, bytes: &[u8]) -> Result<Vec<u8>, OpenError> {
        fs::write(self.path("sealed"), bytes).unwrap();
        let length = bytes.len() as u64;
        self.open_with(&key(1), &Sealed { sealed: Content { length, ..self.sealed.sealed }, ..self.sealed })
    }
}

#[test]
fn what_is_opened_is_what_was_sealed_whatever_its_length() {
    for length in [0, 1, 65_535, 65_536, 65_537, 131_072, 300_000] {
        let plain = content(length);
        let bench = Bench::sealed(&plain);
        assert_eq!(bench.sealed.plain.length, length as u64);
        assert_eq!(bench.sealed.sealed.length, fs::metadata(bench.path("sealed")).unwrap().len());
        assert_eq!(bench.open().unwrap(), plain, "{length} bytes");
    }
}

#[test]
fn the_format_is_ages_own() {
    let bench = Bench::sealed(b"a snapshot");
    let file = fs::File::open(bench.path("sealed")).unwrap();
    let decryptor = age::Decryptor::new_buffered(io::BufReader::new(file)).unwrap();
    let identity = key(1).identity();
    let mut plain = Vec::new();
    decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).unwrap().read_to_end(&mut plain).unwrap();
    assert_eq!(plain, b"a snapshot");
    let again = Bench::sealed(b"a snapshot");
    assert_ne!(again.sealed.sealed.hash, bench.sealed.sealed.hash, "each sealing has a key of its own");
    assert_eq!(again.sealed.plain, bench.sealed.plain);
}

#[test]
fn a_flipped_bit_anywhere_is_an_error_that_says_where() {
    let bench = Bench::sealed(&content(150_000));
    let good = fs::read(bench.path("sealed")).unwrap();
    let head = good.windows(4).position(|window| window == b"\n---").unwrap() + 49;
    let (mut heads, mut pieces) = (0, 0);
    let positions = (0..head + 20).chain((head + 20..good.len()).step_by(1999)).chain([good.len() - 1]);
    for position in positions {
        let mut bytes = good.clone();
        bytes[position] ^= 1 << (position % 8);
        match bench.open_changed(&bytes).unwrap_err() {
            OpenError::Head | OpenError::HeadChanged | OpenError::OtherRecipient { .. } => {
                assert!(position < head, "byte {position} of a head of {head}");
                heads += 1;
            }
            OpenError::Changed { at } => {
                assert!(position >= head && at > position as u64 && at <= position as u64 + 70_000, "{position} {at}");
                pieces += 1;
            }
            other => panic!("byte {position}: {other:?}"),
        }
    }
    assert!(heads == head && pieces > 80, "{heads} {pieces}");
}

#[test]
fn a_file_that_is_cut_or_added_to_is_an_error_that_says_so() {
    let bench = Bench::sealed(&content(150_000));
    let good = fs::read(bench.path("sealed")).unwrap();
    // Against what the sender signed for, the length alone tells.
    for (bytes, word) in [(&good[..good.len() - 1], "cut short"), (&[good.as_slice(), b"x"].concat(), "added to")] {
        fs::write(bench.path("sealed"), bytes).unwrap();
        let error = bench.open().unwrap_err();
        assert!(matches!(error, OpenError::OtherLength { .. }) && error.to_string().contains(word), "{error}");
    }
    // And without that, the format.
    let piece = 65_536 + 16;
    let end = good.len();
    for length in [0, 1, 20, 150, 200, end - 2 * piece, end - piece, end - 16, end - 1] {
        let error = bench.open_changed(&good[..length]).unwrap_err();
        assert!(matches!(error, OpenError::Head | OpenError::Changed { .. }), "{length}: {error:?}");
    }
    for added in [1, 16, piece] {
        let error = bench.open_changed(&[good.clone(), vec![0; added]].concat()).unwrap_err();
        assert!(matches!(error, OpenError::Changed { .. }), "{added}: {error:?}");
    }
    // Bytes behind a last piece that is full are no other file's beginning.
    let full = Bench::sealed(&content(131_072));
    let good = fs::read(full.path("sealed")).unwrap();
    let error = full.open_changed(&[good.as_slice(), b"x"].concat()).unwrap_err();
    assert!(matches!(error, OpenError::Changed { .. }), "{error:?}");
}

#[test]
fn pieces_in_another_order_are_an_error() {
    let bench = Bench::sealed(&content(200_000));
    let good = fs::read(bench.path("sealed")).unwrap();
    let piece = 65_536 + 16;
    let start = good.len() - (200_000 - 3 * 65_536 + 16) - 3 * piece;
    let mut bytes = good.clone();
    bytes[start..start + 2 * piece].rotate_left(piece);
    assert!(matches!(bench.open_changed(&bytes).unwrap_err(), OpenError::Changed { .. }));
}

#[test]
fn what_is_sealed_to_somebody_else_does_not_open() {
    let bench = Bench::sealed(b"a snapshot");
    let error = bench.open_with(&key(2), &bench.sealed).unwrap_err();
    assert!(matches!(&error, OpenError::OtherRecipient { own } if *own == key(2).recipient().to_string()), "{error:?}");
}

#[test]
fn another_parcel_to_the_same_recipient_is_not_taken_for_this_one() {
    let (bench, other) = (Bench::sealed(b"the snapshot of tuesday"), Bench::sealed(b"the snapshot of someday"));
    // Both are sound, as long, and sealed to us.
    let swapped =
        Sealed { sealed: Content { length: other.sealed.sealed.length, ..bench.sealed.sealed }, ..bench.sealed };
    fs::copy(other.path("sealed"), bench.path("sealed")).unwrap();
    let error = bench.open_with(&key(1), &swapped).unwrap_err();
    assert!(matches!(error, OpenError::OtherParcel { found, .. } if found == other.sealed.sealed), "{error:?}");
}

#[test]
fn a_sender_who_signed_for_another_content_is_found_out() {
    let bench = Bench::sealed(b"a snapshot");
    let plain = Content { hash: ContentHash::from_bytes([7; 32]), ..bench.sealed.plain };
    let error = bench.open_with(&key(1), &Sealed { plain, ..bench.sealed }).unwrap_err();
    assert!(matches!(error, OpenError::OtherContent { found, .. } if found == bench.sealed.plain), "{error:?}");
    // One who signed for a short file and sealed a long one does not fill our disk.
    let long = Bench::sealed(&content(2 << 20));
    let plain = Content { length: 10, ..long.sealed.plain };
    let error = long.open_with(&key(1), &Sealed { plain, ..long.sealed }).unwrap_err();
    assert!(matches!(error, OpenError::OtherContent { found, .. } if found.length < 1 << 20), "{error:?}");
}

#[test]
fn t22_a_head_without_end_is_not_read_without_end() {
    let bench = Bench::sealed(b"a snapshot");
    for line in [&b"-> grease AAAA\nAAAA\n"[..], b"A"] {
        let bytes: Vec<u8> =
            b"age-encryption.org/v1\n".iter().chain(line.iter().cycle()).take(9 << 20).copied().collect();
        assert!(matches!(bench.open_changed(&bytes).unwrap_err(), OpenError::Head));
    }
    // Sound in every other way, and sealed to us among many.
    let mut long = Vec::new();
    let keys: Vec<_> = (1..100).map(|number| key(number).identity().to_public()).collect();
    let encryptor = age::Encryptor::with_recipients(keys.iter().map(|key| key as &dyn age::Recipient)).unwrap();
    let mut writer = encryptor.wrap_output(&mut long).unwrap();
    io::Write::write_all(&mut writer, b"a snapshot").unwrap();
    writer.finish().unwrap();
    assert!(long.len() > limits::PARCEL_HEAD_BYTES_MAX);
    assert!(matches!(bench.open_changed(&long).unwrap_err(), OpenError::Head));
}

#[test]
fn nothing_is_opened_into_a_folder_that_others_may_enter() {
    let bench = Bench::sealed(b"a snapshot");
    for mode in [0o750, 0o705, 0o711] {
        fs::set_permissions(bench.folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        let error = bench.open().unwrap_err();
        assert!(matches!(error, OpenError::File(NewFileError::TooOpen { .. })), "{mode:o}: {error:?}");
    }
}

#[test]
fn a_link_that_waits_under_the_working_name_leads_nowhere() {
    let bench = Bench::sealed(b"a snapshot");
    fs::write(bench.path("precious"), b"precious").unwrap();
    std::os::unix::fs::symlink(bench.path("precious"), bench.path("opened.new")).unwrap();
    assert_eq!(bench.open().unwrap(), b"a snapshot");
    assert_eq!(fs::read(bench.path("precious")).unwrap(), b"precious");
}

/// Gives some bytes and breaks.
struct Breaks(usize);

impl Read for Breaks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the export broke off"));
        }
        self.0 -= 1;
        buffer.fill(5);
        Ok(buffer.len())
    }
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_sealing_that_breaks_off_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealed");
    let error = seal(Breaks(3), &addressee(1), &path, |_| {}).unwrap_err();
    assert!(matches!(error, SealError::Read(_)), "{error:?}");
    assert_eq!(files(folder.path()), 0);
    let mut sealer = Sealer::begin(&addressee(1), &path).unwrap();
    sealer.write(b"half of it").unwrap();
    drop(sealer);
    assert_eq!(files(folder.path()), 0);
}

#[test]
fn progress_tells_every_byte_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let plain = content(1_000_000);
    let (mut sealing, mut opening) = (Vec::new(), Vec::new());
    let path = folder.path().join("sealed");
    let sealed = seal(plain.as_slice(), &addressee(1), &path, |bytes| sealing.push(bytes)).unwrap();
    open(&path, &key(1), &sealed, &folder.path().join("opened"), |bytes| opening.push(bytes)).unwrap();
    for told in [sealing, opening] {
        assert!(told.is_sorted_by(|a, b| a < b) && told.last() == Some(&1_000_000), "{told:?}");
    }
}
