//! Files of a party's contracts: a real one, damaged ones, and one that no memory holds.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    io::{self, BufRead, BufReader, Cursor, Read, Write as _},
    path::PathBuf,
};

use canton_client::snapshot_file::{RECORD_BYTES_MAX, Record, SnapshotError, SnapshotErrorKind, SnapshotFile};
use canton_proto::{
    canton::{
        admin::participant::v30::ActiveContract as Wrapped,
        version::v1::{UntypedVersionedMessage, untyped_versioned_message::Wrapper},
    },
    daml::ledger::api::v2::{ActiveContract, CreatedEvent, Identifier},
};
use flate2::{Compression, read::GzEncoder, write};
use prost::Message as _;

const PARTY: &str = "treasury::1220cda0191d3cd049be4873c3c075f53811194785a0e156ec80c15df3895bc3baa8";
const SYNCHRONIZER: &str = "sync::12205d2409e963d89247684f25a0401579802293016ad35a81a8d42fa0b6b3d92d2f";

fn recorded() -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/canton/recordings/pv35/party.acs.gz");
    let file = fs::read(path).ok();
    if file.is_none() {
        println!("skipped: recordings/pv35/party.acs.gz is not beside the project");
    }
    file
}

fn read(file: &[u8]) -> Result<Vec<Record>, SnapshotError> {
    SnapshotFile::new(file).collect()
}

fn packed(unpacked: &[u8]) -> Vec<u8> {
    let mut encoder = write::GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(unpacked).unwrap();
    encoder.finish().unwrap()
}

fn contract(blob_bytes: usize) -> ActiveContract {
    let template = Identifier { package_id: "aa".to_owned(), module_name: "M".to_owned(), entity_name: "E".to_owned() };
    let event = CreatedEvent {
        contract_id: "00ff".to_owned(),
        template_id: Some(template),
        created_event_blob: vec![7; blob_bytes],
        signatories: vec![PARTY.to_owned()],
        representative_package_id: "bb".to_owned(),
        ..CreatedEvent::default()
    };
    ActiveContract { created_event: Some(event), synchronizer_id: SYNCHRONIZER.to_owned(), reassignment_counter: 0 }
}

fn record(version: i32, contract: &ActiveContract) -> Vec<u8> {
    let wrapped = Wrapped { active_contract: contract.encode_to_vec() };
    let wrapper = UntypedVersionedMessage { wrapper: Some(Wrapper::Data(wrapped.encode_to_vec())), version };
    wrapper.encode_length_delimited_to_vec()
}

#[test]
fn a_real_export_shows_every_contract_with_its_packages_and_its_party() {
    let Some(file) = recorded() else { return };

    let records = read(&file).unwrap();

    assert_eq!(records.len(), 4);
    let ids: BTreeSet<&str> = records.iter().map(|record| record.contract.as_str()).collect();
    assert_eq!(ids.len(), 4);
    for record in &records {
        assert_eq!(record.synchronizer.to_string(), SYNCHRONIZER);
        assert_eq!(record.packages, ["de2cc2f90eb523414ff54e899951dadd8789a4c07e0f71f6d6c9eaf57d412a54"]);
        assert!(record.stakeholders.contains(PARTY), "{record:?}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused_with_the_record_and_the_byte() {
    let Some(file) = recorded() else { return };
    for end in 0..file.len() {
        let told = read(&file[..end]).map(|records| records.len()).unwrap_err().to_string();
        assert!(told.starts_with("record ") && told.contains(", byte "), "cut at {end}: {told}");
    }
    let unpacked: Vec<u8> = [record(30, &contract(10)), record(30, &contract(10))].concat();
    let cut = read(&packed(&unpacked[..unpacked.len() - 1])).unwrap_err();
    assert!(matches!(cut.kind, SnapshotErrorKind::Cut), "{cut}");
    assert_eq!((cut.record, cut.offset), (2, unpacked.len() as u64 / 2));
}

#[test]
fn a_flipped_bit_is_refused_or_lies_where_gzip_keeps_no_contract() {
    let Some(file) = recorded() else { return };
    let whole = read(&file).unwrap();
    for index in 0..file.len() {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[index] ^= 1 << bit;
            match read(&flipped) {
                // Gzip's header names a time and a system, and its data end with bits that nobody reads.
                Ok(records) => assert!(records == whole, "byte {index}, bit {bit}: taken"),
                Err(error) => assert!(error.record >= 1),
            }
        }
    }
}

#[test]
fn a_record_that_claims_too_much_is_refused_before_anything_of_it_is_read() {
    let claims = |length: u64| {
        let mut bytes = Vec::new();
        prost::encoding::encode_varint(length, &mut bytes);
        read(&packed(&bytes)).unwrap_err()
    };
    assert!(matches!(claims(RECORD_BYTES_MAX + 1).kind, SnapshotErrorKind::Length));
    assert!(matches!(claims(u64::MAX).kind, SnapshotErrorKind::Length));
    assert!(matches!(claims(RECORD_BYTES_MAX).kind, SnapshotErrorKind::Cut));
}

#[test]
fn what_is_no_contract_is_refused_by_its_layer() {
    let told = |unpacked: &[u8]| read(&packed(unpacked)).unwrap_err().kind.to_string();
    assert_eq!(told(&record(31, &contract(1))), "version 31 of the wrapper; known is 30");
    assert!(told(&[2, 0xff, 0xff]).starts_with("UntypedVersionedMessage: "));
    let nameless = ActiveContract { created_event: None, ..contract(1) };
    assert_eq!(told(&record(30, &nameless)), "ActiveContract of the Ledger API: no created_event");
    let nowhere = ActiveContract { synchronizer_id: String::new(), ..contract(1) };
    assert!(told(&record(30, &nowhere)).contains("synchronizer_id"));
    for no_gzip in [&b""[..], b"no gzip", b"certainly no gzip at all"] {
        let kind = read(no_gzip).unwrap_err().kind;
        assert!(matches!(kind, SnapshotErrorKind::Unreadable(_)), "{kind:?}");
    }
}

#[test]
fn no_contracts_and_several_members_of_gzip_are_fine() {
    assert_eq!(read(&packed(&[])).unwrap(), []);
    let halves = record(30, &contract(100));
    let members = [packed(&halves[..50]), packed(&halves[50..])].concat();
    let records = read(&members).unwrap();
    assert_eq!(records[0].packages, ["aa", "bb"]);
}

/// The same record again and again.
struct Repeated {
    record: Cursor<Vec<u8>>,
    left: u64,
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.record.fill_buf()?.is_empty() && self.left > 0 {
            self.left -= 1;
            self.record.set_position(0);
        }
        self.record.read(buffer)
    }
}

/// The largest memory that this process has had, in kilobytes.
fn peak_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_file_larger_than_any_memory_is_read_in_constant_memory() {
    let is_full = std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some();
    let total: u64 = if is_full { 1 << 30 } else { 64 << 20 };
    let record = record(30, &contract(1 << 20));
    let count = total / record.len() as u64;
    let repeated = Repeated { record: Cursor::new(record), left: count - 1 };
    let file = BufReader::new(GzEncoder::new(repeated, Compression::fast()));
    let before = peak_kilobytes();

    let read = SnapshotFile::new(file).map(Result::unwrap).count();

    assert_eq!(read as u64, count);
    let grown = peak_kilobytes() - before;
    assert!(grown < 48 << 10, "memory grew by {grown} kB");
}
